"""Scans that a table does not name or a layout does not look at: nothing is left out without a word."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from mrbench.core.words import some
from mrbench.datasets.listing import NO_SCAN, suffix_of
from mrbench.io.kspace import SUFFIXES as KSPACE
from mrbench.io.nifti import SUFFIXES as NIFTI
from mrbench.io.raw import MASK_SUFFIX
from mrbench.io.tables import TABLE
from mrbench.io.volume_files import PART

DEPTH = 4
"""Folders down that are searched: ``sub-01/ses-1/anat`` is three."""

MADE = ("derivatives", "sourcedata", "code", "stimuli")
"""Folders of BIDS that hold what scans were made of, or what was made of them."""

OTHERS = (".dcm", ".ima", ".mgz", ".mgh", ".nrrd", ".nhdr", ".mha", ".mhd", ".img", ".mnc")
"""Ends of names of images that no layout but DICOM's reads."""


def unnamed_beside(folder: Path, rows: Mapping[str, Mapping[str, str]], names: set[str]) -> list[str]:
    """A sentence that says how many scans of a folder its table does not name, and which; none where it names all.

    Files are looked for that are NIfTI, or of another kind that the table itself names: k-space, pickles. Masks, label
    maps and transforms by their name are no scans.

    Parameters
    ----------
    folder : Path
        That of the table.
    rows : mapping
        The lines of the table.
    names : set of str
        The files that they name, as they are written there.
    """
    named = {os.path.normpath(folder / name.partition(PART)[0]) for name in names}
    suffixes: tuple[str, ...] = NIFTI
    if any(row.get("kspace") for row in rows.values()):
        suffixes += KSPACE
    if any(path.endswith(".pkl") for path in named):
        suffixes += (".pkl",)
    files = [
        file
        for file in _files(folder, named)
        if (suffix := suffix_of(file, suffixes))
        and not NO_SCAN.search(file.rpartition("/")[2][: -len(suffix)])
        and not file.lower().endswith(MASK_SUFFIX)
        and os.path.normpath(folder / file) not in named
    ]
    if not files:
        return []
    if len(files) == 1:
        return [f"{files[0]} is not named in {TABLE}; add it there if it is to be used."]
    return [f"{len(files)} files are not named in {TABLE}: {some(files)}; add there what is to be used."]


def passed_over(folder: Path, *, formats: bool, deep: bool) -> list[str]:
    """Sentences on what readers of a layout do not look at, of files down to `DEPTH`.

    Parameters
    ----------
    folder : Path
        What was read.
    formats : bool
        Name images of `OTHERS`.
    deep : bool
        Name NIfTI and k-space more than one folder down.
    """
    files = list(_files(folder, set()))
    others = [file for file in files if formats and file.lower().endswith(OTHERS)]
    deeper = [file for file in files if deep and file.count("/") > 1 and suffix_of(file, (*NIFTI, *KSPACE))]
    sentences = {
        "in other formats than those read here; convert them, or give DICOM a folder of its own": others,
        f"more than one folder down; name them in {TABLE}, or give the folder that they lie in": deeper,
    }
    return [f"{some(found)}: {why}." for why, found in sentences.items() if found]


def _files(folder: Path, named: set[str]) -> Iterator[str]:
    """Paths from a folder of what lies in it, sorted; hidden ones and folders that the table names are passed over."""
    for place, folders, files in os.walk(folder):
        here = Path(place).relative_to(folder)
        deep = len(here.parts) >= DEPTH
        folders[:] = sorted(
            name
            for name in folders
            if not (deep or name[0] == "." or (here == Path() and name in MADE))
            and os.path.normpath(Path(place) / name) not in named
        )
        yield from ((here / name).as_posix() for name in sorted(files) if name[0] != ".")
