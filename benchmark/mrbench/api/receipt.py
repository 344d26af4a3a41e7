"""What was shown of a board last, so that a run with nothing to do shows it again without ranking anything."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

import mrbench
from mrbench.io.files import write_atomically
from mrbench.report.shown import Shown

FILE = "logs/shown.json"
"""Below a board's folder, beside the logs of its failed rows."""


class Receipt(msgspec.Struct, frozen=True):
    """A table, the name of the page, and the state of the board when both were made."""

    stamp: str
    shown: Shown
    page: str


def stamp_of(folder: Path, asked: object) -> str:
    """Names what was asked for, this version, and size and time of every file of the board.

    A file that was changed, replaced or removed since, be it of rows or of tables, gives another stamp.
    """
    digest = hashlib.sha256(f"{mrbench.__version__}|{asked!r}".encode("utf-8", "replace"))
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            state = path.stat()
            digest.update(f"|{path.name}|{state.st_size}|{state.st_mtime_ns}".encode("utf-8", "replace"))
    return digest.hexdigest()


def keep(folder: Path, stamp: str, shown: Shown, page: str) -> None:
    """Remember what is shown of a board; raises `DataError` where the disk is full."""
    path = folder / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_atomically(path) as file:
        file.write(msgspec.json.encode(Receipt(stamp, shown, page)))


def kept(folder: Path, stamp: str) -> Receipt | None:
    """What was shown of a board in this very state; None if it was in another, or never shown."""
    try:
        receipt = msgspec.json.decode((folder / FILE).read_bytes(), type=Receipt)
    except (OSError, ValueError):
        return None
    return receipt if receipt.stamp == stamp else None
