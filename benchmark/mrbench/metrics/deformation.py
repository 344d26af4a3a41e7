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
        What is resampled.
    displacement : ndarray of floating numbers, shape ``(3, z, y, x)``
        Voxels of the grid to warp onto.
    order : int
        0 nearest, 1 linear, 3 cubic. Outside the volume is 0.

    Returns
    -------
    ndarray of the type of ``moving``, shape ``(z, y, x)`` of the field
        Equal to `scipy.ndimage.map_coordinates`, of which orders 0 and 1 are a faster form.

    Raises
    ------
    ValueError
        If the field has not three components of three axes.
    """
    field = _check_field(displacement, least=1)
    kind, size = moving.dtype.kind, moving.dtype.itemsize
    if order > 1 or (order == 1 and kind != "f") or size > 8:
        from scipy.ndimage import map_coordinates

        position = np.indices(field.shape[1:], dtype=np.float32) + field
        return map_coordinates(moving, position, order=order, mode="constant", cval=0)
    from mrbench.metrics.kernels.field import warp_linear, warp_nearest

    source = np.ascontiguousarray(moving)
    warped = np.empty(field.shape[1:], moving.dtype)
    if order == 1:
        warp_linear(source, field, warped)
    else:  # bits, as what is only copied needs no kernel for each type
        warp_nearest(source.view(f"u{size}"), field, warped.view(f"u{size}"))
    return warped


def compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Field of ``p -> p + inner(p)`` followed by ``q -> q + outer(q)``, linear, outer field extended at borders.

    Parameters
    ----------
    outer, inner : ndarray, shape ``(3, z, y, x)``
        Applied second, and applied first.

    Returns
    -------
    ndarray of float32, the shape of ``inner``
        Its digits are those of `scipy.ndimage.map_coordinates` with ``mode="nearest"``.
    """
    from mrbench.metrics.kernels.field import compose_linear

    first, second = (np.ascontiguousarray(_check_field(one, least=1), np.float32) for one in (inner, outer))
    composed = np.empty_like(first)
    compose_linear(second, first, composed)
    return composed


def jacobian_determinant(displacement: np.ndarray, *, mask: np.ndarray | None = None) -> np.ndarray:
    """Determinant of the Jacobian of ``p + u(p)``: central differences, one-sided at borders, no shift.

    Learn2Reg's script adds 3 to it, after which no voxel can count as folded.

    Parameters
    ----------
    displacement : ndarray of float32 or float64, shape ``(3, z, y, x)``
        Voxels.
    mask : ndarray of bool, shape ``(z, y, x)``, optional
        Compute it there alone.

    Returns
    -------
    ndarray of the type of the field
        Shape ``(z, y, x)``, or of a mask one value for each of its voxels, in C order.

    Raises
    ------
    ValueError
        If the field has not three components of three axes of two voxels or more, or the mask another shape.
    """
    from mrbench.metrics.kernels.field import determinants, determinants_inside

    field = _check_field(displacement)
    scratch = np.empty((3, 3, field.shape[3]), field.dtype)
    if mask is None:
        determinant = np.empty(field.shape[1:], field.dtype)
        determinants(field, scratch, determinant)
        return determinant
    inside = _bytes(mask, field)
    values = np.empty(np.count_nonzero(inside), field.dtype)
    determinants_inside(field, inside, scratch, np.empty(field.shape[3], field.dtype), values)
    return values


