"""How like its truth a prediction is at some voxels, by measures that its brightness and its quality hardly change.

They serve to tell how a prediction lies, not how good it is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from mrbench.metrics.information import information_of

LEAST = 0.5
"""Correlation or overlap, after a mistake is undone, below which none is named."""

LEAST_MOVED = 0.8
"""The same where an image is only moved by voxels: a blurred one of noise may fit a little better to any side."""

SHARE = 0.6
"""Of what the truth loses when it is so mistaken: what undoing must gain. A mistake gains all, an honest image less
than nothing; one that lies off by a fraction of a voxel stays below this until the fraction is 0.8."""

SYMMETRIC = 0.995
"""Likeness of the truth to itself, mistaken, above which nobody can tell the mistake from the truth."""

CHANCE = 40.0
"""The same over so many voxels less than 1, where these are few: of few voxels, noise decides."""

LEAST_BITS = 0.25
"""Mutual information, after a mistake is undone, below which none is named."""

MORE_BITS = 1.1
"""Mutual information after a mistake is undone over that before: more is a mistake."""

LEVELS = 16
"""Grey levels of mutual information, equally many voxels in each. So few of `mrbench.metrics.axes.POINTS` voxels raise
the information of independent images by 0.01 bits alone."""

ROUNDING = 1e-12
"""Share of the energy of values below which their spread is rounding."""


class Likeness(ABC):
    """Likeness of values to those of the truth at the same voxels; 1-D arrays of ``n``."""

    name: ClassVar[str]
    least: float = LEAST
    """Likeness below which nothing can be told."""
    least_moved: float = LEAST_MOVED
    """The same of what is only moved by voxels."""

    def __init__(self, voxels: int) -> None:
        self.symmetric = min(SYMMETRIC, 1 - CHANCE / max(1, voxels))
        """Likeness of the truth to itself, mistaken, above which nobody can tell."""

    @abstractmethod
    def of(self, values: np.ndarray) -> float:
        """Of values of the prediction; 0 where they are constant."""

    def of_truth(self, values: np.ndarray) -> float:
        """Of values of the truth elsewhere; 1 where they are those of the truth itself."""
        return self.of(values)

    def of_prediction(self, values: np.ndarray) -> float:
        """Of values of the prediction elsewhere to its values here; 0 where that tells nothing."""
        return 0.0

    def is_mistaken(self, fit: float, as_it_lies: float, mistaken: float) -> bool:
        """Whether a prediction lies wrongly.

        Parameters
        ----------
        fit : float
            Likeness after the mistake is undone.
        as_it_lies : float
            Likeness as it was returned.
        mistaken : float
            Of the truth to itself, so mistaken, or that of the prediction where it is higher: a blurred one loses less.
        """
        return fit >= self.least and mistaken <= self.symmetric and fit - as_it_lies > SHARE * fit * (1 - mistaken)


class Correlation(Likeness):
    """Pearson's correlation, for predictions of the contrast of the truth.

    Parameters
    ----------
    target, prediction : ndarray of real numbers, 1-D
        Values of the truth, and of the prediction as it was returned.
    """

    name = "correlation"

    def __init__(self, target: np.ndarray, prediction: np.ndarray) -> None:
        super().__init__(target.size)
        self._target, self._prediction = (_standard(values) for values in (target, prediction))

    def of(self, values: np.ndarray) -> float:
        return float(np.dot(self._target, _standard(values)))

    def of_prediction(self, values: np.ndarray) -> float:
        return float(np.dot(self._prediction, _standard(values)))


class Overlap(Likeness):
    """Cosine of two masks, from the values of the prediction inside the truth.

    Parameters
    ----------
    target, prediction : int
        Sizes of both masks, in voxels: they stay as they are however a mask is placed.
    """

    name = "overlap"

    def __init__(self, target: int, prediction: int) -> None:
        super().__init__(target)
        self._ratio = (target / max(1, prediction)) ** 0.5

    def of(self, values: np.ndarray) -> float:
        return self._ratio * self.of_truth(values)

    def of_truth(self, values: np.ndarray) -> float:
        return float(np.count_nonzero(values)) / max(1, values.size)


class Information(Likeness):
    """Mutual information in bits, for predictions whose contrast may be another than that of the truth.

    A poor synthesis may keep the contrast of its source: its correlation with the truth is negative, or higher when
    moved by a voxel either way, but it tells most about the truth where it lies right.

    Parameters
    ----------
    target, prediction : ndarray of real numbers, 1-D
        Values of the truth, and of the prediction as it was returned: grey levels are made of both.
    """

    name = "bits of mutual information"
    least = least_moved = LEAST_BITS

    def __init__(self, target: np.ndarray, prediction: np.ndarray) -> None:
        super().__init__(target.size)
        self._edges, self._truth_edges = _edges(prediction), _edges(target)
        self._levels = np.digitize(target, self._truth_edges)
        self._most = max(self._bits(self._levels), 1e-6)

    def of(self, values: np.ndarray) -> float:
        return self._bits(np.digitize(values, self._edges))

    def of_truth(self, values: np.ndarray) -> float:
        return self._bits(np.digitize(values, self._truth_edges)) / self._most

    def is_mistaken(self, fit: float, as_it_lies: float, mistaken: float) -> bool:
        return fit >= self.least and mistaken <= self.symmetric and fit > MORE_BITS * as_it_lies

    def _bits(self, levels: np.ndarray) -> float:
        counts = np.bincount(self._levels * LEVELS + levels, minlength=LEVELS**2)
        return information_of(counts.reshape(LEVELS, LEVELS)) if levels.size else 0.0


def _standard(values: np.ndarray) -> np.ndarray:
    """Values of mean 0 and norm 1; zeros where they are constant."""
    values = values.astype(np.float64)
    energy = float(np.dot(values, values))
    centred = values - values.mean() if values.size else values
    spread = float(np.dot(centred, centred))
    return centred / spread**0.5 if spread > ROUNDING * energy else np.zeros_like(values)


def _edges(values: np.ndarray) -> np.ndarray:
    shares = np.linspace(0, 1, LEVELS + 1)[1:-1]
    return np.quantile(values, shares).astype(values.dtype) if values.size else np.zeros(LEVELS - 1)
