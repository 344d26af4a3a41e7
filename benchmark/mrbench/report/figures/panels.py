"""Images of one case: reference, input, and what each method made of them, with its error on one shared scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mrbench.report.columns import number
from mrbench.report.figures import style
from mrbench.report.pictures import GRID_STEP, Shot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

    from mrbench.report.report import Report

title = "The shown case"
WIDTH = 7.0
TILE = 1.0
"""Inches that a single slice is wide at the least, so that a name of a few words stands above it."""
GAP, BAR = 0.03, 0.62
"""Inches between tiles, and for the colour bar."""
MARK = "#F0E442"
ZOOM = 0.28
"""Side of the enlarged part, as a share of the shorter side of the image."""


def applies(report: Report) -> bool:
    """Where pictures of a method on the board were kept."""
    return any(method in shot.views for shot in report.pictures.shots.values() for method in report.methods)


def draw(report: Report, *, width: float, case: str | None = None, zoom: bool = True, errors: bool = True) -> Figure:
    """Draw a column for each method: prediction, signed error, and the grid of a deformation.

    Parameters
    ----------
    report : Report
        Of the methods to show.
    width : float
        Inches.
    case : str, optional
        ``median``, ``worst``, or the id of a case whose pictures were kept. Default: the first of them.
    zoom : bool
        Whether to enlarge the part where methods differ most, at the corner of each image.
    errors : bool
        Whether to draw errors and grids below the images.

    Raises
    ------
    RequestError
        If there are no pictures of the case.
    """
    shot = report.pictures.shot(case)
    order = [method for method in report.methods if method in shot.views]
    views = [shot.views[method] for method in order]
    window = _window([view.difference for view in views]) if zoom and shot.scale == 1 else None
    limit = max(float(np.percentile(np.abs(view.difference), 99.5)) for view in views) or 1.0
    sheet = _sheet(report, shot, order, width, kinds=1 + errors + (errors and views[0].grid is not None))
    axes = sheet.axes
    for name, image, kind in zip(shot.names, (shot.reference, shot.source), range(1 + errors), strict=False):
        x, y = sheet.corner(0, kind)
        title = style.heading_lines(name, sheet.tile)
        if kind == 0:
            sheet.write(0, title)
        _grey(sheet, image, x, y, window)
        if kind:
            axes.text(x + 0.03, y + 0.03, title[0], va="top", color="white")
    for place, (method, view) in enumerate(zip(order, views, strict=True), start=1):
        sheet.write(place, [*sheet.labels[place].split("\n"), score_of(report, method, shot.case)])
        _grey(sheet, view.prediction, *sheet.corner(place, 0), window)
        if errors:
            colours = sheet.show(view.difference, *sheet.corner(place, 1), style.DIVERGING, (-limit, limit))
            if view.grid is not None:
                _grid(sheet, view.grid, view.prediction.shape, *sheet.corner(place, 2))
    if errors:
        bar = sheet.figure.colorbar(colours, cax=sheet.bar)
        bar.outline.set_visible(False)
        bar.set_label(f"difference to {shot.compared or shot.names[0]}")
    return sheet.figure


@dataclass(frozen=True)
class Sheet:
    """A figure laid out by hand in inches from its upper left corner: tiles in bands, a column a method."""

    figure: Figure
    axes: Axes
    bar: Axes
    labels: list[str]
    tile: float
    high: float
    across: int
    tops: list[float]
    """Where the images of each band begin."""

    def corner(self, place: int, kind: int) -> tuple[float, float]:
        """Upper left corner of a tile."""
        band, column = divmod(place, self.across)
        return GAP + column * (self.tile + GAP), self.tops[band] + kind * (self.high + GAP)

    def write(self, place: int, lines: Sequence[str]) -> None:
        """Write lines above a tile."""
        x, y = self.corner(place, 0)
        self.axes.text(x + self.tile / 2, y - 0.03, "\n".join(lines), ha="center", va="bottom", linespacing=1.05)

    def show(
        self,
        image: np.ndarray,
        x: float,
        y: float,
        cmap: str = "gray",
        limits: tuple[float, float] = (0, 1),
        size: tuple[float, float] | None = None,
        zorder: float = 1,
    ) -> AxesImage:
        """Show an image, whose first axis runs upwards, at a place; as large as a tile unless a size is given."""
        width, height = size or (self.tile, self.high)
        box = (x, x + width, y + height, y)
        low, high = limits
        look: dict[str, Any] = {"aspect": "auto", "cmap": cmap, "vmin": low, "vmax": high, "zorder": zorder}
        return self.axes.imshow(image[::-1], extent=box, **look)


def _sheet(report: Report, shot: Shot, order: Sequence[str], width: float, *, kinds: int) -> Sheet:
    from matplotlib.figure import Figure

    shape, room = shot.reference.shape, width - BAR
    place = "" if shot.index is None else f", slice {shot.index}"
    across = max(1, min(len(order) + 1, int((room - GAP) / (TILE * shot.scale + GAP))))
    tile = (room - GAP) / across - GAP
    tile = min(tile, 2.2 * TILE * shot.scale)
    high = tile * shape[0] / shape[1]
    labels = ["\n".join(style.heading_lines(shot.names[0], tile)), *style.names(order, tile)]
    heading = style.heading_lines(f"{report.caption.title}; case {shot.case}{place}", width)
    down, tops = style.LINE * 1.15 * len(heading) + 0.05, []
    for start in range(0, len(labels), across):
        lines = [
            text.count("\n") + (1 if at + start == 0 else 2) for at, text in enumerate(labels[start : start + across])
        ]
        tops.append(down + style.LINE * max(lines) + 0.05)
        down = tops[-1] + kinds * (high + GAP) + 0.04
    figure = Figure(figsize=(width, down))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.set(xlim=(0, width), ylim=(down, 0), autoscale_on=False)
    axes.text(GAP, 0.03, "\n".join(heading), va="top", fontsize=style.NORMAL)
    long, right = min(2.5, down - tops[0] - 0.1), GAP + across * (tile + GAP) + 0.04
    bar = figure.add_axes((right / width, 1 - (tops[0] + long) / down, 0.1 / width, long / down)) if kinds > 1 else axes
    return Sheet(figure, axes, bar, labels, tile, high, across, tops)


def score_of(report: Report, method: str, case: str) -> str:
    """The metric that ranks, of one method on one case, in words."""
    if not report.metrics:
        return ""
    metric = report.metrics[0]
    rows = report.frame[(report.frame["method"] == method) & (report.frame["case"] == case)]
    value = float(rows[metric.name].iloc[0]) if len(rows) else float("nan")
    unit = f" {metric.unit}" if metric.unit else ""
    return f"{metric.label} {number(value, metric.decimals)}{unit}"


def _grey(sheet: Sheet, image: np.ndarray, x: float, y: float, window: tuple[slice, slice] | None) -> None:
    """An image, and its enlarged part in the lower right corner."""
    sheet.show(image, x, y)
    if window is None:
        return
    from matplotlib.patches import Rectangle

    rows, columns = window
    pixel_x, pixel_y = sheet.tile / image.shape[1], sheet.high / image.shape[0]
    side = 0.42 * min(sheet.tile, sheet.high)
    corner = (x + sheet.tile - side, y + sheet.high - side)
    marked = (x + columns.start * pixel_x, y + (image.shape[0] - rows.stop) * pixel_y)
    size = ((columns.stop - columns.start) * pixel_x, (rows.stop - rows.start) * pixel_y)
    sheet.show(image[window], *corner, size=(side, side), zorder=2)
    sheet.axes.add_patch(Rectangle(marked, *size, fill=False, ec=MARK, lw=0.5))
    sheet.axes.add_patch(Rectangle(corner, side, side, fill=False, ec=MARK, lw=0.7, zorder=3))


def _grid(sheet: Sheet, grid: np.ndarray, shape: tuple[int, ...], x: float, y: float) -> None:
    """Every second of the lines that were kept, cut at the border of the tile."""
    from matplotlib.collections import LineCollection
    from matplotlib.patches import Rectangle

    down, right = grid
    points = np.stack(
        [x + (right + 0.5) * sheet.tile / shape[1], y + sheet.high - (down + 0.5) * sheet.high / shape[0]], axis=-1
    )
    step = max(1, 4 // GRID_STEP)
    lines = [*points[::step], *points[:, ::step].transpose(1, 0, 2)]
    drawn = LineCollection(lines, colors="0.25", linewidths=0.3)
    sheet.axes.add_collection(drawn, autolim=False)
    drawn.set_clip_path(Rectangle((x, y), sheet.tile, sheet.high, transform=sheet.axes.transData))


def _window(differences: Sequence[np.ndarray]) -> tuple[slice, slice] | None:
    """The square in which methods differ most: where the spread of their errors is largest."""
    from scipy.ndimage import uniform_filter

    spread = np.std(differences, axis=0) if len(differences) > 1 else np.abs(differences[0])
    side = int(ZOOM * min(spread.shape))
    if side < 8 or not spread.any():
        return None
    mean = uniform_filter(spread, side, mode="constant")
    half = side // 2
    inner = mean[half : -half or None, half : -half or None]
    y, x = np.unravel_index(int(inner.argmax()), inner.shape)
    return slice(int(y), int(y) + side), slice(int(x), int(x) + side)
