"""Panels of images: the median and the worst case, every method, one shared scale for differences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mrbench.core.row import Row
from mrbench.core.setting import Setting
from mrbench.core.task import Picture
from mrbench.engine.worker import prediction_path
from mrbench.report.lines import Cell, table_lines
from mrbench.report.style import figure
from mrbench.report.tables import number
from mrbench.stats.leaderboard import Leaderboard

COLUMNS = 8
"""Methods side by side before the panel goes on below."""


def chosen_cases(table: Leaderboard) -> dict[str, str]:
    """The median and the worst case by the primary metric, averaged over methods; unscored, the first case."""
    if not table.metrics:
        return {"first": table.cases[0]} if table.cases else {}
    means = table.values[table.primary.name].mean(axis=1).to_numpy()
    order = np.argsort(means if table.primary.higher_is_better else -means, kind="stable")
    worst, median = table.cases[order[0]], table.cases[order[len(order) // 2]]
    return {"median": median, "worst": worst}


def case_panel(path: Path, board: Setting, table: Leaderboard, rows: Sequence[Row], case_id: str, title: str) -> bool:
    """Draw one case. Returns False where no prediction of it is in the cache any more."""
    found = {row.method: row for row in rows if row.case == case_id and row.prediction}
    order = [line.method for line in table_lines(table) if line.method in found]
    order = [m for m in order if prediction_path(str(found[m].prediction)).is_file()]
    if not order:
        return False
    identity = next(case for case in board.cases() if case.id == case_id)
    case = board.load(identity)
    pictures = {m: board.task.picture(case, np.load(prediction_path(str(found[m].prediction)))) for m in order}
    names = ["", *order]
    any_picture = next(iter(pictures.values()))
    columns = max(1, round(COLUMNS / any_picture.scale))
    bands = [names[i : i + columns] for i in range(0, len(names), columns)]
    limit = max(float(np.percentile(np.abs(p.difference), 99.5)) for p in pictures.values())
    height, width = any_picture.reference.shape
    rows_per_band = 3 if any_picture.grid is not None else 2
    across = min(columns, len(names))
    tile = 1.45 * any_picture.scale
    size = (tile * across + 0.6, tile * height / width * rows_per_band * len(bands) + 0.35 * len(bands) + 0.4)
    with figure(path, size, nrows=rows_per_band * len(bands), ncols=across, squeeze=False) as (drawn, axes):
        for axis in axes.flat:
            axis.axis("off")
        colours = None
        for band, members in enumerate(bands):
            for column, name in enumerate(members):
                tiles = axes[rows_per_band * band : rows_per_band * (band + 1), column]
                if not name:
                    _images(tiles, any_picture)
                    continue
                text = ""
                if table.metrics:
                    value = found[name].metrics.get(table.primary.name, float("nan"))
                    text = number(Cell(value, np.nan, np.nan), table.primary)
                colours = _method(tiles, pictures[name], f"{_short(name)}\n{text}", limit)
        drawn.suptitle(title, fontsize=10)
        if colours is not None:
            compared = any_picture.compared or any_picture.names[0]
            drawn.colorbar(colours, ax=axes, fraction=0.015, pad=0.01, label=f"difference to {compared}")
    return True


def _images(tiles: Any, picture: Picture) -> None:
    tiles[0].imshow(picture.reference, cmap="gray", origin="lower", vmin=0, vmax=1)
    tiles[0].set_title(picture.names[0], fontsize=6.5)
    tiles[1].imshow(picture.source, cmap="gray", origin="lower", vmin=0, vmax=1)
    tiles[1].set_title(picture.names[1], fontsize=6.5)


def _method(tiles: Any, picture: Picture, title: str, limit: float) -> Any:
    tiles[0].imshow(picture.prediction, cmap="gray", origin="lower", vmin=0, vmax=1)
    tiles[0].set_title(title, fontsize=6)
    colours = tiles[1].imshow(picture.difference, cmap="RdBu_r", origin="lower", vmin=-limit, vmax=limit)
    if picture.grid is not None:
        y, x = picture.grid
        step = 4
        tiles[2].plot(x[::step].T, y[::step].T, color="0.25", lw=0.35)
        tiles[2].plot(x[:, ::step], y[:, ::step], color="0.25", lw=0.35)
        tiles[2].set_aspect("equal")
    return colours


def _short(name: str) -> str:
    """Break a long method name after its bracket opens."""
    return name.replace("[", "\n[", 1).replace(",", ",\n")
