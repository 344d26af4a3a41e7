"""Non-local means."""

from __future__ import annotations

import numpy as np

from mrbench.tasks.denoising import DenoisingInputs
from mrbench_baselines.denoising.smoother import TUNED, Smoother


class NonLocalMeans(Smoother):
    """3-D non-local means, patches of 3 voxels, search over 7 (scikit-image's fast algorithm, noise SD known).

    Nothing is minimised: each voxel is the mean of others with the weights ``exp(-max(d - 2 sigma^2, 0) / h^2)``, d the
    mean squared difference of their patches.

    Parameters
    ----------
    strength : float or "tuned"
        h in noise SDs (scikit-image's ``h`` over ``sigma``).
    bias : {"corrected", "kept"}
    """

    reference = "Buades et al., CVPR 2005; Coupe et al., IEEE TMI 2008 (3-D MRI); solver: scikit-image"
    tunable = {"strength": (0.35, 0.5, 0.7)}
    presets = TUNED

    def __init__(self, *, strength: float = 0.5, bias: str = "corrected") -> None:
        super().__init__(bias=bias)
        self.strength = float(strength)

    def smooth(self, inputs: DenoisingInputs) -> np.ndarray:
        from skimage.restoration import denoise_nl_means

        image = np.squeeze(inputs.image)
        smooth = denoise_nl_means(
            image, patch_size=3, patch_distance=3, h=self.strength * inputs.sigma, sigma=inputs.sigma, fast_mode=True
        )
        return smooth.reshape(inputs.image.shape)
