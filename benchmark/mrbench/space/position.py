"""Where a voxel lies in a brain: what lets a method tell cortex from deep grey matter of the same intensity."""

from __future__ import annotations

import numpy as np


def position_in(mask: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """Position of each voxel from the middle of the mask's bounding box, and depth below the mask's surface.

    Parameters
    ----------
    mask : ndarray of bool, shape ``(z, y, x)``
        What the position is measured in.
    spacing : tuple of float
        mm, order ``(z, y, x)``.

    Returns
    -------
    ndarray of float32, shape ``(4, z, y, x)``
        mm along z, y and x, then mm below the surface; zero outside the mask.
    """
    from scipy.ndimage import distance_transform_edt

    position = np.zeros((4, *mask.shape), np.float32)
    for axis, index in enumerate(np.nonzero(mask)):
        position[axis][mask] = (index - (index.min() + index.max()) / 2) * spacing[axis]
    position[3] = distance_transform_edt(mask, spacing)
    return position


def relative_position(mask: np.ndarray) -> list[np.ndarray]:
    """Position of each voxel of the grid along z, y and x: -1 and 1 are the ends of the mask's bounding box.

    Returns
    -------
    list of ndarray of float32
        Shapes ``(z, 1, 1)``, ``(1, y, 1)`` and ``(1, 1, x)``.
    """
    positions = []
    for axis, size in enumerate(mask.shape):
        where = np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis})))
        along = (np.arange(size) - (where[0] + where[-1]) / 2) / max(1, (where[-1] - where[0]) / 2)
        positions.append(along.astype(np.float32).reshape([-1 if i == axis else 1 for i in range(3)]))
    return positions
