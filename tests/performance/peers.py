"""What users run today, written in the style of the public evaluators: one measure after another, library calls."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence

import numpy as np
import surface_distance
import torch
from monai.metrics import MultiScaleSSIMMetric
from prdc import compute_prdc
from scipy import ndimage
from scipy.linalg import sqrtm
from skimage.filters import threshold_multiotsu
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from mrbench.metrics.distribution import MS_SSIM_WEIGHTS


def fastmri(target: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """The four numbers of fastMRI's evaluation of one volume."""
    top = target.max()
    slices = zip(target, prediction, strict=True)
    return {
        "mse": float(np.mean((target - prediction) ** 2)),
        "nmse": float(np.linalg.norm(target - prediction) ** 2 / np.linalg.norm(target) ** 2),
        "psnr_db": float(peak_signal_noise_ratio(target, prediction, data_range=top)),
        "ssim": float(np.mean([structural_similarity(a, b, data_range=top) for a, b in slices])),
    }


def learn2reg(
    fixed: np.ndarray,
    moving: np.ndarray,
    structures: Sequence[Sequence[int]],
    field: np.ndarray,
    truth: np.ndarray,
    mask: np.ndarray,
    spacing: Sequence[float],
) -> dict[str, float]:
    """Dice, HD95 by DeepMind's surfaces, regularity and endpoint error of one registered pair."""
    grid = np.meshgrid(*(np.arange(n) for n in fixed.shape), indexing="ij")
    warped = ndimage.map_coordinates(moving, np.asarray(grid) + field, order=0)
    labels = [label for label in np.unique(fixed) if label and (moving == label).any()]
    dice = [_dice(fixed == label, warped == label) for label in labels]
    merged, distances = [], []
    for group in structures:
        a, b = np.isin(fixed, group), np.isin(warped, group)
        merged.append(_dice(a, b))
        surfaces = surface_distance.compute_surface_distances(a, b, spacing)
        distances.append(surface_distance.compute_robust_hausdorff(surfaces, 95))
    determinant = _determinant(_gradients(field))
    error = (((field - truth) * np.reshape(spacing, (3, 1, 1, 1))) ** 2).sum(0) ** 0.5
    return {
        "dice": float(np.mean(merged)),
        "dice_all": float(np.mean(dice)),
        "hd95_mm": float(np.mean(distances)),
        "sdlogj": float(np.log(determinant.clip(1e-9, 1e9))[mask].std()),
        "folds_percent": float(100 * (determinant <= 0)[mask].mean()),
        "ndv_percent": _folded_percent(field, mask),
        "epe_mm": float(error[mask].mean()),
    }


def _dice(a: np.ndarray, b: np.ndarray) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def _gradients(field: np.ndarray) -> list[list[np.ndarray]]:
    """Rows of the Jacobian by central differences, each a correlation with a small kernel."""
    kernels = [np.reshape([-0.5, 0, 0.5], [3 if n == axis else 1 for n in range(3)]) for axis in range(3)]
    rows = [[ndimage.correlate(component, kernel) for kernel in kernels] for component in field]
    for axis in range(3):
        rows[axis][axis] += 1
    return rows


def _determinant(m: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    return (
        m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1])
        - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
        + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
    )


def _folded_percent(field: np.ndarray, mask: np.ndarray) -> float:
    """Non-diffeomorphic volume from whole arrays: one determinant for each of the ten tetrahedra of a cell."""
    position = np.indices(mask.shape) + field
    parts = {}
    for corner in np.ndindex(2, 2, 2):
        window = tuple(slice(c, n - 1 + c) for c, n in zip(corner, mask.shape, strict=True))
        parts[corner] = position[(slice(None), *window)]
    total = np.zeros([n - 1 for n in mask.shape])
    for corner in parts:
        neighbours = [tuple(c ^ (axis == n) for n, c in enumerate(corner)) for axis in range(3)]
        volume = (-1) ** sum(corner) * _determinant([parts[n] - parts[corner] for n in neighbours]) / 6
        total -= np.minimum(volume, 0)
    for parity in (0, 1):
        first, *others = [corner for corner in parts if sum(corner) % 2 == parity]
        sign = np.sign(np.linalg.det(np.subtract(others, first)))
        total -= np.minimum(sign * _determinant([parts[n] - parts[first] for n in others]) / 6, 0)
    return float(100 * total[mask[:-1, :-1, :-1]].sum() / 2 / mask.sum())


