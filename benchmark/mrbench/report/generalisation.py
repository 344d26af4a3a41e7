"""The train on / test on board: a table and a figure over all boards of a task."""

from __future__ import annotations

import csv
import io
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mrbench.core.metric import Metric
from mrbench.io.files import write_atomically
from mrbench.report.style import figure
from mrbench.report.tables import cases_text, heading

NAME = "generalisation"


def write_generalisation(folder: Path, task: str, metric: Metric, found: pd.DataFrame) -> Path:
    """Write ``generalisation.md``, ``.csv`` and a figure a method; return the table's path."""
    texts = {f"{NAME}.md": markdown(task, metric, found), f"{NAME}.csv": table(metric, found)}
    for name, text in texts.items():
        with write_atomically(folder / name) as file:
            file.write(text.encode())
    for method, own in found.groupby("method", sort=False):
        name = "".join(c if c.isalnum() or c in "-_" else "_" for c in method)
        heatmap(folder / f"{NAME}_{name}", f"{task}: {method}", metric, own)
    return folder / f"{NAME}.md"


def markdown(task: str, metric: Metric, found: pd.DataFrame) -> str:
    """One line for each method, training and test; the loss is against the weights trained for that board."""
    lines = [
        f"### {task}: train on / test on",
        "",
        f"| method | tested on | trained on | n | {heading(metric)} | lost |",
        "|:--|:--|:--|--:|--:|--:|",
    ]
    for t in found.itertuples():
        trained = f"**{t.trained_on}**" if t.home else t.trained_on
        value = f"{t.mean:.{metric.decimals}f}"
        value += "" if isnan(t.low) else f" [{t.low:.{metric.decimals}f}, {t.high:.{metric.decimals}f}]"
        loss = "" if isnan(t.loss) else f"{t.loss:.{metric.decimals}f}"
        lines.append(
            f"| `{t.method}` | {t.tested_on} | {trained} | {cases_text(t.n_cases, t.n_failed)} | {value} | {loss} |"
        )
    unit = f" in {metric.unit}" if metric.unit else ""
    lines += [
        "",
        f"Bold: trained for that board. Lost: mean over the same cases of how much worse{unit} than those weights.",
        "",
    ]
    return "\n".join(lines)


def table(metric: Metric, found: pd.DataFrame) -> str:
    """The same as CSV, unrounded."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["method", "tested_on", "trained_on", "home", "n_cases", metric.name, "low", "high", "lost"])
    for t in found.itertuples():
        numbers = ["" if isnan(v) else f"{v:.6g}" for v in (t.mean, t.low, t.high, t.loss)]
        writer.writerow([t.method, t.tested_on, t.trained_on, str(t.home).lower(), t.n_cases, *numbers])
    return out.getvalue()


def heatmap(path: Path, title: str, metric: Metric, found: pd.DataFrame) -> None:
    """Rows: trained on; columns: tested on. A frame marks the board that the weights were trained for."""
    trained = sorted(set(found["trained_on"]))
    tested = sorted(set(found["tested_on"]))
    values = np.full((len(trained), len(tested)), np.nan)
    for t in found.itertuples():
        values[trained.index(t.trained_on), tested.index(t.tested_on)] = t.mean
    with figure(path, (3.2 + 1.1 * len(tested), 1.8 + 0.45 * len(trained))) as (drawn, axes):
        image = axes.imshow(values, aspect="auto", cmap="viridis" if metric.higher_is_better else "viridis_r")
        low, high = np.nanmin(values), np.nanmax(values)
        for (i, j), value in np.ndenumerate(values):
            if np.isnan(value):
                continue
            dark = (value - low) / max(high - low, 1e-9) < 0.6
            axes.text(j, i, f"{value:.{metric.decimals}f}", ha="center", va="center", fontsize=8,
                      color="white" if dark == metric.higher_is_better else "black")  # fmt: skip
        for t in found.itertuples():
            if t.home:
                corner = (tested.index(t.tested_on) - 0.48, trained.index(t.trained_on) - 0.46)
                axes.add_patch(_frame(corner))
        axes.set_xticks(range(len(tested)), tested, rotation=30, ha="right", rotation_mode="anchor", fontsize=8)
        axes.set_yticks(range(len(trained)), trained, fontsize=8)
        axes.set(xlabel="tested on", ylabel="trained on", title=title)
        axes.spines[:].set_visible(False)
        drawn.colorbar(image, ax=axes, label=heading(metric), fraction=0.04)


def _frame(corner: tuple[float, float]) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(corner, 0.96, 0.92, fill=False, edgecolor="white", lw=2)
