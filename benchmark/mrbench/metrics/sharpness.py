"""Sharpness: what PSNR does not reward, and a network trained on it loses. No downloaded weights.

Functions take stacks of 2-D slices ``(slice, y, x)``.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

LOG_SD = 1.5
LOG_RADIUS = 7
"""Laplacian of Gaussian of 15x15 pixels, SD 1.5 (Ravishankar and Bresler)."""

GMS_CONSTANT = 170 / 255**2
"""Of gradient-magnitude similarity, for a data range of 1 (Xue et al. give 170 for 255)."""


def hfen(target: np.ndarray, prediction: np.ndarray, *, mask: np.ndarray | None = None) -> float:
    """High-frequency error norm: relative error of the Laplacian of Gaussian; NaN where the target is flat.

    References
    ----------
    Ravishankar and Bresler, IEEE TMI 2011.
    """
    filtered = [
        np.stack([ndimage.gaussian_laplace(plane, LOG_SD, truncate=LOG_RADIUS / LOG_SD) for plane in image])
        for image in (target.astype(np.float64), prediction.astype(np.float64))
    ]
    if mask is not None:
        filtered = [image[mask] for image in filtered]
    size = float(np.linalg.norm(filtered[0]))
    return float(np.linalg.norm(filtered[1] - filtered[0])) / size if size > 0 else float("nan")


def gmsd(target: np.ndarray, prediction: np.ndarray, *, data_range: float) -> float:
    """Gradient-magnitude similarity deviation, mean over slices; 0 is best.

    Each slice is averaged over 2x2 pixels and halved, as published.

    References
    ----------
    Xue et al., IEEE TIP 2014.
    """
    values = []
    for a, b in zip(target.astype(np.float64), prediction.astype(np.float64), strict=True):
        first, second = (_prewitt(_halve(image / data_range)) for image in (a, b))
        similarity = (2 * first * second + GMS_CONSTANT) / (first**2 + second**2 + GMS_CONSTANT)
        values.append(float(similarity.std()))
    return float(np.mean(values))


def sharpness_ratio(target: np.ndarray, prediction: np.ndarray, *, mask: np.ndarray | None = None) -> float:
    """Mean gradient magnitude within slices, of the prediction over the target's: below 1 is blurred, above 1 noisy.

    NaN where the target is flat.
    """
    means = []
    for image in (target, prediction):
        rows, columns = np.gradient(image.astype(np.float64), axis=(1, 2))
        magnitude = np.hypot(rows, columns)
        means.append(float(magnitude.mean() if mask is None else magnitude[mask].mean()))
    return means[1] / means[0] if means[0] > 0 else float("nan")


def _halve(image: np.ndarray) -> np.ndarray:
    rows, columns = (size // 2 * 2 for size in image.shape)
    return image[:rows, :columns].reshape(rows // 2, 2, columns // 2, 2).mean((1, 3))


def _prewitt(image: np.ndarray) -> np.ndarray:
    """Gradient magnitude with Prewitt's 3x3 kernels over 3, zero beyond the border."""
    kernel = np.array([[1, 0, -1]] * 3) / 3
    return np.hypot(*(ndimage.convolve(image, k, mode="constant") for k in (kernel, kernel.T)))
