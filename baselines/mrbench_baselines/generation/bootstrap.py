"""Training slices again: the memoriser that every generator must differ from."""

from __future__ import annotations

import numpy as np

from mrbench.core.method import FittedMethod
from mrbench.tasks.generation import GenerationInputs, TrainingSlices


class Bootstrap(FittedMethod):
    """Draw training slices with replacement: as real as can be, and nothing new; nothing is minimised."""

    task = "generation"
    reference = "none"
    quick_presets = ({},)

    def fit(self, examples: TrainingSlices) -> None:
        self.images_ = examples.images

    def predict(self, inputs: GenerationInputs) -> np.ndarray:
        """Return the slices ``(count, y, x)``."""
        rng = np.random.default_rng(inputs.seed)
        return self.images_[rng.integers(len(self.images_), size=inputs.count)]
