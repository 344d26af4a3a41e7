"""Super-resolution with total variation."""

from __future__ import annotations

from math import sqrt

import numpy as np

from mrbench.core.method import Method
from mrbench.physics.resolution import spline
from mrbench.tasks.super_resolution import SuperResolutionInputs
from mrbench_baselines.super_resolution.back_projection import back_projected


class TotalVariation(Method):
    """``min_x 1/2 |D x - y|^2 / g + strength TV(x)`` in 3-D, isotropic.

    D is the known loss of resolution (its real part: y is a magnitude), g its squared norm. FISTA from the cubic
    interpolation; the proximal map of total variation is Chambolle's algorithm (scikit-image).

    Parameters
    ----------
    strength : float or "tuned"
        In units of the volume, whose maximum is 1.
    iterations : int
    """

    task = "super-resolution"
    reference = "Shi et al., LRTV, IEEE TMI 2015 (its TV part); Beck and Teboulle, SIAM J. Imaging Sci. 2009"
    tunable = {"strength": (0.0005, 0.001, 0.002)}
    presets = ({}, {"strength": "tuned"})

    def __init__(self, *, strength: float = 0.001, iterations: int = 12) -> None:
        self.strength = float(strength)
        self.iterations = iterations

    def predict(self, inputs: SuperResolutionInputs) -> np.ndarray:
        """Return the volume ``(z, y, x)``, float32, in units of the input, not negative."""
        from skimage.restoration import denoise_tv_chambolle

        volume = momentum = spline(inputs.image, inputs.degradation)
        t = 1.0
        for _ in range(self.iterations):
            step = momentum + back_projected(momentum, inputs.image, inputs.degradation)
            smooth = denoise_tv_chambolle(np.squeeze(step), self.strength, eps=1e-4, max_num_iter=20)
            following, t_next = smooth.reshape(step.shape), (1 + sqrt(1 + 4 * t * t)) / 2
            momentum = following + (t - 1) / t_next * (following - volume)
            volume, t = following, t_next
        return np.maximum(volume, 0)
