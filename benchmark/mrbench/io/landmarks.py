"""Landmarks as Learn2Reg writes them: a point a line, ``x,y,z`` in voxels of the image's file, counted from 0."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mrbench.core.errors import DataError
from mrbench.io.nifti import oriented_points

LARGEST = 2**24
"""Bytes."""


def read_landmarks(path: Path, image: Path) -> np.ndarray:
    """Read the landmarks of an image.

    Parameters
    ----------
    path : Path
        Text without a heading, numbers apart by commas.
    image : Path
        The NIfTI file whose voxels they count.

    Returns
    -------
    ndarray of float64, shape ``(landmark, 3)``
        Voxels of `mrbench.io.nifti.read_volume`'s array, order ``(z, y, x)``.

    Raises
    ------
    DataError
        If a file is missing, or a line does not hold three numbers.
    """
    if not path.is_file():
        raise DataError(f"{path} is not there; check the path.")
    if path.stat().st_size > LARGEST:
        raise DataError(f"{path} is larger than {LARGEST >> 20} MiB; are these landmarks?")
    lines = [line for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines() if line.strip()]
    try:
        points = np.array([[float(word) for word in line.split(",")] for line in lines], np.float64)
    except ValueError:  # no numbers, or lines of several lengths
        points = np.empty(0)
    if points.ndim != 2 or points.shape[1] != 3 or not np.isfinite(points).all():
        raise DataError(f"{path} is no list of landmarks; write x,y,z in voxels, a point a line, without a heading.")
    return oriented_points(image, points)
