"""The metric that ranks against time, with the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mrbench.report.columns import heading
from mrbench.report.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mrbench.report.report import Report

title = "Quality against time"
WIDTH = 3.4
PLOT = 2.3
"""Inches that the plot itself is high."""
NEAR = 8
"""Points from a mark at which its number needs no line to it."""
FASTEST = 1e-3
"""Seconds at which faster methods are drawn: a log axis has no zero."""


def applies(report: Report) -> bool:
    """Where a method has both a score and a time."""
    return bool(report.metrics) and len(_points(report, report.primary.name)) > 0


def draw(report: Report, *, width: float, metric: str | None = None) -> Figure:
    """Draw a numbered mark for each method, with its interval, above a key of the numbers.

    Marks of methods on fewer cases than the rest are hollow, and no part of the front.
    """
    from matplotlib.ticker import LogLocator, NullFormatter

    shown = report.metric(metric)
    points = _points(report, shown.name)
    key = [f"{number} {method}" for number, method in zip(points["number"], points.index, strict=True)]
    columns = _columns(style.names(key, width / _across(width) - 0.1), _across(width))
    below = max(sum(map(_height, column)) for column in columns) + 0.1
    heights = [PLOT, below]
    figure, (axes, legend) = style.canvas(report.caption.title, (width, sum(heights)), nrows=2, height_ratios=heights)
    ranked = points[points["ranked"]]
    front = pareto_front(
        list(zip(ranked["cost"], ranked["mean"], strict=True)), higher_is_better=shown.higher_is_better
    )
    if front:
        axes.step(*zip(*front, strict=True), where="post", color="0.55", lw=0.9, ls="--", zorder=1)
    for _, point in points.iterrows():
        _mark(axes, point)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if _decades(points["cost"]) < 1.5 else (1,)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(style.axis_label("CPU time, s per case (median); dashed: Pareto front", width - 0.6))
    axes.set_ylabel(heading(shown))
    axes.margins(x=0.08, y=0.1)
    axes.grid()
    _key(legend, list(points["kind"]), columns, below)
    figure.draw_without_rendering()  # where the marks lie is known once the figure is laid out
    _number(axes, points)
    return figure


def pareto_front(points: Sequence[tuple[float, float]], *, higher_is_better: bool) -> list[tuple[float, float]]:
    """Points that no other one beats in both time and quality, from fast to slow."""
    front: list[tuple[float, float]] = []
    sign = 1 if higher_is_better else -1
    for cost, quality in sorted(points, key=lambda point: (point[0], -sign * point[1])):
        if not front or sign * quality > sign * front[-1][1]:
            front.append((cost, quality))
    return front


def _points(report: Report, metric: str) -> pd.DataFrame:
    """Cost, mean, interval, number in the table and kind of each method that has them."""
    summary = report.summary
    points = pd.DataFrame(
        {
            "number": range(1, len(summary) + 1),
            "kind": summary["kind"],
            "ranked": summary["rank"].notna(),
            "cost": summary["cpu_seconds_median"].clip(lower=FASTEST),
        },
        index=summary.index,
    ).join(report.leaderboard.cells[metric][["mean", "low", "high"]])
    return points.dropna(subset=["cost", "mean"])


def _mark(axes: Axes, point: pd.Series) -> None:
    colour = style.colour(point["kind"])
    if not pd.isna(point["low"]):
        axes.vlines(point["cost"], point["low"], point["high"], color=colour, alpha=0.45, lw=0.9, zorder=2)
    fill = colour if point["ranked"] else "white"
    axes.plot(
        point["cost"], point["mean"], style.marker(point["kind"]), mec=colour, mfc=fill, ms=4.5, mew=0.9, zorder=3
    )


def _number(axes: Axes, points: pd.DataFrame) -> None:
    """Write each number as near to its mark as the others leave room for."""
    scale = axes.figure.dpi / 72
    marks = axes.transData.transform(points[["cost", "mean"]].to_numpy()) / scale
    places = apart(marks)
    where: dict[str, Any] = {"xycoords": "figure points", "textcoords": "figure points"}
    for place, mark, (_, point) in zip(places, marks, points.iterrows(), strict=True):
        if np.linalg.norm(place - mark) > NEAR:
            line = {"arrowstyle": "-", "lw": 0.5, "color": "0.15", "shrinkA": 4, "shrinkB": 0}
            axes.annotate("", mark, place, arrowprops=line, zorder=5, **where).set_in_layout(False)
        text = axes.annotate(
            str(point["number"]),
            mark,
            place,
            ha="center",
            va="center",
            color=style.colour(point["kind"]),
            fontweight="bold",
            zorder=4,
            **where,
        )
        text.set_in_layout(False)


def apart(marks: np.ndarray, *, from_marks: float = 7.5, from_each_other: float = 10.5) -> np.ndarray:
    """Places for labels, near their marks and clear of all marks and labels.

    Parameters
    ----------
    marks : ndarray, shape ``(n, 2)``
        Points.
    from_marks, from_each_other : float
        Points between the centres.

    Returns
    -------
    ndarray, shape ``(n, 2)``
        The first free place of each on circles of growing radius around its mark.
    """
    placed: list[np.ndarray] = []
    angles = np.deg2rad(np.arange(45, 405, 22.5))
    for mark in marks:
        tries = [mark + radius * np.array([np.cos(a), np.sin(a)]) for radius in range(NEAR, 60, 5) for a in angles]
        free = [
            place
            for place in tries
            if np.linalg.norm(marks - place, axis=1).min() >= from_marks - 0.01
            and all(np.linalg.norm(place - other) >= from_each_other for other in placed)
        ]
        placed.append(free[0] if free else tries[0])
    return np.array(placed)


def _decades(costs: pd.Series) -> float:
    return float(np.log10(costs.max() / costs.min()))


def _across(width: float) -> int:
    return 2 if width < 5 else 3


def _height(text: str) -> float:
    return style.LINE * (text.count("\n") + 1) + 0.02


def _columns(texts: Sequence[str], across: int) -> list[list[str]]:
    """The key in columns of about equal height, read downwards."""
    most = sum(map(_height, texts)) / across
    columns: list[list[str]] = [[]]
    for text in texts:
        if sum(map(_height, columns[-1])) >= most - 0.01 and len(columns) < across:
            columns.append([])
        columns[-1].append(text)
    return columns


def _key(axes: Axes, kinds: Sequence[str], columns: Sequence[Sequence[str]], height: float) -> None:
    from matplotlib.transforms import blended_transform_factory

    axes.axis("off")
    axes.set_ylim(height, 0)
    place = blended_transform_factory(axes.figure.transFigure, axes.transData)
    shades = iter(kinds)
    for at, column in enumerate(columns):
        down = 0.05
        for text in column:
            shown = axes.text(
                0.01 + at / len(columns),
                down,
                text,
                transform=place,
                va="top",
                color=style.colour(next(shades)),
                linespacing=1.05,
            )
            shown.set_in_layout(False)
            down += _height(text)
