"""Iterative back-projection."""

from __future__ import annotations

import numpy as np

from mrbench.core.method import Method
from mrbench.physics.resolution import Degradation, spline
from mrbench.tasks.super_resolution import SuperResolutionInputs


class BackProjection(Method):
    """``min_x 1/2 |D x - y|^2 / g + strength/2 |x - c|^2``, c the cubic interpolation, by gradient steps from c.

    D is the known loss of resolution (its real part: y is a magnitude), g its squared norm. At a strength of 0 each
    step is Irani and Peleg's, ``x <- x + D'(y - D x) / g``: the estimate, degraded, comes to equal the input.

    Parameters
    ----------
    strength : float or "tuned"
        Without unit. Of noise, it keeps out what the input hardly shows; 0 leaves that to stopping early.
    iterations : int
        A truncation needs two; of a blur, more bring back finer detail, and noise.
    """

    task = "super-resolution"
    reference = "Irani and Peleg, CVGIP 1991"
    tunable = {"strength": (0.001, 0.01, 0.1)}
    presets = ({}, {"strength": "tuned"})
    quick_presets = ({},)

    def __init__(self, *, strength: float = 0.0, iterations: int = 20) -> None:
        self.strength = float(strength)
        self.iterations = iterations

    def predict(self, inputs: SuperResolutionInputs) -> np.ndarray:
        """Return the volume ``(z, y, x)``, float32, in units of the input, not negative."""
        start = volume = spline(inputs.image, inputs.degradation)
        for _ in range(self.iterations):
            uphill = back_projected(volume, inputs.image, inputs.degradation) + self.strength * (start - volume)
            volume = volume + uphill / (1 + self.strength)
        return np.maximum(volume, 0)


def back_projected(volume: np.ndarray, low: np.ndarray, degradation: Degradation) -> np.ndarray:
    """The residual ``D'(low - D volume) / g`` on the fine grid: a step of 1 along it converges. float32."""
    residual = low - degradation.apply(volume).real
    return degradation.adjoint(residual) / np.float32(degradation.gain(volume.shape))
