"""BraTS as it is unpacked, 2018 to 2025: one folder a subject, four contrasts and a label map in each.

Files are told apart by the end of their names, whatever the folder is called; subjects may lie one level further down,
as in the releases before 2020 (``HGG``, ``LGG``). A subject that lacks a file is a subject still, and fails by itself.
"""

from __future__ import annotations

from pathlib import Path

from mrbench.core.errors import DataError
from mrbench.datasets.layouts.layout import Layout
from mrbench.datasets.listing import suffix_of, visible
from mrbench.io.nifti import SUFFIXES
from mrbench.io.paths import checked_id

ENDINGS: dict[str, tuple[str, ...]] = {
    "T1": ("t1", "t1n"),
    "T1c": ("t1ce", "t1c", "t1gd"),
    "T2": ("t2", "t2w"),
    "FLAIR": ("flair", "t2f"),
    "labels": ("seg",),
}
"""Last word of a file's name, after ``_`` or ``-`` and in any case: until 2021, and since 2023."""

_COLUMNS = {ending: column for column, endings in ENDINGS.items() for ending in endings}


def read_brats(folder: Path) -> Layout | None:
    """Read a release; None where no folder holds both contrasts that nothing but tumours has, T1c and FLAIR.

    Raises
    ------
    DataError
        If two folders have one name, or a folder cannot be listed.
    """
    rows: dict[str, dict[str, str]] = {}
    left_out: list[str] = []
    for name in _folders(folder):
        files = _files(folder, name, left_out)
        if len(files) < 2:
            if files:
                left_out.append(f"{name} holds {', '.join(files.values())} alone.")
            continue
        subject = checked_id(name.rpartition("/")[2], folder)
        if subject in rows:
            raise DataError(f"{folder} holds two folders '{subject}'; rename one.")
        rows[subject] = {"subject": subject, "split": "test", **files}
    if not any({"T1c", "FLAIR"} <= set(row) for row in rows.values()):
        return None
    return Layout("a BraTS release", dict(sorted(rows.items())), {}, tuple(left_out))


def _folders(folder: Path) -> list[str]:
    first = [entry.name for entry in visible(folder) if entry.is_dir() and not suffix_of(entry.name, SUFFIXES)]
    second = [f"{name}/{e.name}" for name in first for e in visible(folder / name) if e.is_dir()]
    return first + [name for name in second if not suffix_of(name, SUFFIXES)]


def _files(folder: Path, name: str, left_out: list[str]) -> dict[str, str]:
    files: dict[str, str] = {}
    for entry in visible(folder / name):
        suffix = suffix_of(entry.name, SUFFIXES)
        if not suffix:
            continue
        path = f"{name}/{entry.name}"
        column = _COLUMNS.get(entry.name[: -len(suffix)].lower().replace("-", "_").rpartition("_")[2])
        if column is None:
            left_out.append(f"{path} is none of {', '.join(ENDINGS)} by its name.")
        elif not entry.is_file():
            left_out.append(f"{path} is {'a folder' if entry.is_dir() else 'a link to a file that is not there'}.")
        elif column in files:
            left_out.append(f"{path} is another {column}; {files[column]} is used.")
        else:
            files[column] = path
    return dict(sorted(files.items(), key=lambda item: list(ENDINGS).index(item[0])))
