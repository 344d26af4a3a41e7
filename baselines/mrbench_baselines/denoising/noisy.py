"""The noisy input itself: what denoising starts from."""

from __future__ import annotations

import numpy as np

from mrbench.tasks.denoising import DenoisingInputs
from mrbench_baselines.denoising.smoother import Smoother


class Noisy(Smoother):
    """Return the input; with its bias corrected voxel by voxel, which adds noise near the floor. Nothing is
    minimised.

    Parameters
    ----------
    bias : {"corrected", "kept"}
    """

    quick_presets = ({},)

    def smooth(self, inputs: DenoisingInputs) -> np.ndarray:
        return inputs.image
