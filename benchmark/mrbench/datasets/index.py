"""What lies in a folder, as the table that a user would have written: to look at, correct and save as subjects.csv."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mrbench.core.errors import DataError
from mrbench.datasets.layouts.bids import read_bids
from mrbench.datasets.layouts.brats import read_brats
from mrbench.datasets.layouts.dicom import read_dicom
from mrbench.datasets.layouts.kspace import read_kspace_files
from mrbench.datasets.layouts.layout import Layout
from mrbench.datasets.layouts.learn2reg import read_learn2reg
from mrbench.datasets.layouts.named import read_named
from mrbench.datasets.layouts.plain import read_plain
from mrbench.datasets.layouts.table import read_tables
from mrbench.io.fastmri import acquisition_of

if TYPE_CHECKING:
    import pandas

LAYOUTS = (read_learn2reg, read_bids, read_brats, read_kspace_files, read_named, read_plain, read_dicom)
"""Readers in the order in which they are tried: what a layout says of itself goes before names, names before files."""


def understood(path: Path) -> Layout:
    """The layout of a folder: its own table, else the first of `LAYOUTS` that finds something.

    Raises
    ------
    DataError
        If the path is no folder, or nothing in it is understood.
    """
    folder = path.expanduser().resolve()
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; give one that holds scans or k-space.")
    layout = read_tables(folder, ("subject", "split"))
    for read in LAYOUTS if layout is None else ():
        layout = layout or read(folder)
    if layout is None:
        raise DataError(f"{folder} holds no NIfTI, DICOM or k-space, nor do the folders in it; give the one that does.")
    return layout


def index(path: Path) -> pandas.DataFrame:
    """The table of a folder: a line a subject, as ``subjects.csv`` has it.

    Returns
    -------
    DataFrame
        Columns ``subject``, ``split``, one a contrast (or ``kspace``), and ``labels`` and ``mask`` where there are any;
        paths from the folder, empty where a subject has no such file. Of fastMRI also ``acquisition``, such as
        ``AXT1``, to choose lines by. ``attrs`` holds the ``summary`` and what was
        ``left_out``, one sentence each.

    Raises
    ------
    DataError
        As of `understood`.
    """
    import pandas

    layout = understood(path)
    for row in layout.rows.values():
        if row.get("kspace") and (kind := acquisition_of(path.expanduser() / row["kspace"])):
            row.setdefault("acquisition", kind)
    columns = dict.fromkeys(column for row in layout.rows.values() for column in row)
    last = [column for column in ("labels", "mask", "axes", "acquisition") if column in columns]
    ordered = [column for column in columns if column not in last] + last
    table = pandas.DataFrame(list(layout.rows.values()), columns=ordered, dtype=str).fillna("")
    table.attrs = {"summary": layout.summary, "left_out": list(layout.left_out)}
    return table
