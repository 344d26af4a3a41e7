"""Non-local means upsampling."""

from __future__ import annotations

import numpy as np

from mrbench.core.method import Method
from mrbench.physics.resolution import spline
from mrbench.tasks.super_resolution import SuperResolutionInputs
from mrbench_baselines.super_resolution.back_projection import back_projected

AGREEMENT = 10
"""Steps of back-projection after each pass. A truncation agrees after two; one alone leaves a blur blurred."""


class NonLocalMeans(Method):
    """Filter by non-local means, then restore agreement with the input; filter half as strongly each time.

    Nothing is minimised. Patches of 3 voxels, search over 7, 3-D (scikit-image's fast algorithm). Agreement is by
    back-projection where Manjon et al. subtract the difference of block means, so that any loss of resolution will do.
    As theirs, a noisy input is denoised first, by the same filter with the known SD and an h of half of it.

    Parameters
    ----------
    strength : float or "tuned"
        scikit-image's ``h`` of the first pass, in units of the volume, whose maximum is 1.
    passes : int
    """

    task = "super-resolution"
    reference = "Manjon et al., Non-local MRI upsampling, Med. Image Anal. 2010; filter: scikit-image"
    tunable = {"strength": (0.02, 0.04, 0.08)}
    presets = ({}, {"strength": "tuned"})

    def __init__(self, *, strength: float = 0.02, passes: int = 3) -> None:
        self.strength = float(strength)
        self.passes = passes

    def predict(self, inputs: SuperResolutionInputs) -> np.ndarray:
        """Return the volume ``(z, y, x)``, float32, in units of the input, not negative."""
        low, sigma = inputs.image, inputs.sigma
        if sigma:
            low = filtered(low, sigma / 2, sigma)
        volume, h = spline(low, inputs.degradation), self.strength
        for _ in range(self.passes):
            volume = filtered(volume, h)
            for _ in range(AGREEMENT):
                volume = volume + back_projected(volume, low, inputs.degradation)
            h /= 2
        return np.maximum(volume, 0)


def filtered(volume: np.ndarray, h: float, sigma: float = 0.0) -> np.ndarray:
    """Non-local means of a volume, or of its slice where it has only one, with noise of SD ``sigma``. float32."""
    from skimage.restoration import denoise_nl_means

    flat = np.squeeze(volume)
    smooth = denoise_nl_means(flat, patch_size=3, patch_distance=3, h=h, sigma=sigma, fast_mode=True)
    return smooth.reshape(volume.shape).astype(np.float32)
