"""Voxel-wise regression of a contrast: a polynomial, and boosted trees on patches."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from mrbench.core.method import FittedMethod
from mrbench.core.random import rng_for
from mrbench.tasks.synthesis import SynthesisInputs, TrainingScans
from mrbench_baselines.synthesis.features import voxel_features

if TYPE_CHECKING:
    from sklearn.base import RegressorMixin


class VoxelRegression(FittedMethod):
    """Least squares over voxels drawn from the train brains, as many from each."""

    task = "synthesis"
    samples: int
    patch: bool

    @abstractmethod
    def regressor(self) -> RegressorMixin:
        """Return the scikit-learn regressor."""

    def fit(self, examples: TrainingScans) -> None:
        ((source, target),) = examples.tracks
        features, values = [], []
        for scan in examples.scans:
            wanted = scan.images[target][scan.mask]
            size = min(len(wanted), int(self.samples) // len(examples.scans))
            drawn = rng_for(scan.id, "voxels of a regression").choice(len(wanted), size, replace=False)
            features.append(voxel_features(scan.images[source], scan.mask, scan.spacing, patch=self.patch)[drawn])
            values.append(wanted[drawn])
        self.regressor_ = self.regressor().fit(np.concatenate(features), np.concatenate(values))

    def predict(self, inputs: SynthesisInputs) -> np.ndarray:
        """Return the image ``(z, y, x)``."""
        features = voxel_features(inputs.image, inputs.mask, inputs.spacing, patch=self.patch)
        prediction = np.zeros(inputs.image.shape, np.float32)
        prediction[inputs.mask] = np.maximum(self.regressor_.predict(features), 0)
        return prediction


class Polynomial(VoxelRegression):
    """Polynomial of the local intensity, its Gaussian means, gradient, position and depth.

    ``min_w |X w - t|^2 + |w|^2`` over standardised terms X and the drawn voxels t (scikit-learn's `Ridge`, ``alpha``
    1).

    Parameters
    ----------
    degree : int
    samples : int
        Voxels fitted on.
    """

    reference = "textbook; features as in Jog et al., Random forest regression for MR synthesis, MedIA 2017"
    patch = False

    def __init__(self, *, degree: int = 3, samples: int = 300_000) -> None:
        self.degree = degree
        self.samples = samples

    def regressor(self) -> RegressorMixin:
        from sklearn.linear_model import Ridge
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import PolynomialFeatures, StandardScaler

        return make_pipeline(StandardScaler(), PolynomialFeatures(self.degree), StandardScaler(), Ridge(alpha=1.0))


class PatchRegression(VoxelRegression):
    """Gradient-boosted trees on the 3x3x3 patch and the features of `Polynomial`.

    Minimises the squared error, a tree a step (scikit-learn's `HistGradientBoostingRegressor`).

    Parameters
    ----------
    trees, leaves : int
    learning_rate : float
    samples : int
        Voxels fitted on.
    """

    reference = "Jog et al., Random forest regression for MR synthesis, MedIA 2017 (forest replaced by boosting)"
    patch = True
    tunable = {"trees": (100, 200, 400), "leaves": (31, 63, 127)}
    presets = ({}, {"trees": "tuned", "leaves": "tuned"})

    def __init__(
        self, *, trees: int = 200, leaves: int = 63, learning_rate: float = 0.1, samples: int = 300_000
    ) -> None:
        self.trees = trees
        self.leaves = leaves
        self.learning_rate = learning_rate
        self.samples = samples

    def regressor(self) -> RegressorMixin:
        from sklearn.ensemble import HistGradientBoostingRegressor

        return HistGradientBoostingRegressor(
            max_iter=int(self.trees),
            max_leaf_nodes=int(self.leaves),
            learning_rate=self.learning_rate,
            early_stopping=False,
            random_state=0,
        )
