"""Volumes as acquired, for super-resolution and denoising: the simulated cohort without noise, and the user's own."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from mrbench.core.errors import DataError
from mrbench.datasets.dataset import Subject
from mrbench.datasets.folder import _RESERVED, Folder
from mrbench.datasets.icbm_sim import IcbmSim
from mrbench.io.nifti import SUFFIXES, Volume, read_volume
from mrbench.io.tables import TABLE
from mrbench.space.pieces import largest_piece


class IcbmVolumes(IcbmSim):
    """`icbm-sim` without its noise, so that the reference of a denoiser is the truth."""

    form = "noise-free"
    noise_percent = 0.0


class VolumeFolder(Folder):
    """A folder of NIfTI volumes of any grid: every file a test subject, or as ``subjects.csv`` says.

    Columns of the table: ``subject``, ``split``, one column an image (the first is used), and where there are any
    ``labels`` or ``mask``: the foreground of scores, ``labels`` before ``mask``. Without either, the foreground is
    the head (`head_mask`). A 2-D image is a volume of one slice.

    Intensities are clipped at zero and divided by the maximum of the volume.

    Parameters
    ----------
    path : Path

    Raises
    ------
    DataError
        If the path is no folder, holds no volume, or its table is malformed. `make` raises it if a volume cannot be
        read, is constant, or has an empty foreground or one on another grid.
    """

    form = "volumes"
    required = ("subject", "split")

    def _read_table(self) -> dict[str, dict[str, str]]:
        if not self.path.is_dir():
            raise DataError(f"{self.path} is not a folder; give one that holds NIfTI volumes.")
        if (self.path / TABLE).is_file():
            return super()._read_table()
        table: dict[str, dict[str, str]] = {}
        for file in sorted(f.name for f in self.path.iterdir() if f.name.endswith(SUFFIXES) and f.name[0] != "."):
            name = file.removesuffix(".gz").removesuffix(".nii")
            if name in table:
                raise DataError(f"{self.path} holds {table[name]['image']} and {file}; rename one of them.")
            table[name] = {"subject": name, "split": "test", "image": file}
        if not table:
            raise DataError(f"{self.path} holds no NIfTI volume; put .nii.gz files there, or write {TABLE}.")
        return table

    @cached_property
    def structures(self) -> dict[str, tuple[int, ...]]:  # type: ignore[override]
        return {}

    def make(self, subject: str) -> Subject:
        row = self._table[subject]
        contrast = next((column for column in row if column not in _RESERVED), None)
        if contrast is None:
            raise DataError(f"{self.path / TABLE} names no image; add a column such as T1.")
        if not row[contrast]:  # not the next column's: it would mix contrasts in one table
            raise DataError(f"{self.path / TABLE}: subject '{subject}' has no {contrast}, the first image column.")
        volume = self._volume(row, contrast)
        array = np.maximum(volume.array, 0)
        if array.min() == array.max():
            raise DataError(f"{self.path / row[contrast]} is constant; there is nothing to restore, check the file.")
        array = array / array.max()
        labels = self._volume(row, "labels", volume).array if row.get("labels") else None
        if labels is not None:
            mask = labels > 0
        elif row.get("mask"):
            mask = self._volume(row, "mask", volume).array > 0
        else:
            mask = head_mask(array)
        if not mask.any():
            foreground = row["labels" if labels is not None else "mask"]
            raise DataError(f"{self.path / foreground} marks no voxel; scores need a foreground, check the file.")
        return Subject(subject, {contrast: array}, mask, labels, volume.spacing)

    def _volume(self, row: dict[str, str], column: str, like: Volume | None = None) -> Volume:  # type: ignore[override]
        volume = read_volume(self.path / row[column], labels=column in ("labels", "mask"), flat=True)
        if like is not None:
            self._same_grid(row[column], volume, like)
        return volume


def head_mask(volume: np.ndarray) -> np.ndarray:
    """Where the object is: above 5 % of the maximum, largest piece, holes filled slice by slice.

    Parameters
    ----------
    volume : ndarray, shape ``(z, y, x)``
        Magnitude, not zero everywhere.

    Returns
    -------
    ndarray of bool
    """
    from scipy.ndimage import binary_fill_holes

    return np.stack([binary_fill_holes(plane) for plane in largest_piece(volume > 0.05 * volume.max())])
