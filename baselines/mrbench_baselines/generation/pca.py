"""The linear appearance model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mrbench.core.method import FittedMethod
from mrbench.tasks.generation import GenerationInputs, TrainingSlices


class PCA(FittedMethod):
    """Mean slice plus principal components with independent Gaussian coefficients of the observed variances.

    ``min_M |X - M|^2`` over matrices M of rank ``components``, X the training slices less their mean.

    Parameters
    ----------
    components : int
        At most as many as there are training slices, less one.
    """

    task = "generation"
    reference = "Cootes et al., Active appearance models, PAMI 2001 (appearance alone)"
    tunable = {"components": (8, 16, 32, 64, 128)}
    presets: ClassVar[tuple[Mapping[str, Any], ...]] = ({}, {"components": "tuned"})
    quick_presets = ({},)

    def __init__(self, *, components: int = 32) -> None:
        self.components = components

    def fit(self, examples: TrainingSlices) -> None:
        from sklearn.decomposition import PCA as Decomposition

        vectors = examples.images.reshape(len(examples.images), -1)
        count = min(int(self.components), len(vectors) - 1)
        self.model_ = Decomposition(count, svd_solver="full").fit(vectors)

    def predict(self, inputs: GenerationInputs) -> np.ndarray:
        """Return the slices ``(count, y, x)``."""
        rng = np.random.default_rng(inputs.seed)
        scale = np.sqrt(self.model_.explained_variance_)
        coefficients = rng.standard_normal((inputs.count, len(scale))) * scale
        images = self.model_.inverse_transform(coefficients).reshape(inputs.count, *inputs.shape)
        return images.clip(0, 1).astype(np.float32)
