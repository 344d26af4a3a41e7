"""What all classical denoisers share: the correction of the bias that Rician noise leaves in any smooth image."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mrbench.core.errors import unknown_name
from mrbench.core.method import Method
from mrbench.core.track import Track
from mrbench.physics.noise import correct_rician_bias
from mrbench.tasks.denoising import DenoisingInputs

BIAS = ("corrected", "kept")

UNTUNED: tuple[Mapping[str, Any], ...] = ({}, {"bias": "kept"})
"""Rows of a denoiser that has nothing to tune."""

TUNED: tuple[Mapping[str, Any], ...] = ({}, {"strength": "tuned"}, {"strength": "tuned", "bias": "kept"})
"""Rows of one that has."""


class Smoother(Method):
    """A denoiser that estimates the mean of the noisy magnitude.

    Parameters
    ----------
    bias : {"corrected", "kept"}
        Whether the signal is solved for whose mean magnitude under Rician noise is the smooth image.
    """

    task = "denoising"
    presets: ClassVar[tuple[Mapping[str, Any], ...]] = UNTUNED

    def __init__(self, *, bias: str = "corrected") -> None:
        if bias not in BIAS:
            raise unknown_name("treatment of bias", bias, BIAS)
        self.bias = bias

    def skip_reason(self, track: Track[Any]) -> str | None:
        if self.bias == "kept" and track.settings.noise == "gaussian":
            return "Gaussian noise has no bias, so this is the row without bias=kept"
        return None

    def predict(self, inputs: DenoisingInputs) -> np.ndarray:
        """Return the denoised volume ``(z, y, x)``."""
        smooth = self.smooth(inputs)
        if self.bias == "corrected" and inputs.noise == "rician":
            return correct_rician_bias(smooth, inputs.sigma)
        return np.asarray(smooth, np.float32)

    @abstractmethod
    def smooth(self, inputs: DenoisingInputs) -> np.ndarray:
        """Return an estimate of the mean of the noisy volume, in its units."""
