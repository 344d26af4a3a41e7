"""Variance of a mean over units that may share subjects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

DENSE = 1000
"""Units up to which a design with shared subjects is worked out exactly; beyond, the sandwich is as good."""

TOLERATED = 1.3
"""Ratio of the two biases that is left where units outnumber subjects enough to take the rest out."""

_MOST = 2.0
"""By what the skewness of few subjects is raised at most."""


@dataclass(frozen=True)
class Form:
    """How to estimate variance and skewness of the weighted mean of units.

    With ``w`` the weights, ``Z`` who is in which unit and residuals ``r``, the variance is ``|Z Z' (w r)|**2``:
    residuals are summed over subjects and spread back before they are squared, so that what a subject adds to all its
    units is seen. Its expected value is known where only subjects vary and where only units do; it is divided by the
    geometric mean of the two, so that it is right between them (in a ring of 15 from 0.89 to 1.12 of the truth). Where
    units outnumber subjects by far, as where every pair is a case, ``within`` sees what varies within subjects and
    takes it out. The degrees of freedom are Satterthwaite's where subjects contribute three quarters. Without shared
    subjects all this is the variance of a mean of ``n`` subjects with ``n - 1`` degrees of freedom; of many units that
    share subjects it is the sandwich of Aronow, Samii & Assenova (Political Analysis 2015). The simulation that it was
    chosen by is `tests/stats/test_coverage.py`.

    Attributes
    ----------
    weights : ndarray, shape ``(units,)``
        They sum to 1.
    scale, df, skewness : float
        ``skewness`` is what part of the true skewness the subjects' sums show.
    incidence : sparse array, shape ``(units, subjects)``, optional
        Who is in which unit, where that matters.
    within : ndarray, shape ``(units, k)``, optional
        Orthonormal contrasts that no subject moves, with ``taken``, what of their mean square is taken off, and
        ``floor``, below which the rest cannot fall.
    sharing : sparse array, shape ``(units, units)``, optional
        Which units share a subject, for the sandwich.
    """

    weights: np.ndarray
    scale: float
    df: float
    skewness: float
    incidence: sparse.csr_array | None = None
    within: np.ndarray | None = None
    taken: float = 0.0
    floor: float = 0.0
    sharing: sparse.csr_array | None = None

    def estimate(self, units: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean, variance and skewness of the mean of each column of ``units``, shape ``(units, columns)``."""
        mean = self.weights @ units
        apart = (units - mean) * self.weights[:, None]
        by_subject = apart if self.incidence is None else self.incidence.T @ apart
        square = by_subject * by_subject
        summed = square.sum(axis=0)
        third = np.einsum("ij,ij->j", square, by_subject)
        variance = summed / self.scale if self.incidence is None else self._shared(units, apart, by_subject)
        skewness = np.divide(third, summed**1.5 * self.skewness, out=np.zeros_like(mean), where=summed > 0)
        return mean, variance, skewness

    def _shared(self, units: np.ndarray, apart: np.ndarray, by_subject: np.ndarray) -> np.ndarray:
        """Variance where units share subjects; ``apart`` are weighted residuals, ``by_subject`` their sums."""
        if self.sharing is not None:
            alone = (apart**2).sum(axis=0)
            return np.maximum((apart * (self.sharing @ apart)).sum(axis=0), alone) / self.scale
        squares = ((self.incidence @ by_subject) ** 2).sum(axis=0)
        if self.within is not None:
            noise = ((self.within.T @ units) ** 2).mean(axis=0)
            squares = np.maximum(squares - self.taken * noise, self.floor * noise)
        return squares / self.scale


def form(incidence: sparse.csr_array, weights: np.ndarray, *, dense: int = DENSE) -> Form:
    """The form of a design.

    Parameters
    ----------
    incidence : sparse array, shape ``(units, subjects)``
        1 where the subject is in the unit.
    weights : ndarray, shape ``(units,)``
        Of the cases.
    dense : int
        Up to how many units the exact form of shared subjects is taken.
    """
    if (incidence.sum(axis=0) <= 1).all():
        return _independent(weights)
    return _exact(incidence, weights) if len(weights) <= dense else _sandwich(incidence, weights)


def _independent(w: np.ndarray) -> Form:
    square, cube, fourth = ((w**power).sum() for power in (2, 3, 4))
    trace = (w**2 * (1 - 2 * w + square)).sum()
    # squared Frobenius norm of diag(w^2) - w (w^2)' - (w^2) w' + |w|^2 w w'
    norm = fourth + 2 * (square * fourth - 2 * (w**5).sum()) + 2 * square * fourth + 2 * cube**2
    norm += square**4 - 4 * square**2 * cube
    third = (w**3 * (1 - w) ** 3).sum() - (w**3 * (cube - w**3)).sum()
    shown = third / trace**1.5 / (cube / square**1.5) if trace > 0 else 1.0
    df = trace**2 / norm if norm > 0 else 0.0
    return Form(w, trace / square, df, max(shown, 1 / _MOST))


def _exact(incidence: sparse.csr_array, w: np.ndarray) -> Form:
    z = incidence.toarray()
    shared = z @ z.T
    centred = w[:, None] * (np.eye(len(w)) - w)
    root = shared @ centred
    squares = root.T @ root
    from_subjects, from_units = w @ shared @ w, w @ w
    bias = (np.sum(squares * shared) / from_subjects, np.trace(squares) / from_units)
    basis, singular, _ = np.linalg.svd(np.column_stack([z, np.ones(len(w))]))
    within = basis[:, int((singular > 1e-9 * singular[0]).sum()) :]
    taken = max(0.0, bias[1] - TOLERATED * bias[0]) * from_units if within.shape[1] >= z.shape[1] else 0.0
    if taken:
        squares -= taken * within @ within.T / within.shape[1]
        bias = (bias[0], bias[1] - taken / from_units)
    scale = float(np.sqrt(bias[0] * bias[1]))
    product = squares @ (3 * shared / from_subjects + np.eye(len(w)) / from_units)
    df = float(np.trace(product) ** 2 / np.sum(product * product.T))
    shown = _third(z.T @ centred @ z) / _third(w @ z) * _third(z.T @ centred) / _third(w)
    return Form(
        w,
        scale,
        df,
        max(float(np.sqrt(max(shown, 0))), 1 / _MOST),
        incidence,
        within if taken else None,
        taken,
        from_units * scale,
    )


def _third(weights: np.ndarray) -> float:
    """Skewness of weighted sums of independent parts that are all skewed by 1, as the moments of all sums show it."""
    return (weights**3).sum() / (weights**2).sum() ** 1.5


def _sandwich(incidence: sparse.csr_array, w: np.ndarray) -> Form:
    sharing = (incidence @ incidence.T).minimum(1).tocsr()
    subjects = incidence.shape[1]
    return Form(w, 1 - 1 / subjects, subjects / 2, 1.0, incidence, sharing=sharing)
