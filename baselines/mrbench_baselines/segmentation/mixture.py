"""Voxel-wise Bayes classification with Gaussian mixtures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from mrbench.core.method import FittedMethod
from mrbench.core.random import rng_for
from mrbench.space.pieces import largest_piece
from mrbench.tasks.segmentation import HIGHEST_LABEL, SegmentationInputs, TrainingTumours

SAMPLES = 4000
"""Voxels drawn from each class of each train subject, at most."""


class GaussianMixture(FittedMethod):
    """The label of highest posterior, densities of the four contrasts learned from the train split.

    Maximises the likelihood of the train voxels, each class by itself (EM, scikit-learn). Healthy tissue and each label
    have a mixture of Gaussians; priors are their shares of the train brains. Log posteriors are smoothed before the
    decision, as a mean-field Markov field does, and the largest piece is kept.

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
    presets: ClassVar[tuple[Mapping[str, Any], ...]] = ({}, {"smoothness": "tuned"})
    floor = -50.0
    """Of the scores, before they are smoothed."""

    def __init__(self, *, components: int = 6, smoothness: float = 1.0) -> None:
        self.components = components
        self.smoothness = float(smoothness)

    def fit(self, examples: TrainingTumours) -> None:
        self.fit_mixtures((self.features(e.inputs), e.labels[e.inputs.mask]) for e in examples.subjects)

    def features(self, inputs: SegmentationInputs) -> np.ndarray:
        """What the mixtures see of each voxel of the brain: the contrasts, ``(voxels, 4)``."""
        return inputs.images[:, inputs.mask].T

    def fit_mixtures(self, brains: Iterable[tuple[np.ndarray, np.ndarray]]) -> None:
        """Learn from the features ``(voxels, features)`` and labels ``(voxels,)`` of each train brain."""
        from sklearn.mixture import GaussianMixture as Mixture

        drawn: list[list[np.ndarray]] = [[] for _ in range(HIGHEST_LABEL + 1)]
        counts = [0] * len(drawn)
        for number, (features, labels) in enumerate(brains):
            for label, samples in enumerate(drawn):
                voxels = features[labels == label]
                counts[label] += len(voxels)
                rng = rng_for(f"{number} {label}", "voxels of a mixture")
                samples.append(voxels[rng.permutation(len(voxels))[:SAMPLES]])
        self.mixtures_: list[Any] = []
        for label, samples in enumerate(drawn):
            values = np.concatenate(samples)
            parts = self.components if label == 0 else 2
            mixture = Mixture(parts, reg_covar=1e-3, random_state=0)
            self.mixtures_.append(mixture.fit(values) if len(values) >= parts else None)
        self.log_priors_ = np.log(np.maximum(counts, 1) / sum(counts))

    def predict(self, inputs: SegmentationInputs) -> np.ndarray:
        """Return the label map ``(z, y, x)``."""
        from scipy.ndimage import gaussian_filter

        inside = self.scores(self.features(inputs))
        scores = np.full((len(inside), *inputs.mask.shape), self.floor, np.float32)
        # an outlier of every class must not outvote its neighbours
        scores[:, inputs.mask] = np.maximum(inside, self.floor)
        scores = np.stack([gaussian_filter(score, self.smoothness) for score in scores])
        labels = np.where(inputs.mask, scores.argmax(0), 0).astype(np.uint8)
        return labels * self.tumour_of(labels > 0, inputs.spacing)

    def scores(self, features: np.ndarray) -> np.ndarray:
        """Log posteriors of each label but for a constant of the voxel, ``(labels, voxels)``."""
        scores = np.full((HIGHEST_LABEL + 1, len(features)), -np.inf)
        for label, mixture in enumerate(self.mixtures_):
            if mixture is not None:
                scores[label] = mixture.score_samples(features) + self.log_priors_[label]
        return scores

    def tumour_of(self, candidate: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
        """The piece of the candidate voxels that is the tumour: here the largest."""
        return largest_piece(candidate)
