"""Mutual information of images, as they lie and with one of them moved."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mrbench.metrics.pairs import checked_range, flat_mask, image_pair


def mutual_information(
    target: np.ndarray, prediction: np.ndarray, *, data_range: float, mask: np.ndarray | None = None, bins: int = 64
) -> float:
    """Mutual information of a joint histogram of ``bins`` equal steps over 0 to ``data_range``, clipped there.

    ``sum p(a, b) log2(p(a, b) / (p(a) p(b)))``.

    Parameters
    ----------
    target, prediction : ndarray of real numbers, same shape
        The truth, and what is scored.
    data_range : float
        Difference of the largest and the smallest value that counts as possible.
    mask : ndarray of bool, the same shape, optional
        Voxels that count; all by default.
    bins : int
        Of the histogram, each way.

    Returns
    -------
    float
        Bits; depends on the bins and on the number of voxels.

    Raises
    ------
    ValueError
        If shapes differ, the mask is empty, or ``data_range`` is not a positive number.

    References
    ----------
    Wells et al., Medical Image Analysis 1996.
    """
    from mrbench.metrics.kernels.histogram import joint_counts

    x, y, inside = image_pair(target, prediction, mask)
    edges = np.linspace(0, checked_range(data_range), bins + 1)
    return information_of(joint_counts(x.ravel(), y.ravel(), flat_mask(inside), edges))


def shifted_mutual_information(
    target: np.ndarray,
    prediction: np.ndarray,
    *,
    data_range: float,
    mask: np.ndarray,
    shifts: np.ndarray | Sequence[tuple[int, int, int]],
    bins: int = 64,
) -> np.ndarray:
    """`mutual_information` with the prediction rolled by each of some shifts, as ``numpy.roll`` does.

    Parameters
    ----------
    target, prediction : ndarray of real numbers, shape ``(z, y, x)``
        The truth, and what is scored.
    data_range : float
        Difference of the largest and the smallest value that counts as possible.
    mask : ndarray of bool, the same shape
        Voxels of the target that count.
    shifts : array of int, shape ``(shift, 3)``
        Voxels along z, y and x.
    bins : int
        At most 256.

    Returns
    -------
    ndarray of float64, one value a shift
        Bits.

    Raises
    ------
    ValueError
        As `mutual_information`, or for more than 256 bins.
    """
    from mrbench.metrics.kernels.histogram import bin_values, shifted_counts

    if bins > 256:
        raise ValueError(f"{bins} bins are asked for; 256 is the most.")
    x, y, inside = image_pair(target, prediction, mask)
    edges = np.linspace(0, checked_range(data_range), bins + 1)
    binned = np.empty((2, *x.shape), np.uint8)
    for image, out in zip((x, y), binned, strict=True):
        bin_values(image.ravel(), edges, out.reshape(-1))
    return np.array(
        [information_of(shifted_counts(binned[0], binned[1], inside, np.array(shift), bins)) for shift in shifts]
    )


def information_of(counts: np.ndarray) -> float:
    """Mutual information, in bits, of a joint histogram ``(bin, bin)``."""
    joint = counts / counts.sum()
    independent = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    filled = joint > 0
    bits = float((joint[filled] * np.log2(joint[filled] / independent[filled])).sum())
    return max(0.0, bits)  # of a constant image rounding leaves less
