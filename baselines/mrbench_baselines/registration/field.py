"""Between a tool's displacement field and mrbench's."""

from __future__ import annotations

import numpy as np


def voxels_from_mm(vectors: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Convert an ITK displacement field.

    ITK stores physical vectors, x first, in mm. The images that the wrappers build have identity
    directions along RAS axes, so there is no LPS sign to undo: only order and units change.

    Parameters
    ----------
    vectors : ndarray, shape ``(z, y, x, 3)``
        mm, components ``(x, y, z)``.
    spacing : tuple of float
        mm, order ``(z, y, x)``.

    Returns
    -------
    ndarray of float32, shape ``(3, z, y, x)``
        Voxels, components ``(z, y, x)``.
    """
    return np.moveaxis(vectors[..., ::-1] / np.asarray(spacing), -1, 0).astype(np.float32)


def mm_from_voxels(field: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """The inverse of `voxels_from_mm`: of ``(3, z, y, x)`` the vectors ``(z, y, x, 3)``, float64."""
    return np.moveaxis(field, 0, -1)[..., ::-1] * np.asarray(spacing[::-1], np.float64)
