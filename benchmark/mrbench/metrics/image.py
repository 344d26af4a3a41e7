"""Image similarity as the fastMRI leaderboard measures it, and its per-slice and foreground variants.

Every function takes ``(target, prediction, *, data_range, mask=None)``: stacks of 2-D slices ``(slice, y, x)`` and the
range of intensities, which has no default: its choice moves PSNR and SSIM more than most methods do.
"""

from __future__ import annotations

import numpy as np

WINDOW = 7
"""Side in pixels of the uniform SSIM window, skimage's default, which fastMRI uses."""


def nmse(target: np.ndarray, prediction: np.ndarray, *, mask: np.ndarray | None = None) -> float:
    """Squared error over the squared norm of the target, over the whole volume at once.

    References
    ----------
    ``nmse`` of fastmri/evaluate.py (Zbontar et al., arXiv:1811.08839).
    """
    target, prediction = _inside(target, mask), _inside(prediction, mask)
    return float(((target - prediction) ** 2).sum() / (target**2).sum())


def psnr(target: np.ndarray, prediction: np.ndarray, *, data_range: float, mask: np.ndarray | None = None) -> float:
    """Peak signal-to-noise ratio in dB of the whole volume's mean squared error; infinite for a perfect one.

    References
    ----------
    ``psnr`` of fastmri/evaluate.py with ``data_range = target.max()``.
    """
    error = float(((_inside(target, mask) - _inside(prediction, mask)) ** 2).mean())
    return float(10 * np.log10(data_range**2 / error)) if error > 0 else float("inf")


def ssim_map(target: np.ndarray, prediction: np.ndarray, *, data_range: float) -> np.ndarray:
    """Structural similarity of each slice: uniform 7x7 window, sample covariance, K1 .01, K2 .03 (scikit-image).

    Returns
    -------
    ndarray of float64, the shape of ``target``
        Its rim of 3 pixels is not in fastMRI's mean.

    Raises
    ------
    ValueError
        If a slice is smaller than the window.
    """
    from skimage.metrics import structural_similarity

    pairs = zip(target.astype(np.float64), prediction.astype(np.float64), strict=True)
    return np.stack([structural_similarity(a, b, data_range=data_range, full=True)[1] for a, b in pairs])


def ssim(target: np.ndarray, prediction: np.ndarray, *, data_range: float, mask: np.ndarray | None = None) -> float:
    """Mean structural similarity over slices; with a mask, over its voxels.

    References
    ----------
    Wang et al., IEEE TIP 2004; ``ssim`` of fastmri/evaluate.py with ``data_range = target.max()`` of the volume.
    """
    similarity = ssim_map(target, prediction, data_range=data_range)
    if mask is not None:
        return float(similarity[mask].mean())
    rim = (WINDOW - 1) // 2
    return float(similarity[:, rim:-rim, rim:-rim].mean())


def ssim_3d(target: np.ndarray, prediction: np.ndarray, *, data_range: float, mask: np.ndarray | None = None) -> float:
    """Structural similarity of the volume with a 7x7x7 uniform window; NaN where a side is shorter than that.

    With a mask, the mean of the map over its voxels, rim included.

    References
    ----------
    scikit-image's ``structural_similarity`` of a 3-D array; in a mask as SynthRAD2023 does.
    """
    from skimage.metrics import structural_similarity

    if min(target.shape) < WINDOW:
        return float("nan")
    pair = (target.astype(np.float64), prediction.astype(np.float64))
    mean, similarity = structural_similarity(*pair, data_range=data_range, full=True)
    return float(mean if mask is None else similarity[mask].mean())


def mae(target: np.ndarray, prediction: np.ndarray, *, mask: np.ndarray | None = None) -> float:
    """Mean absolute error."""
    return float(np.abs(_inside(target, mask) - _inside(prediction, mask)).mean())


def mutual_information(
    target: np.ndarray, prediction: np.ndarray, *, data_range: float, mask: np.ndarray | None = None, bins: int = 64
) -> float:
    """Mutual information in bits of a joint histogram of ``bins`` equal steps over 0 to ``data_range``, clipped there.

    References
    ----------
    Wells et al., Medical Image Analysis 1996; values depend on the bins and on the number of voxels.
    """
    first, second = (np.clip(_inside(image, mask).ravel(), 0, data_range) for image in (target, prediction))
    joint = np.histogram2d(first, second, bins=bins, range=[(0, data_range)] * 2)[0]
    joint /= joint.sum()
    independent = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    filled = joint > 0
    return float((joint[filled] * np.log2(joint[filled] / independent[filled])).sum())


def per_slice(target: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """PSNR, SSIM and NMSE of each slice by its own maximum, averaged: the other convention in print.

    Slices that are zero everywhere are left out. On the same images, these differ from the volume's by
    decibels.
    """
    from skimage.metrics import structural_similarity

    scores: dict[str, list[float]] = {"psnr_slice_db": [], "ssim_slice": [], "nmse_slice": []}
    for a, b in zip(target.astype(np.float64), prediction.astype(np.float64), strict=True):
        if top := float(a.max()):
            scores["psnr_slice_db"].append(psnr(a, b, data_range=top))
            scores["ssim_slice"].append(float(structural_similarity(a, b, data_range=top)))
            scores["nmse_slice"].append(nmse(a, b))
    return {name: float(np.mean(values)) for name, values in scores.items()}


def _inside(array: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    return (array if mask is None else array[mask]).astype(np.float64)
