"""Distances between sets of images: how real, how diverse, how much copied from the training set.

Sets of features are arrays ``(image, feature)``; sets of images ``(image, y, x)``.
"""

from __future__ import annotations

import numpy as np

MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.3695)
"""The first four of Wang et al.'s five scales, made to add up to 1: a fifth needs 176 pixels."""

MS_SSIM_WINDOW = 7
MS_SSIM_SD = 1.5

MS_SSIM_SMALLEST = MS_SSIM_WINDOW * 3**2
"""Pixels of an image's shorter side for four scales, as MONAI asks."""


def frechet_distance(real: np.ndarray, generated: np.ndarray) -> float:
    """Squared Fréchet distance of the Gaussians that fit two sets of features.

    ``|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))``. It is biased upwards in small sets, so only sets of equal size
    compare.

    Parameters
    ----------
    real, generated : ndarray of float, shape ``(image, feature)``
        Features of the real and of the new images.

    Raises
    ------
    ValueError
        If a set has fewer than two images, or the two differ in their features.

    References
    ----------
    Heusel et al., GANs trained by a two time-scale update rule converge to a local Nash equilibrium, NeurIPS 2017;
    there in the features of Inception, which we do not use: this is no FID.
    """
    _check_sets(real, generated)
    gap = ((real.mean(0) - generated.mean(0)) ** 2).sum()
    first, second = (np.cov(features, rowvar=False).reshape(features.shape[1], -1) for features in (real, generated))
    # the eigenvalues of a product of two covariances are real and not negative; rounding may say otherwise
    eigenvalues = np.linalg.eigvals(first @ second).real
    return float(gap + np.trace(first) + np.trace(second) - 2 * np.sqrt(np.maximum(eigenvalues, 0)).sum())


