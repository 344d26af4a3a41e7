"""Anisotropic diffusion."""

from __future__ import annotations

import numpy as np

from mrbench.tasks.denoising import DenoisingInputs
from mrbench_baselines.denoising.smoother import TUNED, Smoother

STEP = 0.06
"""Time step: ITK's bound of stability in 3-D is 1/16 of a squared voxel."""


class AnisotropicDiffusion(Smoother):
    """Perona-Malik diffusion in 3-D: ``dx/dt = div(exp(-(|grad x| / c)^2) grad x)`` (SimpleITK).

    Steps down ``min_x c^2 / 2 sum(1 - exp(-(|grad x| / c)^2))`` from the noisy volume, ended early: ``iterations`` is
    as much of the strength as c is.

    Parameters
    ----------
    strength : float or "tuned"
        c over the mean gradient magnitude of the image (ITK's ``conductanceParameter``).
    iterations : int
        Of 0.06 squared voxels each.
    bias : {"corrected", "kept"}
    """

    reference = "Perona and Malik, IEEE PAMI 1990; Gerig et al., IEEE TMI 1992; solver: SimpleITK"
    tunable = {"strength": (1.0, 1.4, 2.0, 2.8, 4.0)}
    presets = TUNED

    def __init__(self, *, strength: float = 2.0, iterations: int = 10, bias: str = "corrected") -> None:
        super().__init__(bias=bias)
        self.strength = float(strength)
        self.iterations = iterations

    def smooth(self, inputs: DenoisingInputs) -> np.ndarray:
        import SimpleITK as sitk

        squeezed = np.squeeze(inputs.image)  # ITK wants at least two voxels along each axis
        image = sitk.GetImageFromArray(np.ascontiguousarray(squeezed, dtype=np.float32))
        diffused = sitk.GradientAnisotropicDiffusion(
            image,
            timeStep=STEP,
            conductanceParameter=self.strength,
            conductanceScalingUpdateInterval=1,
            numberOfIterations=self.iterations,
        )
        return sitk.GetArrayFromImage(diffused).reshape(inputs.image.shape)
