"""Loss of resolution: how a low-resolution volume comes about, and where its voxels lie.

The low resolution decides every number of super-resolution, so it is one frozen object that the protocol hashes and
that methods see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, sqrt
from typing import Literal

import numpy as np
from scipy import fft, ndimage

Kind = Literal["truncation", "blur", "slices"]

BLUR_SD = 1.0
"""SD in voxels of the Gaussian of the SRGAN papers."""


@dataclass(frozen=True)
class Degradation:
    """Linear loss of resolution of a volume ``(z, y, x)``.

    Attributes
    ----------
    kind : {"truncation", "blur", "slices"}
        ``truncation``: the centre of k-space, which is what a scanner measures. ``blur``: Gaussian of SD 1 voxel,
        then every ``factors``-th voxel (Sanchez and Vilaplana). ``slices``: contiguous thick slices with a Gaussian
        profile whose full width at half maximum is the slice thickness.
    factors : tuple of int
        Loss along ``(z, y, x)``; 1 leaves an axis as it is.
    """

    kind: Kind
    factors: tuple[int, int, int]

    @property
    def origin(self) -> tuple[float, float, float]:
        """Position of the first low-resolution voxel on the high-resolution grid; voxel n lies at origin + n factor."""
        if self.kind == "slices":  # a slab is centred between its first and its last voxel
            return tuple((f - 1) / 2 for f in self.factors)  # type: ignore[return-value]
        return (0.0, 0.0, 0.0)

    def low_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Shape of what `apply` returns for a volume of ``shape``.

        Raises
        ------
        ValueError
            If a factor does not divide the volume.
        """
        if any(size % factor for size, factor in zip(shape, self.factors, strict=True)):
            raise ValueError(f"a volume of {tuple(shape)} voxels cannot be divided by {self.factors}")
        return tuple(size // factor for size, factor in zip(shape, self.factors, strict=True))

    def high_shape(self, low: Sequence[int]) -> tuple[int, ...]:
        """Shape of the volume that a low-resolution one of shape ``low`` came from."""
        return tuple(size * factor for size, factor in zip(low, self.factors, strict=True))

    def apply(self, volume: np.ndarray) -> np.ndarray:
        """Degrade a volume; of a truncation the result is complex, because its highest frequency has no partner."""
        low = self.low_shape(volume.shape)
        if self.kind == "truncation":
            return _cut(volume, low)
        sds = [0.0 if f == 1 else BLUR_SD if self.kind == "blur" else profile_sd(f) for f in self.factors]
        smooth = ndimage.gaussian_filter(volume, sds, mode="nearest", truncate=6.0)
        if self.kind == "blur":
            return smooth[tuple(slice(None, None, f) for f in self.factors)]
        return _between(smooth, self.factors)

    @property
    def gain(self) -> float:
        """Largest squared singular value of `apply`: that of a constant volume."""
        return float(1 / np.prod(self.factors))

    def adjoint(self, low: np.ndarray) -> np.ndarray:
        """Carry a low-resolution residual back: the transpose of `apply`, up to what lies beyond the border."""
        shape = [size * factor for size, factor in zip(low.shape, self.factors, strict=True)]
        if self.kind == "truncation":
            return zero_fill(low, shape).real / np.prod(self.factors)
        sds = [0.0 if f == 1 else BLUR_SD if self.kind == "blur" else profile_sd(f) for f in self.factors]
        spread = np.zeros(shape, low.dtype)
        if self.kind == "blur":
            spread[tuple(slice(None, None, f) for f in self.factors)] = low
        else:
            spread = _spread(low, self.factors)
        return ndimage.gaussian_filter(spread, sds, mode="constant", truncate=6.0)


def profile_sd(thickness: int) -> float:
    """SD in voxels of a Gaussian slice profile with that full width at half maximum."""
    return thickness / (2 * sqrt(2 * log(2)))


def zero_fill(low: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Sinc interpolation: fill k-space with zeros to ``shape``; voxel 0 stays on voxel 0. Complex."""
    middle = _middle(shape, low.shape)
    spectrum = np.zeros(shape, np.complex64)
    spectrum[middle] = fft.fftshift(fft.fftn(low.astype(np.complex64)))
    return fft.ifftn(fft.ifftshift(spectrum)) * np.float32(np.prod(shape) / low.size)


def spline(low: np.ndarray, degradation: Degradation, order: int = 3) -> np.ndarray:
    """B-spline interpolation of a low-resolution volume on the grid that it came from; float32, edges extended."""
    factors, origin = np.asarray(degradation.factors), np.asarray(degradation.origin)
    return ndimage.affine_transform(
        low,
        np.diag(1 / factors),
        -origin / factors,
        degradation.high_shape(low.shape),
        np.float32,
        order,
        mode="nearest",
    )


def _cut(volume: np.ndarray, low: Sequence[int]) -> np.ndarray:
    spectrum = fft.fftshift(fft.fftn(volume.astype(np.complex64)))[_middle(volume.shape, low)]
    return fft.ifftn(fft.ifftshift(spectrum)) * np.float32(np.prod(low) / volume.size)


def _middle(large: Sequence[int], small: Sequence[int]) -> tuple[slice, ...]:
    """The block around the zero frequency (index ``size // 2``) that a smaller k-space holds."""
    starts = [a // 2 - b // 2 for a, b in zip(large, small, strict=True)]
    return tuple(slice(start, start + b) for start, b in zip(starts, small, strict=True))


def _between(volume: np.ndarray, factors: Sequence[int]) -> np.ndarray:
    """Values at the centres of blocks of ``factors`` voxels: between two voxels where a factor is even."""
    for axis, factor in enumerate(factors):
        lower, upper = (volume.take(range(o, volume.shape[axis], factor), axis) for o in _centre(factor))
        volume = (lower + upper) / 2
    return volume


def _spread(low: np.ndarray, factors: Sequence[int]) -> np.ndarray:
    """Transpose of `_between`."""
    for axis, factor in enumerate(factors):
        shape = list(low.shape)
        shape[axis] *= factor
        wide = np.zeros(shape, low.dtype)
        for offset in _centre(factor):
            every = [slice(None)] * low.ndim
            every[axis] = slice(offset, None, factor)
            wide[tuple(every)] += low / 2
        low = wide
    return low


def _centre(factor: int) -> tuple[int, int]:
    return (factor - 1) // 2, factor // 2
