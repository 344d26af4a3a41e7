"""Shards of a board, made by several runs or at several sites, put together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from mrbench.api.board import ROWS, Board
from mrbench.api.boards import rebuild
from mrbench.core.errors import RequestError
from mrbench.core.registry import is_file
from mrbench.core.row import Row
from mrbench.engine.provenance import read_runs, write_runs
from mrbench.engine.shard import shards_of
from mrbench.engine.store import RowStore
from mrbench.io.files import write_atomically

SAME = ("task", "track", "dataset", "fingerprint", "split", "protocol")
"""What all rows that are put together share."""


def merge(board: Path | str, others: Sequence[Path | str] = ()) -> Board:
    """Move the rows of all shards into ``rows.jsonl``, add those of other folders, and publish the board.

    Where a board holds a row of a shard already, that of the later run stays.

    Raises
    ------
    RequestError
        If a shard is still written, folders are of different boards, or two of them hold different rows of one method
        and case; nothing was changed then.
    """
    folder = Path(board)
    if not (folder.is_dir() or others):
        raise RequestError(f"{folder} is not there; give the folder of a board.")
    with ExitStack() as held:
        stores = [RowStore(folder / ROWS), *(RowStore(folder / ROWS, shard) for shard in shards_of(folder))]
        for store in stores:
            held.enter_context(store.locked())
        rows = {(row.method, row.case): row for row in stores[0].read()}
        runs = read_runs(folder / "run.json")
        places = dict.fromkeys(rows, folder)
        for other in map(Path, others):
            for row in _rows_of(other):
                _refuse_another_board(row, next(iter(rows.values()), row), folder, other)
                key = row.method, row.case
                if key in rows and rows[key] != row:
                    raise RequestError(
                        f"{places[key]} and {other} both hold {row.method} on {row.case}: their shards overlap, so "
                        "leave one of the two out."
                    )
                rows[key], places[key] = row, other
            runs |= read_runs(other / "run.json")
        if not rows:
            raise RequestError(f"{folder} has no rows to merge; give the folder of a board.")
        with write_atomically(stores[0].path) as file:
            for row in rows.values():
                file.write(row.to_json().encode() + b"\n")
        write_runs(stores[0].runs, dict(sorted(runs.items())))
        for store in stores[1:]:
            store.remove()
    task = str(runs.get(next(reversed(rows.values())).run, {}).get("task", ""))
    if is_file(task):  # a file of results must not choose what is imported
        notice = f"The rows are merged; {task} is a Python file, so `mrbench run` with it ranks them."
        return Board(folder, list(rows.values()), notices=(notice,))
    return rebuild(folder)


def _rows_of(folder: Path) -> Iterator[Row]:
    rows = RowStore(folder / ROWS).read()
    if not rows:
        raise RequestError(f"{folder} has no {ROWS} with rows, and no shards; give the folder of a board.")
    yield from rows


def _refuse_another_board(row: Row, first: Row, folder: Path, other: Path) -> None:
    for name in SAME:
        if getattr(row, name) != getattr(first, name):
            raise RequestError(
                f"{other} is of {name} {getattr(row, name)}, {folder} of {getattr(first, name)}; such rows never mix."
            )
