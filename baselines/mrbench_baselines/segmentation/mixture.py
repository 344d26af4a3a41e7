"""Voxel-wise Bayes classification with Gaussian mixtures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mrbench.core.method import FittedMethod
from mrbench.core.random import rng_for
from mrbench.data.pieces import largest_piece
from mrbench.tasks.segmentation import HIGHEST_LABEL, SegmentationInputs, TrainingTumours, TumourExample

SAMPLES = 4000
"""Voxels drawn from each class of each train subject, at most."""


class GaussianMixture(FittedMethod):
    """The label of highest posterior, densities of the four contrasts learned from the train split.

    Healthy tissue and each label have a mixture of Gaussians; priors are their shares of the train brains. Log
    posteriors are smoothed before the decision, as a mean-field Markov field does, and the largest piece is kept.

    Parameters
    ----------
    components : int
        Gaussians of healthy tissue; each label has two.
    smoothness : float
        SD in voxels.
    """

    task = "segmentation"
    reference = "Prastawa et al., A brain tumor segmentation framework based on outlier detection, MedIA 2004"
    tunable = {"smoothness": (0.5, 1.0, 1.5)}
    board = ({}, {"smoothness": "tuned"})

    def __init__(self, *, components: int = 6, smoothness: float = 1.0) -> None:
        self.components = components
        self.smoothness = float(smoothness)

    def fit(self, examples: TrainingTumours) -> None:
        from sklearn.mixture import GaussianMixture as Mixture

        self.mixtures_: list[Any] = []
        counts = []
        for label in range(HIGHEST_LABEL + 1):
            values, count = _voxels(examples.subjects, label)
            counts.append(count)
            parts = self.components if label == 0 else 2
            self.mixtures_.append(Mixture(parts, reg_covar=1e-3, random_state=0).fit(values) if len(values) else None)
        self.log_priors_ = np.log(np.maximum(counts, 1) / sum(counts))

    def predict(self, inputs: SegmentationInputs) -> np.ndarray:
        """Return the label map ``(z, y, x)``."""
        from scipy.ndimage import gaussian_filter

        voxels = inputs.images[:, inputs.mask].T
        scores = np.full((HIGHEST_LABEL + 1, *inputs.mask.shape), -50.0, np.float32)
        for label, mixture in enumerate(self.mixtures_):
            if mixture is not None:
                # an outlier of every class must not outvote its neighbours
                scores[label][inputs.mask] = np.maximum(mixture.score_samples(voxels) + self.log_priors_[label], -50)
        scores = np.stack([gaussian_filter(score, self.smoothness) for score in scores])
        labels = np.where(inputs.mask, scores.argmax(0), 0).astype(np.uint8)
        return labels * largest_piece(labels > 0)


def _voxels(examples: Sequence[TumourExample], label: int) -> tuple[np.ndarray, int]:
    """A sample of the voxels of a label, ``(voxels, 4)``, and how many there are."""
    drawn, count = [], 0
    for number, example in enumerate(examples):
        voxels = example.inputs.images[:, example.inputs.mask & (example.labels == label)].T
        count += len(voxels)
        rng = rng_for(f"{number} {label}", "voxels of a mixture")
        drawn.append(voxels[rng.permutation(len(voxels))[:SAMPLES]])
    return np.concatenate(drawn), count
