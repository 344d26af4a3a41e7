"""Boards side by side, and what learned methods keep of their lead elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mrbench.api.board import ROWS, runs_of
from mrbench.api.boards import leaderboard, rows_of
from mrbench.api.trainings import trainings
from mrbench.core.arguments import check_paths
from mrbench.core.errors import RequestError
from mrbench.core.registry import dataset_names, find_dataset, find_task
from mrbench.report.caption import hidden_notes
from mrbench.report.facts import Facts
from mrbench.report.generalisation import write_generalisation
from mrbench.report.side_by_side import Comparison, comparison
from mrbench.stats.frame import joined
from mrbench.stats.generalisation import transfers
from mrbench.stats.pair import Pair, pair
from mrbench.stats.side_by_side import side_by_side


def compare(first: Path | str, second: Path | str) -> Comparison:
    """Set two boards of one task side by side.

    Raises
    ------
    RequestError
        If a folder is no board, or the two are of different tasks.
    DataError
        If a file of a board is damaged.
    """
    check_paths(first=first, second=second)
    folders = (Path(first), Path(second))
    (ours, hidden), (theirs, hidden_there) = map(rows_of, folders)
    tasks = [str(rows["task"].iloc[0]) for rows in (ours, theirs)]
    if tasks[0] != tasks[1]:
        raise RequestError(f"boards of different tasks ({tasks[0]}, {tasks[1]}) cannot be compared.")
    facts = (Facts.recorded(ours, runs_of(folders[0])), Facts.recorded(theirs, runs_of(folders[1])))
    notes = [f"Of {side}: {note}" for side, one in (("A", hidden), ("B", hidden_there)) for note in hidden_notes(one)]
    return comparison(side_by_side(ours, theirs, find_task(tasks[0]).primary), ours, theirs, facts, notes)


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
    boards = {path.parent: rows_of(path.parent) for path in sorted(folder.glob(f"*/*/{ROWS}")) if path.stat().st_size}
    if not boards:
        raise RequestError(f"{folder} has no boards; give the folder of a board, or of a task's boards.")
    rows = joined([shown for shown, _ in boards.values()])
    if rows["task"].nunique() > 1:
        raise RequestError(f"{folder} holds boards of several tasks; give the folder of one.")
    task = find_task(rows["task"].iloc[0])
    simulations = {
        name: find_dataset(name, task.representation).simulation
        for name, representations in dataset_names().items()
        if task.representation in representations
    }
    result = transfers(rows, trainings(task.name), task.primary, simulations)
    if result.table.empty and not result.refused.empty:
        first = result.refused.iloc[0]
        raise RequestError(f"{folder}: every learned method is left out; {first['method']} {first['reason']}.")
    if result.table.empty:
        raise RequestError(f"{folder} has no rows of shipped weights; run learned methods with --all-weights first.")
    notes = [
        f"Of {board.relative_to(folder)}: {note}"
        for board, (_, hidden) in boards.items()
        for note in hidden_notes(hidden)
    ]
    return write_generalisation(folder, task.name, task.primary, result, notes)