def kernel_mmd(real: np.ndarray, generated: np.ndarray) -> float:
    """Squared maximum mean discrepancy under the kernel ``(x.y / d + 1)^3``: unbiased, so 0 on average for equal sets.

    Parameters
    ----------
    real, generated : ndarray of float, shape ``(image, feature)``
        Features of the real and of the new images.

    Raises
    ------
    ValueError
        As `frechet_distance`.

    References
    ----------
    Bińkowski et al., Demystifying MMD GANs, ICLR 2018.
    """
    _check_sets(real, generated)

    def kernel(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return (first @ second.T / first.shape[1] + 1) ** 3

    def within(features: np.ndarray) -> float:
        values, count = kernel(features, features), len(features)
        return float((values.sum() - np.trace(values)) / (count * (count - 1)))

    return within(real) + within(generated) - 2 * float(kernel(real, generated).mean())


def precision_recall(real: np.ndarray, generated: np.ndarray, *, neighbours: int = 3) -> tuple[float, float]:
    """Share of generated samples that lie among the real ones, and of real ones that lie among the generated.

    A sample lies among a set where it is no farther from one of its members than that one's k-th neighbour is.

    Parameters
    ----------
    real, generated : ndarray of float, shape ``(image, feature)``
        Features of the real and of the new images.
    neighbours : int
        k.

    Raises
    ------
    ValueError
        As `frechet_distance`, or if a set has no more than k images.

    References
    ----------
    Kynkäänniemi et al., Improved precision and recall metric for assessing generative models, NeurIPS 2019.
    """
    _check_sets(real, generated)
    if min(len(real), len(generated)) <= neighbours:
        raise ValueError(f"sets of {len(real)} and {len(generated)} images have no {neighbours}-th neighbours.")
    return _covered(real, generated, neighbours), _covered(generated, real, neighbours)


def _covered(support: np.ndarray, samples: np.ndarray, neighbours: int) -> float:
    from scipy.spatial.distance import cdist

    radius = np.sort(cdist(support, support), axis=1)[:, neighbours]  # the nearest is the member itself
    return float((cdist(samples, support) <= radius).any(axis=1).mean())


def pair_ms_ssim(images: np.ndarray, order: np.ndarray, *, data_range: float) -> float:
    """Mean multi-scale SSIM of each image with the one that ``order`` puts beside it: high where all look alike.

    Four scales, 7x7 Gaussian window of SD 1.5 without padding, population covariance, as MONAI's; in double precision.

    Parameters
    ----------
    images : ndarray of float, shape ``(image, y, x)``
        What is compared, in one range of intensities.
    order : ndarray of int, shape ``(image,)``
        Number of each image's partner.
    data_range : float
        Difference of the largest and the smallest value that counts as possible.

    Raises
    ------
    ValueError
        If the images are too small for four scales, or a partner does not exist.

    References
    ----------
    Wang et al., Multiscale structural similarity, Asilomar 2003; as a measure of diversity Odena et al., ICML 2017.
    """
    from mrbench.metrics.kernels.multiscale import pairs

    if images.ndim != 3 or min(images.shape[1:]) < MS_SSIM_SMALLEST:
        raise ValueError(f"images have shape {images.shape}; (image, y, x) of {MS_SSIM_SMALLEST} pixels are needed.")
    partners = np.asarray(order, np.int64)
    if partners.shape != images.shape[:1] or not ((partners >= 0) & (partners < len(images))).all():
        raise ValueError(f"the order names partners other than the {len(images)} images.")
    weights = np.asarray(MS_SSIM_WEIGHTS)
    taps = np.exp(-((np.arange(MS_SSIM_WINDOW) - MS_SSIM_WINDOW // 2) ** 2) / (2 * MS_SSIM_SD**2))
    values = np.empty(len(images))
    stack = np.ascontiguousarray(images, np.float64)
    pairs(stack, partners, taps / taps.sum(), weights / weights.sum(), float(data_range), values)
    return float(values.mean())


def nearest_correlations(
    images: np.ndarray, training: np.ndarray, *, nearest: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    """Training images of the highest normalised cross-correlation with each image.

    Parameters
    ----------
    images, training : ndarray of float, shape ``(image, y, x)``
        Whose neighbours are sought, and among which.
    nearest : int
        How many neighbours of each.

    Returns
    -------
    indices : ndarray of int, shape ``(image, nearest)``
        Best first.
    correlations : ndarray of float, the same shape
        -1 to 1; 0 with an image that is constant.

    Raises
    ------
    ValueError
        If the images differ in size.

    References
    ----------
    Bermudez et al., Learning implicit brain MRI manifolds with deep learning, SPIE Medical Imaging 2018.
    """
    correlations = _correlations(images, training)
    indices = np.argsort(-correlations, axis=1, kind="stable")[:, :nearest]
    return indices, np.take_along_axis(correlations, indices, axis=1)


def copy_margins(images: np.ndarray, training: np.ndarray, people: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How much more each image is like one person of the training set than like any other: what a copy is told by.

    A correlation alone is high for whatever is smooth: the mean of many people is nearer to each of them than any real
    person is. Such an image is near to several people alike, a copy to one. Training images count mirrored along x,
    too, as a network may have seen them so.

    Parameters
    ----------
    images, training : ndarray of float, shape ``(image, y, x)``
        Whose likeness is sought, and to whom.
    people : ndarray of int, shape ``(image,)``
        Whose each training image is.

    Returns
    -------
    correlations : ndarray of float, shape ``(image,)``
        The highest normalised cross-correlation with a training image.
    margins : ndarray of float, the same shape
        That, less the highest with an image of another person; of one person alone, less -1.

    Raises
    ------
    ValueError
        If the images differ in size, or the people are not those of the training images.
    """
    if np.shape(people) != training.shape[:1]:
        raise ValueError(f"{len(training)} training images are of {np.shape(people)} people; name one of each.")
    both = _correlations(np.concatenate([images, images[..., ::-1]]), training)  # as if the training images were
    correlations = np.maximum(*np.split(both, 2))
    whose = np.asarray(people)[correlations.argmax(axis=1)]
    others = np.where(whose[:, None] == people, -1.0, correlations).max(axis=1)
    highest = correlations.max(axis=1)
    return highest, highest - others


def _correlations(images: np.ndarray, training: np.ndarray) -> np.ndarray:
    if images.shape[1:] != training.shape[1:]:
        raise ValueError(f"images have {images.shape[1:]} pixels, those of training {training.shape[1:]}.")
    (first, lengths), (second, others) = (_centred(stack) for stack in (images, training))
    size = np.multiply.outer(lengths, others)
    return np.divide(first @ second.T, size, out=np.zeros_like(size), where=size > 0)


def _centred(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Images as vectors of mean 0, and their lengths; exactly 0 where an image is constant."""
    lines = images.reshape(len(images), -1)
    vectors = lines.astype(np.float64)
    vectors -= vectors.mean(axis=1, keepdims=True)
    return vectors, np.sqrt(np.einsum("ij,ij->i", vectors, vectors)) * (np.ptp(lines, axis=1) > 0)


def _check_sets(real: np.ndarray, generated: np.ndarray) -> None:
    if real.ndim != 2 or real.shape[1:] != generated.shape[1:] or min(len(real), len(generated)) < 2:
        raise ValueError(
            f"sets of features have shapes {real.shape} and {generated.shape}; (image, feature) of equal features and "
            "two images or more are needed."
        )
