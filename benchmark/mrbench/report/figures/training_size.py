"""The metric that ranks against the number of subjects that weights were trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from mrbench.report.columns import heading
from mrbench.report.figures import style
from mrbench.stats.matching import without_weights

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mrbench.report.report import Report

title = "Quality against the size of the training set"
WIDTH = 3.4
PLOT = 2.2
"""Inches that the plot itself is high."""
MARKS = ("s", "o", "^", "D", "v", "P")


def applies(report: Report) -> bool:
    """Where a method ran with weights of training sets of several sizes."""
    return bool(report.metrics) and len(_points(report, report.primary.name)) > 0


def draw(report: Report, *, width: float, metric: str | None = None) -> Figure:
    """Draw a line for each method over the sizes of its training sets, and the best classical method across."""
    shown = report.metric(metric)
    points = _points(report, shown.name)
    families = list(dict.fromkeys(points["family"]))
    best = report.leaderboard.cells[shown.name]["mean"][report.summary["kind"] == "classical"] * shown.sign
    labels = style.names(families, width - 0.5)
    across = style.names([f"{best.idxmax()}, which learns nothing"], width - 0.5) if best.notna().any() else []
    below = style.LINE * sum(label.count("\n") + 1 for label in [*labels, *across]) + 0.12
    figure, axes = style.canvas(report.caption.title, (width, PLOT + below))
    colour = style.colour("learned")
    for place, (family, label) in enumerate(zip(families, labels, strict=True)):
        line = points[points["family"] == family].sort_values("subjects", kind="stable")
        alpha = 1 - 0.6 * place / max(len(families), 1)
        axes.vlines(line["subjects"], line["low"], line["high"], color=colour, alpha=0.4, lw=0.9)
        axes.plot(
            line["subjects"],
            line["mean"],
            marker=MARKS[place % len(MARKS)],
            ms=4,
            color=colour,
            alpha=alpha,
            label=label,
        )
    if across:
        axes.axhline(shown.sign * best.max(), color=style.colour("classical"), ls="--", lw=0.9, label=across[0])
    axes.set_xscale("log")
    sizes = sorted(set(points["subjects"]))
    axes.set_xticks(sizes, [f"{size:,.0f}" for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel("subjects trained on")
    axes.set_ylabel(heading(shown))
    axes.grid()
    figure.legend(loc="outside lower left", ncols=1, labelspacing=0.2)
    return figure


def _points(report: Report, metric: str) -> pd.DataFrame:
    """Method and training, subjects, mean and interval, of those with weights of several sizes of training set."""
    lines = []
    for method, line in report.summary.iterrows():
        training = report.trainings.get(str(line["weights"]))
        if training is not None and training.train_subjects:
            cell = report.leaderboard.cells.loc[method, metric]
            family = f"{without_weights(str(method))}, trained on {training}"
            lines.append([family, training.train_subjects, *cell[["mean", "low", "high"]]])
    points = pd.DataFrame(lines, columns=["family", "subjects", "mean", "low", "high"]).dropna(subset=["mean"])
    several = points.groupby("family")["subjects"].nunique()
    return points[points["family"].isin(several.index[several > 1])]
