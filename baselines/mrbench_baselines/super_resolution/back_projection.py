"""Iterative back-projection."""

from __future__ import annotations

import numpy as np

from mrbench.core.method import Method
from mrbench.physics.resolution import Degradation, spline
from mrbench.tasks.super_resolution import SuperResolutionInputs


class BackProjection(Method):
    """``x <- x + strength D*(y - D x)`` from the cubic interpolation: the estimate, degraded, comes to equal the input.

    D is the known loss of resolution and D* its transpose, scaled to a largest singular value of 1.

    Parameters
    ----------
    strength : float or "tuned"
        Step; below 2 it converges. Small steps stop early, which spares noise.
    iterations : int
    """

    task = "super-resolution"
    reference = "Irani and Peleg, CVGIP 1991"
    tunable = {"strength": (0.25, 0.5, 1.0)}
    board = ({}, {"strength": "tuned"})

    def __init__(self, *, strength: float = 1.0, iterations: int = 10) -> None:
        if not 0 < float(strength) < 2:
            raise ValueError(f"strength={strength}: the step converges between 0 and 2 alone")
        self.strength = float(strength)
        self.iterations = iterations

    def predict(self, inputs: SuperResolutionInputs) -> np.ndarray:
        """Return the volume ``(z, y, x)``."""
        volume = spline(inputs.image, inputs.degradation)
        for _ in range(self.iterations):
            volume = volume + self.strength * back_projected(volume, inputs.image, inputs.degradation)
        return np.maximum(volume, 0).astype(np.float32)


def back_projected(volume: np.ndarray, low: np.ndarray, degradation: Degradation) -> np.ndarray:
    """The residual ``y - D x`` on the fine grid, scaled so that a step of 1 is as large as converges safely."""
    residual = low - degradation.apply(volume).real
    return degradation.adjoint(residual.astype(np.float32)) / degradation.gain
