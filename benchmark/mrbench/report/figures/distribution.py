"""Every case of every method, with box and failures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mrbench.report.columns import heading
from mrbench.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mrbench.report.report import Report

title = "All cases"
WIDTH = 3.4


def applies(report: Report) -> bool:
    """Where any metric is known."""
    return bool(report.metrics)


def draw(report: Report, *, width: float, metric: str | None = None) -> Figure:
    """Draw a row for each method: quartiles, median, a mark for each case, a cross for each failed one."""
    from matplotlib.lines import Line2D

    shown = report.metric(metric)
    values = report.leaderboard.values[shown.name]
    order = [method for method in report.methods if method in values and values[method].notna().any()]
    labels = style.names(order, style.name_width(order, width))
    rows = style.heights(labels)
    figure, axes = style.canvas(report.caption.title, (width, sum(rows) + 0.75))
    failed = _failed(report)
    for method, middle, row in zip(order, style.centres(rows), rows, strict=True):
        kind = report.summary.at[method, "kind"]
        known = values[method].dropna()
        crossed = np.array([(method, case) in failed for case in known.index])
        offset = middle + 0.62 * min(row, 0.3) * ((np.arange(len(known)) * 0.618) % 1 - 0.5)  # fixed, evenly scattered
        _box(axes, known.to_numpy(), middle, 0.34 * min(row, 0.3), style.colour(kind))
        axes.plot(
            known[~crossed], offset[~crossed], style.marker(kind), ms=2.2, mew=0, alpha=0.75, color=style.colour(kind)
        )
        axes.plot(known[crossed], offset[crossed], "x", ms=4.5, mew=1.2, color="black")
    style.row_axis(axes, labels, rows)
    axes.set_xlabel(heading(shown))
    axes.grid(axis="x")
    kinds = [str(report.summary.at[method, "kind"]) for method in order]
    extra = [Line2D([], [], marker="x", ls="", ms=4.5, mew=1.2, color="black", label="failed case")] if failed else []
    style.kind_legend(figure, kinds, extra=extra)
    return figure


def _failed(report: Report) -> set[tuple[str, str]]:
    rows = report.frame[~report.frame["status"].isin(["ok", "skipped"])]
    return set(zip(rows["method"].astype(str), rows["case"].astype(str), strict=True))


def _box(axes: object, values: np.ndarray, middle: float, half: float, colour: str) -> None:
    from matplotlib.axes import Axes
    from matplotlib.patches import Rectangle

    assert isinstance(axes, Axes)
    low, median, high = np.percentile(values, [25, 50, 75])
    axes.add_patch(Rectangle((low, middle - half), high - low, 2 * half, fc=colour, ec=colour, alpha=0.25, lw=0.8))
    axes.plot([median, median], [middle - half, middle + half], color="black", lw=1.2)
