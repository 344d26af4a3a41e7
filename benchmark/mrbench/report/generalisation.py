"""The train on / test on board: a table and a figure over all boards of a task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mrbench.core.metric import Metric
from mrbench.io.files import write_atomically
from mrbench.report import escape
from mrbench.report.columns import Cell, count_text, heading, number
from mrbench.report.figures import style
from mrbench.report.render.csv import to_csv
from mrbench.report.sheet import Sheet
from mrbench.stats.generalisation import Transfers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "generalisation"


def write_generalisation(folder: Path, task: str, metric: Metric, result: Transfers, notes: Sequence[str] = ()) -> Path:
    """Write ``generalisation.md``, ``.csv`` and a figure a method as PDF; return the table's path.

    Parameters
    ----------
    folder : Path
        Of the task's boards.
    task : str
        Its name.
    metric : Metric
        What is compared.
    result : Transfers
        What came out, and what is refused.
    notes : sequence of str
        What else the reader must know; stands below the table.
    """
    table = result.table
    markdown = sheet(task, metric, result, notes).markdown
    content = {f"{NAME}.md": markdown.encode(), f"{NAME}.csv": csv(metric, table).encode()}
    for method, lines in table.groupby("method", sort=False):
        name = f"{NAME}_{escape.file_name(method)}.pdf"
        content[name] = style.saved(heatmap(f"{task}: {method}", metric, lines), "pdf")
    for name, text in content.items():
        with write_atomically(folder / name) as file:
            file.write(text)
    return folder / f"{NAME}.md"


def sheet(task: str, metric: Metric, result: Transfers, notes: Sequence[str] = ()) -> Sheet:
    """One line for each method, training and test; the loss is against the weights trained for that board."""
    refused = [
        f"Left out on {line['tested_on']}: {', trained on '.join(filter(None, (line['method'], line['trained_on'])))}: "
        f"it {line['reason']}."
        for line in result.refused.to_dict("records")
    ]
    unit = f" in {metric.unit}" if metric.unit else ""
    lost = f"mean over the same cases of how much worse{unit} than those weights"
    return Sheet(
        f"{task}: train on / test on",
        ("method", "tested on", "trained on", "n", heading(metric), "lost"),
        [_cells(line, metric) for line in result.table.to_dict("records")],
        " ".join([f"Bold: trained for that board. Lost: {lost}.", *refused, *notes]),
        names=3,
    )


def _cells(line: dict[Any, Any], metric: Metric) -> list[Cell]:
    digits = metric.decimals
    interval = "" if pd.isna(line["low"]) else f"[{line['low']:.{digits}f}, {line['high']:.{digits}f}]"
    lost = "" if pd.isna(line["loss"]) else number(line["loss"], digits)
    return [
        Cell(line["method"]),
        Cell(line["tested_on"]),
        Cell(line["trained_on"], best=bool(line["home"])),
        Cell(count_text(line)),
        Cell(number(line["mean"], digits), interval=interval),
        Cell(lost),
    ]


def csv(metric: Metric, table: pd.DataFrame) -> str:
    """The same, unrounded."""
    columns = ["method", "tested_on", "trained_on", "home", "n_cases", "mean", "low", "high", "loss"]
    renamed = table[columns].rename(columns={"mean": metric.name, "loss": "lost"})
    return to_csv(renamed.astype({"home": bool}))


@style.styled
def heatmap(title: str, metric: Metric, table: pd.DataFrame, *, width: float = 7.0) -> Figure:
    """Draw trained on (rows) by tested on (columns); a frame marks the board that the weights were trained for.

    Parameters
    ----------
    title : str
        Stands above it.
    metric : Metric
        What the colours show.
    table : DataFrame
        The lines of one method.
    width : float
        Inches.
    """
    from matplotlib.patches import Rectangle

    means = table.pivot(index="trained_on", columns="tested_on", values="mean").sort_index().sort_index(axis=1)
    trained = style.names(list(means.index), 0.3 * width)
    tested = style.names(list(means.columns), 0.5 * width / max(len(means.columns), 1))
    below = style.LINE * max(label.count("\n") + 1 for label in tested)
    figure, axes = style.canvas(title, (width, sum(style.heights(trained, least=0.3)) + below + 0.6))
    image = axes.imshow(
        means, aspect="auto", cmap=style.SEQUENTIAL if metric.higher_is_better else f"{style.SEQUENTIAL}_r"
    )
    low, high = np.nanmin(means), np.nanmax(means)
    for (i, j), value in np.ndenumerate(means.to_numpy()):
        if not np.isnan(value):
            dark = ((value - low) / max(high - low, 1e-9) < 0.55) == metric.higher_is_better
            axes.text(
                j, i, f"{value:.{metric.decimals}f}", ha="center", va="center", color="white" if dark else "black"
            )
    for line in table[table["home"].astype(bool)].itertuples():
        corner = (means.columns.get_loc(line.tested_on) - 0.47, means.index.get_loc(line.trained_on) - 0.45)
        axes.add_patch(Rectangle(corner, 0.94, 0.9, fill=False, edgecolor="white", lw=1.6))
    axes.set_xticks(range(len(tested)), tested)
    axes.set_yticks(range(len(trained)), trained)
    axes.tick_params(length=0)
    axes.set(xlabel="tested on", ylabel="trained on")
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, fraction=0.04, pad=0.01)
    bar.outline.set_visible(False)
    bar.set_label(heading(metric))
    return figure
