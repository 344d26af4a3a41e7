"""Loss of resolution: how a low-resolution volume comes about, and where its voxels lie.

The low resolution decides every number of super-resolution, so it is one frozen object that the protocol hashes and
that methods see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log, prod, sqrt
from typing import Literal

import numpy as np

Kind = Literal["truncation", "blur", "slices"]

BLUR_SD = 1.0
"""SD in voxels of the Gaussian of the SRGAN papers."""

REACH = 6.0
"""SDs at which a Gaussian ends: what lies beyond is below the rounding of float32."""


@dataclass(frozen=True)
class Degradation:
    """Linear loss of resolution D of a volume ``(z, y, x)``.

    Attributes
    ----------
    kind : {"truncation", "blur", "slices"}
        ``truncation``: the centre of k-space, which is what a scanner measures. ``blur``: Gaussian of SD 1 voxel,
        then every ``factors``-th voxel (Sanchez and Vilaplana). ``slices``: contiguous thick slices with a Gaussian
        profile whose full width at half maximum is the slice thickness. Both extend the volume by its edge voxels,
        a truncation by repetition.
    factors : tuple of int
        Loss along ``(z, y, x)``; 1 leaves an axis as it is.
    """

    kind: Kind
    factors: tuple[int, int, int]

    @property
    def origin(self) -> tuple[float, float, float]:
        """Position of the first low-resolution voxel on the high-resolution grid; voxel n lies at origin + n factor."""
        z, y, x = self.factors
        if self.kind == "slices":  # a slab is centred between its first and its last voxel
            return (z - 1) / 2, (y - 1) / 2, (x - 1) / 2
        return 0.0, 0.0, 0.0

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
        """Degrade a volume; of a truncation the result is complex, because its highest frequency has no partner.

        Raises
        ------
        ValueError
            If a factor does not divide the volume.
        """
        low = self.low_shape(volume.shape)
        if self.kind == "truncation":
            return _cut(volume, low)
        return _along_axes(self._profiles(volume.shape), volume)

    def adjoint(self, low: np.ndarray) -> np.ndarray:
        """Carry a low-resolution residual back: the transpose of `apply`, a real volume.

        Of the complex volumes of a truncation the inner product is the real part.
        """
        shape = self.high_shape(low.shape)
        if self.kind == "truncation":
            return zero_fill(low, shape).real / np.float32(prod(self.factors))
        return _along_axes([matrix.T for matrix in self._profiles(shape)], low)

    def gain(self, shape: Sequence[int]) -> float:
        """Largest squared singular value of `apply` on volumes of ``shape``: what a gradient step divides by."""
        if self.kind == "truncation":
            return 1 / prod(self.factors)
        return float(prod(np.linalg.norm(matrix, 2) ** 2 for matrix in self._profiles(shape)))

    def _profiles(self, shape: Sequence[int]) -> list[np.ndarray]:
        sds = [BLUR_SD if self.kind == "blur" else profile_sd(f) for f in self.factors]
        return [_profiles(*axis) for axis in zip(shape, self.factors, self.origin, sds, strict=True)]


def profile_sd(thickness: int) -> float:
    """SD in voxels of a Gaussian slice profile with that full width at half maximum."""
    return thickness / (2 * sqrt(2 * log(2)))


def zero_fill(low: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Sinc interpolation: fill k-space with zeros to ``shape``; voxel 0 stays on voxel 0. Complex."""

    from scipy import fft

    middle = _middle(shape, low.shape)
    spectrum = np.zeros(shape, np.complex64)
    spectrum[middle] = fft.fftshift(fft.fftn(low.astype(np.complex64)))
    return fft.ifftn(fft.ifftshift(spectrum)) * np.float32(np.prod(shape) / low.size)


def spline(low: np.ndarray, degradation: Degradation, order: int = 3) -> np.ndarray:
    """B-spline interpolation of a low-resolution volume on the grid that it came from; float32, edges extended.

    Voxel p of the result lies at ``(p - origin) / factors`` of the low-resolution grid.
    """

    from scipy import ndimage

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


def upsampled(low: np.ndarray, degradation: Degradation) -> np.ndarray:
    """The interpolation that networks start from: zero-filled k-space of a truncation, else cubic splines; float32."""
    if degradation.kind == "truncation":
        return np.ascontiguousarray(zero_fill(low, degradation.high_shape(low.shape)).real)
    return spline(low, degradation)


def _cut(volume: np.ndarray, low: Sequence[int]) -> np.ndarray:
    from scipy import fft

    spectrum = fft.fftshift(fft.fftn(volume.astype(np.complex64)))[_middle(volume.shape, low)]
    return fft.ifftn(fft.ifftshift(spectrum)) * np.float32(np.prod(low) / volume.size)


def _middle(large: Sequence[int], small: Sequence[int]) -> tuple[slice, ...]:
    """The block around the zero frequency (index ``size // 2``) that a smaller k-space holds."""
    starts = [a // 2 - b // 2 for a, b in zip(large, small, strict=True)]
    return tuple(slice(start, start + b) for start, b in zip(starts, small, strict=True))


@lru_cache(maxsize=32)
def _profiles(size: int, factor: int, origin: float, sd: float) -> np.ndarray:
    """Weights of the ``size`` voxels of an axis, edges extended, in its low-resolution ones: a row for each."""
    if factor == 1:
        return np.eye(size, dtype=np.float32)
    matrix = np.zeros((size // factor, size))
    for row, centre in zip(matrix, origin + factor * np.arange(len(matrix)), strict=True):
        position = np.arange(np.ceil(centre - REACH * sd), np.floor(centre + REACH * sd) + 1)
        weight = np.exp(-(((position - centre) / sd) ** 2) / 2)
        np.add.at(row, np.clip(position, 0, size - 1).astype(int), weight / weight.sum())
    matrix = matrix.astype(np.float32)
    matrix.flags.writeable = False  # shared by all calls
    return matrix


def _along_axes(matrices: Sequence[np.ndarray], volume: np.ndarray) -> np.ndarray:
    """Multiply each axis of a volume by a matrix."""
    for axis, matrix in enumerate(matrices):
        if matrix.shape[0] != matrix.shape[1]:  # else the axis is left as it is
            volume = np.moveaxis(np.tensordot(matrix, volume, (1, axis)), 0, axis)
    return volume
