"""Figures of numbers: box plots, quality against time, breakdown by structure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mrbench.core.metric import Metric
from mrbench.core.row import Row
from mrbench.report.lines import Line, table_lines
from mrbench.report.style import COLOURS, figure
from mrbench.report.tables import heading
from mrbench.stats.leaderboard import Leaderboard


def box_plot(path: Path, table: Leaderboard, metric: Metric, title: str) -> None:
    """Box of each method with every case visible, in the order of the table."""
    lines = [line for line in table_lines(table) if not np.isnan(line.cells[metric.name].mean)]
    if not lines:
        return
    values = [table.values[metric.name][line.method].to_numpy() for line in lines]
    values = [own[np.isfinite(own)] for own in values]
    with figure(path, (7, 0.7 + 0.32 * len(lines))) as (_, axes):
        boxes = axes.boxplot(values, orientation="horizontal", widths=0.6, showfliers=False, patch_artist=True,
                             medianprops={"color": "black"})  # fmt: skip
        for number, (line, box, own) in enumerate(zip(lines, boxes["boxes"], values, strict=True), start=1):
            box.set(facecolor=COLOURS[line.kind], alpha=0.35, edgecolor=COLOURS[line.kind])
            spread = 0.4 * (np.arange(len(own)) % 5 / 4 - 0.5)  # fixed, so that figures are reproducible
            axes.plot(own, number + spread, "o", ms=3, mec="none", alpha=0.8, color=COLOURS[line.kind])
        axes.set_yticks(range(1, len(lines) + 1), [line.method for line in lines])
        axes.invert_yaxis()
        axes.set(xlabel=heading(metric), title=title)
        axes.grid(axis="x", alpha=0.3)
        _kind_legend(axes, lines)


def quality_against_time(path: Path, table: Leaderboard, title: str) -> None:
    """Primary metric against median CPU seconds, log axis, with the Pareto front drawn."""
    metric = table.primary
    points = [
        (max(line.cpu_seconds_median, 1e-3), line.cells[metric.name].mean, line)
        for line in table_lines(table)
        if not np.isnan(line.cpu_seconds_median) and not np.isnan(line.cells[metric.name].mean)
    ]
    if not points:
        return
    with figure(path, (10, 4.8)) as (drawn, axes):
        drawn.get_layout_engine().set(rect=(0, 0, 0.68, 1))  # the names stand beside the axes
        front = pareto_front(
            [(x, y) for x, y, line in points if line.rank] or [points[0][:2]], higher_is_better=metric.higher_is_better
        )
        axes.step(
            *zip(*front, strict=True),
            where="post",
            color="0.6",
            lw=1,
            ls="--",
            zorder=1,
            label="Pareto front",
        )
        for x, y, line in points:
            cell = line.cells[metric.name]
            if not np.isnan(cell.low):
                axes.vlines(x, cell.low, cell.high, color=COLOURS[line.kind], alpha=0.4, lw=1)
            fill = COLOURS[line.kind] if line.rank else "white"  # hollow: on fewer cases than the rest
            axes.plot(x, y, "o", mec=COLOURS[line.kind], mfc=fill, ms=6, zorder=3)
        axes.set_xscale("log")
        _place_names(axes, points)
        axes.set(xlabel="CPU seconds per case (median, log)", ylabel=heading(metric), title=title)
        axes.grid(alpha=0.3)
        _kind_legend(axes, [line for _, _, line in points])


def pareto_front(points: Sequence[tuple[float, float]], *, higher_is_better: bool) -> list[tuple[float, float]]:
    """Points that no other one beats in both time and quality, from fast to slow."""
    front: list[tuple[float, float]] = []
    sign = 1 if higher_is_better else -1
    for cost, quality in sorted(points, key=lambda point: (point[0], -sign * point[1])):
        if not front or sign * quality > sign * front[-1][1]:
            front.append((cost, quality))
    return front


def _place_names(axes: Any, points: list[tuple[float, float, Line]]) -> None:
    """Write the names in a column beside the axes, best on top, each with a line to its point."""
    ordered = sorted(points, key=lambda point: (-point[1], point[0]))
    heights = np.linspace(0.98, 0.02, len(ordered)) if len(ordered) > 1 else [0.5]
    for (x, y, line), height in zip(ordered, heights, strict=True):
        name = axes.annotate(
            line.method if line.rank else f"{line.method} (n = {line.n_cases})", (x, y),
            xytext=(1.03, height), textcoords="axes fraction", fontsize=7, va="center",
            color=COLOURS[line.kind], arrowprops={"arrowstyle": "-", "lw": 0.4, "color": "0.6", "relpos": (0, 0.5)},
        )  # fmt: skip
        name.set_in_layout(False)


def breakdown_heatmap(path: Path, table: Leaderboard, rows: Sequence[Row], detail: str, title: str) -> None:
    """Mean of a per-case detail (Dice by structure) for each method."""
    found: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        for name, value in row.details.get(detail, {}).items():
            found.setdefault(row.method, {}).setdefault(name, []).append(value)
    methods = [line.method for line in table_lines(table) if line.method in found]
    names = list(dict.fromkeys(name for own in found.values() for name in own))
    if not methods:
        return
    means = np.array([[np.mean(found[m].get(name, [np.nan])) for m in methods] for name in names])
    slanted = 0.06 * max(map(len, methods))  # inches that the method names take below
    with figure(path, (2.6 + 0.5 * len(methods), 1.3 + 0.2 * len(names) + slanted)) as (drawn, axes):
        image = axes.imshow(means, aspect="auto", cmap="viridis", vmin=0, vmax=1)
        axes.set_xticks(range(len(methods)), methods, rotation=60, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(names)), names)
        for (i, j), value in np.ndenumerate(means):
            axes.text(j, i, _share(value), ha="center", va="center", fontsize=6,
                      color="white" if value < 0.6 else "black")  # fmt: skip
        axes.set_title(title)
        axes.spines[:].set_visible(False)
        drawn.colorbar(image, ax=axes, label=detail.replace("_", " ").capitalize(), fraction=0.03)


def _share(value: float) -> str:
    """A share in as few characters as there is room for; a dash where nothing is known."""
    return "–" if np.isnan(value) else "1" if value >= 0.995 else f"{value:.2f}"[1:]


def spread_plot(path: Path, table: Leaderboard, rows: Sequence[Row], detail: str, title: str) -> None:
    """Distribution of a detail that is a list, all cases of a method together, above that of real data."""
    found: dict[str, list[float]] = {}
    real: list[float] = []
    for row in rows:
        found.setdefault(row.method, []).extend(row.details.get(detail, []))
        real = real or row.details.get(f"{detail}_real", [])
    lines = [line for line in table_lines(table) if found.get(line.method)]
    if not lines or not real:
        return
    with figure(path, (7, 1.0 + 0.4 * len(lines))) as (_, axes):
        names = ["real, held out", *(line.method for line in lines)]
        colours = ["0.4", *(COLOURS[line.kind] for line in lines)]
        values = [real, *(found[line.method] for line in lines)]
        boxes = axes.boxplot(values, orientation="horizontal", widths=0.6, patch_artist=True, whis=(0, 100),
                             medianprops={"color": "black"})  # fmt: skip
        for box, colour in zip(boxes["boxes"], colours, strict=True):
            box.set(facecolor=colour, alpha=0.35, edgecolor=colour)
        axes.axvline(max(real), color="0.4", lw=0.8, ls="--")
        axes.set_yticks(range(1, len(names) + 1), names)
        axes.invert_yaxis()
        label = f"{detail.replace('_', ' ')} (box: quartiles; whiskers: all; dashed: highest real)"
        axes.set(xlabel=label, title=title)
        axes.grid(axis="x", alpha=0.3)


def _kind_legend(axes: Any, lines: Sequence[Line]) -> None:
    from matplotlib.lines import Line2D

    kinds = dict.fromkeys(line.kind for line in lines)
    marks = [Line2D([], [], marker="o", ls="", color=COLOURS[kind], label=kind) for kind in kinds]
    marks += [handle for handle in axes.get_legend_handles_labels()[0] if handle.get_label() == "Pareto front"]
    axes.legend(handles=marks, frameon=False, fontsize=8, loc="best")
