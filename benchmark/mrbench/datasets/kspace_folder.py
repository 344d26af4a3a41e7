"""`folder:PATH` for reconstruction: the user's own raw k-space."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import numpy as np

from mrbench.core.case import SPLITS
from mrbench.core.errors import DataError
from mrbench.datasets.acquisition import Acquisition, KspaceDataset
from mrbench.datasets.dataset import SplitFile, Subject
from mrbench.io.kspace import MASK_SUFFIX, SUFFIXES, RawKspace, mask_beside, read_kspace
from mrbench.io.tables import TABLE, read_table

REQUIRED = ("subject", "split", "kspace")
"""Columns that a table must have."""


class KspaceFolder(KspaceDataset):
    """A folder of k-space files: every file a test subject, or as ``subjects.csv`` says.

    The table has the columns ``subject``, ``split`` and ``kspace``, and ``mask`` where masks lie in files of their
    own; paths are relative to the folder. Fully sampled data are undersampled by the track's masks and
    scored; undersampled data are reconstructed as they are, and not scored: nobody knows the truth.

    Parameters
    ----------
    path : Path

    Raises
    ------
    DataError
        If the folder has no k-space, or the table is malformed.
    """

    citation = "the user's own data"
    licence = "the user's own"
    preparation = 1

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self.name = self.path.name
        self.title = f"folder {self.name}"
        self.address = f"folder:{self.path}"
        if not self.path.is_dir():
            raise DataError(f"{self.path} is not a folder; give one that holds k-space files.")
        table = self.path / TABLE
        self._table = read_table(table, REQUIRED, whole=False) if table.is_file() else self._every_file()
        if not self._table:
            raise DataError(f"{self.path} holds no k-space; put {', '.join(SUFFIXES)} files there, or write {TABLE}.")

    def _every_file(self) -> dict[str, dict[str, str]]:
        files = [f for f in sorted(self.path.iterdir()) if f.suffix in SUFFIXES and not f.name.endswith(MASK_SUFFIX)]
        if len({file.stem for file in files}) < len(files):
            raise DataError(f"{self.path} holds two k-space files of one name; tell them apart by their names.")
        return {file.stem: {"split": "test", "kspace": file.name} for file in files}

    @cached_property
    def split_file(self) -> SplitFile:
        splits = {s: tuple(subject for subject, row in self._table.items() if row["split"] == s) for s in SPLITS}
        # raw data are large: size and time stand for content here
        files = [(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in self._files() if p.is_file()]
        return SplitFile(1, splits, {}, {}, hashlib.sha256(repr((sorted(splits.items()), files)).encode()).hexdigest())

    def _files(self) -> list[Path]:
        """Everything that a subject's k-space may depend on, there or not."""
        found = set()
        for row in self._table.values():
            path = self.path / row["kspace"]
            found |= {path, path.with_suffix(".hdr"), mask_beside(path)}
            found |= {self.path / row["mask"]} if row.get("mask") else set()
        return sorted(found)

    @cached_property
    def _first(self) -> RawKspace:
        """The first subject that can be read: it tells what kind of data these are."""
        for subject in self._table:
            try:
                return self._read(subject)
            except DataError as error:
                fault = error
        raise fault

    @property
    def full(self) -> bool:  # type: ignore[override]
        return self._first.mask is None

    @property
    def dynamic(self) -> bool:  # type: ignore[override]
        return self._first.dynamic

    @property
    def coils(self) -> int:  # type: ignore[override]
        return self._first.kspace.shape[1]

    def _read(self, subject: str) -> RawKspace:
        row = self._table[subject]
        return read_kspace(self.path / row["kspace"], self.path / row["mask"] if row.get("mask") else None)

    def acquisition(self, subject: str, *, coils: int | None) -> Acquisition:
        raw = self._read(subject)
        have = raw.kspace.shape[1]
        if have != self.coils:
            raise DataError(
                f"{self.path / self._table[subject]['kspace']} has {have} coils but the folder's first file has "
                f"{self.coils}; keep them in folders of their own."
            )
        if self.full != (raw.mask is None):
            kind = "under" if self.full else "fully "
            raise DataError(
                f"{self.path / self._table[subject]['kspace']} is {kind}sampled, unlike the folder's first file; "
                "keep them in folders of their own."
            )
        foreground = None if raw.reference is None else object_mask(raw.reference)
        return Acquisition(
            raw.kspace, raw.reference, foreground, raw.mask, raw.crop, (1.0, 1.0, 1.0), raw.dynamic, raw.note
        )

    def make(self, subject: str) -> Subject:
        raise NotImplementedError("raw k-space is read as it is; see `acquisition`")

    def is_prepared(self, subject: str) -> bool:
        return True

    def prepare(self, subjects: Iterable[str]) -> Iterable[str]:
        return iter(subjects)


def object_mask(magnitude: np.ndarray) -> np.ndarray:
    """Where the object is: above 10 % of the maximum, opened, holes filled, slice by slice."""
    from scipy.ndimage import binary_fill_holes, binary_opening

    bright = magnitude > 0.1 * magnitude.max()
    return np.stack([binary_fill_holes(binary_opening(one, iterations=2)) for one in bright])
