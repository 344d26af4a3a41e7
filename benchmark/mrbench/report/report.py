"""Report: all that tables, figures and page of one board are made from; it needs no dataset and no cache."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import pandas as pd

from mrbench.core.errors import RequestError, unknown_name
from mrbench.core.metric import Metric
from mrbench.core.task import Task
from mrbench.report.caption import Caption, caption, processor_notes, subject_notes
from mrbench.report.facts import Facts
from mrbench.report.pictures import Pictures
from mrbench.stats.leaderboard import Leaderboard, leaderboard
from mrbench.stats.training import Training


@dataclass(frozen=True)
class Report:
    """One board, ready to be shown.

    Attributes
    ----------
    task, track, dataset, split : str
    facts : Facts
    frame : DataFrame
        One line a row, as `mrbench.stats` makes it.
    leaderboard : Leaderboard
    caption : Caption
    breakdown, spread : str or None
        Details of rows that figures may draw (`Task.breakdown`, `Task.spread`).
    pictures : Pictures
        The shown slices; empty where none were kept.
    trainings : mapping of str to Training
        What the weights on the board have been through, by their sha256; empty where no manifest is at hand.
    """

    task: str
    track: str
    dataset: str
    split: str
    facts: Facts
    frame: pd.DataFrame = field(repr=False)
    leaderboard: Leaderboard = field(repr=False)
    caption: Caption
    breakdown: str | None = None
    spread: str | None = None
    pictures: Pictures = field(default_factory=Pictures, repr=False)
    trainings: Mapping[str, Training] = field(default_factory=dict, repr=False)

    @classmethod
    def from_rows(
        cls, rows: pd.DataFrame, task: Task[Any, Any], *, facts: Facts | None = None, pictures: Pictures | None = None
    ) -> Report:
        """Rank the rows of a board and say what they show.

        Parameters
        ----------
        rows : DataFrame
            From `stats.frame`, of one board, data and protocol.
        task : Task
            For its metrics, its notes and the names of its details.
        facts : Facts, optional
            Default: what the rows themselves know.
        pictures : Pictures, optional
            Slices of the median and the worst case.

        Raises
        ------
        RequestError
            If there are no rows, or rows of different boards.
        """
        if rows.empty:
            raise RequestError("there are no rows to report; run the board first.")
        first = rows.iloc[0]
        board = leaderboard(rows, task.metrics)
        about = facts or Facts.recorded(rows, {})
        words = caption(
            board,
            about,
            task=first["task"],
            track=first["track"],
            dataset=first["dataset"],
            split=first["split"],
            task_notes=[*task.notes(rows), *about.notes, *subject_notes(rows), *processor_notes(rows, about)],
        )
        shown = pictures or Pictures()
        return cls(
            first["task"],
            first["track"],
            first["dataset"],
            first["split"],
            about,
            rows,
            board,
            words,
            task.breakdown,
            task.spread,
            shown.of(_predictions(rows, [shot.case for shot in shown.shots.values()])),
        )

    def predictions(self, cases: Collection[str]) -> Mapping[tuple[str, str], str | None]:
        """From method and case to the name of the prediction that the row scored."""
        return _predictions(self.frame, cases)

    @cached_property
    def by_method(self) -> Mapping[str, Mapping[str, Any]]:
        """The line of the summary of each method, best first; every table and format asks for it."""
        return self.summary.to_dict("index")

    @cached_property
    def scores(self) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
        """By metric and method, the cell of the leaderboard."""
        return {metric.name: self.leaderboard.cells[metric.name].to_dict("index") for metric in self.metrics}

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that any row has, the one that ranks first."""
        return self.leaderboard.metrics

    @property
    def primary(self) -> Metric:
        """The metric that ranks; raises `RequestError` on a board without scores."""
        if not self.metrics:
            raise RequestError(f"{self.caption.title} has no scores; nobody has the truth of these data.")
        return self.metrics[0]

    @property
    def summary(self) -> pd.DataFrame:
        """One line a method, best first."""
        return self.leaderboard.summary

    @property
    def methods(self) -> list[str]:
        """Names, best first; skipped methods are not among them."""
        return list(self.summary.index)

    def metric(self, name: str | None) -> Metric:
        """Return the metric of that name, or the one that ranks; raises `RequestError` if there is none."""
        known = {metric.name: metric for metric in self.metrics}
        if name is None:
            return self.primary
        if name not in known:
            raise unknown_name(f"metric of {self.task}", name, known)
        return known[name]

    def select(self, methods: Sequence[str] | None = None, metrics: Sequence[str] | None = None) -> Report:
        """Keep some methods, in the order of the table, and some metrics, in the order given.

        Ranks, intervals and tests stay those of the whole board: leaving methods out of a table makes none better.

        Raises
        ------
        RequestError
            If a name is not on the board.
        """
        for name in methods or ():
            if name not in self.summary.index:
                raise unknown_name(f"method of {self.caption.title}", name, self.methods)
        keep = [name for name in self.methods if not methods or name in methods]
        chosen = self.metrics if not metrics else tuple(self.metric(name) for name in dict.fromkeys(metrics))
        board = self.leaderboard
        pairs = board.comparisons
        smaller = replace(
            board,
            metrics=chosen,
            summary=board.summary.loc[keep],
            cells=board.cells.loc[[name for name in keep if name in board.cells.index]],
            values={name: table[[m for m in keep if m in table]] for name, table in board.values.items()},
            comparisons=pairs[pairs["first"].isin(keep) & pairs["second"].isin(keep)],
            ranking=replace(board.ranking, ranks=board.ranks.loc[[name for name in keep if name in board.ranks.index]]),
        )
        words = self.caption
        if len(keep) < len(self.methods):
            note = f"Shown: {len(keep)} of {len(self.methods)} methods; ranks and tests are over all of them."
            words = Caption(words.title, (*words.notes, note), f"{words.short} {note}")
        return replace(self, leaderboard=smaller, caption=words)

    def fastest(self, bound: float) -> Report:
        """Keep the methods that are good enough, the one of the least CPU time first.

        Parameters
        ----------
        bound : float
            Worst mean of the first metric that is good enough. Methods that failed, miss cases or have no time of
            their own are left out as well.

        Raises
        ------
        RequestError
            If no method is that good.
        """
        metric, summary = self.primary, self.summary
        means = self.leaderboard.cells[metric.name, "mean"].reindex(summary.index)
        whole = (summary["n_failed"] == 0) & summary["rank"].notna()
        enough = whole & (metric.sign * means >= metric.sign * bound) & summary["cpu_seconds_median"].notna()
        asked = f"{metric.label} {'at least' if metric.higher_is_better else 'at most'} {bound:g}"
        if not enough.any():
            raise RequestError(
                f"no method of {self.caption.title} that ran on every case has a mean {asked}; give another bound."
            )
        order = list(summary.index[enough][summary["cpu_seconds_median"][enough].argsort(kind="stable")])
        shown = self.select(order)
        note = f"Fastest first by CPU time, of the methods with a mean {asked}."
        words = Caption(shown.caption.title, (note, *shown.caption.notes), f"{shown.caption.short} {note}")
        board = replace(shown.leaderboard, summary=shown.summary.loc[order])
        return replace(shown, leaderboard=board, caption=words)


def _predictions(rows: pd.DataFrame, cases: Collection[str]) -> dict[tuple[str, str], str | None]:
    own = rows[rows["case"].isin(cases)]
    return dict(zip(zip(own["method"], own["case"], strict=True), own["prediction"], strict=True))
