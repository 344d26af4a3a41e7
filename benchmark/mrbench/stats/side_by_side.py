"""Two boards of one task side by side: other subjects, another track, another dataset."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import nan

import numpy as np
import pandas as pd

from mrbench.core.errors import RequestError
from mrbench.core.metric import Metric
from mrbench.stats.intervals import drawn_means, percentile_interval, subject_weights
from mrbench.stats.leaderboard import Leaderboard, leaderboard
from mrbench.stats.matching import match


@dataclass(frozen=True)
class SideBySide:
    """The methods of two boards, best on the second board first.

    Attributes
    ----------
    table : DataFrame, index ``method`` (its name on the second board)
        ``kind``; ``name``, ``n_cases``, ``n_failed``, ``mean``, ``low`` and ``high`` on either board, with the ending
        ``_first`` or ``_second``; ``difference``, the mean on the second board less that on the first, with its 95 %
        interval ``difference_low`` and ``difference_high``; ``excess`` (``_low``, ``_high``) of a learned method, the
        difference less the mean difference of the classical methods, who say how much easier the second board is for
        anyone (NaN of classical methods, and where there are none); ``other_weights``, whether it ran with other
        weights on either board, as a method with weights for each track does.
    unmatched : DataFrame
        ``board``, ``method``, ``reason``: what stands on one board only.
    rank_correlation : float
        Kendall's tau-b of the means of the shared methods on the two boards; NaN with fewer than two.
    same_subjects : bool
        Whether both boards are of the same subjects of one dataset, so that differences are paired.
    cases : tuple of int
        How many cases the rows of either board cover.
    """

    metric: Metric
    table: pd.DataFrame
    unmatched: pd.DataFrame = field(repr=False)
    rank_correlation: float
    same_subjects: bool
    cases: tuple[int, int]

    @property
    def classical(self) -> pd.Series:
        """Differences of the classical methods."""
        return self.table.loc[self.table["kind"] == "classical", "difference"]


def side_by_side(first: pd.DataFrame, second: pd.DataFrame, metric: Metric) -> SideBySide:
    """Compare the methods that have scores on both boards.

    Parameters
    ----------
    first, second : DataFrame
        From `stats.frame`, each of one board, data and protocol.

    Raises
    ------
    RequestError
        If a board does not have the metric, or the two share no method.

    Notes
    -----
    The subjects of each board are resampled, those of one board for all its methods alike, so that what makes a
    board easy for everyone cancels in the excess. Where both boards are of the same subjects, they are drawn together.
    """
    from scipy.stats import kendalltau

    boards = [leaderboard(rows, [metric]) for rows in (first, second)]
    for rows, board in zip((first, second), boards, strict=True):
        if not board.metrics or board.cells[metric.name]["mean"].isna().all():
            place = ", ".join(str(rows[name].iloc[0]) for name in ("dataset", "track", "split"))
            raise RequestError(f"no row of {place} has {metric.name}, the task's first metric; run the board again.")
    scored = [board.summary[board.cells[metric.name]["mean"].notna()] for board in boards]
    matches = match(scored[0]["weights"], scored[1]["weights"])
    if not matches.pairs:
        raise RequestError(f"the two boards share no method with {metric.name}; run the same methods on both.")
    names = [list(side) for side in zip(*matches.pairs, strict=True)]
    table = pd.DataFrame({"kind": scored[1].loc[names[1], "kind"]})
    for side, board, own in zip(("first", "second"), boards, names, strict=True):
        table[f"name_{side}"] = own
        for column in ("n_cases", "n_failed"):
            table[f"{column}_{side}"] = board.summary.loc[own, column].to_numpy()
        for column in ("mean", "low", "high"):
            table[f"{column}_{side}"] = board.cells.loc[own, (metric.name, column)].to_numpy()
    cohorts = [_subjects(rows, board) for rows, board in zip((first, second), boards, strict=True)]
    table = table.join(_differences(boards, names, cohorts, table["kind"] == "classical", metric))
    weights = [scored[side].loc[names[side], "weights"].fillna("").to_numpy() for side in (0, 1)]
    table["other_weights"] = weights[0] != weights[1]
    tau = kendalltau(table["mean_first"], table["mean_second"]).statistic if len(table) > 1 else nan
    same = {who for case in cohorts[0] for who in case} == {who for case in cohorts[1] for who in case}
    return SideBySide(metric, table, matches.unmatched, float(tau), same, (len(boards[0].cases), len(boards[1].cases)))


def _subjects(rows: pd.DataFrame, board: Leaderboard) -> list[list[str]]:
    """Who is in each case of a board, told from those of the same name in another dataset."""
    dataset = rows["dataset"].iloc[0]
    return [[f"{dataset}/{subject}" for subject in case] for case in board.subjects]


def _differences(
    boards: list[Leaderboard], names: list[list[str]], cohorts: list[list[list[str]]], classical: pd.Series,
    metric: Metric,
) -> pd.DataFrame:  # fmt: skip
    """Difference and excess of each method with their intervals."""
    means, draws = [], []
    for board, own, cohort in zip(boards, names, cohorts, strict=True):
        weights = subject_weights(cohort)
        values = board.values[metric.name][own]
        means.append(values.mean().to_numpy())
        draws.append(np.stack([drawn_means(one.to_numpy(), weights) for _, one in values.items()], axis=1))
    moved, spread = means[1] - means[0], draws[1] - draws[0]
    table = pd.DataFrame({"difference": moved}, index=classical.index)
    table[["difference_low", "difference_high"]] = [percentile_interval(own) for own in spread.T]
    common = classical.to_numpy()
    excess = np.full((len(moved), 3), nan)
    if common.any():
        beyond = spread - spread[:, common].mean(axis=1, keepdims=True)
        excess[:, 0] = moved - moved[common].mean()
        excess[:, 1:] = [percentile_interval(own) for own in beyond.T]
        excess[common] = nan
    table[["excess", "excess_low", "excess_high"]] = excess
    return table
