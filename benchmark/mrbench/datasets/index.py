"""What lies in a folder, as the table that a user would have written: to look at, correct and save as subjects.csv."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mrbench.core.errors import DataError
from mrbench.core.words import some
from mrbench.datasets.layouts.beside import passed_over
from mrbench.datasets.layouts.bids import read_bids
from mrbench.datasets.layouts.brats import read_brats
from mrbench.datasets.layouts.dicom import read_dicom
from mrbench.datasets.layouts.kspace import read_kspace_files
from mrbench.datasets.layouts.layout import Layout
from mrbench.datasets.layouts.learn2reg import read_learn2reg
from mrbench.datasets.layouts.named import read_named
from mrbench.datasets.layouts.plain import read_plain
from mrbench.datasets.layouts.table import is_table, paths_of, read_pairs, read_tables
from mrbench.datasets.layouts.transmorph import read_transmorph
from mrbench.datasets.twins import find_twins
from mrbench.io.fastmri import acquisition_of
from mrbench.io.tables import TABLE

if TYPE_CHECKING:
    import pandas

RELEASES = (read_learn2reg, read_transmorph)
"""Readers of what names its own pairs and track, which a table of its subjects does not take from it."""

LAYOUTS = (*RELEASES, read_bids, read_brats, read_kspace_files, read_named, read_plain, read_dicom)
"""Readers in the order in which they are tried: what a layout says of itself goes before names, names before files."""

SHALLOW = (read_kspace_files, read_named, read_plain)
"""Readers that look into the folders of a folder, and no further."""

LAST = ("labels", "mask", "axes", "acquisition")
"""Columns that stand behind the others in a table."""


def layout_of(folder: Path, *, images: bool = False, blank: bool = False) -> Layout | None:
    """The layout of a folder: its own table, else what the first of `LAYOUTS` finds; None where none does.

    Pairs of ``pairs.csv`` go before those of a release.

    Every dataset of a folder asks here, so that the table which `index` makes of it, saved in it, changes nothing.

    Parameters
    ----------
    folder : Path
        Where to look.
    images : bool
        Look for images alone: files of k-space that lie beside them are no subjects.
    blank : bool
        Take a table of no bytes for none: a shell makes one before ``mrbench data index X > X/subjects.csv`` runs.

    Raises
    ------
    DataError
        If the folder cannot be listed, or its table or its layout is malformed.
    """
    skip = blank and is_table(folder) and not (folder / TABLE).stat().st_size
    if not skip and (layout := read_tables(folder, ("subject", "split"))) is not None:
        return _with_release(folder, layout)
    for read in LAYOUTS:
        if not (images and read is read_kspace_files) and (layout := read(folder)) is not None:
            columns = columns_of(layout)
            rows = {
                subject: {column: row[column] for column in columns if column in row}
                for subject, row in layout.rows.items()
            }
            pairs, unknown = read_pairs(folder, rows, known_by=f"the folder, whose subjects are {some([*rows])}")
            beside = passed_over(folder, formats=read is not read_dicom, deep=read in SHALLOW)
            left_out = (*layout.left_out, *_of_the_other_kind(folder, read), *beside, *unknown)
            return replace(layout, rows=rows, pairs=pairs or layout.pairs, left_out=left_out)
    return None


def _of_the_other_kind(folder: Path, read: Callable[[Path], Layout | None]) -> list[str]:
    """A sentence on images that lie beside k-space, or on k-space beside images: one dataset is of one kind."""
    others = {read_kspace_files: (read_plain, "images"), read_plain: (read_kspace_files, "k-space")}
    if read not in others:
        return []
    look, kind = others[read]
    try:
        beside = look(folder)
    except DataError:  # of those files nothing was asked
        return []
    if beside is None:
        return []
    files = [row[column] for row in beside.rows.values() for column in paths_of(row)]
    return [f"{some(files)}: {kind} beside {others[look][1]}; other tasks take them, this reading does not."]


def columns_of(layout: Layout) -> list[str]:
    """Columns in the order of a table: images as they come, then what says where and what they are.

    The order counts: of several images of a subject, masks and grids are those of the first.
    """
    columns = dict.fromkeys(column for row in layout.rows.values() for column in row)
    last = [column for column in LAST if column in columns]
    return [column for column in columns if column not in last] + last


def _with_release(folder: Path, table: Layout) -> Layout:
    """A table with the pairs of the release that it lies in, of those subjects that it names, and its track."""
    for read in RELEASES:
        try:
            release = read(folder)
        except DataError:  # the table is what was asked for
            continue
        if release is None:
            continue
        known = table.rows
        pairs = {
            split: kept
            for split, several in release.pairs.items()
            if (kept := tuple(p for p in several if {*p} <= {*known} and known[p[1]]["split"] == split))
        }
        atlases = tuple(subject for subject in release.atlases if subject in known)
        return replace(table, pairs=table.pairs or pairs, atlases=atlases, published=release.published)
    return table


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
    layout = layout_of(folder, blank=True)
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
        As of `understood`, or if subjects of two splits have one scan.
    """
    import pandas

    layout = understood(path)
    twins = find_twins(path.expanduser().resolve(), layout.rows)
    for row in layout.rows.values():
        if row.get("kspace") and (kind := acquisition_of(path.expanduser() / row["kspace"])):
            row.setdefault("acquisition", kind)
    table = pandas.DataFrame(list(layout.rows.values()), columns=columns_of(layout), dtype=str).fillna("")
    table.attrs = {"summary": layout.summary, "left_out": [*layout.left_out, *twins.values()]}
    return table
