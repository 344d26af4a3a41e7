"""Similarity of images, as the fastMRI leaderboard measures it, its variants by slice and in a foreground, and in 3-D.

Every function takes ``(target, prediction, *, data_range, mask=None)``. The range of intensities has no default: its
choice moves PSNR and SSIM more than most methods do. Sums are in double precision, whatever the images are in.
"""

from __future__ import annotations

from math import log10

import numpy as np

from mrbench.metrics.pairs import checked_range, flat_mask, image_pair

WINDOW = 7
"""Side in pixels of the uniform SSIM window, skimage's default, which fastMRI uses."""

RIM = WINDOW // 2

HIGHEST_PSNR = 20 * log10(2**24)
"""dB, 144.5: what the rounding of float32 leaves of a perfect image. No row holds infinity, and no mean survives it."""

_NO_MASK = np.empty((0, 0, 0), np.uint8)
_NO_MAP = np.empty((0, 0, 0))
_NO_RANGES = np.empty(0)


def nmse(target: np.ndarray, prediction: np.ndarray, *, mask: np.ndarray | None = None) -> float:
    """Squared error over the squared norm of the target, ``|x - y|^2 / |x|^2``, over the whole volume at once.

    Parameters
    ----------
    target, prediction : ndarray of real numbers, same shape
        The truth, and what is scored.
    mask : ndarray of bool, the same shape, optional
        Voxels that count; all by default.

    Returns
    -------
    float
        0 is best; 1 is what zeros everywhere reach.

    Raises
    ------
    ValueError
        If shapes differ, the mask is empty, or the target is zero wherever it counts.

    References
    ----------
    ``nmse`` of fastmri/evaluate.py (Zbontar et al., arXiv:1811.08839).
    """
    _, error, energy, _ = _errors(target, prediction, mask)
    return _ratio(error, energy)


def psnr(target: np.ndarray, prediction: np.ndarray, *, data_range: float, mask: np.ndarray | None = None) -> float:
    """Peak signal-to-noise ratio, ``10 log10(data_range^2 / mean((x - y)^2))``, of the whole volume at once.

    Parameters
    ----------
    target, prediction : ndarray of real numbers, same shape
        The truth, and what is scored.
    data_range : float
        The peak; fastMRI's is ``target.max()`` of the volume.
    mask : ndarray of bool, the same shape, optional
        Voxels whose error counts; all by default.

    Returns
    -------
    float
        dB; at most `HIGHEST_PSNR`, which is that of a perfect image.

    Raises
    ------
    ValueError
        If shapes differ, the mask is empty, or ``data_range`` is not a positive number.

    References
    ----------
    ``psnr`` of fastmri/evaluate.py.
    """
    _, error, _, count = _errors(target, prediction, mask)
    return _psnr(error / count, checked_range(data_range))


def mae(target: np.ndarray, prediction: np.ndarray, *, mask: np.ndarray | None = None) -> float:
    """Mean absolute error, in the unit of the images.

    Parameters
    ----------
    target, prediction : ndarray of real numbers, same shape
        The truth, and what is scored.
    mask : ndarray of bool, the same shape, optional
        Voxels that count; all by default.

    Raises
    ------
    ValueError
        If shapes differ or the mask is empty.
    """
    absolute, _, _, count = _errors(target, prediction, mask)
    return absolute / count


def ssim_map(target: np.ndarray, prediction: np.ndarray, *, data_range: float) -> np.ndarray:
    """Structural similarity of each slice: uniform 7x7 window, sample covariance, K1 .01, K2 .03 (scikit-image).

    Parameters
    ----------
    target, prediction : ndarray of real numbers, shape ``(slice, y, x)``
        The truth, and what is scored.
    data_range : float
        Difference of the largest and the smallest value that counts as possible.

    Returns
    -------
    ndarray of float64, the shape of ``target``
        Its rim of 3 pixels, where images are mirrored, is not in fastMRI's mean.

    Raises
    ------
    ValueError
        If a slice is smaller than the window, shapes differ, or ``data_range`` is not a positive number.
    """
    from mrbench.metrics.kernels.similarity import slice_sums

    x, y, _ = _stacks(target, prediction, None)
    similarity = np.empty(x.shape)
    slice_sums(x, y, _NO_MASK, checked_range(data_range), _NO_RANGES, similarity)
    return similarity


