"""Displacement fields: warping, regularity and endpoint error.

A field is ``(3, z, y, x)`` in voxels of the fixed grid, pull-back: ``warped(p) = moving(p + u(p))``.
"""

from __future__ import annotations

import numpy as np


def warp(moving: np.ndarray, displacement: np.ndarray, *, order: int) -> np.ndarray:
    """Warp a volume: the one routine by which the harness moves images (order 1) and labels (order 0).

    Parameters
    ----------
    moving : ndarray, shape ``(z, y, x)``
    displacement : ndarray, shape ``(3, z, y, x)``
    order : int
        0 nearest, 1 linear, 3 cubic. Outside the volume is 0.
    """
    from scipy.ndimage import map_coordinates

    position = np.indices(displacement.shape[1:], dtype=np.float32) + displacement
    return map_coordinates(moving, position, order=order, mode="constant", cval=0)


def compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Field of ``p -> p + inner(p)`` followed by ``q -> q + outer(q)``, linear, outer field extended at borders."""
    from scipy.ndimage import map_coordinates

    position = np.indices(inner.shape[1:], dtype=np.float32) + inner
    moved = [map_coordinates(component, position, order=1, mode="nearest") for component in outer]
    return inner + np.stack(moved)


def jacobian_determinant(displacement: np.ndarray) -> np.ndarray:
    """Determinant of the Jacobian of ``p + u(p)``: central differences, one-sided at borders, no shift.

    Learn2Reg's script adds 3 to it, after which no voxel can count as folded.

    Returns
    -------
    ndarray of float32, shape ``(z, y, x)``
    """
    # rows are components of the map, columns derivatives
    jacobian = [list(np.gradient(component)) for component in displacement]
    for axis in range(3):
        jacobian[axis][axis] = jacobian[axis][axis] + 1
    return _determinant(jacobian)


def _determinant(m: list[list[np.ndarray]]) -> np.ndarray:
    return (
        m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1])
        - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
        + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
    )


def folds_percent(determinant: np.ndarray, mask: np.ndarray) -> float:
    """Percentage of mask voxels whose Jacobian determinant is zero or negative."""
    return float(100 * np.mean(determinant[mask] <= 0))


def sd_log_jacobian(determinant: np.ndarray, mask: np.ndarray, *, floor: float = 1e-9) -> float:
    """Standard deviation of ``log |J|`` in the mask; determinants below ``floor`` count as ``floor``."""
    return float(np.log(np.maximum(determinant[mask], floor), dtype=np.float64).std())


def non_diffeomorphic_volume_percent(displacement: np.ndarray, mask: np.ndarray) -> float:
    """Volume that the digital transform folds, in percent of the mask (NDV; Liu et al., IJCV 2024).

    Each cell of eight voxels is cut into five tetrahedra, in both ways; the negative volumes are summed and
    the two ways averaged. Unlike central differences, this sees checkerboard folding.

    Parameters
    ----------
    displacement : ndarray, shape ``(3, z, y, x)``
    mask : ndarray of bool, shape ``(z, y, x)``
        A cell counts where its first corner is in the mask.
    """
    cells = mask[:-1, :-1, :-1]
    if not cells.any():
        return float("nan")
    corners = {}
    for corner in np.ndindex(2, 2, 2):
        window = tuple(slice(c, c + size) for c, size in zip(corner, cells.shape, strict=True))
        offset = np.asarray(corner, np.float32)[:, None]
        corners[corner] = displacement[(slice(None), *window)][:, cells] + offset
    folded = 0.0
    for corner in corners:
        neighbours = [tuple(c ^ (axis == a) for a, c in enumerate(corner)) for axis in range(3)]
        sign = (-1) ** sum(corner)
        folded += _negative_volume([corners[n] - corners[corner] for n in neighbours], sign)
    for parity in (0, 1):
        first, *others = [corner for corner in corners if sum(corner) % 2 == parity]
        edges = [corners[other] - corners[first] for other in others]
        sign = int(np.sign(np.linalg.det(np.subtract(others, first))))
        folded += _negative_volume(edges, sign)
    return float(100 * folded / 2 / np.count_nonzero(mask))


def _negative_volume(edges: list[np.ndarray], sign: int) -> float:
    """Summed volume of the tetrahedra whose orientation is not that of ``sign``; edges ``(3, cells)``."""
    volume = sign * _determinant([list(edge) for edge in edges]) / 6
    return float(-np.minimum(volume, 0).sum(dtype=np.float64))


def endpoint_error_mm(
    target: np.ndarray, prediction: np.ndarray, *, mask: np.ndarray, spacing: tuple[float, ...]
) -> float:
    """Mean distance in mm between where two fields send the voxels of a mask."""
    difference = (prediction - target)[:, mask] * np.asarray(spacing, np.float32)[:, None]
    return float(np.sqrt((difference**2).sum(axis=0)).mean(dtype=np.float64))
