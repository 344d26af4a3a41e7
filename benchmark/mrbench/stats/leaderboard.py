"""From rows to the table: one line a method, ranked, with intervals and the group that no test separates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mrbench.core.errors import RequestError
from mrbench.core.metric import Metric
from mrbench.stats.comparison import COLUMNS, compare_all, fewest_units
from mrbench.stats.costs import costs
from mrbench.stats.design import Design
from mrbench.stats.intervals import mean_intervals
from mrbench.stats.ranking import Ranking, ranking
from mrbench.stats.scores import counted, grid, scores

SAME = ("protocol", "dataset", "fingerprint", "split", "task", "track")
"""What all rows of a table share."""


@dataclass(frozen=True)
class Leaderboard:
    """The table of one board; `method` is the index of each of its frames that has one line a method.

    Attributes
    ----------
    metrics : tuple of Metric
        Those that any row has, the first one first: it ranks.
    summary : DataFrame
        Best first; then methods with failures, then methods on fewer cases, which have no rank: those without a row,
        or without a value of the first metric, where others have one. ``rank`` (equal means share one), ``kind``,
        ``n_cases``, ``n_failed`` and the columns of `stats.costs`.
    cells : DataFrame
        ``mean``, ``low``, ``high`` and ``n`` cases of each metric, and whether the method is among the ``best``: those
        whom no paired test separates from the best mean.
    values : dict of str to DataFrame
        Of each metric, cases by methods, failures as they count.
    comparisons : DataFrame
        All pairs of methods, see `compare_all`; the better mean is ``first``.
    ranking : Ranking
        Of the methods with all cases, by the first metric: ranks by three rules, and how firm they are.
    skipped : dict of str to str
        Methods that could not run here, and why.
    unread : dict of str to str
        Cases without a row of any method, because their files are bad, and why; they count for nobody.
    cases : list of str
    subjects : list of tuple of str
        Who is in each case.
    protocol : str
    units : int
        How many different subjects (or pairs) the cases are of: what paired tests compare.
    fewest : int
        How many of them it takes to tell this many methods apart; with fewer, none is marked as best.
    """

    metrics: tuple[Metric, ...]
    summary: pd.DataFrame
    cells: pd.DataFrame
    values: dict[str, pd.DataFrame] = field(repr=False)
    comparisons: pd.DataFrame = field(repr=False)
    ranking: Ranking = field(repr=False)
    skipped: dict[str, str]
    cases: list[str]
    subjects: list[tuple[str, ...]] = field(repr=False)
    protocol: str
    units: int
    fewest: int
    unread: dict[str, str] = field(default_factory=dict)

    @property
    def long(self) -> pd.DataFrame:
        """``metric``, ``method``, ``case``, ``value``: what challengeR calls task, algorithm, case and value."""
        parts = [
            table.rename_axis(index="case", columns="method")
            .unstack()
            .rename("value")
            .reset_index()
            .assign(metric=name)
            for name, table in self.values.items()
        ]
        columns = ["metric", "method", "case", "value"]
        return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)

    @property
    def ranks(self) -> pd.DataFrame:
        """Ranks of each method by each rule, with ``rank_low``, ``rank_high`` and ``p_best``."""
        return self.ranking.ranks

    @property
    def primary(self) -> Metric:
        return self.metrics[0]


def leaderboard(rows: pd.DataFrame, metrics: Sequence[Metric]) -> Leaderboard:
    """Rank the methods of a board by the first metric.

    Parameters
    ----------
    rows : DataFrame
        From `stats.frame`.
    metrics : sequence of Metric
        What to rank by; the first decides the order.

    Raises
    ------
    RequestError
        If the rows are of different protocols, datasets or splits: such numbers share no table.
    """
    _refuse_mixtures(rows)
    ran = counted(rows)
    place = grid(ran)
    first_rows = ran.drop_duplicates("case")
    who = dict(zip(first_rows["case"], first_rows["subjects"], strict=True))
    cases, subjects = list(place.cases), [who[case] for case in place.cases]
    known = tuple(metric for metric in metrics if metric.name in rows)
    values = {metric.name: scores(ran, place, metric) for metric in known}
    summary = costs(ran, place)
    whole = summary["n_cases"] == len(cases)
    sound = summary.index[whole & (summary["n_failed"] == 0)]
    design, fewest = Design(subjects), fewest_units(len(sound))
    if known:
        whole &= _complete(values[known[0].name])[summary.index]
    summary = _ranked(summary, values[known[0].name].mean() if known else None, whole, known)
    values = {name: table[summary.index] for name, table in values.items()}
    compared = {m.name: compare_all(values[m.name], m, design, set(sound)) for m in known if m.ranked}
    cells = _cells(values, known, design)
    for metric in known:
        if metric.ranked:
            numbers = (cells[metric.name], compared[metric.name], values[metric.name])
            cells[metric.name, "best"] = cells.index.isin(_best(*numbers, metric, sound, design.n_units, fewest))
    first = values[known[0].name] if known else pd.DataFrame()
    ranked = first[[name for name in first if whole[name]]]
    return Leaderboard(
        metrics=known,
        summary=summary,
        cells=cells,
        values=values,
        comparisons=pd.concat(compared.values(), ignore_index=True)
        if compared
        else pd.DataFrame(columns=list(COLUMNS)),
        ranking=ranking(ranked, known[0], design, summary["n_failed"] > 0) if known else Ranking(*[ranked] * 3),
        skipped=_skipped(rows, set(summary.index)),
        cases=cases,
        subjects=subjects,
        protocol=str(rows["protocol"].iloc[0]) if len(rows) else "",
        units=design.n_units,
        fewest=fewest,
        unread=_unread(rows, set(cases)),
    )


def _refuse_mixtures(rows: pd.DataFrame) -> None:
    for name in SAME:
        different = rows[name].cat.remove_unused_categories().cat.categories
        if len(different) > 1:
            names = ", ".join(sorted(different))
            raise RequestError(f"rows of different {name} ({names}) cannot share a table; choose those of one.")
    if rows.duplicated(["method", "case"]).any():
        raise RequestError("a method has two rows for one case; give each method and case once.")


def _unread(rows: pd.DataFrame, known: set[str]) -> dict[str, str]:
    unread = rows[rows["outside"] & ~rows["case"].isin(known)].drop_duplicates("case")
    return dict(zip(unread["case"], unread["message"], strict=True))


def _skipped(rows: pd.DataFrame, ran: set[str]) -> dict[str, str]:
    first = rows.drop_duplicates("method")
    return {
        method: message for method, message in zip(first["method"], first["message"], strict=True) if method not in ran
    }


def _complete(values: pd.DataFrame) -> pd.Series:
    """Whether each method has a value wherever any has one; a mean over the cases that it likes compares with none."""
    return values.notna().sum() == values.notna().any(axis=1).sum()


def _ranked(
    summary: pd.DataFrame, means: pd.Series | None, whole: pd.Series, metrics: Sequence[Metric]
) -> pd.DataFrame:
    """Put the best method first and give ranks; methods with failures rank behind those without."""
    badness = pd.Series(np.inf, index=summary.index)
    if means is not None:
        # a mean is a sum in some order: what differs by rounding is equal
        badness = (-metrics[0].sign * means[summary.index]).map(lambda mean: float(f"{mean:.12g}")).fillna(np.inf)
    key = pd.DataFrame({"fewer": ~whole, "failed": summary["n_failed"] > 0, "badness": badness})
    order = key.sort_values(list(key), kind="stable").index
    place = pd.Series(np.arange(1, len(order) + 1), index=order, dtype="Int64")
    rank = place.groupby([key.loc[order, name] for name in key]).transform("min")
    ranked = summary.loc[order]
    ranked.insert(0, "rank", rank.where(~key.loc[order, "fewer"], pd.NA))
    return ranked


def _cells(values: dict[str, pd.DataFrame], metrics: Sequence[Metric], design: Design) -> pd.DataFrame:
    """Means, intervals and numbers of cases; all metrics at once, because most have values on the same cases."""
    if not metrics:
        return pd.DataFrame()
    methods = next(iter(values.values())).columns.rename("method")
    side_by_side = np.concatenate([values[metric.name].to_numpy() for metric in metrics], axis=1)
    numbers = np.column_stack([mean_intervals(side_by_side, design), (~np.isnan(side_by_side)).sum(axis=0)])
    parts = {}
    for metric, means in zip(metrics, np.split(numbers, len(metrics)), strict=True):
        means[:, 1:3] = np.clip(means[:, 1:3], *metric.bounds)  # no mean lies beyond what values can be
        parts[metric.name] = pd.DataFrame(means, index=methods, columns=["mean", "low", "high", "n"]).astype({"n": int})
    return pd.concat({name: table.assign(best=False) for name, table in parts.items()}, axis=1, names=["metric", None])


def _best(
    cells: pd.DataFrame,
    pairs: pd.DataFrame,
    values: pd.DataFrame,
    metric: Metric,
    sound: pd.Index,
    units: int,
    fewest: int,
) -> list[str]:
    """The best mean and those that no test separates from it; only methods with a value wherever there is one.

    None where any of these comparisons has fewer subjects than it takes to separate so many methods.
    """
    full = cells.index[_complete(values)[cells.index]].intersection(sound, sort=False)
    if not len(full) or units < fewest:
        return []
    best = (metric.sign * cells.loc[full, "mean"]).idxmax()
    within = pairs["first"].isin(full) & pairs["second"].isin(full)
    with_best = pairs[within & ((pairs["first"] == best) | (pairs["second"] == best))]
    if (with_best["n"] < fewest).any():
        return []
    return [
        best,
        *np.where(with_best["first"] == best, with_best["second"], with_best["first"])[~with_best["separable"]],
    ]