def ssim(target: np.ndarray, prediction: np.ndarray, *, data_range: float, mask: np.ndarray | None = None) -> float:
    """Mean structural similarity over slices: uniform 7x7 window, sample covariance, K1 .01, K2 .03.

    Parameters
    ----------
    target, prediction : ndarray of real numbers, shape ``(slice, y, x)``
        The truth, and what is scored.
    data_range : float
        fastMRI's is ``target.max()`` of the volume, the same for each slice.
    mask : ndarray of bool, the same shape, optional
        Pixels of `ssim_map` to average, its rim included; by default all but the rim.

    Raises
    ------
    ValueError
        As `ssim_map`, or if the mask is empty.

    References
    ----------
    Wang et al., IEEE TIP 2004; ``ssim`` of fastmri/evaluate.py.
    """
    from mrbench.metrics.kernels import similarity as kernel

    x, y, inside = _stacks(target, prediction, mask)
    sums = kernel.slice_sums(x, y, inside, checked_range(data_range), _NO_RANGES, _NO_MAP).sum(axis=0)
    if mask is not None:
        return float(sums[kernel.SIMILARITY_MASKED] / np.count_nonzero(mask))
    return float(sums[kernel.SIMILARITY] / _inner(x.shape))


def image_scores(
    target: np.ndarray,
    prediction: np.ndarray,
    *,
    data_range: float,
    mask: np.ndarray | None = None,
    by_slice: bool = False,
) -> dict[str, float]:
    """PSNR, SSIM and NMSE of a stack, of its foreground and of its slices, from one pass over the images.

    Parameters
    ----------
    target, prediction : ndarray of real numbers, shape ``(slice, y, x)``
        The truth, and what is scored.
    data_range : float
        Of the volume and of the foreground.
    mask : ndarray of bool, the same shape, optional
        The foreground.
    by_slice : bool
        Whether to score each slice by its own maximum, too: the other convention in print, decibels apart on the same
        images. Slices of ``target`` without a positive pixel are left out.

    Returns
    -------
    dict of str to float
        ``psnr_db``, ``ssim``, ``nmse`` as `psnr`, `ssim` and `nmse` give them; with a mask ``psnr_fg_db`` and
        ``ssim_fg``; by slice the means ``psnr_slice_db``, ``ssim_slice`` and ``nmse_slice``.

    Raises
    ------
    ValueError
        As `ssim` and `nmse`, or if all slices are left out.
    """
    x, y, _ = _stacks(target, prediction, mask)
    tops = x.max(axis=(1, 2)).astype(np.float64) if by_slice else None
    sums = slice_sums(x, y, mask, data_range, tops)
    return scores_of_slices(sums, x.shape, data_range, None if mask is None else int(np.count_nonzero(mask)), tops)


def slice_sums(
    target: np.ndarray, prediction: np.ndarray, mask: np.ndarray | None, data_range: float, tops: np.ndarray | None
) -> np.ndarray:
    """What `scores_of_slices` scores, of some slices of a volume, whose mask may be empty there."""
    from mrbench.metrics.kernels import similarity as kernel

    x, y, _ = _stacks(target, prediction, None)
    inside = _NO_MASK if mask is None else np.ascontiguousarray(mask, bool).view(np.uint8)
    return kernel.slice_sums(x, y, inside, checked_range(data_range), _NO_RANGES if tops is None else tops, _NO_MAP)


def scores_of_slices(
    sums: np.ndarray, shape: tuple[int, ...], data_range: float, count: int | None, tops: np.ndarray | None
) -> dict[str, float]:
    """Scores of a stack from the sums over each of its slices.

    Parameters
    ----------
    sums : ndarray, shape ``(slice, 6)``
        As `slice_sums` gives them.
    shape : tuple of int
        Of the stack.
    data_range : float
        Of the volume and of the foreground.
    count : int or None
        Voxels of the foreground; None where there is none.
    tops : ndarray or None
        Largest value of each slice, where slices are scored by it.
    """
    from mrbench.metrics.kernels import similarity as kernel

    inner, pixels = _inner(shape) / shape[0], shape[1] * shape[2]
    whole = sums.sum(axis=0)
    scores = {
        "psnr_db": _psnr(whole[kernel.ERROR] / (shape[0] * pixels), data_range),
        "ssim": float(whole[kernel.SIMILARITY] / _inner(shape)),
        "nmse": _ratio(whole[kernel.ERROR], whole[kernel.ENERGY]),
    }
    if count is not None:
        if not count:
            raise ValueError("the mask is empty; there is nothing to average over.")
        scores["psnr_fg_db"] = _psnr(whole[kernel.ERROR_MASKED] / count, data_range)
        scores["ssim_fg"] = float(whole[kernel.SIMILARITY_MASKED] / count)
    if tops is not None:
        lit = sums[tops > 0]
        if not len(lit):
            raise ValueError("no slice of the target has a positive pixel; nothing can be scored by slice.")
        errors = zip(lit[:, kernel.ERROR], tops[tops > 0], strict=True)
        scores["psnr_slice_db"] = float(np.mean([_psnr(error / pixels, top) for error, top in errors]))
        scores["ssim_slice"] = float((lit[:, kernel.SIMILARITY_BY_SLICE] / inner).mean())
        scores["nmse_slice"] = float((lit[:, kernel.ERROR] / lit[:, kernel.ENERGY]).mean())
    return scores


