"""How far ranks move when other subjects are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from mrbench.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mrbench.report.report import Report

title = "How stable the ranks are"
WIDTH = 3.4


def applies(report: Report) -> bool:
    """Where ranks were resampled."""
    return bool(report.metrics) and len(_ranks(report)) > 1


def draw(report: Report, *, width: float) -> Figure:
    """Draw the rank of each method with its 95 % interval, and how often it comes first."""
    ranks = _ranks(report)
    order = [str(method) for method in ranks.index]
    labels = style.names(order, style.name_width(order, width))
    rows = style.heights(labels, least=0.17)
    figure, axes = style.canvas(report.caption.title, (width, sum(rows) + 0.75))
    for (method, line), middle in zip(ranks.iterrows(), style.centres(rows), strict=True):
        kind = str(report.summary.at[method, "kind"])
        axes.hlines(middle, line["rank_low"], line["rank_high"], color=style.colour(kind), lw=3, alpha=0.35)
        axes.plot(line["rank"], middle, style.marker(kind), ms=4, color=style.colour(kind))
        if line["p_best"] >= 0.005:
            axes.text(1.01, middle, f"{100 * line['p_best']:.0f} %", transform=axes.get_yaxis_transform(), va="center")
    style.row_axis(axes, labels, rows)
    top = max(float(ranks["rank_high"].max()), float(ranks["rank"].max()))
    axes.set_xlim(0.5, top + 0.5)
    axes.xaxis.get_major_locator().set_params(integer=True)
    label = f"rank by {report.primary.label}: 95 % of resampled cohorts; right: how often first"
    axes.set_xlabel(style.axis_label(label, width - style.name_width(order, width) - 0.5))
    axes.grid(axis="x")
    style.kind_legend(figure, [str(report.summary.at[method, "kind"]) for method in order])
    return figure


def _ranks(report: Report) -> pd.DataFrame:
    ranks = (
        report.leaderboard.ranks.dropna(subset=["rank_low", "rank_high"])
        if len(report.leaderboard.ranks)
        else pd.DataFrame()
    )
    if not len(ranks):
        return ranks
    placed = report.summary["rank"].astype("Float64").dropna()
    shares = ranks.join(placed.astype(float), how="inner")
    return shares.loc[[method for method in report.methods if method in shares.index]]
