"""The one Fourier convention: centred, orthonormal, over the last two axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

AXES = (-2, -1)
Array = TypeVar("Array", bound=Any)


def to_kspace(image: np.ndarray) -> np.ndarray:
    """k-space of an image: orthonormal FFT over ``(y, x)``, zero frequency at index ``size // 2``.

    Single precision in, single precision out. For odd sizes too, `to_image` is its exact inverse.
    """
    from scipy import fft

    return fft.fftshift(fft.fft2(fft.ifftshift(image, axes=AXES), norm="ortho"), axes=AXES)


def to_image(kspace: np.ndarray) -> np.ndarray:
    """Image of a centred k-space: the inverse of `to_kspace`."""
    from scipy import fft

    return fft.fftshift(fft.ifft2(fft.ifftshift(kspace, axes=AXES), norm="ortho"), axes=AXES)


def root_sum_of_squares(images: np.ndarray, axis: int = -3) -> np.ndarray:
    """Combine coil images without knowing the coils (Roemer et al., Magn. Reson. Med. 1990)."""
    return np.sqrt((images.real**2 + images.imag**2).sum(axis=axis))


def centre_crop(array: Array, shape: Sequence[int]) -> Array:
    """Cut the middle of the last two axes of an array or tensor, as `fastmri.data.transforms.center_crop` does.

    Raises
    ------
    ValueError
        If the array is smaller than ``shape``.
    """
    if any(have < want for have, want in zip(array.shape[-2:], shape, strict=True)):
        raise ValueError(f"an image of {array.shape[-2:]} pixels has no centre of {shape}")
    top, left = ((have - want) // 2 for have, want in zip(array.shape[-2:], shape, strict=True))
    return array[..., top : top + shape[0], left : left + shape[1]]
