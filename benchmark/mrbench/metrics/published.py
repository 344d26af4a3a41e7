"""Scores as Learn2Reg, LUMIR, TransMorph and papers of synthesis compute them, to stand beside their tables.

Where a definition of theirs differs from `mrbench.metrics.deformation` and `mrbench.metrics.overlap`, it says so.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from mrbench.metrics.image import HIGHEST_PSNR, ssim

TINY = 1e-5
"""What TransMorph adds to the denominator of Dice."""


def warp_labels_linear(labels: np.ndarray, displacement: np.ndarray) -> np.ndarray:
    """Warp a label map by linear interpolation of each label, then the label of most weight: TransMorph's way.

    Outside the volume is background; of equal weights the lowest label wins.

    Parameters
    ----------
    labels : ndarray of non-negative int, shape ``(z, y, x)``
        The label map.
    displacement : ndarray of floating numbers, shape ``(3, z, y, x)``
        Voxels, pull-back.

    Returns
    -------
    ndarray of the type of ``labels``, shape ``(z, y, x)`` of the field

    References
    ----------
    ``infer_TransMorph.py`` of IXI in junyuchen245/TransMorph_Transformer_for_Medical_Image_Registration at 6357a1d.
    """
    from mrbench.metrics.kernels.field import warp_labels

    warped = np.empty(displacement.shape[1:], labels.dtype)
    warp_labels(np.ascontiguousarray(labels), np.ascontiguousarray(displacement, np.float64), warped)
    return warped


def transmorph_dice(target: np.ndarray, prediction: np.ndarray, labels: Sequence[int]) -> np.ndarray:
    """Dice of each label, ``2 |A and B| / (|A| + |B| + 1e-5)``: 0 where a label is in neither map, not left out.

    Parameters
    ----------
    target, prediction : ndarray of non-negative int, same shape
        The truth, and what is scored.
    labels : sequence of int
        Which labels to count.

    Returns
    -------
    ndarray of float64, one value a label
    """
    values = []
    for label in labels:
        one, other = target == label, prediction == label
        values.append(2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other) + TINY))
    return np.array(values)


def learn2reg_sd_log_jacobian(displacement: np.ndarray) -> float:
    """Standard deviation of ``log(|J| + 3)`` over the volume without a rim of two voxels: SDlogJ of Learn2Reg.

    The 3 is theirs: the value is about a quarter of the deviation of ``|J|``, and no fold can show in it. See
    `mrbench.metrics.deformation.sd_log_jacobian` for that of ``log |J|``.

    Parameters
    ----------
    displacement : ndarray of floating numbers, shape ``(3, z, y, x)``
        Voxels.

    References
    ----------
    ``evaluation.py`` of MDL-UzL/L2R at 8847509.
    """
    field = np.asarray(displacement, np.float64)
    if min(field.shape[1:]) < 5:
        raise ValueError(f"the field has shape {field.shape}; a rim of two voxels leaves nothing of it.")
    inner = [_step(field, axis, ahead) for axis in range(3) for ahead in (2, 0)]
    gradients = [(ahead - behind) / 2 for ahead, behind in zip(inner[::2], inner[1::2], strict=True)]
    determinant = _determinant([np.stack([g[c] + (c == axis) for c in range(3)]) for axis, g in enumerate(gradients)])
    return float(np.log(np.clip(determinant[1:-1, 1:-1, 1:-1] + 3, 1e-9, 1e9)).std())


def lumir_ndv_percent(displacement: np.ndarray, mask: np.ndarray) -> float:
    """Non-diffeomorphic volume as LUMIR's evaluation has it, in percent of the mask.

    As `mrbench.metrics.deformation.non_diffeomorphic_volume_percent`, but each tetrahedron counts by the voxel that its
    differences are taken at, and a rim of one voxel is left out. Theirs is of the axes of the file: of one that is not
    RAS, the last digits differ.

    Parameters
    ----------
    displacement : ndarray of floating numbers, shape ``(3, z, y, x)``
        Voxels.
    mask : ndarray of bool, shape ``(z, y, x)``
        LUMIR's is where the moving image is above 0.

    Returns
    -------
    float
        NaN where the mask is empty but for the rim.

    References
    ----------
    ``digital_diffeomorphism.py`` of JHU-MedImage-Reg/LUMIR_L2R at 9b88e63; Liu et al., IJCV 2024.
    """
    inside = np.asarray(mask, bool)[1:-1, 1:-1, 1:-1]
    if not inside.any():
        return float("nan")
    place = np.asarray(displacement, np.float64) + np.indices(displacement.shape[1:])
    folded = sum(float(np.minimum(one, 0)[inside].sum()) for one in _tetrahedra(place))
    return -0.5 * folded / 6 / np.count_nonzero(inside) * 100


def _tetrahedra(place: np.ndarray) -> Iterator[np.ndarray]:
    """Six times the signed volume of the ten tetrahedra at each voxel but the rim, of where a field sends the grid."""
    centre = place[:, 1:-1, 1:-1, 1:-1]
    for signs in product((1, -1), repeat=3):
        yield _determinant([sign * (_step(place, axis, 1 + sign) - centre) for axis, sign in enumerate(signs)])
    # the two in the middle of a cell, between corners that no edge joins
    yield _determinant([_corner(place, axis, -1) - centre for axis in (2, 1, 0)])
    yield _determinant([_corner(place, axis, 1) - centre for axis in (2, 0, 1)])


def _step(array: np.ndarray, axis: int, start: int) -> np.ndarray:
    """The array without its rim, moved along one spatial axis: 0 behind, 1 in place, 2 ahead."""
    window = [slice(1, -1)] * 3
    size = array.shape[axis + 1]
    window[axis] = slice(start, size - 2 + start)
    return array[:, *window]


def _corner(array: np.ndarray, axis: int, step: int) -> np.ndarray:
    """The array without its rim, moved by a step along the two other axes."""
    window = [slice(1 + step, size - 1 + step) for size in array.shape[1:]]
    window[axis] = slice(1, -1)
    return array[:, *window]


def _determinant(columns: Sequence[np.ndarray]) -> np.ndarray:
    (a, b, c), (d, e, f), (g, h, i) = columns
    return a * (e * i - f * h) - d * (b * i - c * h) + g * (b * f - c * e)


def surface_hd95(
    target: np.ndarray, prediction: np.ndarray, labels: Sequence[int], *, spacing: tuple[float, float, float]
) -> np.ndarray:
    """95 % Hausdorff distance of each label, each piece of surface counted by its area: Learn2Reg's and BraTS's.

    It lies about 15 % below `mrbench.metrics.overlap.hd95_per_label`, which counts voxels of the surface.

    Parameters
    ----------
    target, prediction : ndarray of int, shape ``(z, y, x)``
        The truth, and what is scored.
    labels : sequence of int
        Which labels to count.
    spacing : tuple of float
        Order ``(z, y, x)``; ones give voxels.

    Returns
    -------
    ndarray of float64, one value a label
        Infinite where one map lacks the label, NaN where both do.

    References
    ----------
    Nikolov et al., arXiv:1809.04430; their package ``surface-distance``.
    """
    values = []
    for label in labels:
        one, other = target == label, prediction == label
        if not (one.any() and other.any()):
            values.append(np.inf if one.any() or other.any() else np.nan)
        else:
            values.append(_surface_hd95(one, other, spacing))
    return np.array(values)


def _surface_hd95(target: np.ndarray, prediction: np.ndarray, spacing: tuple[float, float, float]) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the package names modules of scipy by old names
        from surface_distance import compute_robust_hausdorff, compute_surface_distances

        return float(compute_robust_hausdorff(compute_surface_distances(target, prediction, spacing), 95))


def by_own_maximum(target: np.ndarray, prediction: np.ndarray) -> tuple[float, float]:
    """PSNR and SSIM of slices, each image of each slice over its own maximum: SynDiff's and ResViT's on IXI and BraTS.

    An error of gain cannot show in it, and slices at the rim of the brain, mostly background, raise its mean.

    Parameters
    ----------
    target, prediction : ndarray of real numbers, shape ``(slice, y, x)``
        Slices of ``target`` without a positive pixel are left out.

    Returns
    -------
    psnr_db, ssim : float
        Means over slices; of PSNR the peak is 1. SSIM as `mrbench.metrics.image.ssim`, range 1: their code has none.

    Raises
    ------
    ValueError
        If no slice is left.

    References
    ----------
    ``psnr`` in test.py of icon-lab/SynDiff; its crop to 256 x 152 pixels is of its data.
    """
    shown = target.max(axis=(1, 2)) > 0
    if not shown.any():
        raise ValueError("no slice of the target has a positive pixel; nothing can be scored by slice.")
    one, other = (image[shown].astype(np.float64) for image in (target, prediction))
    one, other = (image / np.maximum(image.max(axis=(1, 2), keepdims=True), 1e-12) for image in (one, other))
    errors = ((one - other) ** 2).mean(axis=(1, 2))
    decibels = np.minimum(-10 * np.log10(np.maximum(errors, 1e-30)), HIGHEST_PSNR)
    return float(decibels.mean()), ssim(one, other, data_range=1)
