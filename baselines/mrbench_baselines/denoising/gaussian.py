"""Gaussian smoothing."""

from __future__ import annotations

import numpy as np

from mrbench.tasks.denoising import DenoisingInputs
from mrbench_baselines.denoising.smoother import TUNED, Smoother


class Gaussian(Smoother):
    """3-D Gaussian filter; of a single slice, 2-D. Nothing is minimised.

    Parameters
    ----------
    strength : float or "tuned"
        SD in voxels, whatever their size (SciPy's ``sigma``).
    bias : {"corrected", "kept"}
    """

    reference = "textbook"
    tunable = {"strength": (0.6, 0.8, 1.0)}
    presets = TUNED
    quick_presets = ({},)

    def __init__(self, *, strength: float = 0.8, bias: str = "corrected") -> None:
        super().__init__(bias=bias)
        self.strength = float(strength)

    def smooth(self, inputs: DenoisingInputs) -> np.ndarray:
        from scipy.ndimage import gaussian_filter

        return gaussian_filter(inputs.image, self.strength, mode="nearest")
