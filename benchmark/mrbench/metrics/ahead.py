"""Compile what scores are computed with before a case needs it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

SHAPE = (7, 8, 9)


def compile_kernels(*kinds: str) -> None:
    """Compile kernels, or load them from disk, for arrays of the types that the harness passes.

    On a machine that never did, all of them take about 20 s of one core; after that, less than a second.

    Parameters
    ----------
    *kinds : str
        ``images`` (PSNR, SSIM, NMSE, sharpness), ``doubles`` (the same of float64), ``volumes`` (3-D SSIM, mutual
        information), ``labels`` (Dice, HD95, warping), ``fields`` (Jacobian, folded volume, endpoint error), ``sets``
        (MS-SSIM of pairs); default: all.

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    if unknown := [kind for kind in kinds if kind not in _KINDS]:
        raise ValueError(f"there are no kernels for {', '.join(unknown)}; choose from {', '.join(_KINDS)}.")
    for kind in kinds or _KINDS:
        _KINDS[kind]()


def _image() -> tuple[np.ndarray, np.ndarray]:
    image = np.linspace(0.1, 1, int(np.prod(SHAPE)), dtype=np.float32).reshape(SHAPE)
    return image, image > 0.5


def _images(kind: type[np.floating] = np.float32) -> None:
    from mrbench.metrics.image import image_scores, mae

    image, mask = _image()
    image = image.astype(kind)
    image_scores(image, image, data_range=1, mask=mask, by_slice=True)
    for inside in (None, mask):
        mae(image, image, mask=inside)


def _volumes() -> None:
    from mrbench.metrics.image import mae, volume_ssim
    from mrbench.metrics.information import mutual_information, shifted_mutual_information

    image, mask = _image()
    volume_ssim(image, image, data_range=1, mask=mask)
    mutual_information(image, image, data_range=1, mask=mask)
    shifted_mutual_information(image, image, data_range=1, mask=mask, shifts=[(0, 0, 0)])
    for inside in (None, mask):
        mae(image, image, mask=inside)


def _labels() -> None:
    from mrbench.metrics.deformation import warp
    from mrbench.metrics.overlap import LabelOverlap, hd95_per_label, merge_labels
    from mrbench.metrics.published import warp_labels_linear

    image, mask = _image()
    still = np.zeros((3, *SHAPE), np.float32)
    for kind in (np.uint8, np.int16, np.int32):
        labels = mask.astype(kind)
        warp(labels, still, order=0)
        LabelOverlap.of(labels, labels)
        merged = merge_labels(labels, [(1,)])
    warp_labels_linear(mask.astype(np.int16), still)
    hd95_per_label(merged, merged, [1], spacing=(1, 1, 1))
    warp(image, still, order=1)


def _fields() -> None:
    from mrbench.metrics.deformation import endpoint_error_mm, jacobian_determinant, non_diffeomorphic_volume_percent

    _, mask = _image()
    still = np.zeros((3, *SHAPE), np.float32)
    jacobian_determinant(still, mask=mask)
    non_diffeomorphic_volume_percent(still, mask)
    endpoint_error_mm(still, still, mask=mask, spacing=(1, 1, 1))


def _sets() -> None:
    import torch  # noqa: F401  (slice features need it; a process without a network may be forked)

    from mrbench.metrics.distribution import MS_SSIM_SMALLEST, pair_ms_ssim

    pair_ms_ssim(np.ones((2, MS_SSIM_SMALLEST, MS_SSIM_SMALLEST), np.float32), np.array([1, 0]), data_range=1)


_KINDS: dict[str, Callable[[], None]] = {
    "images": _images,
    "doubles": partial(_images, np.float64),
    "volumes": _volumes,
    "labels": _labels,
    "fields": _fields,
    "sets": _sets,
}
