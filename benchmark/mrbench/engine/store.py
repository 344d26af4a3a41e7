"""The rows of one board on disk: appended and flushed as they come, repaired after a kill."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from mrbench.core.errors import DataError, RequestError
from mrbench.core.row import Row, RowReader
from mrbench.engine.shard import Shard, shards_of
from mrbench.io.files import open_regular, remove_temporaries, write_atomically
from mrbench.io.parts import read_parts, serve

if TYPE_CHECKING:
    import pandas as pd


_BOARD = ("track", "dataset", "split")
"""What the rows of one board share."""

_BLOCK = 4 * 2**20
"""Bytes that are read at once."""


class RowStore:
    """``rows.jsonl`` of a board, and beside it the files of its shards, each with one writer.

    Parameters
    ----------
    path : Path
        Of the board's ``rows.jsonl``; need not exist yet.
    shard : Shard, optional
        Write the rows of that shard, to a file of its own.
    """

    def __init__(self, path: Path, shard: Shard | None = None) -> None:
        self.board = path
        self.shard = shard
        self.path = path.with_name(f"rows.{shard.mark}.jsonl") if shard else path

    def read(self) -> list[Row]:
        """Return the rows of all writers: of each method and case that of the latest run.

        Older rows of the same method and case are of other code, data or scoring. A torn last line is left out.
        Changes nothing on disk.

        Raises
        ------
        DataError
            If a line other than the last cannot be read, or the rows are of several boards.
        """
        first, *others = self._writers()
        if not others:
            return first.read_own_file()
        rows: dict[tuple[str, str], Row] = {}
        found: dict[tuple[str, ...], Path] = {}
        for store in (first, *others):
            for row in store.read_own_file(found):
                older = rows.get((row.method, row.case))
                if older is None or older.run <= row.run:  # names of runs begin with their time
                    rows.pop((row.method, row.case), None)
                    rows[row.method, row.case] = row
        return list(rows.values())

    def frame(self) -> pd.DataFrame:
        """The rows of `read` as `stats.frame` makes them, scanned once: a million rows never stand in memory as such.

        Raises
        ------
        DataError
            If a line other than the last cannot be read, or the rows are of several boards.
        """
        from mrbench.stats.frame import joined, latest

        reader = RowReader()
        found: dict[tuple[str, ...], Path] = {}

        def whole(store: RowStore) -> pd.DataFrame:
            rows = joined(read_parts(store.path, store.part, __name__) or [store.part(reader=reader)])
            store._check_one_board(map(tuple, rows[list(_BOARD)].drop_duplicates().to_numpy().tolist()), found)
            return rows

        return latest(whole(store) for store in self._writers())

    def _check_one_board(self, boards: Iterable[tuple[str, ...]], found: dict[tuple[str, ...], Path]) -> None:
        """Refuse rows of several boards: those of one would take the place of another's, method by method.

        ``found`` holds the boards of the files that were read before, and gets those of this one.
        """
        for board in boards:
            found.setdefault(board, self.path)
        if len(found) > 1:
            named = "; ".join(f"{', '.join(board)} in {path.name}" for board, path in found.items())
            raise DataError(
                f"{self.path.parent} holds rows of {len(found)} boards ({named}); "
                "move those of each into a folder of their own."
            )

    def part(self, start: int = 0, stop: int | None = None, reader: RowReader | None = None) -> pd.DataFrame:
        """The lines of this writer's file from one byte to another, as a frame; older rows too."""
        from mrbench.stats.frame import frame

        return frame(chain.from_iterable(self.blocks(reader or RowReader(), start, stop)))

    def _writers(self) -> list[RowStore]:
        """The stores of the board and of its shards."""
        shards = shards_of(self.board.parent) if self.board.parent.is_dir() else []
        return [RowStore(self.board), *(RowStore(self.board, shard) for shard in shards)]

    def read_own_file(self, found: dict[tuple[str, ...], Path] | None = None) -> list[Row]:
        """Return the rows of this writer's file alone, as `read` does; ``found`` as in `_check_one_board`."""
        rows: dict[tuple[str, str], Row] = {}
        boards: dict[tuple[str, ...], None] = {}
        for _, row in self.lines():
            rows.pop((row.method, row.case), None)
            rows[row.method, row.case] = row
            boards[row.track, row.dataset, row.split] = None
        self._check_one_board(boards, {} if found is None else found)
        return list(rows.values())

    def lines(self) -> Iterator[tuple[bytes, Row]]:
        """Each line of this writer's file with its row, older rows of a method and case too."""
        for first, lines in self._content():
            yield from self._one_by_one(first, lines)

    def blocks(self, reader: RowReader, start: int = 0, stop: int | None = None) -> Iterator[Sequence[Row]]:
        """The rows of `lines`, many at a time, of those that begin from one byte to another."""
        for first, lines in self._content(start, stop):
            try:
                rows = reader(b"".join(lines))
            except ValueError:
                rows = []
            if len(rows) == len(lines):
                yield rows
            else:  # which names the line that is damaged
                yield [row for _, row in self._one_by_one(first, lines)]

    def _one_by_one(self, first: int, lines: Sequence[bytes]) -> Iterator[tuple[bytes, Row]]:
        for number, line in enumerate(lines, start=first):
            try:
                yield line, Row.from_json(line)
            except ValueError as error:
                if _torn(line):
                    return
                raise DataError(
                    f"{self.path}, line {number} is not a row that this version of mrbench reads ({error}); "
                    "delete the line, or move the file away and run again."
                ) from error

    def _content(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, list[bytes]]]:
        """The lines of the file, some megabytes at a time, each time with the number of the first."""
        try:
            file = os.fdopen(open_regular(self.path, os.O_RDONLY), "rb")
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise DataError(f"{self.path} cannot be read ({error.strerror}); check its folder.") from error
        with file:
            first, left = 1, sys.maxsize if stop is None else stop - start
            file.seek(start)
            while left > 0 and (lines := file.readlines(min(_BLOCK, left))):
                yield first, lines
                first, left = first + len(lines), left - sum(map(len, lines))

    def repair(self) -> list[Row]:
        """Return `own` rows, and rewrite a file that holds more than them. Only while `locked`."""
        kept: dict[tuple[str, str], tuple[bytes, Row]] = {}
        for line, row in self.lines():
            kept.pop((row.method, row.case), None)
            kept[row.method, row.case] = line.removesuffix(b"\n") + b"\n", row
        if self.path.exists() and sum(len(line) for line, _ in kept.values()) != self.path.stat().st_size:
            with write_atomically(self.path) as file:
                file.writelines(line for line, _ in kept.values())
        return [row for _, row in kept.values()]

    def append(self, *rows: Row) -> None:
        """Add rows and force them to the disk.

        Raises
        ------
        DataError
            If the disk is full; the file is then as it was before.
        """
        lines = "".join(row.to_json() + "\n" for row in rows).encode()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(open_regular(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), "ab", buffering=0) as file:
            length = file.seek(0, os.SEEK_END)
            try:
                while lines:
                    lines = lines[file.write(lines) :]
                os.fsync(file.fileno())
            except OSError as error:
                with suppress(OSError):
                    os.ftruncate(file.fileno(), length)
                raise DataError(
                    f"cannot write {self.path}: {error.strerror}; the rows so far are intact, "
                    "so free space and run the same command again."
                ) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the file, so that two runs never write it at once.

        Raises
        ------
        RequestError
            If another run holds it, or nothing can be written there.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = os.fdopen(open_regular(self._lock, os.O_WRONLY | os.O_CREAT), "w")
        except OSError as error:
            raise RequestError(f"cannot write {self.path.parent}: {error.strerror}; give another --out.") from None
        with lock as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RequestError(
                    f"another run is writing {self.path.parent}; wait for it, or give another --out."
                ) from None
            for path in (self.path, self.runs):
                remove_temporaries(path)
            yield

    @property
    def runs(self) -> Path:
        """Where this writer records its runs."""
        return self.path.with_name(f"run.{self.shard.mark}.json" if self.shard else "run.json")

    @property
    def _lock(self) -> Path:
        return self.path.with_name(f".lock.{self.shard.mark}" if self.shard else ".lock")

    def remove(self) -> None:
        """Delete the files of a shard whose rows are elsewhere now. Only while `locked`."""
        for path in (self.path, self.runs, self._lock):
            path.unlink(missing_ok=True)


def _torn(line: bytes) -> bool:
    """Whether a line is what a kill leaves of a row: its beginning, and not something else."""
    if line.endswith(b"\n") or not line.startswith(b"{"):
        return False
    try:
        json.loads(line)
    except ValueError:
        return True
    return False


if __name__ == "__main__":
    serve(lambda path, start, stop: RowStore(path).part(start, stop))
