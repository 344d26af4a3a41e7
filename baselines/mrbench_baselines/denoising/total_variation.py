"""Total variation."""

from __future__ import annotations

import numpy as np

from mrbench.tasks.denoising import DenoisingInputs
from mrbench_baselines.denoising.smoother import TUNED, Smoother


class TotalVariation(Smoother):
    """``min_x 1/2 |x - y|^2 + strength sigma TV(x)``, isotropic, 3-D (Chambolle's algorithm, scikit-image).

    Parameters
    ----------
    strength : float or "tuned"
        Of the noise SD, so without unit; times sigma it is scikit-image's ``weight``.
    bias : {"corrected", "kept"}
    """

    reference = "Rudin et al., Physica D 1992; Chambolle, J. Math. Imaging Vis. 2004; solver: scikit-image"
    tunable = {"strength": (0.35, 0.5, 0.6, 0.7, 1.0)}
    presets = TUNED
    quick_presets = ({},)

    def __init__(self, *, strength: float = 0.6, bias: str = "corrected") -> None:
        super().__init__(bias=bias)
        self.strength = float(strength)

    def smooth(self, inputs: DenoisingInputs) -> np.ndarray:
        from skimage.restoration import denoise_tv_chambolle

        # of each axis the solver makes a dual variable, and its step smaller: one slice is a 2-D problem
        image = np.squeeze(inputs.image)
        smooth = denoise_tv_chambolle(image, self.strength * inputs.sigma, eps=1e-5, max_num_iter=200)
        return smooth.reshape(inputs.image.shape)
