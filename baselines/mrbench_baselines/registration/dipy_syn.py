"""Symmetric normalisation as DIPY writes it."""

from __future__ import annotations

import numpy as np

from mrbench.core.method import Method, Resources
from mrbench.tasks.registration import RegistrationInputs

ITERATIONS = ((4, 100), (2, 50), (1, 25))
"""Shrink factor and iterations of each resolution, the tool's own."""


class DipySyN(Method):
    """Symmetric diffeomorphic registration with local cross-correlation, in Python and Cython.

    Maximises the cross-correlation of ``fixed o phi_1`` and ``moving o phi_2`` in windows of ``radius`` voxels, both
    halves moved alike and smoothed by a Gaussian of ``smooth_voxels`` after each step.

    Parameters
    ----------
    radius : int
        Of the correlation window.
    smooth_voxels : float
        SD of the Gaussian that smooths each update (the tool's ``sigma_diff``).
    """

    task = "registration"
    reference = "Avants et al., Symmetric diffeomorphic image registration, MedIA 2008; Garyfallidis et al., DIPY, 2014"
    needs = {"dipy": "pip install dipy"}

    def __init__(self, *, radius: int = 4, smooth_voxels: float = 2.0) -> None:
        self.radius = radius
        self.smooth_voxels = smooth_voxels

    def setup(self, resources: Resources) -> None:
        super().setup(resources)
        import dipy.align.imwarp  # noqa: F401

    def predict(self, inputs: RegistrationInputs) -> np.ndarray:
        """Return the displacement ``(3, z, y, x)`` in voxels."""
        from dipy.align import VerbosityLevels
        from dipy.align.imwarp import SymmetricDiffeomorphicRegistration
        from dipy.align.metrics import CCMetric

        metric = CCMetric(3, sigma_diff=self.smooth_voxels, radius=self.radius)
        # the tool refuses a level that is no larger than the window
        levels = [n for shrink, n in ITERATIONS if min(inputs.fixed.shape) // shrink > 2 * self.radius + 1]
        registration = SymmetricDiffeomorphicRegistration(metric, level_iters=levels or [ITERATIONS[-1][1]])
        registration.verbosity = VerbosityLevels.NONE
        mapping = registration.optimize(inputs.fixed.astype(np.float64), inputs.moving.astype(np.float64))
        # without affines, DIPY's field is a pull-back in voxels of the fixed array, components last
        field = mapping.get_simplified_transform().get_backward_field()
        return np.ascontiguousarray(np.moveaxis(np.asarray(field), -1, 0), np.float32)
