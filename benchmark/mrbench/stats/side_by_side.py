"""Two boards of one task side by side: other subjects, another track, another dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan

import numpy as np

from mrbench.core.errors import RequestError
from mrbench.core.metric import Metric
from mrbench.core.row import Row
from mrbench.stats.intervals import mean_interval, subject_weights


@dataclass(frozen=True)
class Side:
    """One method on one board: number of cases, mean and 95 % interval over subjects."""

    n: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Pairing:
    """One method on both boards.

    Attributes
    ----------
    first, second : Side
    difference, low, high : float
        Second less first, with the 95 % interval of subjects drawn anew on each board: they are not the same people.
    excess : float
        Of a learned method: the difference less the mean difference of the classical methods, which says how much
        easier the second board is for anyone. NaN of classical methods, and where there are none.
    """

    method: str
    kind: str
    first: Side
    second: Side
    difference: float
    low: float
    high: float
    excess: float


def side_by_side(first: Sequence[Row], second: Sequence[Row], metric: Metric) -> list[Pairing]:
    """Compare the methods that have scores on both boards, in the order of the second board's means.

    Raises
    ------
    RequestError
        If no method has.
    """
    sides = [_by_method(rows, metric) for rows in (first, second)]
    shared = [method for method in sides[0] if method in sides[1]]
    if not shared:
        raise RequestError(f"the two boards share no method with {metric.name}; run the same methods on both.")
    found = []
    for method in shared:
        kind, values, subjects = sides[0][method]
        _, others, people = sides[1][method]
        one, draws = _side(values, subjects)
        two, other_draws = _side(others, people)
        spread = other_draws - draws
        low, high = np.percentile(spread, [2.5, 97.5]) if min(one.n, two.n) >= 3 else (nan, nan)
        found.append(Pairing(method, kind, one, two, two.mean - one.mean, float(low), float(high), nan))
    classical = [pair.difference for pair in found if pair.kind == "classical"]
    easier = float(np.mean(classical)) if classical else nan
    sign = -1 if metric.higher_is_better else 1
    found = [
        Pairing(p.method, p.kind, p.first, p.second, p.difference, p.low, p.high, p.difference - easier)
        if p.kind == "learned" else p
        for p in found
    ]  # fmt: skip
    return sorted(found, key=lambda pair: sign * pair.second.mean)


def classical_differences(found: Sequence[Pairing]) -> tuple[float, float, float] | None:
    """Mean, smallest and largest difference of the classical methods, or None where there are none."""
    values = [pair.difference for pair in found if pair.kind == "classical"]
    return (float(np.mean(values)), min(values), max(values)) if values else None


def _by_method(rows: Sequence[Row], metric: Metric) -> dict[str, tuple[str, np.ndarray, list[list[str]]]]:
    own: dict[str, list[Row]] = {}
    for row in rows:
        if row.status == "ok" and isfinite(row.metrics.get(metric.name, nan)):
            own.setdefault(row.method, []).append(row)
    return {
        method: (found[0].kind, np.array([row.metrics[metric.name] for row in found]), [row.subjects for row in found])
        for method, found in own.items()
    }


def _side(values: np.ndarray, subjects: list[list[str]]) -> tuple[Side, np.ndarray]:
    """Mean with its interval, and the bootstrap means themselves."""
    weights = subject_weights(subjects)
    totals = weights.sum(1)
    draws = np.where(totals > 0, weights @ values / np.maximum(totals, 1), values.mean())
    return Side(len(values), *mean_interval(values, weights)), draws
