"""What the intensity of a voxel alone says of another contrast: matched histograms, and the joint histogram."""

from __future__ import annotations

import numpy as np

from mrbench.core.errors import unknown_name
from mrbench.core.method import FittedMethod
from mrbench.tasks.synthesis import CEILING, SynthesisInputs, TrainingScans

QUANTILES = np.linspace(0, 1, 1025)


class HistogramMatching(FittedMethod):
    """Match the inverted source to the histogram of the target contrast in the train brains.

    Nothing is minimised. The value of rank ``q`` becomes the train value of rank ``1 - q``: T1 and T2 rank tissues the
    other way round.

    Parameters
    ----------
    invert : bool
        Match to rank ``1 - q``, or to rank ``q``.
    """

    task = "synthesis"
    reference = "Nyul and Udupa, On standardizing the MR image intensity scale, MRM 1999"
    quick_presets = ({},)

    def __init__(self, *, invert: bool = True) -> None:
        self.invert = invert

    def fit(self, examples: TrainingScans) -> None:
        ((_, target),) = examples.tracks
        self.values_ = np.mean([np.quantile(s.images[target][s.mask], QUANTILES) for s in examples.scans], axis=0)

    def predict(self, inputs: SynthesisInputs) -> np.ndarray:
        """Return the image ``(z, y, x)``."""
        source = inputs.image[inputs.mask]
        rank = np.searchsorted(np.sort(source), source) / len(source)
        prediction = np.zeros(inputs.image.shape, np.float32)
        prediction[inputs.mask] = np.interp(1 - rank if self.invert else rank, QUANTILES, self.values_)
        return prediction


class JointHistogram(FittedMethod):
    """Mean or median of the target contrast given the source intensity, in equal bins, over all train brains.

    ``min_f sum |f(source) - target|^p`` over functions that are constant in each bin, p = 2 or 1.

    Parameters
    ----------
    bins : int
    statistic : {"mean", "median"}
        The best guess for squared, or for absolute error.
    """

    task = "synthesis"
    reference = "Kroon and Slump, MRI modality transformation in demon registration, ISBI 2009"
    presets = ({}, {"statistic": "median"})

    def __init__(self, *, bins: int = 128, statistic: str = "mean") -> None:
        if statistic not in ("mean", "median"):
            raise unknown_name("statistic of joint-histogram", statistic, ("mean", "median"))
        self.bins = bins
        self.statistic = statistic

    def fit(self, examples: TrainingScans) -> None:
        from scipy.ndimage import mean, median

        ((source, target),) = examples.tracks
        given, wanted = (np.concatenate([s.images[name][s.mask] for s in examples.scans]) for name in (source, target))
        bins, levels = self._bin(given), np.arange(self.bins)
        known = np.bincount(bins, minlength=self.bins) > 0
        values = (mean if self.statistic == "mean" else median)(wanted, bins, levels[known])
        self.table_ = np.interp(levels, levels[known], values).astype(np.float32)

    def predict(self, inputs: SynthesisInputs) -> np.ndarray:
        """Return the image ``(z, y, x)``."""
        return np.where(inputs.mask, self.table_[self._bin(inputs.image)], 0)

    def _bin(self, image: np.ndarray) -> np.ndarray:
        return np.minimum((image * (self.bins / CEILING)).astype(int), self.bins - 1)
