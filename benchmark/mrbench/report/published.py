"""Figures from the literature for a protocol, to stand beside ours: published, not measured here."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from mrbench.core.errors import RequestError
from mrbench.core.words import counted
from mrbench.report.columns import Cell
from mrbench.report.sheet import Sheet

if TYPE_CHECKING:
    from mrbench.report.report import Report

FILE = Path(__file__).with_suffix(".csv")
"""Columns: ``task, track, method, metric, value, cases, sure, source, remark``; a value may be a bound, ``<0.0001``."""

UNSURE = "?"

NOT_OURS = (
    "Published figures are not measured here: their cases, code and machines are others, and no test compares them. "
    f"A figure with {UNSURE} could not be checked against its source."
)


@lru_cache(maxsize=1)
def _all() -> pd.DataFrame:
    return pd.read_csv(FILE, dtype=str, keep_default_na=False)


def published(task: str, track: str) -> pd.DataFrame:
    """Figures of the literature for a track, a line a number, in the order of the file.

    Returns
    -------
    DataFrame
        Columns ``method``, ``metric``, ``value`` (text, as printed), ``cases`` (whom it is of), ``sure`` (bool),
        ``source`` and ``remark``; empty where nothing is known.
    """
    known = _all()
    chosen = known[(known["task"] == task) & (known["track"] == track)]
    return chosen.assign(sure=chosen["sure"] == "yes").drop(columns=["task", "track"]).reset_index(drop=True)


def beside(report: Report) -> Sheet:
    """The means of a board and the published figures of its track, in one table.

    Raises
    ------
    RequestError
        If none are known for its track.
    """
    figures = published(report.task, report.track)
    if figures.empty:
        raise RequestError(f"no published figures are known for {report.task}, {report.track}.")
    metrics = [metric for metric in report.metrics if metric.ranked]
    names = list(dict.fromkeys([*(m.name for m in metrics), *figures["metric"]]))
    shown = [name for name in names if name in set(figures["metric"])]
    labels = {metric.name: f"{metric.label}{f' ({metric.unit})' if metric.unit else ''}" for metric in metrics}
    decimals = {metric.name: metric.decimals for metric in metrics}
    board = report.leaderboard
    body = []
    for method in board.summary.index:
        means = [float(board.cells.at[method, (name, "mean")]) if name in labels else float("nan") for name in shown]
        ours = ["" if value != value else f"{value:.{decimals[n]}f}" for n, value in zip(shown, means, strict=True)]
        body.append([Cell(str(method)), Cell(f"measured here, {counted(len(board.cases), 'case')}"), *map(Cell, ours)])
    for (method, cases, source, remark), lines in figures.groupby(["method", "cases", "source", "remark"], sort=False):
        values = dict(zip(lines["metric"], lines["value"] + lines["sure"].map({True: "", False: UNSURE}), strict=True))
        origin = f"published: {', '.join(filter(None, (cases, remark, source)))}"
        body.append([Cell(str(method)), Cell(origin), *(Cell(values.get(name, "")) for name in shown)])
    head = ["method", "from", *(labels.get(name, name) for name in shown)]
    title = f"{report.caption.title}, beside published figures"
    return Sheet(title, head, body, NOT_OURS, names=2)
