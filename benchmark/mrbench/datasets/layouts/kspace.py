"""A folder of k-space files without a table: every file is a test subject."""

from __future__ import annotations

from pathlib import Path

from mrbench.datasets.layouts.layout import Layout
from mrbench.datasets.listing import scans_in
from mrbench.io.kspace import SUFFIXES
from mrbench.io.raw import MASK_SUFFIX

_MASK_STEM = MASK_SUFFIX.removesuffix(".npy")


def read_kspace_files(folder: Path) -> Layout | None:
    """List the k-space files of a folder and of the folders one level down; None where there are none.

    Raises
    ------
    DataError
        If the folder cannot be listed, or two files have one name.
    """
    listing = scans_in(folder, SUFFIXES, lambda stem: not stem.lower().endswith(_MASK_STEM))
    if not listing.files:
        return None
    rows = {name: {"subject": name, "split": "test", "kspace": file} for name, file in listing.files.items()}
    left_out = tuple(line for line in listing.left_out if MASK_SUFFIX not in line.lower())  # masks are in use
    return Layout("k-space files", rows, {}, left_out)
