"""Paired comparison of all pairs of methods on the same cases, by tests that know which cases share a subject."""

from __future__ import annotations

from collections.abc import Collection
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit  # Student's t; scipy.stats takes half a second to import

from mrbench.core.metric import Metric
from mrbench.stats.design import Design, Moments
from mrbench.stats.intervals import interval, patterns

ALPHA = 0.05
POWER = 0.8

COLUMNS = (
    "metric",
    "first",
    "second",
    "difference",
    "low",
    "high",
    "wins",
    "n",
    "p",
    "p_holm",
    "separable",
    "effect_size",
    "detectable",
)

ALL_FLIPS = 16
"""Independent subjects up to which every flip of signs is tried; with more, Student's t has the same error."""

_PAIRS_AT_ONCE = 200
_CELLS = 2_000_000
"""Units times pairs that stand in memory at once."""


def fewest_units(methods: int) -> int:
    """From how many subjects on Holm's correction over all pairs lets the test reach 0.05.

    6 for two methods, 13 for 17. With fewer, nothing could be told from the best, so no group of best methods is named.
    """
    pairs, units = max(methods * (methods - 1) // 2, 1), 1
    while pairs * 2 / 2**units >= ALPHA and units <= ALL_FLIPS:
        units += 1
    return units


def compare_all(values: pd.DataFrame, metric: Metric, design: Design, sound: Collection[str]) -> pd.DataFrame:
    """Compare every method with every other one.

    Parameters
    ----------
    values : DataFrame, cases by methods
        NaN where there is none: a pair is compared on the cases that both have.
    metric : Metric
        What is compared.
    design : Design
        Of the cases.
    sound : collection of str
        Methods without a failure. Pairs of them are one family for Holm's correction; a pair with a method that failed
        is corrected over all pairs, so that methods that do not work make no test of others stricter.

    Returns
    -------
    DataFrame
        One line a pair; ``first`` is the better one on the cases that both have:

        - ``difference``, ``low``, ``high``: mean of first less second in the metric's unit, with its 95 % interval;
        - ``wins`` on how many of ``n`` subjects (or sets of them) the first was better, repeated cases averaged;
        - ``p``: two-sided. Of up to 16 independent subjects, exact over all flips of their signs; of more, and where
          cases share subjects, Student's t with the variance of `Design.moments`. NaN under 5 subjects;
        - ``p_holm``: after Holm's correction over all pairs, not over comparisons with the winner alone, because the
          winner is picked from the same data; ``separable`` where it is under 0.05;
        - ``effect_size``: difference in standard deviations of the subjects' differences, positive (Cohen's d_z);
        - ``detectable``: difference that as many subjects show with 80 % power at 5 %, before any correction.
    """
    order = (-metric.sign * values.mean()).sort_values(kind="stable").index
    pairs = np.array(list(combinations(range(len(order)), 2)), dtype=int).reshape(-1, 2)
    ranked = values[order].to_numpy()
    at_once = max(1, min(_PAIRS_AT_ONCE, _CELLS // max(len(ranked), 1)))
    parts = [
        _compared(ranked, pairs[start : start + at_once], metric.sign, design)
        for start in range(0, max(len(pairs), 1), at_once)
    ]
    table = pd.concat(parts, ignore_index=True)
    table = table.assign(metric=metric.name, first=order[pairs[:, 0]], second=order[pairs[:, 1]])
    if (worse := metric.sign * table["difference"] < 0).any():
        _turn(table, worse)
    in_family = (table["first"].isin(sound) & table["second"].isin(sound)).to_numpy()
    p = table["p"].to_numpy()
    table["p_holm"] = np.where(in_family, holm(np.where(in_family, p, np.nan)), holm(p))
    table["separable"] = table["p_holm"] < ALPHA
    return table[list(COLUMNS)]


def _turn(table: pd.DataFrame, worse: pd.Series) -> None:
    """Exchange first and second, which may differ in the cases that only one of them has."""
    turned = table[worse]
    table.loc[worse, ["first", "second"]] = turned[["second", "first"]].to_numpy()
    table.loc[worse, ["difference", "low", "high"]] = -turned[["difference", "high", "low"]].to_numpy()
    table.loc[worse, "wins"] = turned["losses"]


def _compared(values: np.ndarray, pairs: np.ndarray, sign: int, design: Design) -> pd.DataFrame:
    """Numbers of each pair of columns."""
    apart = values[:, pairs[:, 0]] - values[:, pairs[:, 1]]
    table = {
        name: np.full(len(pairs), np.nan) for name in ("difference", "low", "high", "p", "effect_size", "detectable")
    }
    counts = {name: np.zeros(len(pairs), int) for name in ("wins", "losses", "n")}
    for columns, part, units in patterns(apart, design):
        table["difference"][columns] = part.counts @ units / part.counts.sum()
        counts["wins"][columns] = (sign * units > 0).sum(axis=0)
        counts["losses"][columns] = (sign * units < 0).sum(axis=0)
        counts["n"][columns] = part.n_units
        if not part.enough:
            continue
        moments = part.moments(units)
        table["low"][columns], table["high"][columns] = interval(moments)
        table["p"][columns] = p_values(units, part, moments)
        with np.errstate(invalid="ignore", divide="ignore"):
            table["effect_size"][columns] = np.abs(moments.mean) / units.std(axis=0, ddof=1)
        table["detectable"][columns] = detectable(moments)
    return pd.DataFrame(table | counts)


def p_values(units: np.ndarray, design: Design, moments: Moments) -> np.ndarray:
    """Two-sided p-value of each column for a mean of zero.

    Parameters
    ----------
    units : ndarray, shape ``(units, columns)``
        Differences, one a unit.
    design : Design
        Which cases share a subject.
    moments : Moments
        Of the differences.
    """
    if design.independent and design.n_units <= ALL_FLIPS:
        return sign_flip_p(units * design.counts[:, None])
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.abs(moments.mean) / np.sqrt(moments.variance)
    p = 2 * stdtr(moments.df, -t)
    return np.where(moments.variance > 0, p, np.where(moments.mean == 0, 1.0, 0.0))


def sign_flip_p(units: np.ndarray) -> np.ndarray:
    """Exact two-sided p-value over all flips of signs: in how many the sum is at least as far from zero.

    Parameters
    ----------
    units : ndarray, shape ``(units, columns)``
        At most 16 units, each flipped as a whole.
    """
    n = len(units)
    flips = 1 - 2 * (np.arange(2 ** max(n - 1, 0))[:, None] >> np.arange(n) & 1)  # the last sign stays: p is two-sided
    flips = flips.astype(float)
    parts = [units[:, start : start + _PAIRS_AT_ONCE] for start in range(0, units.shape[1], _PAIRS_AT_ONCE)]
    return np.concatenate([_as_far(flips, part) for part in parts]) if parts else np.zeros(0)


def _as_far(flips: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Share of flips whose sum is at least as far from zero as that of the first, up to rounding."""
    sums = np.abs(flips @ units)
    return (sums >= sums[0] - 1e-9 * np.abs(units).sum(axis=0)).mean(axis=0)


def detectable(moments: Moments) -> np.ndarray:
    """Difference that is shown with 80 % power by a two-sided test at 5 %, by the variance at hand."""
    spread = stdtrit(moments.df, 1 - ALPHA / 2) + stdtrit(moments.df, POWER)
    return spread * np.sqrt(moments.variance)


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's step-down correction (Scand. J. Stat. 1979) over the values that are known."""
    corrected, known = np.full(len(p_values), np.nan), np.flatnonzero(~np.isnan(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    steps = p_values[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return corrected
