"""What label maps call their structures: ``labels.csv`` of a folder, in the spellings that releases and tools use."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from mrbench.core.errors import DataError
from mrbench.io.tables import read_lines, table_text

LABEL_FILES = ("labels.csv", "labels.tsv", "labels.txt")
"""What such a file may be called in a folder."""

NUMBERS = ("label", "label number", "label id", "label value", "number", "no.", "id", "index", "idx", "value")
"""Headings of the labels' numbers: ours, MICCAI 2012's and OASIS's, FreeSurfer's, BIDS's (``index``)."""

NAMES = ("name", "label name", "structure", "structure name", "region", "region name", "anatomy", "roi")
"""Headings of their names; ``label`` is one, too, beside a column of `NUMBERS`."""

_FREESURFER = re.compile(r'(\d+)\s+(?:"([^"]+)"|(\S+))(?:\s+\d+){3,4}')
"""``17  Left-Hippocampus  220 216 20 0``: FreeSurfer, 3D Slicer and LPBA40."""

_ITK_SNAP = re.compile(r'(\d+)(?:\s+\d+){3}\s+[\d.]+\s+[01]\s+[01]\s+"([^"]+)"')
"""``17  220 216 20  1  1  1  "Left hippocampus"``."""


def labels_file(folder: Path) -> Path | None:
    """Return the file of a folder that names its labels, or None without one.

    Raises
    ------
    DataError
        If there are several.
    """
    held = [folder / name for name in LABEL_FILES if (folder / name).is_file()]
    if len(held) > 1:
        raise DataError(
            f"{folder} holds {' and '.join(file.name for file in held)}; keep the one that names the labels."
        )
    return held[0] if held else None


def label_names(path: Path) -> dict[int, str]:
    """Names by label; 0, the background, is left out.

    A table with a heading holds one column of `NUMBERS` and one of `NAMES`, in any case of letters, with ``_`` or ``-``
    for blanks; columns ``label`` and ``name`` overrule. Lines without a heading are those of a FreeSurfer colour table
    (number, name, three or four numbers of a colour) or of an ITK-SNAP label description; those from ``#`` on are
    comments there.

    Raises
    ------
    DataError
        If it is none of these, or two columns might be meant, a label is no positive integer or stands twice under two
        names, or none is named.
    """
    text = table_text(path)
    lines = [(at, line.strip()) for at, line in enumerate(text.splitlines(), start=1)]
    bare = [(at, line) for at, line in lines if line and not line.startswith("#")]
    without_heading = bool(bare) and bare[0][1][0].isdigit()
    names: dict[int, str] = {}
    for label, name in _coloured(path, bare) if without_heading else _in_columns(path):
        if label < 0:
            raise DataError(f"{path} names the label {label}; labels are positive, 0 is the background.")
        if label and names.setdefault(label, name) != name:
            raise DataError(f"{path} gives the label {label} two names, {names[label]} and {name}; keep one.")
    if not names:
        raise DataError(f"{path} names no structure; write one line a label, or delete the file.")
    return names


def _in_columns(path: Path) -> Iterator[tuple[int, str]]:
    columns, lines = read_lines(path)
    of_number, of_name = _columns(path, columns)
    for at, line in lines:
        try:
            label, name = int(line[of_number]), line[of_name]
            if label and not name:
                raise ValueError("no name")
            yield label, name
        except ValueError:
            raise DataError(
                f"{path}, line {at} needs a label under {columns[of_number]} and its name under {columns[of_name]}, "
                "labels as integers; mend it."
            ) from None


def _columns(path: Path, columns: Sequence[str]) -> tuple[int, int]:
    """Which columns hold number and name."""
    headings = [_folded(column) for column in columns]
    if headings.count("label") == headings.count("name") == 1:
        return headings.index("label"), headings.index("name")
    numbers = [at for at, heading in enumerate(headings) if heading in NUMBERS]
    names = [at for at, heading in enumerate(headings) if heading in NAMES]
    if not names and len(numbers) == 2 and headings.count("label") == 1:  # index,label
        names = [headings.index("label")]
        numbers.remove(names[0])
    for candidates, meaning in ((numbers, "numbers"), (names, "names")):
        if len(candidates) > 1:
            several = " and ".join(columns[at] for at in candidates)
            raise DataError(
                f"{path}: {several} may both be the labels' {meaning}; call the right columns label and name."
            )
    if not numbers or not names:
        raise DataError(f"{path} needs the columns label and name; its heading is {', '.join(columns)}.")
    return numbers[0], names[0]


def _folded(heading: str) -> str:
    return " ".join(re.sub(r"[_\-#]", " ", heading).casefold().split())


def _coloured(path: Path, lines: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Of a FreeSurfer colour table or an ITK-SNAP label description."""
    form = next((form for form in (_ITK_SNAP, _FREESURFER) if form.fullmatch(lines[0][1])), None)
    for number, line in lines:
        parts = form.fullmatch(line) if form else None
        if parts is None:
            raise DataError(
                f"{path}, line {number} ('{line[:40]}') is neither one of a table with the heading label,name nor of a "
                "FreeSurfer colour table (17 Left-Hippocampus 220 216 20 0) or an ITK-SNAP label description; write a "
                "heading."
            )
        label, *spelled = parts.groups()
        yield int(label), next(name for name in spelled if name)
