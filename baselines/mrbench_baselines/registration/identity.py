"""Identity: what the affine alignment of the dataset alone gives."""

from __future__ import annotations

import numpy as np

from mrbench.core.method import Method
from mrbench.tasks.registration import RegistrationInputs


class Identity(Method):
    """No motion: the score before registration. Nothing is minimised."""

    task = "registration"
    reference = "none: the dataset's affine alignment"
    quick_presets = ({},)

    def predict(self, inputs: RegistrationInputs) -> np.ndarray:
        return np.zeros((3, *inputs.fixed.shape), np.float32)
