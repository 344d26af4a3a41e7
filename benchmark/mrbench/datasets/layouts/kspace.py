"""A folder of k-space files without a table: fastMRI as it is unpacked, or any, whose files are all test subjects."""

from __future__ import annotations

import re
from pathlib import Path

from mrbench.datasets.layouts.layout import Layout
from mrbench.datasets.listing import Listing, scans_in, visible
from mrbench.io.kspace import SUFFIXES
from mrbench.io.raw import MASK_SUFFIX

_MASK_STEMS = (MASK_SUFFIX.removesuffix(".npy"), "_mask", "-mask")
"""Ends of names, without suffix, of masks: ours, and CMRxRecon's ``cine_sax_mask.mat``."""

_FASTMRI = re.compile(r"(?P<coils>singlecoil|multicoil)_(?P<part>train|val|test|challenge)\w*")

_SPLITS = {"train": "train", "val": "test"}


def read_kspace_files(folder: Path) -> Layout | None:
    """List the k-space files of a folder and of the folders one level down; None where there are none.

    Of fastMRI's folders, ``multicoil_train`` is the train split and ``multicoil_val`` the test split: its own test set
    has no target. Single-coil data beside multi-coil data are left out.

    Raises
    ------
    DataError
        If the folder cannot be listed, or two files have one name.
    """
    if parts := _fastmri_parts(folder):
        return _read_fastmri(folder, parts)
    listing = _scans(folder)
    if not listing.files:
        return None
    rows = {name: {"subject": name, "split": "test", "kspace": file} for name, file in listing.files.items()}
    left_out = tuple(line for line in listing.left_out if MASK_SUFFIX not in line.lower())  # masks are in use
    return Layout("k-space files", rows, {}, left_out)


def _scans(folder: Path) -> Listing:
    return scans_in(folder, SUFFIXES, lambda stem: not stem.lower().endswith(_MASK_STEMS))


def _fastmri_parts(folder: Path) -> list[re.Match[str]]:
    """The folders of a fastMRI release here, such as ``multicoil_val`` and ``multicoil_train_batch_0``."""
    names = [entry.name for entry in visible(folder) if entry.is_dir()]
    return [match for name in names if (match := _FASTMRI.fullmatch(name))]


def _read_fastmri(folder: Path, parts: list[re.Match[str]]) -> Layout | None:
    coils = "multicoil" if any(part["coils"] == "multicoil" for part in parts) else "singlecoil"
    rows: dict[str, dict[str, str]] = {}
    left_out = []
    for part in parts:
        if part["coils"] != coils or part["part"] not in _SPLITS:
            why = "has no target" if part["part"] not in _SPLITS else f"lies beside {coils} data"
            left_out.append(f"{part[0]} {why}.")
            continue
        listing = _scans(folder / part[0])
        split = _SPLITS[part["part"]]
        left_out += [f"{part[0]}/{line}" for line in listing.left_out if MASK_SUFFIX not in line.lower()]
        rows |= {
            name: {"subject": name, "split": split, "kspace": f"{part[0]}/{file}"}
            for name, file in listing.files.items()
        }
    return Layout("fastMRI, whose val is the test split here", rows, {}, tuple(left_out)) if rows else None
