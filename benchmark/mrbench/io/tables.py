"""The table of a user's folder, ``subjects.csv``, and how CSV files are read."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection
from pathlib import Path

from mrbench.core.case import SPLITS
from mrbench.core.errors import DataError

TABLE = "subjects.csv"


def read_table(path: Path, required: Collection[str], *, whole: bool) -> dict[str, dict[str, str]]:
    """Read a table with one line a subject, by subject.

    Parameters
    ----------
    path : Path
    required : collection of str
        Columns that it must have, ``subject`` and ``split`` among them.
    whole : bool
        Whether each line must have a field for every column, not just for those required.

    Raises
    ------
    DataError
        If it is not UTF-8, lacks a column, a line has too few or too many fields, a subject stands twice, or a split
        is unknown.
    """
    reader = csv.DictReader(table_text(path))
    columns = reader.fieldnames or ()
    if absent := set(required) - set(columns):
        raise DataError(f"{path} lacks the column {', '.join(sorted(absent))}; add it.")
    lines = list(reader)
    for number, line in enumerate(lines, start=2):
        if None in line or any(line[column] is None for column in (columns if whole else required)):
            raise DataError(f"{path}, line {number} has not as many fields as the heading; mend it.")
    rows = {line["subject"]: line for line in lines}
    if len(rows) < len(lines):
        raise DataError(f"{path} must name each subject once.")
    for subject, row in rows.items():
        if row["split"] not in SPLITS:
            raise DataError(f"{path}: subject '{subject}' has split '{row['split']}'; use {', '.join(SPLITS)}.")
    return rows


def table_text(path: Path) -> io.StringIO:
    """The text of a CSV file, for `csv`; a `DataError` if it is not UTF-8, as some spreadsheets write it."""
    try:
        return io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8; save it as such.") from None
