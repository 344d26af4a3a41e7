"""Volumes whose names end with what they are: ``p01_T1.nii.gz``, ``p01/T1.nii.gz``, ``IXI-T1/IXI012-T1.nii.gz``.

What stands before the last words is the subject, in whatever folder a file lies: so IXI, as it is unpacked, has one
line a person; its angiograms and diffusion images are counted. All are test subjects.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from mrbench.core.errors import DataError
from mrbench.core.words import counted
from mrbench.datasets.layouts.layout import Layout
from mrbench.datasets.listing import scans_in, suffix_of
from mrbench.io.nifti import SUFFIXES
from mrbench.io.paths import checked_id

COLUMNS = {
    "t1": "T1",
    "t1w": "T1",
    "t1n": "T1",
    "t1c": "T1c",
    "t1ce": "T1c",
    "t1gd": "T1c",
    "t2": "T2",
    "t2w": "T2",
    "flair": "FLAIR",
    "t2f": "FLAIR",
    "pd": "PD",
    "pdw": "PD",
    "mask": "mask",
    "brainmask": "mask",
    "labels": "labels",
    "label": "labels",
    "seg": "labels",
    "dseg": "labels",
    "segmentation": "labels",
}
"""Columns by the last word of a name, in any case."""

_SILENT = ("brain", "image", "img")
"""Words that may stand between: ``p01_T1_brain_mask``."""

_IXI = re.compile(r"IXI\d{3}-[A-Za-z]+-\d+-(?P<kind>[A-Za-z0-9]+)")
"""A name of IXI: ``IXI012-HH-1211-MRA``, ``IXI012-HH-1211-DTI-00``."""


def read_named(folder: Path) -> Layout | None:
    """Read a folder and the folders one level down; None where fewer than half of the names say what a file is.

    Raises
    ------
    DataError
        If the folder cannot be listed.
    """
    try:
        listing = scans_in(folder, SUFFIXES, lambda stem: True)
    except DataError:
        return None
    files = listing.files.values()
    if 2 * sum(_understood(file)[1] is not None or _ixi(file) is not None for file in files) < len(files):
        return None
    rows: dict[str, dict[str, str]] = {}
    left_out = list(listing.left_out)
    known = ", ".join(dict.fromkeys(COLUMNS.values()))
    others: Counter[str] = Counter()
    for file in files:
        subject, column = _understood(file)
        if column is None and (name := _ixi(file)):
            others[name["kind"]] += 1
        elif column is None:
            left_out.append(f"{file} is none of {known} by its name.")
        elif column in (row := rows.setdefault(subject, {"subject": checked_id(subject, folder), "split": "test"})):
            left_out.append(f"{file} is another {column} of {subject}; {row[column]} is used.")
        else:
            row[column] = file
    left_out += [f"{counted(count, 'file')} of IXI: {kind}, none of {known}." for kind, count in others.items()]
    for subject in [name for name, row in rows.items() if not {*row} - {"subject", "split", "labels", "mask"}]:
        left_out += [f"{file} belongs to no scan." for column, file in rows.pop(subject).items() if column in COLUMNS]
    return Layout("files named by contrast", dict(sorted(rows.items())), {}, tuple(left_out)) if rows else None


def _ixi(file: str) -> re.Match[str] | None:
    return _IXI.match(file.rpartition("/")[2])


def _understood(file: str) -> tuple[str, str | None]:
    """Subject and column of a file; the column is None where its name does not say it."""
    parent, _, base = file.rpartition("/")
    words = re.split(r"([_\-.]+)", base[: len(base) - len(suffix_of(base, SUFFIXES))])
    column = COLUMNS.get(words[-1].lower())
    if column is None:
        return "", None
    while words and words[-1].lower() in (*COLUMNS, *_SILENT):
        words = words[:-2]
    return "".join(words) or parent.replace("/", "_") or base, column
