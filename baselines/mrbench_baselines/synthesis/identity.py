"""The source contrast as it is, or turned upside down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mrbench.core.method import Method
from mrbench.tasks.synthesis import SynthesisInputs


class Identity(Method):
    """Return the source, or one minus it: the floor of every table. Nothing is minimised.

    Parameters
    ----------
    invert : bool
    """

    task = "synthesis"
    reference = "none"
    presets: ClassVar[tuple[Mapping[str, Any], ...]] = ({}, {"invert": True})
    quick_presets = ({},)

    def __init__(self, *, invert: bool = False) -> None:
        self.invert = invert

    def predict(self, inputs: SynthesisInputs) -> np.ndarray:
        """Return the image ``(z, y, x)``."""
        image = np.maximum(1 - inputs.image, 0) if self.invert else inputs.image
        return np.where(inputs.mask, image, 0)
