"""DICOM as scanners and archives export it: every MR series that is a volume is a test subject.

Folders are searched to four levels. A series is named ``FOLDER``, or ``FOLDER::UID`` where a folder holds several.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mrbench.datasets.layouts.layout import Layout
from mrbench.datasets.listing import visible
from mrbench.io.dicom import Series, series_in
from mrbench.io.paths import LONGEST_ID

DEPTH = 4

SHORTEST = 8
"""Images of a series; shorter ones are localisers."""


def read_dicom(folder: Path) -> Layout | None:
    """List the series of a folder; None where there is none.

    Raises
    ------
    DataError
        If a folder cannot be listed.
    """
    rows: dict[str, dict[str, str]] = {}
    left_out: list[str] = []
    for place in _folders(folder, DEPTH):
        available = series_in(place)
        for series in available:
            where = place.relative_to(folder).as_posix() + (f"::{series.uid}" if len(available) > 1 else "")
            label = f"{where} ({series.description or 'no name'})"
            if series.modality != "MR":
                left_out.append(f"{label} is {series.modality or 'of no modality'}, not MR.")
            elif len(series.files) < SHORTEST:
                left_out.append(f"{label} has {len(series.files)} images, fewer than {SHORTEST}.")
            else:
                subject = _unused(_name(series, place), rows)
                rows[subject] = {"subject": subject, "split": "test", "image": where}
    return Layout("DICOM series", dict(sorted(rows.items())), {}, tuple(left_out)) if rows else None


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    yield folder
    if depth:
        for entry in visible(folder):
            if entry.is_dir(follow_symlinks=False):
                yield from _folders(Path(entry.path), depth - 1)


def _name(series: Series, place: Path) -> str:
    words = re.sub(r"[^A-Za-z0-9.-]+", "_", f"{series.patient or place.name}_{series.description}")
    return words.strip("_.-")[: LONGEST_ID - 8] or "series"


def _unused(name: str, taken: dict[str, dict[str, str]]) -> str:
    known = {subject.casefold() for subject in taken}
    names = (name, *(f"{name}_{number}" for number in range(2, len(taken) + 3)))
    return next(candidate for candidate in names if candidate.casefold() not in known)
