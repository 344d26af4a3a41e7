"""From rows to the table: one line a method, ranked, with intervals and the group that no test separates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf, isfinite, nan

import numpy as np

from mrbench.core.errors import RequestError
from mrbench.core.metric import Metric
from mrbench.core.row import Row
from mrbench.stats.comparison import Comparison, against_best, fewest_cases
from mrbench.stats.intervals import mean_interval, subject_weights


@dataclass(frozen=True)
class Cell:
    """A mean with its interval; ``best`` where no paired test separates it from the best method."""

    mean: float
    low: float
    high: float
    best: bool = False
    comparison: Comparison | None = None


@dataclass(frozen=True)
class Line:
    """One method of the table; without a rank where it has fewer cases than the table."""

    rank: int | None
    method: str
    kind: str
    n_cases: int
    n_failed: int
    cells: dict[str, Cell]
    seconds_median: float
    seconds_iqr: float
    cpu_seconds_median: float
    contended: bool
    device: str
    threads: tuple[int, ...]
    warning: str = ""
    cpu_seconds_per_megavoxel: float = nan
    memory_mib_per_megavoxel: float = nan


@dataclass(frozen=True)
class Leaderboard:
    """The table of one board.

    Attributes
    ----------
    lines : list of Line
        Best first; then methods with failures, then methods on fewer cases, which have no rank.
    skipped : dict of str to str
        Methods that could not run here, and why.
    values : dict of dict of ndarray
        ``values[metric][method]``: one number a case, in the order of ``cases``, failures as they count.
    units : int
        How many different subjects (or pairs) the cases are of: what paired tests compare.
    fewest : int
        How many of them it takes to tell this many methods apart; with fewer, none is marked as best.
    """

    metrics: tuple[Metric, ...]
    lines: list[Line]
    cases: list[str]
    skipped: dict[str, str]
    values: dict[str, dict[str, np.ndarray]] = field(repr=False)
    protocol: str = ""
    units: int = 0
    fewest: int = fewest_cases(1)

    @property
    def primary(self) -> Metric:
        return self.metrics[0]


def leaderboard(rows: Sequence[Row], metrics: Sequence[Metric]) -> Leaderboard:
    """Rank the methods of a board by the first metric.

    A failed case counts as the metric's worst bound, or, where that is infinite, as the worst value that
    any method reached on that case (if none did, on any case); so a failure never improves a mean by vanishing from it.

    Raises
    ------
    RequestError
        If the rows are of different protocols, datasets or splits: such numbers share no table.
    """
    for attribute in ("protocol", "dataset", "fingerprint", "split", "task", "track"):
        found = {getattr(row, attribute) for row in rows}
        if len(found) > 1:
            raise RequestError(f"rows of different {attribute} ({', '.join(sorted(found))}) cannot share a table.")
    pairs = [(row.method, row.case) for row in rows]
    if len(set(pairs)) < len(pairs):
        raise RequestError("a method has two rows for one case; give each method and case once.")
    by_method: dict[str, list[Row]] = {}
    for row in rows:
        by_method.setdefault(row.method, []).append(row)
    skipped = {name: own[0].message for name, own in by_method.items() if all(r.status == "skipped" for r in own)}
    ran = {name: [r for r in own if r.status != "skipped"] for name, own in by_method.items() if name not in skipped}
    cases = list(dict.fromkeys(row.case for own in ran.values() for row in own))
    subjects = {row.case: row.subjects for row in rows}
    known = tuple(m for m in metrics if any(m.name in row.metrics for row in rows))
    values = {metric.name: _matrix(ran, cases, metric) for metric in known}
    units = _units([tuple(subjects[case]) for case in cases])
    weights = subject_weights([subjects[case] for case in cases]) if cases else np.zeros((0, 0))

    failures = {name: sum(row.failed for row in own) for name, own in ran.items()}
    whole = {name for name, own in ran.items() if len(own) == len(cases)}
    sound = {name for name in whole if not failures[name]}
    fewest = fewest_cases(len(sound) - 1)
    cells: dict[str, dict[str, Cell]] = {name: {} for name in ran}
    for metric in known:
        for name, cell in _column(values[metric.name], metric, weights, sound, units, fewest).items():
            cells[name][metric.name] = cell
    order = sorted(ran, key=lambda name: (name not in whole, failures[name] > 0, _badness(cells[name], known)))
    lines = [
        _line(rank if name in whole else None, name, ran[name], cells[name], failures[name])
        for rank, name in enumerate(order, start=1)
    ]
    protocol = rows[0].protocol if rows else ""
    return Leaderboard(known, lines, cases, skipped, values, protocol, len(units), fewest)


def _matrix(ran: dict[str, list[Row]], cases: list[str], metric: Metric) -> dict[str, np.ndarray]:
    """Per method, the metric on each case; NaN where the method has no row."""
    position = {case: i for i, case in enumerate(cases)}
    table = {name: np.full(len(cases), np.nan) for name in ran}
    for name, own in ran.items():
        for row in own:
            if row.status == "ok":
                table[name][position[row.case]] = row.metrics.get(metric.name, np.nan)
    pick = np.nanmin if metric.higher_is_better else np.nanmax
    reached = np.stack(list(table.values()))
    for name, own in ran.items():
        for row in own:
            if row.failed:
                here = reached[:, position[row.case]]
                seen = here if not np.isnan(here).all() else reached
                table[name][position[row.case]] = metric.worst if isfinite(metric.worst) else float(pick(seen))
    return table


def _units(subjects: Sequence[tuple[str, ...]]) -> list[np.ndarray]:
    """Positions of the cases of the same subjects: several masks of one head are not several heads."""
    return [np.flatnonzero([own == unit for own in subjects]) for unit in dict.fromkeys(subjects)]


def _column(
    values: dict[str, np.ndarray], metric: Metric, weights: np.ndarray, sound: set[str], units: list[np.ndarray],
    fewest: int,
) -> dict[str, Cell]:  # fmt: skip
    """Means, intervals and the best group; only methods that did every case can be best.

    The paired test sees one number for the same subjects, their mean: repeated cases are not independent.
    """
    intervals = {name: mean_interval(own, weights) for name, own in values.items()}
    sign = -metric.sign
    eligible = [name for name, (mean, _, _) in intervals.items() if not np.isnan(mean) and name in sound]
    if not eligible or not metric.ranked or len(units) < fewest:
        return {name: Cell(*interval) for name, interval in intervals.items()}
    best = min(eligible, key=lambda name: sign * intervals[name][0])
    by_unit = {name: np.array([values[name][unit].mean() for unit in units]) for name in eligible}
    compared = against_best(by_unit, best, higher_is_better=metric.higher_is_better)
    return {
        name: Cell(
            *interval,
            best=name == best or (name in eligible and not compared[name].separable),
            comparison=compared.get(name),
        )
        for name, interval in intervals.items()
    }


def _badness(cells: dict[str, Cell], metrics: tuple[Metric, ...]) -> float:
    if not metrics:
        return inf
    mean = cells[metrics[0].name].mean
    return inf if np.isnan(mean) else -metrics[0].sign * mean


def _line(rank: int | None, name: str, rows: list[Row], cells: dict[str, Cell], failed: int) -> Line:
    seconds = np.asarray([row.seconds for row in rows if row.seconds is not None and row.status == "ok"])
    cpu = [row.cpu_seconds for row in rows if row.cpu_seconds is not None and row.status == "ok"]
    quartiles = np.percentile(seconds, [25, 50, 75]) if seconds.size else np.full(3, np.nan)
    return Line(
        rank=rank,
        method=name,
        kind=rows[0].kind,
        n_cases=len(rows),
        n_failed=failed,
        cells=cells,
        seconds_median=float(quartiles[1]),
        seconds_iqr=float(quartiles[2] - quartiles[0]),
        cpu_seconds_median=float(np.median(cpu)) if cpu else float("nan"),
        contended=any(row.contended for row in rows),
        device=" + ".join(sorted({row.device for row in rows})),
        threads=tuple(sorted({row.threads for row in rows})),
        warning=next((row.message for row in rows if row.message), ""),
        cpu_seconds_per_megavoxel=_per_megavoxel(rows, "cpu_seconds"),
        memory_mib_per_megavoxel=_per_megavoxel(rows, "memory_mib"),
    )


def _per_megavoxel(rows: list[Row], cost: str) -> float:
    """Median of a cost by the size of its case; NaN where the task does not tell sizes."""
    known = [
        getattr(row, cost) / row.details["megavoxels"]
        for row in rows
        if row.status == "ok" and "megavoxels" in row.details and getattr(row, cost) is not None
    ]
    return float(np.median(known)) if known else nan
