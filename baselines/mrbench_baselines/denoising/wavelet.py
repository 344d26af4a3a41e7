"""Wavelet shrinkage."""

from __future__ import annotations

import numpy as np

from mrbench.tasks.denoising import DenoisingInputs
from mrbench_baselines.denoising.smoother import TUNED, Smoother

LEVELS = 3
"""Scales, where the volume is large enough for them. The choice of scikit-image is one for a slab of 40 slices, which
leaves all noise of twice the voxel and more: 5 dB at 20 %."""


class Wavelet(Smoother):
    """Soft shrinkage of 3-D wavelet coefficients with BayesShrink's thresholds (scikit-image, Daubechies 2).

    ``min_x 1/2 |x - y|^2 + sum_s t_s |(W x)_s|_1`` over orthogonal wavelets W and subbands s, with the threshold
    ``t_s = (strength sigma)^2 / SD of the signal in s`` in units of the image.

    Parameters
    ----------
    strength : float or "tuned"
        What the noise SD is multiplied by before the thresholds are computed from it; the product is scikit-image's
        ``sigma``.
    bias : {"corrected", "kept"}
    """

    reference = "Chang et al., Adaptive wavelet thresholding, IEEE TIP 2000; solver: scikit-image"
    tunable = {"strength": (0.7, 1.0, 1.4)}
    presets = TUNED

    def __init__(self, *, strength: float = 1.0, bias: str = "corrected") -> None:
        super().__init__(bias=bias)
        self.strength = float(strength)

    def smooth(self, inputs: DenoisingInputs) -> np.ndarray:
        import pywt
        from skimage.restoration import denoise_wavelet

        image = np.squeeze(inputs.image)
        levels = max(1, min(LEVELS, pywt.dwtn_max_level(image.shape, "db2")))
        # rescale_sigma would guess units from the data type; floats stay as they are
        smooth = denoise_wavelet(
            image,
            sigma=self.strength * inputs.sigma,
            wavelet="db2",
            mode="soft",
            method="BayesShrink",
            rescale_sigma=False,
            wavelet_levels=levels,
        )
        return smooth.reshape(inputs.image.shape)
