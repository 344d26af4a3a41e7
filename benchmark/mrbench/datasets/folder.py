"""`folder:PATH`: the user's own data, a plain folder with a table of files."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from mrbench.core.case import SPLITS
from mrbench.core.errors import DataError
from mrbench.datasets.dataset import Dataset, SplitFile, Subject
from mrbench.io.files import sha256_of
from mrbench.io.nifti import Volume, read_volume
from mrbench.io.tables import TABLE, read_table, table_text

NEGATIVE = 0.05
"""Share of negative voxels in a mask that interpolation may leave; more is no magnitude image."""

_RESERVED = ("subject", "split", "labels", "mask")


class Folder(Dataset):
    """A folder with ``subjects.csv``, one line a subject.

    Columns: ``subject``; ``split`` (train, validation or test); one column a contrast (``T1``, ``T2``), each
    the path of a NIfTI file relative to the folder; ``labels``; and ``mask`` if there is one (else: where the
    first contrast is not zero). All volumes share one grid, skull-stripped and affinely aligned. A file
    ``labels.csv`` with columns ``label,name`` names the structures to score; without it every label is one.

    Intensities are divided by the 99.5th percentile inside the mask and clipped to [`lowest`, `highest`].

    Parameters
    ----------
    path : Path

    Raises
    ------
    DataError
        If the table is missing, lacks a column, or names an unknown split or a file that is not there.
    """

    citation = "the user's own data"
    licence = "the user's own"
    preparation = 1
    lowest: float = 0.0
    highest: float = 1.0
    required: tuple[str, ...] = ("subject", "split", "labels")
    """Columns that the table must have."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self.name = self.path.name
        self.title = f"folder {self.name}"
        self.address = f"folder:{self.path}"
        self._table = self._read_table()

    def _read_table(self) -> dict[str, dict[str, str]]:
        table = self.path / TABLE
        if not table.is_file():
            raise DataError(f"{table} is not there; write one line a subject: subject,split,T1,labels.")
        rows = read_table(table, self.required, whole=True)
        if not rows:
            raise DataError(f"{table} must name each subject once, and at least one.")
        for subject, row in rows.items():
            for column in self._files(row):
                if not (self.path / row[column]).is_file():
                    raise DataError(f"{table}: {column} of '{subject}', {row[column]}, is not there; correct the path.")
        return rows

    @staticmethod
    def _files(row: Mapping[str, str]) -> list[str]:
        return [column for column, value in row.items() if column not in ("subject", "split") and value]

    @cached_property
    def split_file(self) -> SplitFile:
        splits = {s: tuple(subject for subject, row in self._table.items() if row["split"] == s) for s in SPLITS}
        files = {
            row[column]: {"sha256": sha256_of(self.path / row[column])}
            for row in self._table.values()
            for column in self._files(row)
        }
        facts = repr((sorted(splits.items()), sorted((name, f["sha256"]) for name, f in files.items())))
        return SplitFile(1, splits, files, {}, hashlib.sha256(facts.encode()).hexdigest())

    @cached_property
    def structures(self) -> Mapping[str, tuple[int, ...]]:  # type: ignore[override]
        """As ``labels.csv`` names them, labels of one name together; without it, every label that any subject has."""
        names = self.path / "labels.csv"
        if names.is_file():
            return _named_structures(names)
        files = tuple(self.path / row["labels"] for row in self._table.values() if row.get("labels"))
        return {f"label {label}": (label,) for label in _labels_in(files, self.split_file.sha256)}

    def prepare(self, subjects: Iterable[str]) -> Iterable[str]:
        """Prepare what can be read: a faulty file says so in the row of its case, and stops no other."""
        for subject in subjects:
            with suppress(DataError):
                next(iter(super().prepare([subject])), None)
            yield subject

    def make(self, subject: str) -> Subject:
        row = self._table[subject]
        volumes = {c: self._volume(row, c) for c in self._files(row) if c not in _RESERVED}
        if not volumes:
            raise DataError(f"{self.path / TABLE}: subject '{subject}' has no image; add a column such as T1.")
        first = next(iter(volumes.values()))
        labels = self._volume(row, "labels", first).array if row.get("labels") else None
        mask = self._volume(row, "mask", first).array > 0 if row.get("mask") else first.array != 0
        images = {}
        for contrast, volume in volumes.items():
            self._same_grid(row[contrast], volume, first)
            top = float(np.percentile(volume.array[mask], 99.5)) if mask.any() else 0.0
            if top <= 0:
                raise DataError(f"{self.path / row[contrast]} is empty inside the mask; check the file.")
            below = float((volume.array[mask] < self.lowest).mean())
            if below > NEGATIVE:
                raise DataError(
                    f"{self.path / row[contrast]} is negative in {below:.0%} of the mask; give magnitudes, "
                    "not standardised intensities."
                )
            scaled = np.clip(volume.array / top, self.lowest, self.highest)
            images[contrast] = np.where(mask, scaled, 0).astype(np.float32)
        return Subject(subject, images, mask, labels, first.spacing)

    def _volume(self, row: Mapping[str, str], column: str, like: Volume | None = None) -> Volume:
        volume = read_volume(self.path / row[column], labels=column in ("labels", "mask"))
        if like is not None:
            self._same_grid(row[column], volume, like)
        return volume

    def _same_grid(self, name: str, volume: Volume, like: Volume) -> None:
        if volume.array.shape != like.array.shape or not np.allclose(volume.affine, like.affine, atol=1e-3):
            raise DataError(
                f"{self.path / name} has shape {volume.array.shape} on another grid than the subject's first image, "
                f"{like.array.shape}; resample it to that grid."
            )


class ContrastFolder(Folder):
    """The same of people with two contrasts or more; labels are not needed, the brightest voxels not clipped."""

    form = "contrasts"
    preparation = 2
    highest = np.inf
    required = ("subject", "split")


@lru_cache(maxsize=4)
def _labels_in(files: tuple[Path, ...], sha256: str) -> tuple[int, ...]:
    """The labels that any of the maps holds; ``sha256`` is of their content, so that they are read once a process."""
    present: set[int] = set()
    for file in files:
        with suppress(DataError):  # a faulty file says so in the row of its case
            present |= set(np.unique(read_volume(file, labels=True).array).tolist())
    return tuple(sorted(present - {0}))


def _named_structures(path: Path) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    try:
        lines = [(row["name"], int(row["label"])) for row in csv.DictReader(table_text(path))]
    except (KeyError, ValueError, TypeError):
        raise DataError(f"{path} needs the columns label and name, labels as integers.") from None
    for name, label in lines:
        if label < 0:
            raise DataError(f"{path} names the label {label}; labels are positive, 0 is the background.")
        if label:
            found[name] = (*found.get(name, ()), label)
    if not found:
        raise DataError(f"{path} names no structure; write one line a label, or delete the file.")
    return found
