"""Volumes as acquired, for super-resolution and denoising: the simulated cohort without noise, and the user's own."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from mrbench.core.errors import DataError
from mrbench.data.dataset import Subject
from mrbench.data.folder import _RESERVED, TABLE, Folder
from mrbench.data.icbm_sim import IcbmSim
from mrbench.data.nifti import Volume, read_volume

SUFFIXES = (".nii", ".nii.gz")


class IcbmVolumes(IcbmSim):
    """`icbm-sim` without its noise, so that the reference of a denoiser is the truth."""

    form = "noise-free"
    noise_percent = 0.0


class VolumeFolder(Folder):
    """A folder of NIfTI volumes of any grid: every file a test subject, or as ``subjects.csv`` says.

    Columns of the table: ``subject``, ``split``, one column an image (the first is used), and where there are any
    ``labels`` or ``mask``: the foreground of scores. Without either, the foreground is the head (`head_mask`).
    A 2-D image is a volume of one slice.

    Intensities are clipped at zero and divided by the maximum of the volume.

    Raises
    ------
    DataError
        If the folder holds no volume, the table is malformed, or a volume is constant.
    """

    form = "volumes"
    required = ("subject", "split")

    def _read_table(self) -> dict[str, dict[str, str]]:
        if (self.path / TABLE).is_file():
            return super()._read_table()
        files = sorted(f for f in self.path.glob("*") if f.name.endswith(SUFFIXES))
        if not files:
            raise DataError(f"{self.path} holds no NIfTI volume; put .nii.gz files there, or write {TABLE}.")
        names = [file.name.removesuffix(".gz").removesuffix(".nii") for file in files]
        if len(set(names)) < len(names):
            raise DataError(f"{self.path} holds two volumes of one name; tell them apart by their names.")
        return {n: {"subject": n, "split": "test", "image": f.name} for n, f in zip(names, files, strict=True)}

    @cached_property
    def structures(self) -> dict[str, tuple[int, ...]]:  # type: ignore[override]
        return {}

    def make(self, subject: str) -> Subject:
        row = self._table[subject]
        columns = [column for column in self._files(row) if column not in _RESERVED]
        if not columns:
            raise DataError(f"{self.path / TABLE}: subject '{subject}' has no image; add a column such as T1.")
        volume = self._volume(row, columns[0])
        array = np.maximum(volume.array, 0)
        if array.min() == array.max():
            raise DataError(f"{self.path / row[columns[0]]} is constant; there is nothing to restore, check the file.")
        array = array / array.max()
        labels = self._volume(row, "labels", volume).array if row.get("labels") else None
        mask = labels > 0 if labels is not None else head_mask(array)
        mask = self._volume(row, "mask", volume).array > 0 if row.get("mask") else mask
        return Subject(subject, {columns[0]: array}, mask, labels, volume.spacing)

    def _volume(self, row: dict[str, str], column: str, like: Volume | None = None) -> Volume:  # type: ignore[override]
        volume = read_volume(self.path / row[column], labels=column in ("labels", "mask"), flat=True)
        if like is not None:
            self._same_grid(row[column], volume, like)
        return volume


def head_mask(volume: np.ndarray) -> np.ndarray:
    """Where the object is: above 5 % of the maximum, largest piece, holes filled slice by slice."""
    from scipy.ndimage import binary_fill_holes, label

    pieces, count = label(volume > 0.05 * volume.max())
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    sizes[0] = 0
    return np.stack([binary_fill_holes(plane) for plane in pieces == sizes.argmax()])
