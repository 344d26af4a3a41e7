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
from mrbench.stats.intervals import drawn_means, mean_interval, subject_weights
from mrbench.stats.scores import grid, scores

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
        Best first; then methods with failures, then methods on fewer cases, which have no rank. ``rank`` (equal means
        share one), ``kind``, ``n_cases``, ``n_failed`` and the columns of `stats.costs`.
    cells : DataFrame
        ``mean``, ``low``, ``high`` and ``n`` cases of each metric, and whether the method is among the ``best``: those
        whom no paired test separates from the best mean.
    values : dict of str to DataFrame
        Of each metric, cases by methods, failures as they count.
    comparisons : DataFrame
        All pairs of methods, see `compare_all`; the better mean is ``first``.
    ranks : DataFrame
        ``rank_low`` and ``rank_high`` hold 95 % of the ranks of resampled cohorts, ``p_best`` is the share of first
        ranks; methods on fewer cases are left out.
    skipped : dict of str to str
        Methods that could not run here, and why.
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
    ranks: pd.DataFrame = field(repr=False)
    skipped: dict[str, str]
    cases: list[str]
    subjects: list[tuple[str, ...]] = field(repr=False)
    protocol: str
    units: int
    fewest: int

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

    Raises
    ------
    RequestError
        If the rows are of different protocols, datasets or splits: such numbers share no table.
    """
    _refuse_mixtures(rows)
    ran = rows[rows["status"] != "skipped"]
    ran = ran.assign(**{name: ran[name].cat.remove_unused_categories() for name in ("case", "method")})
    place = grid(ran)
    who = ran.drop_duplicates("case").set_index("case")["subjects"]
    cases, subjects = list(place.cases), [who[case] for case in place.cases]
    known = tuple(metric for metric in metrics if metric.name in rows)
    values = {metric.name: scores(ran, place, metric) for metric in known}
    units = _units(subjects)
    weights = subject_weights(subjects) if cases else np.zeros((0, 0))

    summary = costs(ran, place)
    whole = summary.index[summary["n_cases"] == len(cases)]
    sound = summary.index[(summary["n_cases"] == len(cases)) & (summary["n_failed"] == 0)]
    fewest = fewest_units(len(sound))
    summary = _ranked(summary, values[known[0].name].mean() if known else None, len(cases), known)
    values = {name: own[summary.index] for name, own in values.items()}
    cells, comparisons = {}, []
    for metric in known:
        own = values[metric.name]
        pairs = pd.DataFrame(columns=list(COLUMNS))
        if metric.ranked:
            order = (-metric.sign * own.mean()).sort_values(kind="stable").index
            pairs = compare_all(own[order], metric, units, weights, set(sound))
            comparisons.append(pairs)
        cells[metric.name] = _cells(own, metric, weights, pairs, sound, len(units), fewest)
    ranks = _rank_stability(values[known[0].name][whole], known[0], weights) if known else pd.DataFrame()
    return Leaderboard(
        metrics=known,
        summary=summary,
        cells=pd.concat(cells, axis=1, names=["metric", None]) if cells else pd.DataFrame(index=summary.index),
        values=values,
        comparisons=pd.concat(comparisons, ignore_index=True) if comparisons else pd.DataFrame(columns=list(COLUMNS)),
        ranks=ranks,
        skipped=_skipped(rows, set(summary.index)),
        cases=cases,
        subjects=subjects,
        protocol=str(rows["protocol"].iloc[0]) if len(rows) else "",
        units=len(units),
        fewest=fewest,
    )


def _refuse_mixtures(rows: pd.DataFrame) -> None:
    for name in SAME:
        different = rows[name].cat.remove_unused_categories().cat.categories
        if len(different) > 1:
            raise RequestError(f"rows of different {name} ({', '.join(sorted(different))}) cannot share a table.")
    if rows.duplicated(["method", "case"]).any():
        raise RequestError("a method has two rows for one case; give each method and case once.")


def _skipped(rows: pd.DataFrame, ran: set[str]) -> dict[str, str]:
    first = rows.drop_duplicates("method")
    return {
        method: message for method, message in zip(first["method"], first["message"], strict=True) if method not in ran
    }


def _units(subjects: Sequence[tuple[str, ...]]) -> list[np.ndarray]:
    """Positions of the cases of the same subjects: several masks of one head are not several heads."""
    units: dict[frozenset[str], list[int]] = {}
    for case, own in enumerate(subjects):
        units.setdefault(frozenset(own), []).append(case)
    return [np.array(unit) for unit in units.values()]


def _ranked(summary: pd.DataFrame, means: pd.Series | None, cases: int, metrics: Sequence[Metric]) -> pd.DataFrame:
    """Put the best method first and give ranks; methods with failures rank behind those without."""
    badness = pd.Series(np.inf, index=summary.index)
    if means is not None:
        # a mean is a sum in some order: what differs by rounding is equal
        badness = (
            (-metrics[0].sign * means.reindex(summary.index)).map(lambda mean: float(f"{mean:.12g}")).fillna(np.inf)
        )
    key = pd.DataFrame({"fewer": summary["n_cases"] < cases, "failed": summary["n_failed"] > 0, "badness": badness})
    order = key.sort_values(list(key), kind="stable").index
    place = pd.Series(np.arange(1, len(order) + 1), index=order, dtype="Int64")
    rank = place.groupby([key.loc[order, name] for name in key]).transform("min")
    ranked = summary.loc[order]
    ranked.insert(0, "rank", rank.where(~key.loc[order, "fewer"], pd.NA))
    return ranked


def _cells(
    values: pd.DataFrame,
    metric: Metric,
    weights: np.ndarray,
    pairs: pd.DataFrame,
    sound: pd.Index,
    units: int,
    fewest: int,
) -> pd.DataFrame:
    """Means, intervals and the best group; only methods with a value wherever there is one can be best."""
    intervals = [mean_interval(own.to_numpy(), weights) for _, own in values.items()]
    cells = pd.DataFrame(intervals, index=values.columns, columns=["mean", "low", "high"])
    cells["n"] = values.notna().sum()
    cells = cells.rename_axis("method")
    cells["best"] = False
    full = cells.index[cells["n"] == values.notna().any(axis=1).sum()].intersection(sound, sort=False)
    if metric.ranked and len(full):
        best = (metric.sign * cells.loc[full, "mean"]).idxmax()
        own = pairs[(pairs["first"] == best) | (pairs["second"] == best)]
        own = own.assign(other=np.where(own["first"] == best, own["second"], own["first"]))
        own = own[own["other"].isin(full)]
        if (own["n"] >= fewest).all() and units >= fewest:
            cells.loc[[best, *own.loc[~own["separable"], "other"]], "best"] = True
    return cells


def _rank_stability(values: pd.DataFrame, metric: Metric, weights: np.ndarray) -> pd.DataFrame:
    drawn = pd.DataFrame({method: drawn_means(own.to_numpy(), weights) for method, own in values.items()})
    ranks = (metric.sign * drawn.dropna(how="all")).rank(axis=1, ascending=False, method="min")
    low, high = ranks.quantile(0.025), ranks.quantile(0.975)
    return pd.DataFrame({"rank_low": low, "rank_high": high, "p_best": (ranks == 1).mean()}).rename_axis("method")
