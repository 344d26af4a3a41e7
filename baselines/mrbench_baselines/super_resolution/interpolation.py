"""Interpolation: nearest, linear, cubic, Lanczos, sinc."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mrbench.core.errors import unknown_name
from mrbench.core.method import Method
from mrbench.physics.resolution import Degradation, spline, zero_fill
from mrbench.tasks.super_resolution import SuperResolutionInputs

SPLINES = {"nearest": 0, "linear": 1, "cubic": 3}
"""Degree of the B-spline; cubic is what papers call bicubic or tricubic."""

KERNELS = (*SPLINES, "lanczos", "sinc")

LOBES = 3
"""Of the Lanczos kernel."""


class Interpolation(Method):
    """Interpolate on the grid that was asked for: voxel p lies at ``(p - origin) / factors`` of the input.

    Nothing is minimised.

    Parameters
    ----------
    kernel : {"nearest", "linear", "cubic", "lanczos", "sinc"}
        B-splines of degree 0, 1 and 3, Lanczos with three lobes, or zero-filled k-space.

    Raises
    ------
    RequestError
        If there is no such kernel.
    """

    task = "super-resolution"
    reference = "Lehmann et al., Survey: interpolation methods in medical image processing, IEEE TMI 1999"
    presets: ClassVar[tuple[Mapping[str, Any], ...]] = tuple({"kernel": kernel} for kernel in KERNELS)
    quick_presets = ({"kernel": "cubic"}, {"kernel": "sinc"})

    def __init__(self, *, kernel: str = "cubic") -> None:
        if kernel not in KERNELS:
            raise unknown_name("kernel of interpolation", kernel, KERNELS)
        self.kernel = kernel

    def predict(self, inputs: SuperResolutionInputs) -> np.ndarray:
        """Return the volume ``(z, y, x)``, float32, in units of the input, not negative."""
        if self.kernel in SPLINES:
            fine = spline(inputs.image, inputs.degradation, SPLINES[self.kernel])
        elif self.kernel == "lanczos":
            fine = lanczos(inputs.image, inputs.degradation)
        else:
            fine = sinc(inputs.image, inputs.degradation)
        # not the magnitude: what rings below zero is no signal
        return np.maximum(fine, 0)


def lanczos(low: np.ndarray, degradation: Degradation) -> np.ndarray:
    """Separable Lanczos interpolation, weights normalised to sum to 1, edges extended. float32."""
    for axis, (factor, origin) in enumerate(zip(degradation.factors, degradation.origin, strict=True)):
        if factor == 1:
            continue
        size = low.shape[axis]
        position = (np.arange(size * factor) - origin) / factor
        neighbours = np.floor(position).astype(int)[:, None] + np.arange(1 - LOBES, LOBES + 1)
        distance = position[:, None] - neighbours
        weights = np.sinc(distance) * np.sinc(distance / LOBES)  # no neighbour is farther than the lobes reach
        matrix = np.zeros((size * factor, size))
        rows = np.arange(size * factor)[:, None]
        np.add.at(matrix, (rows, np.clip(neighbours, 0, size - 1)), weights / weights.sum(1, keepdims=True))
        low = np.moveaxis(np.tensordot(matrix.astype(np.float32), low, (1, axis)), 0, axis)
    return low


def sinc(low: np.ndarray, degradation: Degradation) -> np.ndarray:
    """Zero-filled k-space, moved by a linear phase to where the voxels lie; edges repeat. float32."""
    from scipy.fft import fftn, ifftn
    from scipy.ndimage import fourier_shift

    fine = zero_fill(low, degradation.high_shape(low.shape))
    if any(degradation.origin):
        fine = ifftn(fourier_shift(fftn(fine), degradation.origin)).astype(np.complex64)
    return fine.real
