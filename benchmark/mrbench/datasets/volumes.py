"""Volumes as acquired, for super-resolution and denoising: the simulated cohort without noise, and the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from mrbench.core.errors import DataError
from mrbench.datasets.dataset import Subject
from mrbench.datasets.folder import NO_IMAGES, Folder
from mrbench.datasets.icbm_sim import IcbmSim
from mrbench.datasets.intensity import check_magnitude, head_mask, known_foreground, without_background
from mrbench.datasets.layouts.bids import read_bids
from mrbench.datasets.layouts.dicom import read_dicom
from mrbench.datasets.layouts.plain import read_plain
from mrbench.io.nifti import Volume
from mrbench.io.tables import TABLE
from mrbench.io.volume_files import read_image


class IcbmVolumes(IcbmSim):
    """`icbm-sim` without its noise, so that the reference of a denoiser is the truth."""

    representation = "volumes"
    form = "noise-free"
    noise_percent = 0.0


class VolumeFolder(Folder):
    """A folder of NIfTI volumes of any grid: every scan a test subject, or as ``subjects.csv`` or BIDS says.

    Columns of the table: ``subject``, ``split``, one column an image (the first is used), and where there are any
    ``labels`` or ``mask``: the foreground of scores, ``labels`` before ``mask``. Without either, the foreground is
    the head (`head_mask`). A 2-D image is a volume of one slice, a folder of DICOM files that of its series.

    A constant background becomes zero (`mrbench.datasets.intensity`), what is negative is clipped, and the volume is
    divided by its maximum.

    Parameters
    ----------
    path : Path

    Raises
    ------
    DataError
        If the path is no folder, holds no volume, or its table is malformed. `make` raises it if a volume cannot be
        read, is constant or no magnitude, or has an empty foreground or one on another grid.
    """

    representation = "volumes"
    form = "volumes"
    required = ("subject", "split")
    layouts = (read_bids, read_plain, read_dicom)
    wanted = f"NIfTI volumes, or {TABLE}: subject,split,T1"

    @cached_property
    def structures(self) -> dict[str, tuple[int, ...]]:  # type: ignore[override]
        return {}

    @cached_property
    def contrast(self) -> str:
        """The column that is used: the first image of the table."""
        columns = dict.fromkeys(column for row in self._table.values() for column in row if column not in NO_IMAGES)
        if not columns:
            raise DataError(f"{self.path / TABLE} names no image; add a column such as T1.")
        return next(iter(columns))

    def make(self, subject: str) -> Subject:
        row, contrast = self._table[subject], self.contrast
        if not row.get(contrast):  # not the next column's: it would mix contrasts in one table
            raise DataError(f"{self.path}: subject '{subject}' has no {contrast}, the first image column.")
        volume = self._volume(row, contrast)
        path = self.path / row[contrast]
        array = without_background(volume.array)
        if array.min() == array.max():
            raise DataError(f"{path} is constant; there is nothing to restore, check the file.")
        labels = self._volume(row, "labels", volume).array if row.get("labels") else None
        given = labels if labels is not None else self._volume(row, "mask", volume).array if row.get("mask") else None
        if given is not None and not (given > 0).any():
            raise DataError(
                f"{self.path / row['labels' if labels is not None else 'mask']} marks no voxel; scores need a "
                "foreground, check the file."
            )
        check_magnitude(path, array, given > 0 if given is not None else known_foreground(array))
        array = np.maximum(array, 0)
        if not array.any():
            raise DataError(f"{path} is negative everywhere; give magnitudes.")
        array = array / array.max()
        mask = given > 0 if given is not None else head_mask(array)
        return Subject(subject, {contrast: array}, mask, labels, volume.spacing, affine=volume.affine)

    def _volume(self, row: Mapping[str, str], column: str, like: Volume | None = None) -> Volume:
        volume = read_image(self.path / row[column], labels=column in ("labels", "mask"), flat=True)
        if like is not None:
            self._same_grid(row[column], volume, like)
        return volume
