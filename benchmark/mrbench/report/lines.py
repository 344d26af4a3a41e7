"""The lines of a leaderboard as the tables and figures take them."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import pandas as pd

from mrbench.stats.leaderboard import Leaderboard


@dataclass(frozen=True)
class Cell:
    """A mean with its interval; ``best`` where no paired test separates it from the best method."""

    mean: float
    low: float
    high: float
    best: bool = False


@dataclass(frozen=True)
class Line:
    """One method of the table; without a rank where it has fewer cases than the table."""

    rank: int | None
    method: str
    kind: str
    n_cases: int
    n_failed: int
    cells: dict[str, Cell]
    seconds_median: float
    seconds_iqr: float
    cpu_seconds_median: float
    contended: bool
    device: str
    threads: tuple[int, ...]
    message: str = ""
    cpu_seconds_per_megavoxel: float = nan
    memory_mib_per_megavoxel: float = nan


def table_lines(board: Leaderboard) -> list[Line]:
    """One line a method, best first."""
    return [
        Line(
            method=str(method),
            cells={metric.name: Cell(*board.cells.loc[method, metric.name][["mean", "low", "high", "best"]])
                   for metric in board.metrics},
            rank=None if pd.isna(line["rank"]) else int(line["rank"]),
            **{name: value for name, value in line.items() if name not in ("rank", "weights")},
        )
        for method, line in board.summary.iterrows()
    ]  # fmt: skip
