"""Boards from rows: read them, rank them, write their files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from mrbench.core.candidate import Candidate
from mrbench.core.errors import RequestError
from mrbench.core.registry import find_task, is_file
from mrbench.core.row import Row
from mrbench.core.setting import Setting, bind
from mrbench.engine.provenance import read_runs
from mrbench.engine.store import RowStore
from mrbench.report.board import write_board
from mrbench.report.tables import Caption, caption
from mrbench.stats.frame import frame
from mrbench.stats.leaderboard import Leaderboard
from mrbench.stats.leaderboard import leaderboard as ranked

if TYPE_CHECKING:
    pass


RESULTS = Path("mrbench-results")
"""Where results go unless told otherwise: a folder that git ignores."""

ROWS = "rows.jsonl"


@dataclass(frozen=True)
class Board:
    """A table with all that stands behind it.

    Attributes
    ----------
    folder : Path
        Where its rows, tables, figures and page lie.
    rows : list of Row
    leaderboard : Leaderboard
    caption : Caption
    page : Path or None
    older : dict of str to int
        Methods whose rows are of older code or data, and how many; they stand marked until they are run again.
    interrupted : bool
    """

    folder: Path
    rows: list[Row]
    leaderboard: Leaderboard
    caption: Caption
    page: Path | None
    older: Mapping[str, int]
    interrupted: bool = False

    @property
    def failed(self) -> bool:
        """Whether a row failed."""
        return any(row.failed for row in self.rows)


def shown_rows(
    setting: Setting, wanted: Sequence[Candidate], rows: Sequence[Row], limit: int | None
) -> tuple[list[Row], dict[str, int]]:
    """The rows of a board that share its protocol and data, and how many of each method are of older code.

    Methods that were not asked for stand as they are stored, and nothing of them is imported.
    """
    cases = {case.id: case for case in setting.cases(limit)}
    known = {candidate.name: candidate for candidate in wanted}
    shown = [
        row
        for row in rows
        if row.case in cases and (row.protocol, row.fingerprint) == (setting.protocol.hash, setting.dataset.fingerprint)
    ]
    older: dict[str, int] = {}
    for row in shown:
        if row.method in known and row.key != known[row.method].row_key(cases[row.case]):
            older[row.method] = older.get(row.method, 0) + 1
    order = {name: place for place, name in enumerate([*known, *(row.method for row in shown)][::-1])}
    places = {case: place for place, case in enumerate(cases)}
    return sorted(shown, key=lambda row: (-order[row.method], places[row.case])), older


def publish(
    setting: Setting,
    rows: list[Row],
    folder: Path,
    *,
    older: Mapping[str, int] | None = None,
    figures: bool = True,
    force: bool = False,
    interrupted: bool = False,
) -> Board:
    """Rank rows and write the files of their board."""
    table = ranked(frame(rows), setting.task.metrics)
    notes = list(setting.task.notes(rows))
    if older:
        notes.append(f"Rows of older code, to be run again: {', '.join(f'{name} ({n})' for name, n in older.items())}.")
    about = caption(
        table, task=setting.task.name, track=setting.track.name, dataset=setting.dataset.name,
        simulation=setting.dataset.simulation if setting.dataset.simulated else "", split=setting.split,
        all_cases=len(setting.all_cases), notes=notes,
    )  # fmt: skip
    page = write_board(folder, setting, rows, table, about, figures=figures, force=force) if rows else None
    return Board(folder, rows, table, about, page, older or {}, interrupted)


def load(folder: Path | str) -> pd.DataFrame:
    """Read the rows of a board, or of all boards below a folder, as a DataFrame with one line a row.

    Raises
    ------
    RequestError
        If there are none.
    """
    return frame(rows_below(Path(folder)))


def leaderboard(board: Path | str | pd.DataFrame) -> Leaderboard:
    """Rank the methods of a board: of its folder, or of rows as `load` returns them.

    Raises
    ------
    RequestError
        If the rows are of several boards.
    """
    rows = board if isinstance(board, pd.DataFrame) else load(board)
    return ranked(rows, find_task(str(rows["task"].iloc[0])).metrics)


def rows_below(folder: Path) -> list[Row]:
    """The rows of every board in a folder.

    Raises
    ------
    RequestError
        If there are none.
    """
    paths = [folder / ROWS] if (folder / ROWS).is_file() else sorted(folder.rglob(ROWS))
    rows = [row for path in paths for row in RowStore(path).read()]
    if not rows:
        raise RequestError(f"{folder} has no {ROWS} with rows; give the folder of a board, or one above it.")
    return rows


def of_one_protocol(rows: list[Row]) -> list[Row]:
    """The rows that share data and protocol with the last one."""
    return [row for row in rows if (row.protocol, row.fingerprint) == (rows[-1].protocol, rows[-1].fingerprint)]


def runs_of(folder: Path) -> dict[str, Any]:
    """The run records of a board."""
    return read_runs(folder / "run.json")


def recorded_dataset(folder: Path, row: Row) -> str:
    """What the dataset of a row was asked for as: its name, or the folder that run.json recorded."""
    return str(runs_of(folder).get(row.run, {}).get("dataset", row.dataset))


def rebuild(folder: Path | str) -> Board:
    """Rebuild tables, figures and page of a board from its rows; runs no method.

    Raises
    ------
    RequestError
        If the folder is no board.
    """
    folder = Path(folder)
    rows = RowStore(folder / ROWS).read()
    if not rows:
        raise RequestError(f"{folder} has no {ROWS} with rows; give the folder of a board.")
    last = rows[-1]
    address = runs_of(folder).get(last.run, {})
    task, dataset = str(address.get("task", last.task)), recorded_dataset(folder, last)
    for name in (task, dataset):  # a file of results must not choose what is imported
        if is_file(name):
            raise RequestError(f"{folder} is of {name}, a Python file, which only `mrbench run` imports; run it again.")
    setting = bind(task, dataset, last.track, last.split, last.seed)
    return publish(setting, of_one_protocol(rows), folder, force=True)
