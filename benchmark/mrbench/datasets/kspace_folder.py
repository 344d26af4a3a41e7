"""`folder:PATH` for reconstruction: the user's own raw k-space."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path, PurePath

import numpy as np

from mrbench.core.case import SPLITS
from mrbench.core.errors import DataError, RequestError
from mrbench.datasets.acquisition import Acquisition, KspaceDataset
from mrbench.datasets.dataset import SplitFile, Subject
from mrbench.datasets.index import columns_of, layout_of, understood
from mrbench.datasets.layouts.table import is_table, paths_of
from mrbench.datasets.simulated_kspace import FolderScans
from mrbench.datasets.twins import find_twins
from mrbench.io.files import content_digest
from mrbench.io.kspace import SUFFIXES, mask_beside, read_kspace
from mrbench.io.nifti import SUFFIXES as NIFTI
from mrbench.io.paths import checked_id
from mrbench.io.raw import RawKspace
from mrbench.io.tables import TABLE
from mrbench.io.volume_files import SERIES

FASTMRI_PARTS = {"COR": "knee", "AX": "brain"}
"""Of fastMRI by the beginning of a file's attribute ``acquisition``."""

USED = ("axes", "kspace", "mask", "split", "subject")
"""Columns that say something of k-space, in order; others, such as ``acquisition``, are for the reader."""


class KspaceFolder(KspaceDataset):
    """A folder of k-space files, or of folders of them: every file a test subject, or as ``subjects.csv`` says.

    A folder of images instead becomes simulated k-space, `FolderScans`.

    The table has the columns ``subject``, ``split`` and ``kspace``, and where they are needed ``mask``, a file of its
    own, and ``axes``, what the axes of a ``.npy`` array or the dimensions above 1 of a ``.cfl`` header are (``coil y
    x``, ``time coil y x``, ``slice y x coil``); paths are relative to the folder. Fully sampled data are undersampled
    by the track's masks and scored; undersampled data are reconstructed as they are, and not scored: nobody knows the
    truth.

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
    preparation = 2

    def __new__(cls, path: Path) -> KspaceDataset:  # type: ignore[misc]
        """Of a folder that holds images and no k-space, k-space simulated from them."""
        return object.__new__(cls) if holds_kspace(path) else FolderScans(path)

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self.name = checked_id(self.path.name, "the path of the folder")
        self.title = f"folder {self.name}"
        self.address = f"folder:{self.path}"
        if not self.path.is_dir():
            raise DataError(f"{self.path} is not a folder; give one that holds k-space files.")
        layout = layout_of(self.path)
        if layout is None or not any(row.get("kspace") for row in layout.rows.values()):
            if layout is not None and is_table(self.path):
                raise DataError(f"{self.path / TABLE} lacks the column kspace; it has {', '.join(columns_of(layout))}.")
            raise DataError(f"{self.path} holds no k-space; put {', '.join(SUFFIXES)} files there, or write {TABLE}.")
        self._table = layout.rows
        self.notes, self.left_out = (layout.summary,), layout.left_out

    @cached_property
    def split_file(self) -> SplitFile:
        splits = {s: tuple(subject for subject, row in self._table.items() if row["split"] == s) for s in SPLITS}
        twins = find_twins(self.path, self._table)
        # raw data are large: the size stands for content here, and `content_key` is of the content
        scans = {self.path / row["kspace"] for row in self._table.values()}
        content = [str(p.stat().st_size) if p in scans else content_digest(p) for p in self._files()]
        used = {name: [(key, row[key]) for key in USED if row.get(key)] for name, row in self._table.items()}
        facts = repr((sorted(used.items()), content))
        return SplitFile(1, splits, {}, {}, hashlib.sha256(facts.encode()).hexdigest(), twins)

    def source_files(self, subject: str) -> Sequence[Path]:
        """Everything that a subject's k-space depends on, as far as it is there."""
        row = self._table[subject]
        path = self.path / row["kspace"]
        named = [self.path / row["mask"]] if row.get("mask") else [mask_beside(path)]
        header = [path.with_suffix(".hdr")] if path.suffix.lower() == ".cfl" else []
        return [file for file in (path, *header, *named) if file.is_file()]

    def content_key(self, subject: str) -> str:
        facts = (self.preparation, self._table[subject].get("axes", ""), super().content_key(subject))
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:20]

    def _files(self) -> list[Path]:
        return sorted({file for subject in self._table for file in self.source_files(subject)})

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

    @property
    def published(self) -> str:  # type: ignore[override]
        protocol = self._first.protocol
        part = next((part for start, part in FASTMRI_PARTS.items() if protocol.startswith(start)), "")
        return f"fastmri-{part}" if part else ""

    def _read(self, subject: str) -> RawKspace:
        row = self._table[subject]
        mask = self.path / row["mask"] if row.get("mask") else None
        return read_kspace(self.path / row["kspace"], mask, row.get("axes", ""))

    def acquisition(self, subject: str, *, coils: int | None) -> Acquisition:
        self.refuse_unknown(subject)
        self.split_file.refuse_twin(subject)
        raw = self._read(subject)
        single = raw.kspace.shape[1] == 1
        if single != (self.coils == 1):  # of arrays any number: fastMRI's brains differ in it
            one, many = "one coil", "several coils"
            raise DataError(
                f"{self.path / self._table[subject]['kspace']} has {one if single else many}, the folder's first file "
                f"{many if single else one}; keep them in folders of their own."
            )
        if self.full != (raw.mask is None):
            kind = "under" if self.full else "fully "
            raise DataError(
                f"{self.path / self._table[subject]['kspace']} is {kind}sampled, unlike the folder's first file; "
                "keep them in folders of their own."
            )
        foreground = None if raw.reference is None else object_mask(raw.reference)
        return Acquisition(
            raw.kspace,
            raw.reference,
            foreground,
            raw.mask,
            raw.crop,
            (1.0, 1.0, 1.0),
            raw.dynamic,
            raw.note,
            file=PurePath(self._table[subject]["kspace"]).name,
            protocol=raw.protocol,
            acquired=raw.acquired,
        )

    def make(self, subject: str) -> Subject:
        raise RequestError(f"{self.name} is raw k-space; read it by acquisition({subject!r}, coils=None).")

    def is_prepared(self, subject: str) -> bool:
        return True

    def prepare(self, subjects: Iterable[str]) -> Iterable[str]:
        return iter(subjects)


def holds_kspace(path: Path) -> bool:
    """Whether a folder is to be read as k-space: unless it holds images and none."""
    folder = path.expanduser().resolve()
    if not folder.is_dir():
        return True
    try:
        layout = understood(folder)
    except DataError:
        return True
    rows = layout.rows.values()
    files = [row[column] for row in rows for column in paths_of(row)]
    images = any(file.lower().endswith(NIFTI) or (folder / file.partition(SERIES)[0]).is_dir() for file in files)
    return any("kspace" in row for row in rows) or not images


def object_mask(magnitude: np.ndarray) -> np.ndarray:
    """Where the object is: above 10 % of the maximum, opened, holes filled, slice by slice."""
    from scipy.ndimage import binary_fill_holes, binary_opening

    bright = magnitude > 0.1 * magnitude.max()
    return np.stack([binary_fill_holes(binary_opening(one, iterations=2)) for one in bright])
