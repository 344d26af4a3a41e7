"""Random diffeomorphisms of several scales: how simulated subjects differ in shape."""

from __future__ import annotations

import numpy as np

from mrbench.core.random import rng_for
from mrbench.metrics.deformation import compose
from mrbench.space.template import GRID_SHAPE

SCALES = ((16.0, 2.0, 8), (6.0, 1.0, 2), (2.5, 0.6, 1))
"""Correlation length and amplitude (root mean square length) of the velocity, in voxels of 2 mm, and the grid
step it is drawn on. Two people then differ about as much as real ones do after affine alignment.

The longest moves lobes and ventricles, the shortest makes gyri differ between subjects."""

SQUARINGS = 5


def random_velocity(subject: str) -> np.ndarray:
    """Stationary velocity field of one person, in voxels, shape ``(3, 96, 112, 96)``."""
    total = np.zeros((3, *GRID_SHAPE), np.float32)
    for length, amplitude, step in SCALES:
        total += amplitude / np.sqrt(3) * smooth_noise(subject, f"velocity {length}", length, step, components=3)
    return total


def smooth_noise(subject: str, purpose: str, length: float, step: int, *, components: int = 1) -> np.ndarray:
    """Gaussian random field of unit SD, drawn on every ``step``-th voxel and interpolated.

    Returns
    -------
    ndarray of float32, shape ``(components, 96, 112, 96)``
    """
    from scipy.ndimage import gaussian_filter, zoom

    coarse = [size // step for size in GRID_SHAPE]
    noise = rng_for(subject, purpose).standard_normal((components, *coarse))
    sigma = length / step
    # wrapping keeps the variance the same everywhere; the unfiltered SD is 1, so this is the analytic one
    smooth = gaussian_filter(noise, (0, sigma, sigma, sigma), mode="wrap") * (2 * np.sqrt(np.pi) * sigma) ** 1.5
    if step > 1:
        smooth = np.stack([zoom(part, step, order=3, mode="grid-wrap", grid_mode=True) for part in smooth])
    return smooth.astype(np.float32)


def exponential(velocity: np.ndarray) -> np.ndarray:
    """Displacement of the flow of a stationary velocity, by scaling and squaring."""
    field = velocity / 2**SQUARINGS
    for _ in range(SQUARINGS):
        field = compose(field, field)
    return field
