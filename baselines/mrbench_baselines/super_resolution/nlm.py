"""Non-local means upsampling."""

from __future__ import annotations

import numpy as np

from mrbench.core.method import Method
from mrbench.physics.resolution import spline
from mrbench.tasks.super_resolution import SuperResolutionInputs
from mrbench_baselines.super_resolution.back_projection import back_projected


class NonLocalMeans(Method):
    """Filter by non-local means, then restore agreement with the input; filter half as strongly each time.

    Patches of 3 voxels, search over 7, 3-D (scikit-image's fast algorithm); agreement by one step of
    back-projection where Manjon et al. subtract the difference of block means, so that any loss of resolution will do.

    Parameters
    ----------
    strength : float or "tuned"
        Filtering parameter h of the first pass, in units of the volume, whose maximum is 1.
    passes : int
    """

    task = "super-resolution"
    reference = "Manjon et al., Non-local MRI upsampling, Med. Image Anal. 2010; filter: scikit-image"
    tunable = {"strength": (0.02, 0.04, 0.08)}
    board = ({}, {"strength": "tuned"})

    def __init__(self, *, strength: float = 0.04, passes: int = 3) -> None:
        self.strength = float(strength)
        self.passes = passes

    def predict(self, inputs: SuperResolutionInputs) -> np.ndarray:
        """Return the volume ``(z, y, x)``."""
        from skimage.restoration import denoise_nl_means

        volume, h = spline(inputs.image, inputs.degradation), self.strength
        for _ in range(self.passes):
            smooth = denoise_nl_means(np.squeeze(volume), patch_size=3, patch_distance=3, h=h, fast_mode=True)
            volume = smooth.reshape(volume.shape).astype(np.float32)
            volume = volume + back_projected(volume, inputs.image, inputs.degradation)
            h /= 2
        return np.maximum(volume, 0).astype(np.float32)
