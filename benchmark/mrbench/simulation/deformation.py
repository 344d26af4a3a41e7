"""Random diffeomorphisms of several scales: how simulated subjects differ in shape."""

from __future__ import annotations

import numpy as np

from mrbench.metrics.deformation import compose
from mrbench.simulation.fields import smooth_noise
from mrbench.space.template import GRID_SHAPE

SCALES = ((16.0, 2.0), (6.0, 1.0), (2.5, 0.6))
"""Correlation length and amplitude (root mean square length) of the velocity, in voxels of 2 mm. Two people then
differ about as much as real ones do after affine alignment.

The longest moves lobes and ventricles, the shortest makes gyri differ between subjects."""

SQUARINGS = 5


def random_velocity(subject: str) -> np.ndarray:
    """Stationary velocity field of one person, in voxels, shape ``(3, 96, 112, 96)``."""
    total = np.zeros((3, *GRID_SHAPE), np.float32)
    for length, amplitude in SCALES:
        total += np.float32(amplitude / np.sqrt(3)) * smooth_noise(subject, f"velocity {length}", length, components=3)
    return total


def exponential(velocity: np.ndarray) -> np.ndarray:
    """Displacement of the flow of a stationary velocity, by scaling and squaring."""
    field = velocity / np.float32(2**SQUARINGS)
    for _ in range(SQUARINGS):
        field = compose(field, field)
    return field
