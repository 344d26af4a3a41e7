"""Lesion-wise scores of tumours, as BraTS computes them since 2023: each lesion counts the same, however large."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mrbench.metrics.overlap import dice
from mrbench.metrics.published import surface_hd95


@dataclass(frozen=True)
class LesionRules:
    """Settings of a BraTS challenge; those of glioma by default.

    Attributes
    ----------
    dilation : int
        Voxels within which pieces of the reference are one lesion, and pieces of a prediction belong to it.
    smallest_mm3 : float
        A lesion of the reference of at most this volume is not scored.
    missed_mm : float
        HD95 of a lesion that is missed, or predicted where there is none.
    """

    dilation: int = 3
    smallest_mm3: float = 50.0
    missed_mm: float = 374.0


@dataclass(frozen=True)
class LesionScores:
    """Means over lesions: those of the reference, and those that only the prediction has."""

    dice: float
    hd95_mm: float
    lesions: int
    surplus: int


def lesion_scores(
    target: np.ndarray, prediction: np.ndarray, *, spacing: tuple[float, float, float], rules: LesionRules
) -> LesionScores:
    """Dice and HD95 by lesion of one region.

    Pieces of the prediction (26 neighbours) that touch a lesion, dilated, are its prediction together. A piece that
    touches none counts as a lesion of Dice 0. Without any lesion Dice is 1 and HD95 0.

    Parameters
    ----------
    target, prediction : ndarray of bool, shape ``(z, y, x)``
        The truth, and what is scored.
    spacing : tuple of float
        mm, order ``(z, y, x)``.
    rules : LesionRules
        What counts as one lesion and as a detection.

    References
    ----------
    ``metrics.py`` of rachitsaluja/BraTS-2023-Metrics, the evaluation of BraTS 2023.
    """
    from scipy.ndimage import binary_dilation, generate_binary_structure, label

    whole = np.ones((3, 3, 3), bool)
    ball = generate_binary_structure(3, 2)
    target, prediction = _cropped(target, prediction, rules.dilation + 1)
    grown, count = label(binary_dilation(target, ball, rules.dilation), whole)
    pieces, _ = label(prediction, whole)
    lesions = np.where(target, grown, 0)
    voxel = float(np.prod(spacing))
    overlaps, distances, touched = [], [], {0}
    for number in range(1, count + 1):
        lesion = lesions == number
        near = np.unique(pieces[binary_dilation(lesion, ball, rules.dilation)])
        touched |= set(near.tolist())
        if np.count_nonzero(lesion) * voxel <= rules.smallest_mm3:
            continue
        predicted = np.isin(pieces, near[near > 0])
        overlaps.append(dice(lesion, predicted))
        distances.append(hd95_or(rules.missed_mm, lesion, predicted, spacing))
    surplus = len(set(np.unique(pieces).tolist()) - touched)
    total = len(overlaps) + surplus
    if not total:
        return LesionScores(1.0, 0.0, 0, 0)
    missed = surplus * rules.missed_mm
    return LesionScores(sum(overlaps) / total, (sum(distances) + missed) / total, len(overlaps), surplus)


def hd95_or(missed_mm: float, target: np.ndarray, prediction: np.ndarray, spacing: tuple[float, float, float]) -> float:
    """`surface_hd95` of two masks in mm: 0 where both are empty, ``missed_mm`` where one is."""
    if not (target.any() or prediction.any()):
        return 0.0
    distance = float(surface_hd95(target, prediction, [1], spacing=spacing)[0])
    return distance if np.isfinite(distance) else missed_mm


def _cropped(target: np.ndarray, prediction: np.ndarray, margin: int) -> tuple[np.ndarray, np.ndarray]:
    """Both masks cut to what either covers, with a margin: scores are the same, and sooner there."""
    either = target | prediction
    box = []
    for axis in range(3):
        there = np.flatnonzero(either.any(axis=tuple(other for other in range(3) if other != axis)))
        first, last = (there[0], there[-1]) if there.size else (0, 0)
        box.append(slice(max(0, first - margin), last + margin + 1))
    return target[tuple(box)], prediction[tuple(box)]
