"""Boards from rows: read them, rank them, write their files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import pandas as pd

from mrbench.api.board import ROWS, Board, runs_of
from mrbench.api.trainings import trainings
from mrbench.core.arguments import check_paths
from mrbench.core.binding import bind
from mrbench.core.errors import RequestError
from mrbench.core.method import TRAINED
from mrbench.core.registry import dataset_names, find_dataset, find_task, is_file
from mrbench.core.row import Row
from mrbench.core.task import Setting, Task
from mrbench.engine.predictions import cached_prediction
from mrbench.engine.provenance import facts_of
from mrbench.engine.shard import missing_of
from mrbench.engine.store import RowStore
from mrbench.report.board import write_board, write_index
from mrbench.report.caption import hidden_notes, missing_notes
from mrbench.report.facts import Facts
from mrbench.report.page import FILE as PAGE
from mrbench.report.pictures import FILE as PICTURES
from mrbench.report.pictures import load as pictures
from mrbench.report.pictures import update
from mrbench.report.render import table as table_of
from mrbench.report.render.terminal import shown as shown_in_terminal
from mrbench.report.report import Report
from mrbench.stats.frame import by_protocol, frame, joined
from mrbench.stats.leaderboard import Leaderboard
from mrbench.stats.leaderboard import leaderboard as ranked
from mrbench.stats.matching import without_weights
from mrbench.stats.training import Training

P = ParamSpec("P")
R = TypeVar("R")


def publish(
    setting: Setting,
    rows: list[Row],
    folder: Path,
    *,
    older: Mapping[str, int] | None = None,
    hidden: Mapping[str, int] | None = None,
    figures: bool = True,
    force: bool = False,
    interrupted: bool = False,
) -> Board:
    """Rank rows and write the files of their board."""
    older = older or {}
    if not rows:
        return Board(folder, rows, older=older, interrupted=interrupted)
    report = report_from(setting, rows, folder, older, hidden or {})
    if figures:
        cases = {case.id: case for case in setting.all_cases}
        board, keys = report.leaderboard, report.predictions(report.leaderboard.cases)
        shown = update(
            folder / PICTURES, board, keys, setting.task, lambda case: setting.load(cases[case]), cached_prediction
        )
        report = replace(report, pictures=shown)
    page = write_board(folder, report, figures=figures, force=force)
    if page is not None:
        root = Path(*folder.parts[: len(folder.parts) - len(setting.folder.parts)])
        write_index(root, sorted([*root.glob(f"*/*/*/{PAGE}"), *root.glob(f"*/*/*/*/{PAGE}")]))
    return Board(folder, rows, lambda: report, shown_in_terminal(report), page, older, interrupted, setting=setting)


def report_from(
    setting: Setting, rows: list[Row], folder: Path, older: Mapping[str, int], hidden: Mapping[str, int]
) -> Report:
    """Rank rows of a setting; the pictures are those that lie in the folder."""
    table, about = frame(rows), facts_of(setting)
    notes = [*about["notes"], *hidden_notes(hidden)]
    if older:
        notes.append(f"Rows of older code, to be run again: {', '.join(f'{name} ({n})' for name, n in older.items())}.")
    facts = Facts(
        title=about["title"],
        citation=about["citation"],
        licence=about["licence"],
        simulation=about["simulation"],
        all_cases=about["cases"],
        protocol=setting.protocol.as_dict(),
        notes=tuple(notes),
        runs=Facts.recorded(table, runs_of(folder)).runs,
    )
    return _reported(table, setting.task, facts, folder)


def report_of(folder: Path | str) -> Report:
    """What tables and figures of a board are made from: its rows, run.json, pictures.npz and manifests of weights.

    Raises
    ------
    RequestError
        If the folder is no board, or one of a task in a Python file.
    DataError
        If a file of the board is damaged.
    """
    check_paths(board=folder)
    folder = Path(folder)
    rows, hidden = rows_of(folder)
    runs, last = runs_of(folder), rows.iloc[-1]
    task = str(runs.get(last["run"], {}).get("task", last["task"]))
    if is_file(task):  # a file of results must not choose what is imported
        raise RequestError(f"{folder} is of {task}, a Python file, which only `mrbench run` imports; run it again.")
    recorded, task_object = Facts.recorded(rows, runs), find_task(task)
    missing = missing_of(recorded.runs.values(), _asked(recorded))
    notes = (
        *recorded.notes,
        *missing_notes(missing),
        *hidden_notes(hidden),
        *_of_earlier_data(last, task_object.representation),
    )
    facts = replace(recorded, notes=notes)
    return _reported(rows, task_object, facts, folder)


def _asked(facts: Facts) -> int:
    """How many cases the runs of a board were asked for; 0 where none recorded it."""
    limits = [run["limit"] for run in facts.runs.values() if run.get("limit") is not None]
    return min([facts.all_cases or 0, *limits])


def rows_of(folder: Path) -> tuple[pd.DataFrame, dict[str, int]]:
    """The rows of a board that share data and protocol with the last one, and how many of each method do not.

    Raises
    ------
    RequestError
        If the folder is no board.
    """
    every = RowStore(folder / ROWS).frame()
    if every.empty:
        raise RequestError(f"{folder} has no {ROWS} with rows; give the folder of a board.")
    return by_protocol(every)


def _of_earlier_data(row: pd.Series, representation: str) -> list[str]:
    """What to say of rows whose built-in dataset has changed since."""
    name = row["dataset"]
    if representation not in dataset_names().get(name, ()):
        return []
    was, today = row["fingerprint"], find_dataset(name, representation).fingerprint
    said = f"These rows are of an earlier version of {name} ({was}, today {today}): run them again."
    return [] if was == today else [said]


def _reported(rows: pd.DataFrame, task: Task[Any, Any], facts: Facts, folder: Path) -> Report:
    """The report of rows, with what the manifests of its trained methods tell."""
    learned = rows[rows["kind"].isin(TRAINED)].drop_duplicates("method")
    names = {without_weights(str(name)).partition("[")[0] for name in learned["method"]}
    known = trainings(task.name, names) if names else {}
    facts = replace(facts, notes=(*facts.notes, *_of_earlier_weights(learned, known)))
    report = Report.from_rows(rows, task, facts=facts, pictures=pictures(folder / PICTURES))
    return replace(report, trainings=known)


def _of_earlier_weights(learned: pd.DataFrame, known: Mapping[str, Training]) -> list[str]:
    """What to say of methods whose data have changed since they were trained on them."""
    said = [
        str(row["method"])
        for _, row in learned.iterrows()
        if (training := known.get(str(row["weights"])))
        and training.is_outdated(str(row["dataset"]), str(row["track"]), str(row["fingerprint"]))
    ]
    return [f"Trained on an earlier version of these data: {', '.join(said)}."] if said else []


def _of_board(render: Callable[Concatenate[Report, P], R]) -> Callable[Concatenate[Path | str | Report, P], R]:
    """Let a function of a report take the folder of a board as well; it keeps its signature and docstring."""

    @wraps(render)
    def of_board(board: Path | str | Report, /, *arguments: P.args, **options: P.kwargs) -> R:
        return render(board if isinstance(board, Report) else report_of(board), *arguments, **options)

    return of_board


table = _of_board(table_of)


def load(folder: Path | str) -> pd.DataFrame:
    """Read the rows of a board, or of all boards below a folder, as a DataFrame with one line a row.

    Raises
    ------
    RequestError
        If there are none.
    """
    check_paths(folder=folder)
    folder = Path(folder)
    paths = [folder / ROWS] if (folder / ROWS).is_file() else sorted(folder.rglob(ROWS))
    rows = joined([RowStore(path).frame() for path in paths]) if paths else frame([])
    if rows.empty:
        raise RequestError(f"{folder} has no {ROWS} with rows; give the folder of a board, or one above it.")
    return rows


def leaderboard(board: Path | str | pd.DataFrame) -> Leaderboard:
    """Rank the methods of a board: of its folder, or of rows as `load` returns them.

    Raises
    ------
    RequestError
        If there are no rows, they are of several boards, or lack a column.
    """
    rows = board if isinstance(board, pd.DataFrame) else load(board)
    if lacking := [name for name in frame([]).columns if name not in rows]:
        raise RequestError(f"the rows lack the column {lacking[0]}; give them as `mrbench.load` returns them.")
    if rows.empty:
        raise RequestError("there are no rows to rank; leave some, or give the folder of a board.")
    return ranked(rows, find_task(str(rows["task"].iloc[0])).metrics)


def bound_again(board: Path) -> tuple[Setting, list[Row]]:
    """The setting and the rows of a board, those of its last protocol.

    Raises
    ------
    RequestError
        If the folder is no board, or one of a task or dataset in a Python file.
    """
    rows = RowStore(board / ROWS).read()
    if not rows:
        raise RequestError(f"{board} has no {ROWS} with rows; give the folder of a board.")
    last = rows[-1]
    record = runs_of(board).get(last.run, {})
    task, dataset = str(record.get("task", last.task)), str(record.get("dataset", last.dataset))
    for name in (task, dataset):  # a file of results must not choose what is imported
        if is_file(name):
            raise RequestError(f"{board} is of {name}, a Python file, which only `mrbench run` imports.")
    setting = bind(task, dataset, last.track, last.split, last.seed)
    facts = (setting.protocol.hash, setting.dataset.fingerprint)
    today = [row for row in rows if (row.protocol, row.fingerprint) == facts]
    if not today:
        raise RequestError(f"{board} has rows of another protocol or of earlier data alone; run it again.")
    return setting, today


def rebuild(folder: Path | str) -> Board:
    """Rebuild tables, figures and page of a board from its rows; runs no method.

    Raises
    ------
    RequestError
        If the folder is no board.
    """
    report = report_of(folder)
    folder = Path(folder)
    page = write_board(folder, report, force=True)
    return Board(folder, None, lambda: report, shown_in_terminal(report), page)