def synthrad(target: np.ndarray, prediction: np.ndarray, mask: np.ndarray, ceiling: float) -> dict[str, float]:
    """Similarity in the mask and of the volume, mutual information and tissues of one synthesised contrast."""
    a, b = target[mask], prediction[mask]
    similarity = structural_similarity(target, prediction, data_range=1, full=True)[1]
    classes = [1 + np.digitize(image, threshold_multiotsu(image, 3)) for image in (a, b)]
    return {
        "psnr_db": float(peak_signal_noise_ratio(a, b, data_range=1)),
        "ssim": float(similarity[mask].mean()),
        "mae": float(np.abs(a - b).mean()),
        "nmse": float(((a - b) ** 2).sum() / (a**2).sum()),
        "mutual_information_bits": _information(a, b, ceiling),
        "dice_tissue": float(np.mean([_dice(classes[0] == label, classes[1] == label) for label in (1, 2, 3)])),
        "psnr_whole_db": float(peak_signal_noise_ratio(target, prediction, data_range=1)),
        "ssim_whole": float(structural_similarity(target, prediction, data_range=1)),
        "mae_whole": float(np.abs(target - prediction).mean()),
    }


def best_shift(source: np.ndarray, target: np.ndarray, mask: np.ndarray, ceiling: float) -> tuple[int, int]:
    """Axis and step, up to two voxels, by which two contrasts share most information."""
    values = {
        (axis, step): _information(source[mask], np.roll(target, step, axis)[mask], ceiling)
        for axis in range(3)
        for step in (-2, -1, 0, 1, 2)
    }
    return max(values, key=values.__getitem__)


def _information(a: np.ndarray, b: np.ndarray, ceiling: float) -> float:
    joint = np.histogram2d(a.clip(0, ceiling), b.clip(0, ceiling), bins=64, range=[(0, ceiling)] * 2)[0]
    joint /= joint.sum()
    outer = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    return float((joint[joint > 0] * np.log2(joint[joint > 0] / outer[joint > 0])).sum())


def generation(
    real: np.ndarray, generated: np.ndarray, images: np.ndarray, training: np.ndarray, partners: np.ndarray
) -> dict[str, float]:
    """Distances of features by prdc, numpy and scipy; MONAI's MS-SSIM of pairs; numpy's correlation with training."""
    with contextlib.redirect_stdout(io.StringIO()):
        shares = compute_prdc(real, generated, nearest_k=3)
    first, second = (np.cov(features, rowvar=False) for features in (real, generated))
    gap = ((real.mean(0) - generated.mean(0)) ** 2).sum()
    kernels = [(a @ b.T / real.shape[1] + 1) ** 3 for a, b in ((real, real), (generated, generated), (real, generated))]
    within = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in kernels[:2]]
    weights = np.asarray(MS_SSIM_WEIGHTS)
    metric = MultiScaleSSIMMetric(2, data_range=1.0, kernel_size=7, weights=(weights / weights.sum()).tolist())
    pair = [torch.from_numpy(np.ascontiguousarray(part))[:, None] for part in (images, images[partners])]
    count = len(images)
    correlations = np.corrcoef(images.reshape(count, -1), training.reshape(len(training), -1))[:count, count:]
    return {
        "frechet": float(gap + np.trace(first) + np.trace(second) - 2 * np.trace(sqrtm(first @ second).real)),
        "mmd": float(sum(within) - 2 * kernels[2].mean()),
        "precision": float(shares["precision"]),
        "recall": float(shares["recall"]),
        "pair_ms_ssim": float(metric(*pair).mean()),
        "nearest_ncc": float(np.median(correlations.max(axis=1))),
    }


def gmsd(target: np.ndarray, prediction: np.ndarray) -> float:
    """GMSD.m slice by slice, as its authors wrote it, by scipy's convolutions; sides are even."""
    kernel, values = np.array([[1, 0, -1]] * 3) / 3, []
    for pair in zip(target.astype(np.float64), prediction.astype(np.float64), strict=True):
        halves = [image.reshape(image.shape[0] // 2, 2, -1, 2).mean((1, 3)) for image in pair]
        first, second = (
            np.hypot(*(ndimage.convolve(image, k, mode="constant") for k in (kernel, kernel.T))) for image in halves
        )
        similarity = (2 * first * second + 170 / 255**2) / (first**2 + second**2 + 170 / 255**2)
        values.append(similarity.std(ddof=1))
    return float(np.mean(values))