def folds_percent(determinant: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Percentage of voxels whose Jacobian determinant is zero or negative.

    Parameters
    ----------
    determinant : ndarray
        Of the Jacobian, as `jacobian_determinant` returns it.
    mask : ndarray of bool, the same shape, optional
        Voxels that count; all by default.

    Returns
    -------
    float
        0 to 100.

    Raises
    ------
    ValueError
        If no voxel counts.
    """
    return float(100 * np.mean(_counted(determinant, mask) <= 0))


def sd_log_jacobian(determinant: np.ndarray, mask: np.ndarray | None = None, *, floor: float = 1e-9) -> float:
    """Standard deviation of ``log |J|``; determinants below ``floor`` count as ``floor``.

    Parameters
    ----------
    determinant : ndarray
        Of the Jacobian, as `jacobian_determinant` returns it.
    mask : ndarray of bool, the same shape, optional
        Voxels that count; all by default.
    floor : float
        What smaller determinants count as, so that the logarithm exists.

    Raises
    ------
    ValueError
        If no voxel counts.
    """
    return float(np.log(np.maximum(_counted(determinant, mask), floor), dtype=np.float64).std())


def non_diffeomorphic_volume_percent(displacement: np.ndarray, mask: np.ndarray) -> float:
    """Volume that the digital transform folds, in percent of the mask (NDV).

    Each cell of eight voxels is cut into five tetrahedra, in both ways; the negative volumes are summed and
    the two ways averaged. Unlike central differences, this sees checkerboard folding.

    Parameters
    ----------
    displacement : ndarray of float32 or float64, shape ``(3, z, y, x)``
        Voxels.
    mask : ndarray of bool, shape ``(z, y, x)``
        A cell counts where its first corner is in the mask.

    Returns
    -------
    float
        NaN where no cell counts.

    Raises
    ------
    ValueError
        If the field has not three components of three axes of two voxels or more, or the mask another shape.

    References
    ----------
    Liu et al., On finite difference Jacobian computation in deformable image registration, IJCV 2024.
    """
    from mrbench.metrics.kernels.field import ORIENTATIONS, TETRAHEDRA, folded_volume

    field = _check_field(displacement)
    inside = _bytes(mask, field)
    if not inside[:-1, :-1, :-1].any():
        return float("nan")
    corners = np.empty((8, 3, field.shape[3]), field.dtype)
    folded = folded_volume(field, inside, TETRAHEDRA, ORIENTATIONS, corners)
    return float(100 * folded / 2 / np.count_nonzero(inside))


def landmark_error_mm(
    displacement: np.ndarray, fixed: np.ndarray, moving: np.ndarray, *, spacing: tuple[float, float, float]
) -> float:
    """Target registration error: mean distance between landmarks of the moving image and where the field sends theirs.

    The field is interpolated by cubic splines and is zero outside the image, as in Learn2Reg's evaluation.

    Parameters
    ----------
    displacement : ndarray of floating numbers, shape ``(3, z, y, x)``
        Voxels, pull-back.
    fixed, moving : ndarray of float, shape ``(landmark, 3)``
        Positions in voxels, order ``(z, y, x)``; those of one row belong together.
    spacing : tuple of float
        mm, order ``(z, y, x)``.

    Returns
    -------
    float
        mm.
    """
    from scipy.ndimage import map_coordinates

    moved = np.stack([map_coordinates(component, fixed.T, np.float64) for component in displacement], axis=1)
    return float(np.linalg.norm((fixed + moved - moving) * np.asarray(spacing), axis=1).mean())


def endpoint_error_mm(
    target: np.ndarray, prediction: np.ndarray, *, mask: np.ndarray, spacing: tuple[float, ...]
) -> float:
    """Mean distance in mm between where two fields send the voxels of a mask.

    Parameters
    ----------
    target, prediction : ndarray of float32 or float64, shape ``(3, z, y, x)``
        Voxels.
    mask : ndarray of bool, shape ``(z, y, x)``
        Where to count.
    spacing : tuple of float
        mm, order ``(z, y, x)``.

    Raises
    ------
    ValueError
        If shapes differ or the mask is empty.
    """
    from mrbench.metrics.kernels.field import summed_distance

    if target.shape != prediction.shape:
        raise ValueError(f"fields have shapes {target.shape} and {prediction.shape}; one shape is needed.")
    known, field = (_check_field(one, least=1) for one in (target, prediction))
    inside = _bytes(mask, field)
    total, count = summed_distance(known, field, inside, np.asarray(spacing, np.float32))
    if not count:
        raise ValueError("the mask is empty; there is nothing to average over.")
    return float(total / count)


def _check_field(displacement: np.ndarray, *, least: int = 2) -> np.ndarray:
    """The field as kernels take it: contiguous, float32 or float64."""
    shape = displacement.shape
    if displacement.ndim != 4 or shape[0] != 3 or displacement.dtype.kind != "f":
        raise ValueError(
            f"the field has shape {shape} and type {displacement.dtype}; (3, z, y, x) in voxels is needed."
        )
    if min(shape) < least:
        raise ValueError(f"the field has shape {shape}; derivatives need two voxels along each axis.")
    return np.ascontiguousarray(displacement, np.float64 if displacement.dtype == np.float64 else np.float32)


def _bytes(mask: np.ndarray, field: np.ndarray) -> np.ndarray:
    if mask.shape != field.shape[1:]:
        raise ValueError(f"the mask has shape {mask.shape}, the field {field.shape}; they share (z, y, x).")
    return np.ascontiguousarray(mask, bool).view(np.uint8)


def _counted(values: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    counted = values if mask is None else values[mask]
    if not counted.size:
        raise ValueError("the mask is empty; there is nothing to average over.")
    return counted
