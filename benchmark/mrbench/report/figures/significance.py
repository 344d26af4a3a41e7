"""All pairs of methods: which differences a test confirms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mrbench.report.columns import heading
from mrbench.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mrbench.report.report import Report

title = "Which differences are confirmed"
WIDTH = 3.4


def applies(report: Report) -> bool:
    """Where the metric that ranks has tests."""
    return bool(report.metrics) and bool((report.leaderboard.comparisons["metric"] == report.primary.name).any())


def draw(report: Report, *, width: float, metric: str | None = None) -> Figure:
    """Draw methods by methods: is the one of the row better or worse than the one of the column?"""
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    shown = report.metric(metric)
    verdicts = _verdicts(report, shown.name, shown.sign)
    order = report.methods
    room = style.name_width(order, width, share=0.42)
    labels = [f"{text}  {n}" for n, text in enumerate(style.names(order, room), start=1)]
    side = max((width - room - 0.3) / max(len(order), 1), 0.12)
    rows = [max(side, height) for height in style.heights(labels, least=0.15)]
    figure, axes = style.canvas(report.caption.title, (width, sum(rows) + 0.65))
    colours = ListedColormap([style.COLOURS["learned"], "0.92", style.COLOURS["classical"]])
    edges = np.concatenate([[0], np.cumsum(rows)])
    axes.pcolormesh(np.arange(len(order) + 1), edges, verdicts, cmap=colours, vmin=-1, vmax=1, ec="white", lw=0.8)
    middles = style.centres(rows)
    style.outside_layout(
        axes.text(j + 0.5, middles[i], "+" if verdict > 0 else "–", ha="center", va="center", color="white")
        for (i, j), verdict in np.ndenumerate(verdicts)
        if verdict and not np.isnan(verdict)
    )
    style.row_axis(axes, labels, rows)
    axes.set_xticks(np.arange(len(order)) + 0.5, [str(n) for n in range(1, len(order) + 1)])
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    label = f"{heading(shown)}: paired tests, Holm over all pairs, 5\u00a0%"
    axes.set_xlabel(style.axis_label(label, width - room - 0.3))
    patches = [
        Patch(color=colours(2), label="+ row better"),
        Patch(color=colours(1), label="not separable"),
        Patch(color=colours(0), label="– row worse"),
    ]
    figure.legend(handles=patches, loc="outside lower center", ncols=3, handlelength=1)
    return figure


def _verdicts(report: Report, metric: str, sign: int) -> np.ndarray:
    """1 where the method of the row is better, -1 where worse, 0 where no test tells, NaN where there is none."""
    order = {method: at for at, method in enumerate(report.methods)}
    table = np.full((len(order), len(order)), np.nan)
    pairs = report.leaderboard.comparisons
    for pair in pairs[pairs["metric"] == metric].itertuples():
        i, j = order[str(pair.first)], order[str(pair.second)]
        verdict = 0.0 if not pair.separable else float(np.sign(sign * pair.difference))
        table[i, j], table[j, i] = verdict, -verdict
    return table
