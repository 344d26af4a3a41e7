"""Distances between sets of images: how real, how diverse, how much copied from the training set.

Sets of features are arrays ``(image, feature)``; sets of images ``(image, y, x)``.
"""

from __future__ import annotations

import numpy as np

MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.3695)
"""The first four of Wang et al.'s five scales, made to add up to 1: a fifth needs 176 pixels."""

MS_SSIM_WINDOW = 7


def frechet_distance(real: np.ndarray, made: np.ndarray) -> float:
    """Squared Fréchet distance of the Gaussians that fit two sets of features.

    ``|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))``. It is biased upwards in small sets, so only sets of equal size
    compare.

    References
    ----------
    Heusel et al., GANs trained by a two time-scale update rule converge to a local Nash equilibrium, NeurIPS 2017;
    there in the features of Inception, which we do not use: this is no FID.
    """
    gap = ((real.mean(0) - made.mean(0)) ** 2).sum()
    first, second = (np.cov(features, rowvar=False).reshape(features.shape[1], -1) for features in (real, made))
    # the eigenvalues of a product of two covariances are real and not negative; rounding may say otherwise
    eigenvalues = np.linalg.eigvals(first @ second).real
    return float(gap + np.trace(first) + np.trace(second) - 2 * np.sqrt(np.maximum(eigenvalues, 0)).sum())


def kernel_mmd(real: np.ndarray, made: np.ndarray) -> float:
    """Squared maximum mean discrepancy under the kernel ``(x.y / d + 1)^3``: unbiased, so 0 on average for equal sets.

    References
    ----------
    Bińkowski et al., Demystifying MMD GANs, ICLR 2018.
    """
    from sklearn.metrics.pairwise import polynomial_kernel

    def within(features: np.ndarray) -> float:
        kernel, count = polynomial_kernel(features, degree=3), len(features)
        return float((kernel.sum() - np.trace(kernel)) / (count * (count - 1)))

    return within(real) + within(made) - 2 * float(polynomial_kernel(real, made, degree=3).mean())


def precision_recall(real: np.ndarray, made: np.ndarray, *, neighbours: int = 3) -> tuple[float, float]:
    """Share of made samples that lie among the real ones, and of real ones that lie among the made.

    A sample lies among a set where it is no farther from one of its members than that one's k-th neighbour is.

    References
    ----------
    Kynkäänniemi et al., Improved precision and recall metric for assessing generative models, NeurIPS 2019.
    """
    return _covered(real, made, neighbours), _covered(made, real, neighbours)


def _covered(support: np.ndarray, samples: np.ndarray, neighbours: int) -> float:
    from scipy.spatial.distance import cdist

    radius = np.sort(cdist(support, support), axis=1)[:, neighbours]  # the nearest is the member itself
    return float((cdist(samples, support) <= radius).any(axis=1).mean())


def pair_ms_ssim(images: np.ndarray, order: np.ndarray) -> float:
    """Mean multi-scale SSIM of each image with the one that ``order`` puts beside it: high where all look alike.

    Data range 1, four scales, 7x7 Gaussian window (MONAI).

    Raises
    ------
    ValueError
        If the images are too small for four scales.

    References
    ----------
    Wang et al., Multiscale structural similarity, Asilomar 2003; as a measure of diversity Odena et al., ICML 2017.
    """
    import torch
    from monai.metrics import MultiScaleSSIMMetric

    weights = np.asarray(MS_SSIM_WEIGHTS)
    metric = MultiScaleSSIMMetric(
        spatial_dims=2, data_range=1.0, kernel_size=MS_SSIM_WINDOW, weights=(weights / weights.sum()).tolist()
    )
    first, second = (torch.from_numpy(np.ascontiguousarray(part))[:, None] for part in (images, images[order]))
    return float(metric(first, second).mean())


def nearest_correlations(
    images: np.ndarray, training: np.ndarray, *, nearest: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    """Training images of the highest normalised cross-correlation with each image.

    Returns
    -------
    indices : ndarray of int, shape ``(image, nearest)``
        Best first.
    correlations : ndarray of float, the same shape

    References
    ----------
    Bermudez et al., Learning implicit brain MRI manifolds with deep learning, SPIE Medical Imaging 2018.
    """
    own, known = (_standardised(stack) for stack in (images, training))
    correlations = own @ known.T
    indices = np.argsort(-correlations, axis=1, kind="stable")[:, :nearest]
    return indices, np.take_along_axis(correlations, indices, axis=1)


def _standardised(images: np.ndarray) -> np.ndarray:
    """Images as vectors of mean 0 and length 1; a constant one as zeros."""
    vectors = images.reshape(len(images), -1).astype(np.float64)
    vectors -= vectors.mean(axis=1, keepdims=True)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
