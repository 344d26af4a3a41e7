"""Boards side by side, and what learned methods keep of their lead elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from mrbench.api.board import ROWS
from mrbench.api.boards import leaderboard, rows_of
from mrbench.api.trainings import trainings
from mrbench.core.arguments import check_paths
from mrbench.core.errors import RequestError
from mrbench.core.registry import dataset_names, find_dataset, find_task
from mrbench.engine.store import RowStore
from mrbench.report.caption import hidden_notes
from mrbench.report.generalisation import write_generalisation
from mrbench.stats.frame import joined, of_one_protocol
from mrbench.stats.generalisation import transfers
from mrbench.stats.pair import Pair, pair
from mrbench.stats.side_by_side import SideBySide, side_by_side


def compare(first: Path | str, second: Path | str) -> tuple[SideBySide, pd.DataFrame, pd.DataFrame]:
    """Set two boards of one task side by side.

    Raises
    ------
    RequestError
        If a folder is no board, or the two are of different tasks.
    """
    check_paths(first=first, second=second)
    boards = []
    for folder in map(Path, (first, second)):
        rows = of_one_protocol(RowStore(folder / ROWS).frame())
        if rows.empty:
            raise RequestError(f"{folder} has no {ROWS} with rows; give the folders of two boards.")
        boards.append(rows)
    tasks = [str(rows["task"].iloc[0]) for rows in boards]
    if tasks[0] != tasks[1]:
        raise RequestError(f"boards of different tasks ({tasks[0]}, {tasks[1]}) cannot be compared.")
    return side_by_side(boards[0], boards[1], find_task(tasks[0]).primary), boards[0], boards[1]


def compare_methods(board: Path | str, first: str, second: str, *, metric: str | None = None) -> Pair:
    """Compare two methods of one board; ``sentence`` says it in words.

    Raises
    ------
    RequestError
        If the folder is no board, or does not have the methods or the metric.
    """
    rows, hidden = rows_of(Path(board))
    note = " ".join(hidden_notes({name: hidden[name] for name in (first, second) if name in hidden}))
    if hidden.keys() & {first, second} - set(rows["method"]):
        raise RequestError(f"{board}: {note}")
    return replace(pair(leaderboard(rows), first, second, metric), note=note)


def transfer_table(folder: Path | str) -> Path:
    """Write the train on / test on table of the learned methods of a task's boards; returns its path.

    Raises
    ------
    RequestError
        If the folder has no such rows, or boards of several tasks.
    """
    folder = Path(folder)
    boards = [of_one_protocol(RowStore(path).frame()) for path in sorted(folder.glob(f"*/*/{ROWS}"))]
    rows = joined(boards) if boards else None
    if rows is None or rows.empty:
        raise RequestError(f"{folder} has no boards; give the folder of a board, or of a task's boards.")
    if rows["task"].nunique() > 1:
        raise RequestError(f"{folder} holds boards of several tasks; give the folder of one.")
    task = find_task(rows["task"].iloc[0])
    simulations = {
        name: find_dataset(name, task.representation).simulation
        for name, representations in dataset_names().items()
        if task.representation in representations
    }
    table = transfers(rows, trainings(task.name), task.primary, simulations).table
    if table.empty:
        raise RequestError(f"{folder} has no rows of shipped weights; run learned methods with --all-weights first.")
    return write_generalisation(folder, task.name, task.primary, table)
