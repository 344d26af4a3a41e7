"""Volumes as acquired, for super-resolution and denoising: the simulated cohort without noise, and the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np

from mrbench.core.errors import DataError
from mrbench.datasets.dataset import Subject
from mrbench.datasets.folder import NO_IMAGES, Folder
from mrbench.datasets.icbm_sim import IcbmSim
from mrbench.datasets.intensity import check_magnitude, head_mask, known_foreground, shift_note, without_background
from mrbench.datasets.layouts.table import paths_of
from mrbench.io.nifti import Volume
from mrbench.io.paths import checked_id
from mrbench.io.tables import TABLE
from mrbench.io.volume_files import read_image
from mrbench.space.grids import grid_difference

FOREGROUND = ("labels", "mask")
"""Columns that say where the object is, the first before the second."""


class IcbmVolumes(IcbmSim):
    """`icbm-sim` without its noise, so that the reference of a denoiser is the truth."""

    representation = "volumes"
    form = "noise-free"
    noise_percent = 0.0


class VolumeFolder(Folder):
    """A folder of volumes of any grid: every image of every subject is a volume, in any layout or as a table says.

    Columns of the table: ``subject``, ``split``, one column an image, and where there are any ``labels`` or ``mask``:
    the foreground of scores, ``labels`` before ``mask``. They lie on the grid of the subject's first image. Without
    either, and of another image on another grid, the foreground is the head (`head_mask`). A 2-D image is a volume of
    one slice, a folder of DICOM files that of its series. Where there are several columns of images, a volume is
    called ``SUBJECT_COLUMN``; statistics know which volumes are of one person.

    A constant background becomes zero (`mrbench.datasets.intensity`), what is negative is clipped, and the volume is
    divided by its maximum.

    Parameters
    ----------
    path : Path

    Raises
    ------
    DataError
        If the path is no folder, holds no volume, or its table is malformed. `make` raises it if a volume cannot be
        read, is constant or no magnitude, or has an empty foreground.
    """

    representation = "volumes"
    form = "volumes"
    wanted = f"NIfTI volumes, or {TABLE}: subject,split,T1"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        people = self._table
        columns = dict.fromkeys(column for row in people.values() for column in paths_of(row) if _is_image(column))
        if not columns:
            raise DataError(f"{self.path / TABLE} names no image; add a column such as T1.")
        self._table, self._people = _by_volume(people, several=len(columns) > 1, where=self.path)
        self._first = {person: volume for volume, person in reversed(self._people.items())}
        if len(self._table) > len(people):
            self.notes += (f"Every image is a volume of its own: {len(self._table)}.",)

    def person(self, subject: str) -> str:
        return self._people.get(subject, subject)

    @cached_property
    def structures(self) -> dict[str, tuple[int, ...]]:  # type: ignore[override]
        return {}

    def make(self, subject: str) -> Subject:
        row = self._table[subject]
        contrast = next((column for column in paths_of(row) if _is_image(column)), None)
        if contrast is None:
            raise DataError(f"{self.path}: subject '{subject}' has no image; add one, or leave the subject out.")
        volume = self._volume(row, contrast)
        path = self.path / row[contrast]
        array = without_background(volume.array)
        if array.min() == array.max():
            raise DataError(f"{path} is constant; there is nothing to restore, check the file.")
        name = next((column for column in FOREGROUND if row.get(column)), "")
        given, note = self._volume(row, name) if name else None, ""
        if given is not None and subject == self._first[self.person(subject)]:
            self._same_grid(row[name], given, volume)
        elif given is not None and grid_difference(given.array.shape, given.affine, volume.array.shape, volume.affine):
            given, note = None, f"The {name} of its person lies on another grid: the foreground is the head."
        if given is not None and not (given.array > 0).any():
            raise DataError(f"{self.path / row[name]} marks no voxel; scores need a foreground, check the file.")
        inside = given.array > 0 if given is not None else None
        check_magnitude(path, array, inside if inside is not None else known_foreground(array))
        array = np.maximum(array, 0)
        if not array.any():
            raise DataError(f"{path} is negative everywhere; give magnitudes.")
        array = array / array.max()
        mask = inside if inside is not None else head_mask(array)
        labels = given.array if given is not None and name == "labels" else None
        note = " ".join(filter(None, (note, shift_note([volume.array]))))
        return Subject(subject, {contrast: array}, mask, labels, volume.spacing, {}, volume.affine, note)

    def _volume(self, row: Mapping[str, str], column: str, like: Volume | None = None) -> Volume:
        return read_image(self.path / row[column], labels=column in FOREGROUND, flat=True)


def _is_image(column: str) -> bool:
    return column not in NO_IMAGES


def _by_volume(
    people: Mapping[str, Mapping[str, str]], *, several: bool, where: Path
) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """A line for each image of each person, and who each is; who has none keeps a line, and fails by it."""
    rows: dict[str, dict[str, str]] = {}
    known: dict[str, str] = {}
    for person, row in people.items():
        shared = {column: row[column] for column in ("split", *FOREGROUND) if row.get(column)}
        for column in [column for column in paths_of(row) if _is_image(column)] or [""]:
            volume = checked_id(f"{person}_{column}" if several and column else person, where)
            if volume in rows:
                raise DataError(f"{where}: two volumes would be called '{volume}'; rename a subject or a column.")
            rows[volume] = {"subject": volume, **({column: row[column]} if column else {}), **shared}
            known[volume] = person
    return rows, known
