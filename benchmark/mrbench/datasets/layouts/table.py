"""A folder with tables: ``subjects.csv``, and ``pairs.csv`` where registration has pairs of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import Path

from mrbench.core.errors import DataError
from mrbench.datasets.layouts.beside import unnamed_beside
from mrbench.datasets.layouts.layout import Layout
from mrbench.io.files import content_digest
from mrbench.io.tables import TABLE, read_lines, read_table
from mrbench.io.volume_files import is_there

PAIRS = "pairs.csv"

NO_FILES = ("subject", "split", "axes", "acquisition")
"""Columns that are no paths."""


def is_table(folder: Path) -> bool:
    """Whether a folder has a table of its own."""
    return (folder / TABLE).is_file()


def read_tables(folder: Path, required: Collection[str]) -> Layout | None:
    """Read the tables of a folder; None where it has no ``subjects.csv``.

    A file that a line names and that is not there is named in `Layout.left_out`: its subject fails by itself. So are
    scans that lie there and that no line names.

    Raises
    ------
    DataError
        If a table is malformed, names no subject, or no file that is there.
    """
    table = folder / TABLE
    if not is_table(folder):
        return None
    rows = _rows(table, tuple(required), content_digest(table))
    if not rows:
        raise DataError(f"{table} must name each subject once, and at least one.")
    named = [(subject, column, row[column]) for subject, row in rows.items() for column in paths_of(row)]
    absent = [entry for entry in named if not is_there(folder / entry[2])]
    if named and len(absent) == len(named):
        subject, column, file = absent[0]
        raise DataError(f"{table}: {column} of '{subject}', {file}, is not there, nor is any other; correct the paths.")
    left_out = [f"{file}, the {column} of '{subject}', is not there." for subject, column, file in absent]
    pairs, unknown = read_pairs(folder, rows)
    unnamed = unnamed_beside(folder, rows, {file for *_, file in named})
    return Layout(f"a table ({TABLE})", rows, pairs, (*unnamed, *left_out, *unknown))


@lru_cache(maxsize=4)
def _rows(table: Path, required: tuple[str, ...], digest: str) -> dict[str, dict[str, str]]:
    """The lines of a table of this content, read once a process."""
    return read_table(table, required)


def paths_of(row: Mapping[str, str]) -> list[str]:
    """Columns of a line that name a file."""
    return [column for column, value in row.items() if column not in NO_FILES and value]


def read_pairs(
    folder: Path, rows: Mapping[str, Mapping[str, str]], known_by: str = TABLE
) -> tuple[dict[str, tuple[tuple[str, str], ...]], list[str]]:
    """Read ``pairs.csv``, columns ``moving`` and ``fixed``: any number of pairs, in any direction.

    Parameters
    ----------
    folder : Path
        Where it may lie.
    rows : mapping
        The subjects.
    known_by : str
        Where their names stand, for sentences.

    Returns
    -------
    pairs : dict
        By split.
    left_out : list of str
        A sentence for each pair that names nobody; the others stand without it.

    Raises
    ------
    DataError
        If a pair names one subject twice or subjects of two splits, or stands twice, or if all of them name nobody.
    """
    path = folder / PAIRS
    if not path.is_file():
        return {}, []
    columns, lines = read_lines(path, ("moving", "fixed"))
    if not {"moving", "fixed"} <= set(columns):
        raise DataError(f"{path} lacks the columns moving and fixed; add them.")
    pairs: dict[str, tuple[tuple[str, str], ...]] = {}
    left_out: list[str] = []
    for number, fields in lines:
        line = dict(zip(columns, fields, strict=True))
        moving, fixed = line["moving"], line["fixed"]
        if unknown := [subject for subject in (moving, fixed) if subject not in rows]:
            left_out.append(f"{PAIRS}, line {number} names '{unknown[0]}', who is not in {known_by}.")
            continue
        if moving == fixed:
            raise DataError(f"{path}, line {number} pairs '{moving}' with itself; correct it.")
        split = rows[moving]["split"]
        if rows[fixed]["split"] != split:
            raise DataError(f"{path}, line {number} pairs subjects of two splits, '{moving}' and '{fixed}'; use one.")
        if (moving, fixed) in pairs.get(split, ()):
            raise DataError(f"{path}, line {number}: the pair {moving}, {fixed} stands twice; keep one line.")
        pairs[split] = (*pairs.get(split, ()), (moving, fixed))
    if left_out and not pairs:
        raise DataError(f"{folder}: {left_out[0].removesuffix('.')}, nor is there any other pair; correct it.")
    return pairs, left_out
