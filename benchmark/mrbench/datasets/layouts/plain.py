"""A folder of volumes without a table: every scan is a test subject."""

from __future__ import annotations

from pathlib import Path

from mrbench.datasets.layouts.layout import Layout
from mrbench.datasets.listing import scans_in
from mrbench.io.nifti import SUFFIXES


def read_plain(folder: Path) -> Layout | None:
    """List the scans of a folder and of the folders one level down; None where there are none.

    Raises
    ------
    DataError
        If the folder cannot be listed, or two scans have one name.
    """
    listing = scans_in(folder, SUFFIXES)
    if not listing.files:
        return None
    rows = {name: {"subject": name, "split": "test", "image": file} for name, file in listing.files.items()}
    return Layout("plain files", rows, {}, listing.left_out)