def ssim_3d(target: np.ndarray, prediction: np.ndarray, *, data_range: float, mask: np.ndarray | None = None) -> float:
    """Structural similarity of the volume with a 7x7x7 uniform window, sample covariance, K1 .01, K2 .03.

    Parameters
    ----------
    target, prediction : ndarray of real numbers, shape ``(z, y, x)``
        The truth, and what is scored.
    data_range : float
        Difference of the largest and the smallest value that counts as possible.
    mask : ndarray of bool, the same shape, optional
        Voxels of the map to average, its rim included; by default all but the rim of 3 voxels.

    Returns
    -------
    float
        NaN where a side is shorter than the window.

    Raises
    ------
    ValueError
        If shapes differ, the mask is empty, or ``data_range`` is not a positive number.

    References
    ----------
    scikit-image's ``structural_similarity`` of a 3-D array; in a mask as SynthRAD2023 does.
    """
    return volume_ssim(target, prediction, data_range=data_range, mask=mask)[0 if mask is None else 1]


def volume_ssim(
    target: np.ndarray, prediction: np.ndarray, *, data_range: float, mask: np.ndarray | None = None
) -> tuple[float, float]:
    """`ssim_3d` of the volume without its rim and of a mask, from one map; NaN for the mask where there is none."""
    from mrbench.metrics.kernels.similarity import volume_sums

    x, y, inside = image_pair(target, prediction, mask)
    if x.ndim != 3 or min(x.shape) < WINDOW:
        return float("nan"), float("nan")
    whole, masked = volume_sums(x, y, _NO_MASK if inside is None else inside, checked_range(data_range), _NO_MAP)
    count = np.count_nonzero(mask) if mask is not None else 0
    return whole / np.prod([side - 2 * RIM for side in x.shape]), masked / count if count else float("nan")


def _psnr(mean_square: float, data_range: float) -> float:
    """dB, capped: the one place where a perfect image gets a number."""
    lowest = data_range**2 / 10 ** (HIGHEST_PSNR / 10)
    return float(10 * np.log10(data_range**2 / max(mean_square, lowest)))


def _ratio(error: float, energy: float) -> float:
    if energy == 0:
        raise ValueError("the target is zero everywhere it counts; an error relative to it is not defined.")
    return float(error / energy)


def _errors(target: np.ndarray, prediction: np.ndarray, mask: np.ndarray | None) -> tuple[float, float, float, int]:
    """Sums of the absolute error, the squared error and the squared target, and the number of voxels."""
    from mrbench.metrics.kernels.similarity import error_sums, error_sums_masked

    x, y, inside = image_pair(target, prediction, mask)
    if mask is None:
        return *error_sums(x.ravel(), y.ravel()), x.size
    return *error_sums_masked(x.ravel(), y.ravel(), flat_mask(inside)), int(np.count_nonzero(mask))


def _stacks(
    target: np.ndarray, prediction: np.ndarray, mask: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, y, inside = image_pair(target, prediction, mask)
    if x.ndim != 3 or min(x.shape[1:]) < WINDOW:
        raise ValueError(f"images have shape {x.shape}; slices (slice, y, x) of {WINDOW} pixels each way are needed.")
    return x, y, _NO_MASK if inside is None else inside


def _inner(shape: tuple[int, ...]) -> int:
    """Number of pixels of a stack without the rim of its slices."""
    return shape[0] * (shape[1] - 2 * RIM) * (shape[2] - 2 * RIM)
