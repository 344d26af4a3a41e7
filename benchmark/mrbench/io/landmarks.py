"""Landmarks as Learn2Reg writes them: a point a line, ``x,y,z`` in voxels of the image's file, counted from 0."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mrbench.core.errors import DataError
from mrbench.io.nifti import oriented_points

LARGEST = 2**24
"""Bytes."""

WANTED = "write x,y,z in voxels, a point a line, without a heading"


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
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    points = [_point(path, at, line) for at, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if not points:
        raise DataError(f"{path} is no list of landmarks: it is empty; {WANTED}.")
    return oriented_points(image, np.array(points, np.float64))


def _point(path: Path, at: int, line: str) -> list[float]:
    try:
        point = [float(word) for word in line.split(",")]
    except ValueError:
        point = []
    if len(point) != 3 or not np.isfinite(point).all():
        raise DataError(f"{path} is no list of landmarks: line {at} does not hold three numbers; {WANTED}.")
    return point
