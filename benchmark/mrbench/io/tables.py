"""The tables of a user's folder, ``subjects.csv`` and its like, and how such files are read."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence
from pathlib import Path

from mrbench.core.case import SPLITS
from mrbench.core.errors import DataError
from mrbench.core.words import counted
from mrbench.io.paths import checked_id

TABLE = "subjects.csv"

DELIMITERS = ",;\t"

LARGEST_TABLE = 2**26
"""Bytes: a million lines."""


def read_table(path: Path, required: Collection[str]) -> dict[str, dict[str, str]]:
    """Read a table with one line a subject, by subject.

    Fields are separated by what the heading is: commas, semicolons or tabs. Blanks around a field do not count, nor
    does the case of the columns ``subject``, ``split``, ``labels``, ``mask``, ``kspace`` and ``axes``, and of a
    split.

    Parameters
    ----------
    path : Path
        The file.
    required : collection of str
        Columns that it must have, ``subject`` and ``split`` among them.

    Raises
    ------
    DataError
        As of `read_lines`, or if it lacks a column, a subject
        stands twice (in any case of letters) or cannot be a file's name, or a split is unknown.
    """
    columns, lines = read_lines(path, _KNOWN)
    if absent := set(required) - set(columns):
        raise DataError(f"{path} lacks the column {', '.join(sorted(absent))}; its heading is {', '.join(columns)}.")
    rows: dict[str, dict[str, str]] = {}
    spelled: dict[str, str] = {}
    for number, fields in lines:
        row = dict(zip(columns, fields, strict=True))
        subject = checked_id(row["subject"], f"{path}, line {number}")
        twin = spelled.setdefault(subject.casefold(), subject)
        if subject in rows or twin != subject:
            raise DataError(
                f"{path}, line {number}: subject '{subject}' stands twice{'' if twin == subject else f', as {twin!r}'}"
                "; name each subject once."
            )
        row["split"] = row["split"].casefold()
        if row["split"] not in SPLITS:
            raise DataError(
                f"{path}, line {number}: subject '{subject}' has split '{row['split']}'; use {', '.join(SPLITS)}."
            )
        rows[subject] = row
    return rows


_KNOWN = ("subject", "split", "labels", "mask", "kspace", "axes")


def read_lines(path: Path, known: Sequence[str] = ()) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Read heading and lines of a delimited file, each field stripped and each line with its number.

    A line has as many fields as the heading: of one that is shorter or longer nobody can tell which field is which.

    Parameters
    ----------
    path : Path
        The file.
    known : sequence of str
        Columns that are written so, whatever their case in the file.

    Raises
    ------
    DataError
        If it cannot be read, has no heading, two columns of one name, or a line with fewer or more fields.
    """
    columns, lines = read_ragged(path, known)
    refuse_uneven(path, columns, lines)
    return columns, lines


def refuse_uneven(path: Path, columns: Sequence[str], lines: Sequence[tuple[int, Sequence[str]]]) -> None:
    """Refuse a line of `read_ragged` that has fewer or more fields than the heading."""
    for number, fields in lines:
        if len(fields) != len(columns):
            few = len(fields) < len(columns)
            raise DataError(
                f"{path}, line {number} has {counted(len(fields), 'field')}, "
                f"{'fewer' if few else 'more'} than the {len(columns)} of the heading ({', '.join(columns)}); "
                f"{'leave a field empty where there is nothing' if few else 'quote a field that holds a separator'}."
            )


def read_ragged(path: Path, known: Sequence[str] = ()) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The same of a file whose lines may have any number of fields.

    Raises
    ------
    DataError
        If it cannot be read, has no heading, or has two columns of one name.
    """
    text = table_text(path)
    delimiter = _delimiter(text)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise DataError(f"{path} is no table ({error}); check its quotes.") from None
    numbered = [(number, [field.strip() for field in line]) for number, line in enumerate(lines, start=1)]
    filled = [(number, line) for number, line in numbered if any(line)]
    if not filled:
        raise DataError(f"{path} is empty; write a heading and one line a subject.")
    names = {name.casefold(): name for name in known}
    columns = [names.get(column.casefold(), column) for column in filled[0][1]]
    folded = [column.casefold() for column in columns]
    if twice := [column for column in columns if folded.count(column.casefold()) > 1]:
        raise DataError(f"{path} has two columns '{twice[0]}'; keep one, or tell them apart.")
    if "" in columns:
        raise DataError(f"{path} has a column without a name; name it, or take it out.")
    return columns, filled[1:]


def _delimiter(text: str) -> str:
    """Of comma, semicolon and tab, the one that splits the heading into most columns."""
    heading = next((line for line in text.splitlines() if line.strip()), "")
    return max(DELIMITERS, key=heading.count)


def table_text(path: Path) -> str:
    """The text of a CSV file.

    Raises
    ------
    DataError
        If it is not there, is not UTF-8, as some spreadsheets write it, or holds zero bytes.
    """
    try:
        if path.stat().st_size > LARGEST_TABLE:
            raise DataError(f"{path} is larger than {LARGEST_TABLE >> 20} MiB; is it a table?")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8; save it as such.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}); check the path.") from None
    if "\0" in text:
        raise DataError(f"{path} holds zero bytes; save it as UTF-8 text.")
    return text
