"""Paired comparison of all pairs of methods on the same cases."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from mrbench.core.metric import Metric
from mrbench.stats.intervals import drawn_means, percentile_interval

ALPHA = 0.05

COLUMNS = (
    "metric", "first", "second", "difference", "low", "high", "wins", "n", "p", "p_holm", "separable",
)  # fmt: skip


def fewest_units(methods: int) -> int:
    """From how many subjects on Holm's correction over all pairs lets a two-sided signed test reach 0.05.

    6 for two methods, 13 for 17. With fewer, nothing could be told from the best, so no group of best methods is named.
    """
    pairs, units = max(methods * (methods - 1) // 2, 1), 1
    while pairs * 2 / 2**units >= ALPHA:
        units += 1
    return units


def compare_all(
    values: pd.DataFrame, metric: Metric, units: Sequence[np.ndarray], weights: np.ndarray, sound: set[str]
) -> pd.DataFrame:
    """Compare every method with every other one.

    Parameters
    ----------
    values : DataFrame, cases by methods
        Methods from best to worst; NaN where there is none.
    units : sequence of ndarray
        Positions of the cases of the same subjects, which count as one.
    weights : ndarray
        From `subject_weights`.
    sound : set of str
        Methods without a failure; only pairs of them are of the family that Holm's correction is over.

    Returns
    -------
    DataFrame
        One line a pair, with ``COLUMNS``: ``difference`` is the mean of first less second in the metric's unit, with
        its 95 % interval, ``wins`` on how many of ``n`` units the first was better.
    """
    drawn = {method: drawn_means(own.to_numpy(), weights) for method, own in values.items()}
    lines = []
    for first, second in combinations(values.columns, 2):
        apart = (values[first] - values[second]).to_numpy()
        by_unit = np.array([apart[unit].mean() for unit in units])
        by_unit = by_unit[~np.isnan(by_unit)]
        lines.append(
            (metric.name, first, second, float(np.mean(apart[~np.isnan(apart)])) if by_unit.size else np.nan,
             *percentile_interval(drawn[first] - drawn[second]), int((metric.sign * by_unit > 0).sum()),
             by_unit.size, signed_rank_p(by_unit))
        )  # fmt: skip
    found = pd.DataFrame(lines, columns=list(COLUMNS[:-2]))
    in_family = found["first"].isin(sound) & found["second"].isin(sound)
    found["p_holm"] = np.where(in_family, holm(found["p"].where(in_family)), holm(found["p"]))
    found["separable"] = found["p_holm"] < ALPHA
    return found


def signed_rank_p(difference: np.ndarray) -> float:
    """Two-sided Wilcoxon signed-rank p-value; 1 where all differences are zero or there are none."""
    from scipy.stats import wilcoxon

    moved = difference[difference != 0]
    return float(wilcoxon(moved).pvalue) if moved.size else 1.0


def holm(p_values: pd.Series) -> np.ndarray:
    """Holm's step-down correction (Scand. J. Stat. 1979) over the values that are known."""
    from statsmodels.stats.multitest import multipletests

    corrected, known = np.full(len(p_values), np.nan), p_values.notna().to_numpy()
    if known.any():
        corrected[known] = multipletests(p_values[known], method="holm")[1]
    return corrected
