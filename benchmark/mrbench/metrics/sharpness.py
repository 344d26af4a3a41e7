"""Sharpness: what PSNR does not reward, and a network trained on it loses. No downloaded weights.

Functions take stacks of 2-D slices ``(slice, y, x)``.
"""

from __future__ import annotations

import numpy as np

LOG_SD = 1.5
LOG_RADIUS = 7
LOG_SIDE = 2 * LOG_RADIUS + 1
"""Laplacian of Gaussian of 15x15 pixels, SD 1.5 (Ravishankar and Bresler)."""

GMS_CONSTANT = 170 / 255**2
"""Of gradient-magnitude similarity, for a data range of 1 (Xue et al. give 170 for 255)."""

ROUNDING = 1e-12
"""Filtered by this much of its size, an image is flat: what is left is rounding."""


def hfen(target: np.ndarray, prediction: np.ndarray, *, mask: np.ndarray | None = None) -> float:
    """High-frequency error norm: relative error of the Laplacian of Gaussian; NaN where the target is flat.

    The norm is over all slices at once and relative to the target's, as papers report it since; images are mirrored
    beyond their border.

    References
    ----------
    Ravishankar and Bresler, IEEE TMI 2011; the kernel is MATLAB's ``fspecial('log', 15, 1.5)``.
    """
    filtered = [_laplacian(image.astype(np.float64)) for image in (target, prediction)]
    if mask is not None:
        target, filtered = target[mask], [image[mask] for image in filtered]
    size = float(np.linalg.norm(filtered[0]))
    flat = size <= ROUNDING * float(np.linalg.norm(target.astype(np.float64)))
    return float("nan") if flat else float(np.linalg.norm(filtered[1] - filtered[0])) / size


def gmsd(target: np.ndarray, prediction: np.ndarray, *, data_range: float) -> float:
    """Gradient-magnitude similarity deviation, mean over slices; 0 is best.

    As published: each slice is averaged over 2x2 pixels and halved, beyond the border is zero, and the SD is the
    sample's (MATLAB's ``std2``).

    References
    ----------
    Xue et al., IEEE TIP 2014, and their GMSD.m.
    """
    first, second = (_prewitt(_halve(image.astype(np.float64) / data_range)) for image in (target, prediction))
    similarity = (2 * first * second + GMS_CONSTANT) / (first**2 + second**2 + GMS_CONSTANT)
    return float(similarity.reshape(len(similarity), -1).std(axis=1, ddof=1).mean())


def sharpness_ratio(target: np.ndarray, prediction: np.ndarray, *, mask: np.ndarray | None = None) -> float:
    """Mean gradient magnitude within slices, of the prediction over the target's: below 1 is blurred, above 1 noisy.

    NaN where the target is flat. A gradient is per pixel, whatever the size of a pixel.
    """
    means = []
    for image in (target, prediction):
        rows, columns = np.gradient(image.astype(np.float64), axis=(1, 2))
        magnitude = np.hypot(rows, columns)
        means.append(float(magnitude.mean() if mask is None else magnitude[mask].mean()))
    return means[1] / means[0] if means[0] > 0 else float("nan")


def _laplacian(image: np.ndarray) -> np.ndarray:
    """Laplacian of Gaussian of each slice."""
    from scipy import ndimage

    point = np.zeros((1, LOG_SIDE, LOG_SIDE))
    point[0, LOG_RADIUS, LOG_RADIUS] = 1
    # cut off at its radius the kernel has a small sum, so that a flat image would have edges
    excess = float(_curvature(point).sum()) * ndimage.uniform_filter(image, (0, LOG_SIDE, LOG_SIDE))
    return _curvature(image) - excess


def _curvature(image: np.ndarray) -> np.ndarray:
    from scipy import ndimage

    rows, columns = (
        ndimage.gaussian_filter(image, (0, LOG_SD, LOG_SD), order, truncate=LOG_RADIUS / LOG_SD)
        for order in ((0, 2, 0), (0, 0, 2))
    )
    return rows + columns


def _halve(image: np.ndarray) -> np.ndarray:
    even = np.pad(image, ((0, 0), *((0, size % 2) for size in image.shape[1:])))
    return (even[:, ::2, ::2] + even[:, 1::2, ::2] + even[:, ::2, 1::2] + even[:, 1::2, 1::2]) / 4


def _prewitt(image: np.ndarray) -> np.ndarray:
    """Gradient magnitude of each slice with Prewitt's 3x3 kernels over 3, zero beyond the border."""
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1)))
    rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    columns = padded[:, :, :-2] + padded[:, :, 1:-1] + padded[:, :, 2:]
    return np.hypot(rows[:, :, 2:] - rows[:, :, :-2], columns[:, 2:] - columns[:, :-2]) / 3
