"""Two boards of one task side by side: other subjects, another track, another dataset."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import nan

import numpy as np
import pandas as pd

from mrbench.core.errors import RequestError
from mrbench.core.metric import Metric
from mrbench.stats.design import Design, Moments
from mrbench.stats.intervals import LEVEL, interval, patterns
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
        interval ``difference_low`` and ``difference_high``; ``left_out``, how many subjects are not in it because only
        one board has a value of them, where it is paired; ``excess`` (``_low``, ``_high``) of a learned method, the
        difference less the mean difference of the classical methods, who say how much easier the second board is for
        anyone (NaN of classical methods, and where there are none); ``other_weights``, whether it ran with other
        weights on either board, as a method with weights for each track does.
    unmatched : DataFrame
        ``board``, ``method``, ``reason``: what stands on one board only.
    rank_correlation : float
        Kendall's tau-b of the means of the shared methods on the two boards; NaN with fewer than two.
    same_subjects : bool
        Whether the subjects (or sets of them) of one board are all on the other one, of one dataset, so that
        differences are paired: over the subjects that a method has values of on both.
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


def side_by_side(first: pd.DataFrame, second: pd.DataFrame, metric: Metric, *, level: float = LEVEL) -> SideBySide:
    """Compare the methods that have scores on both boards.

    Parameters
    ----------
    first, second : DataFrame
        From `stats.frame`, each of one board, data and protocol.
    metric : Metric
        What is compared.
    level : float
        Of the intervals of differences and excess.

    Raises
    ------
    RequestError
        If a board does not have the metric, or the two share no method.

    Notes
    -----
    The subjects of each board vary for all its methods alike, so that what makes a board easy for everyone cancels in
    the excess. Where the boards are of the same subjects of one dataset, each is compared with itself; else the
    variances of the two means add up and their degrees of freedom are Welch's.
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
    for side, board, methods in zip(("first", "second"), boards, names, strict=True):
        table[f"name_{side}"] = methods
        for column in ("n_cases", "n_failed"):
            table[f"{column}_{side}"] = board.summary.loc[methods, column].to_numpy()
        for column in ("mean", "low", "high"):
            table[f"{column}_{side}"] = board.cells.loc[methods, (metric.name, column)].to_numpy()
    same = _same_subjects(first, second, boards)
    table = table.join(_differences(boards, names, table["kind"] == "classical", metric, same, level))
    weights = [scored[side].loc[names[side], "weights"].fillna("").to_numpy() for side in (0, 1)]
    table["other_weights"] = weights[0] != weights[1]
    tau = kendalltau(table["mean_first"], table["mean_second"]).statistic if len(table) > 1 else nan
    return SideBySide(metric, table, matches.unmatched, float(tau), same, (len(boards[0].cases), len(boards[1].cases)))


def _same_subjects(first: pd.DataFrame, second: pd.DataFrame, boards: list[Leaderboard]) -> bool:
    """Whether all sets of subjects of one board are on the other; those of the same name in another dataset are not."""
    datasets = {rows["dataset"].iloc[0] for rows in (first, second)}
    sets = [set(map(frozenset, board.subjects)) for board in boards]
    return len(datasets) == 1 and (sets[0] <= sets[1] or sets[1] <= sets[0])


def _differences(
    boards: list[Leaderboard], names: list[list[str]], classical: pd.Series, metric: Metric, same: bool, level: float
) -> pd.DataFrame:
    """Difference and excess of each method with their intervals."""
    values = [board.values[metric.name][methods].to_numpy() for board, methods in zip(boards, names, strict=True)]
    common = classical.to_numpy()
    if common.any():
        with np.errstate(invalid="ignore"):
            beyond = [table - table[:, common].mean(axis=1, keepdims=True) for table in values]
        for table in beyond:
            table[:, common] = nan
    else:
        beyond = [np.full_like(table, nan) for table in values]
    moved = _moved_by_subject if same else _moved_apart
    columns = ("difference", "difference_low", "difference_high", "left_out")
    parts = [pd.DataFrame(moved(boards, table, level), classical.index, columns) for table in (values, beyond)]
    excess = parts[1].drop(columns="left_out").rename(columns=lambda name: name.replace("difference", "excess"))
    return parts[0].astype({"left_out": int}).join(excess)


def _moved_apart(boards: list[Leaderboard], values: list[np.ndarray], level: float) -> np.ndarray:
    """Mean of the second less the first, low and high of each column, and 0: each board has subjects of its own."""
    means = [_column_means(table) for table in values]
    table = np.column_stack([means[1] - means[0], *np.full((2, len(means[0])), nan), np.zeros(len(means[0]))])
    for column in np.flatnonzero(~np.isnan(table[:, 0])):
        parts = [_moments(board, every[:, [column]]) for board, every in zip(boards, values, strict=True)]
        if parts[0] is not None and parts[1] is not None:
            table[column, 1:3] = np.ravel(interval(parts[1] - parts[0], level=level))
    return table


def _moved_by_subject(boards: list[Leaderboard], values: list[np.ndarray], level: float) -> np.ndarray:
    """Mean of the differences of each set of subjects with itself, low and high of each column, and how many sets have
    a value on one board alone.
    """
    table = np.full((values[0].shape[1], 4), nan)
    for column, line in enumerate(table):
        first, second = (_by_subject(board, every[:, [column]]) for board, every in zip(boards, values, strict=True))
        both = [unit for unit in second if unit in first]
        line[3] = len(first) + len(second) - 2 * len(both)
        if not both:
            continue
        apart, design = np.array([[second[unit] - first[unit]] for unit in both]), Design([sorted(one) for one in both])
        line[0] = apart.mean()
        if design.enough:
            line[1:3] = np.ravel(interval(design.moments(apart), level=level))
    return table


def _column_means(values: np.ndarray) -> np.ndarray:
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0).sum(axis=0) / known.sum(axis=0)


def _moments(board: Leaderboard, values: np.ndarray) -> Moments | None:
    ((_, design, units),) = patterns(values, Design(board.subjects))
    return design.moments(units) if design.enough else None


def _by_subject(board: Leaderboard, values: np.ndarray) -> dict[frozenset[str], float]:
    """Mean over the cases of each set of subjects that has a value."""
    design, known = Design(board.subjects), ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        units = design.by_unit(np.where(known, values, 0)) / design.by_unit(known.astype(float))
    means = zip(dict.fromkeys(map(frozenset, board.subjects)), units[:, 0], strict=True)
    return {unit: float(mean) for unit, mean in means if not np.isnan(mean)}
