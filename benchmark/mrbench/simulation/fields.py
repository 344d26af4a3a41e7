"""Smooth random fields, from which shapes, textures, bias and tumours are drawn."""

from __future__ import annotations

import numpy as np

from mrbench.core.random import rng_for
from mrbench.space.template import GRID_SHAPE

Length = float | tuple[float, float, float]


def smooth_noise(subject: str, purpose: str, length: float, *, components: int = 1) -> np.ndarray:
    """Gaussian random field of unit variance on the 2 mm grid, drawn from the subject and a purpose.

    Parameters
    ----------
    subject : str
        Names the random numbers, with the purpose.
    purpose : str
        Names the random numbers, beside the subject.
    length : float
        As of `random_field`.
    components : int
        Of a vector at each voxel; 1 for a scalar.

    Returns
    -------
    ndarray of float32, shape ``(components, 96, 112, 96)``
    """
    return random_field(rng_for(subject, purpose), GRID_SHAPE, length, components=components)


def random_field(
    rng: np.random.Generator, shape: tuple[int, int, int], length: Length, *, components: int = 1
) -> np.ndarray:
    """Gaussian random field of unit variance: white noise on a coarse grid, spread by a Gaussian onto the fine one.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where all that is random comes from.
    shape : tuple of int
        Order ``(z, y, x)``.
    length : float or tuple of float
        SD in voxels of the Gaussian, of all axes or of each, at least 1.25.
    components : int
        Of a vector at each voxel; 1 for a scalar.

    Returns
    -------
    ndarray of float32, shape ``(components, z, y, x)``
        Periodic, so that its variance is the same everywhere.
    """
    lengths = np.broadcast_to(length, 3)
    # a Gaussian of 1.25 samples leaves no trace of the grid
    steps = [max(step for step in (1, 2, 4, 8, 16) if step <= max(1, far / 1.25)) for far in lengths]
    coarse = [round(size / step) for size, step in zip(shape, steps, strict=True)]
    noise = rng.standard_normal((components, *coarse), np.float32)
    for axis, (size, far) in enumerate(zip(shape, lengths, strict=True), start=1):
        noise = _spread(noise, axis, size, float(far) * noise.shape[axis] / size)
    return noise


def _spread(values: np.ndarray, axis: int, size: int, sigma: float) -> np.ndarray:
    """Interpolate along an axis by a periodic Gaussian to ``size`` samples; weights of unit norm keep the variance."""
    count = values.shape[axis]
    place = (np.arange(size) + 0.5) * count / size - 0.5
    reach = min(int(np.ceil(3.5 * sigma)), count // 2)
    taps = np.rint(place).astype(int) + np.arange(-reach, min(reach + 1, count - reach))[:, None]
    periods = count * np.arange(-1, 2)[:, None, None]
    weights = np.exp(-0.5 * ((place - taps - periods) / sigma) ** 2).sum(0)
    weights = (weights / np.sqrt((weights**2).sum(0))).astype(np.float32)
    along = [-1 if i == axis else 1 for i in range(values.ndim)]
    total = np.zeros([size if i == axis else n for i, n in enumerate(values.shape)], np.float32)
    for tap, weight in zip(taps % count, weights, strict=True):
        total += values.take(tap, axis) * weight.reshape(along)
    return total
