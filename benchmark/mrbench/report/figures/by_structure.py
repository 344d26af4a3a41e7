"""Mean of a finer score, such as Dice by structure, for each method."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mrbench.core.row import distinct
from mrbench.report import escape
from mrbench.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mrbench.report.report import Report

title = "By structure"
WIDTH = 7.0
NEEDED = 0.27
"""Inches of a cell that can hold a number of two digits."""


def applies(report: Report) -> bool:
    """Where the task tells finer scores and a row has them."""
    detail = report.breakdown
    return detail is not None and any(detail in details for details in distinct(report.frame["details"]))


def draw(report: Report, *, width: float) -> Figure:
    """Draw structures by methods; a number stands in each cell where there is room."""
    means = _means(report)
    order = list(means.columns)
    structures = [escape.plain(name) for name in means.index]
    beside = min(max(map(len, structures), default=0) * style.CHARACTER, 0.35 * width) + 0.15
    cell = (width - beside - 0.55) / max(len(order), 1)
    labels = style.names(order, 1.3)
    below = max((max(map(len, label.split("\n"))) for label in labels), default=0) * style.CHARACTER
    figure, axes = style.canvas(report.caption.title, (width, 0.165 * len(structures) + below + 0.35))
    image = axes.imshow(means, aspect="auto", cmap=style.SEQUENTIAL, vmin=0, vmax=1)
    axes.set_xticks(range(len(order)), labels, rotation=90, linespacing=0.95)
    axes.set_yticks(range(len(structures)), structures)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if cell >= NEEDED:
        style.outside_layout(
            axes.text(j, i, share(value), ha="center", va="center", color="white" if value < 0.55 else "black")
            for (i, j), value in np.ndenumerate(means.to_numpy())
        )
    bar = figure.colorbar(image, ax=axes, fraction=0.03, pad=0.01, aspect=40)
    bar.outline.set_visible(False)
    bar.set_label((report.breakdown or "").replace("_", " ").capitalize())
    return figure


def share(value: float) -> str:
    """A share in as few characters as there is room for; a dash where nothing is known."""
    return "–" if np.isnan(value) else "1" if value >= 0.995 else f"{value:.2f}"[1:]


def _means(report: Report) -> pd.DataFrame:
    """Structures by methods."""
    rows = report.frame[report.frame["method"].isin(report.methods)]
    finer = pd.DataFrame.from_records([details.get(report.breakdown, {}) for details in rows["details"]])
    finer["method"] = rows["method"].astype(str).to_numpy()
    means = finer.groupby("method").mean().T
    return means[[method for method in report.methods if method in means]].dropna(axis=1, how="all")
