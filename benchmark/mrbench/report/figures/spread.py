"""How close generated samples come to training data, beside real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mrbench.core.row import distinct
from mrbench.report.columns import heading
from mrbench.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mrbench.report.report import Report

title = "Generated and real"
WIDTH = 3.4


def applies(report: Report) -> bool:
    """Where rows hold the values of single samples, and those of real data."""
    name = report.spread
    return name is not None and any(
        name in details and f"{name}_real" in details for details in distinct(report.frame["details"])
    )


def draw(report: Report, *, width: float) -> Figure:
    """Draw quartiles and range of all samples of a method, below those of real, held-out data."""
    values, real = _values(report)
    order = list(values)
    labels = ["real, held out", *style.names(order, style.name_width(order, width))]
    rows = style.heights(labels, least=0.24)
    figure, axes = style.canvas(report.caption.title, (width, sum(rows) + 0.75))
    colours = [style.OTHER, *(style.colour(str(report.summary.at[method, "kind"])) for method in order)]
    for samples, middle, shade in zip([real, *values.values()], style.centres(rows), colours, strict=True):
        low, first, median, third, high = np.percentile(samples, [0, 25, 50, 75, 100])
        axes.hlines(middle, low, high, color=shade, lw=0.9)
        axes.hlines(middle, first, third, color=shade, lw=6, alpha=0.45)
        axes.plot(median, middle, "|", ms=8, mew=1.4, color="black")
    axes.axvline(max(real), color="0.45", lw=0.8, ls="--")
    style.row_axis(axes, labels, rows)
    metric = next((heading(metric) for metric in report.metrics if metric.name == report.spread), report.spread)
    room = width - style.name_width([*order, "real, held out"], width) - 0.3
    said = style.axis_label("bar: quartiles; line: all; dashed: highest real", room)
    axes.set_xlabel(f"{style.axis_label(str(metric), room)}\n{said}")
    axes.grid(axis="x")
    return figure


def _values(report: Report) -> tuple[dict[str, list[float]], list[float]]:
    """The samples of each method, and the real ones."""
    real: list[float] = []
    values: dict[str, list[float]] = {method: [] for method in report.methods}
    for method, details in zip(report.frame["method"].astype(str), report.frame["details"], strict=True):
        if method in values:
            values[method].extend(details.get(report.spread, []))
            real = real or list(details.get(f"{report.spread}_real", []))
    return {method: samples for method, samples in values.items() if samples}, real
