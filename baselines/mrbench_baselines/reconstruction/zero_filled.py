"""Zero-filled: what is there, inverse Fourier transformed."""

from __future__ import annotations

import numpy as np

from mrbench.core.method import Method
from mrbench.physics.fourier import root_sum_of_squares, to_image
from mrbench.tasks.reconstruction import ReconstructionInputs


class ZeroFilled(Method):
    """Root sum of squares of the coil images with zeros where nothing was sampled: the lower bound.

    Nothing is minimised.
    """

    task = "reconstruction"
    reference = "Roemer et al., Magn. Reson. Med. 1990 (root sum of squares)"
    quick_presets = ({},)

    def predict(self, inputs: ReconstructionInputs) -> np.ndarray:
        return root_sum_of_squares(to_image(inputs.kspace))
