"""Scores of registration: what they are computed from, and the metrics, ours beside those of the literature."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import inf

import numpy as np

from mrbench.core.metric import Metric, Scale
from mrbench.core.task import Evaluation
from mrbench.metrics.deformation import (
    endpoint_error_mm,
    folds_percent,
    jacobian_determinant,
    landmark_error_mm,
    non_diffeomorphic_volume_percent,
    sd_log_jacobian,
    warp,
)
from mrbench.metrics.information import mutual_information
from mrbench.metrics.overlap import LabelOverlap, hd95_per_label, merge_labels
from mrbench.metrics.published import (
    learn2reg_sd_log_jacobian,
    lumir_ndv_percent,
    surface_hd95,
    transmorph_dice,
    warp_labels_linear,
)
from mrbench.metrics.scales import BITS, DISTANCE, OVERLAP, SIMILARITY
from mrbench.tasks.registration_rules import OUR_RULES, Rules

SPREAD = Scale("", False, (0, inf), 3)

VOXELS = (1.0, 1.0, 1.0)
"""Spacing of a distance in voxels."""


@dataclass(frozen=True)
class RegistrationInputs:
    """What a registration method sees.

    Attributes
    ----------
    fixed, moving : ndarray of float32, shape ``(z, y, x)``
        Skull-stripped, affinely aligned, scaled to [0, 1].
    fixed_mask, moving_mask : ndarray of bool
        Brain or region of interest.
    spacing : tuple of float
        mm, order ``(z, y, x)``.
    """

    fixed: np.ndarray
    moving: np.ndarray
    fixed_mask: np.ndarray
    moving_mask: np.ndarray
    spacing: tuple[float, float, float]


@dataclass(frozen=True)
class RegistrationReference:
    """What only the scorer sees: labels, the structures to score, and the true field, each where it is known."""

    fixed_labels: np.ndarray | None
    moving_labels: np.ndarray | None
    structures: Mapping[str, tuple[int, ...]]
    displacement: np.ndarray | None
    rules: Rules = OUR_RULES
    landmarks: tuple[np.ndarray, np.ndarray] | None = None
    """Of the fixed and of the moving image, ``(landmark, 3)`` in voxels."""


class RegistrationEvaluation(Evaluation[RegistrationInputs, RegistrationReference]):
    """What the metrics of registration share: warped labels, overlaps, distances, Jacobian determinant."""

    @property
    def rules(self) -> Rules:
        return self.reference.rules

    @property
    def labelled(self) -> bool:
        return self.reference.fixed_labels is not None

    @cached_property
    def labels(self) -> tuple[np.ndarray, np.ndarray]:
        """Of the fixed and of the moving image."""
        fixed, moving = self.reference.fixed_labels, self.reference.moving_labels
        assert fixed is not None and moving is not None
        return fixed, moving

    @cached_property
    def warped(self) -> np.ndarray:
        """The moving labels on the fixed grid: nearest neighbour, unless the rules say otherwise."""
        moving = self.labels[1]
        if self.rules.family == "transmorph":
            return warp_labels_linear(moving, self.prediction)
        return warp(moving, self.prediction, order=0)

    @cached_property
    def warped_image(self) -> np.ndarray:
        return warp(self.inputs.moving, self.prediction, order=1)

    @property
    def correlation(self) -> float | None:
        """Of fixed and warped image in the fixed mask; 0 where one of them is constant there, None of two contrasts."""
        if self.rules.contrasts:
            return None
        fixed, warped = (image[self.inputs.fixed_mask] for image in (self.inputs.fixed, self.warped_image))
        return float(np.corrcoef(fixed, warped)[0, 1]) if fixed.std() and warped.std() else 0.0

    @cached_property
    def before(self) -> LabelOverlap:
        return LabelOverlap.of(*self.labels)

    @cached_property
    def after(self) -> LabelOverlap:
        return LabelOverlap.of(self.labels[0], self.warped)

    @cached_property
    def groups(self) -> list[tuple[int, ...]]:
        return list(self.reference.structures.values())

    @cached_property
    def present(self) -> list[int]:
        """Numbers, from 1, of the structures that both images have."""
        return self.before.merged(self.groups).in_both()

    @cached_property
    def dice(self) -> np.ndarray:
        """Of each structure that is present."""
        if not self.rules.groups:
            return self.after.merged(self.groups).dice(self.present)
        by_label = [transmorph_dice(self.labels[0], self.warped, self.groups[number - 1]) for number in self.present]
        return np.array([values.mean() for values in by_label])

    @property
    def dice_of_labels(self) -> float:
        """Mean over single labels."""
        if self.rules.groups:
            labels = [label for group in self.groups for label in group]
            return float(transmorph_dice(self.labels[0], self.warped, labels).mean())
        return float(self.after.dice(self.before.in_both()).mean())

    @cached_property
    def dice_by_structure(self) -> dict[str, float]:
        names = list(self.reference.structures)
        return {names[number - 1]: float(value) for number, value in zip(self.present, self.dice, strict=True)}

    @property
    def dice_of_hardest(self) -> float:
        initial = self.before.merged(self.groups).dice(self.present)
        return float(self.dice[np.argsort(initial, kind="stable")[: max(1, round(0.3 * len(self.present)))]].mean())

    @cached_property
    def merged(self) -> tuple[np.ndarray, np.ndarray]:
        """Fixed and warped labels, numbered by structure."""
        return merge_labels(self.labels[0], self.groups), merge_labels(self.warped, self.groups)

    @property
    def hd95_mm(self) -> float:
        distances = hd95_per_label(*self.merged, self.present, spacing=self.case.spacing)
        return float(np.where(np.isinf(distances), self._farthest(self.case.spacing), distances).mean())

    @property
    def hd95_voxels(self) -> float | None:
        if not self.rules.surface_in_voxels:
            return None
        distances = surface_hd95(*self.merged, self.present, spacing=VOXELS)
        return float(np.where(np.isinf(distances), self._farthest(VOXELS), distances).mean())

    def _farthest(self, spacing: tuple[float, float, float]) -> float:
        """A structure that was warped away is as far off as the image allows, and stays in the mean."""
        return float(np.linalg.norm(np.multiply(self.labels[0].shape, spacing)))

    @cached_property
    def determinant(self) -> np.ndarray:
        """Of the Jacobian, at the voxels of the mask; by TransMorph's rules, of the volume."""
        whole = self.rules.family == "transmorph"
        return jacobian_determinant(self.prediction, mask=None if whole else self.inputs.fixed_mask)

    @property
    def ndv_percent(self) -> float:
        if self.rules.family == "lumir":
            return lumir_ndv_percent(self.prediction, self.inputs.moving > 0)
        return non_diffeomorphic_volume_percent(self.prediction, self.inputs.fixed_mask)

    @property
    def landmark_error_mm(self) -> float | None:
        if self.reference.landmarks is None:
            return None
        return landmark_error_mm(self.prediction, *self.reference.landmarks, spacing=self.case.spacing)

    @property
    def endpoint_error_mm(self) -> float | None:
        if self.reference.displacement is None:
            return None
        return endpoint_error_mm(
            self.reference.displacement, self.prediction, mask=self.inputs.fixed_mask, spacing=self.case.spacing
        )


Score = Callable[[RegistrationEvaluation], float | None]


def _of_labels(compute: Score) -> Score:
    """A metric that needs labels, or nothing."""
    return lambda evaluation: compute(evaluation) if evaluation.labelled else None


def _without_labels(compute: Score) -> Score:
    """A metric that stands in where nobody drew labels."""
    return lambda evaluation: None if evaluation.labelled else compute(evaluation)


METRICS: tuple[Metric, ...] = (
    OVERLAP.metric(
        "dice",
        "Dice",
        "Mean Dice over the major structures, labels warped nearest.",
        _of_labels(lambda e: e.dice.mean()),
    ),
    OVERLAP.metric(
        "dice_all",
        "Dice, all labels",
        "Mean Dice over every label in both images.",
        _of_labels(lambda e: e.dice_of_labels),
    ),
    OVERLAP.metric(
        "dice30",
        "Dice30",
        "Mean Dice over the 30 % of structures that overlap least before registration.",
        _of_labels(lambda e: e.dice_of_hardest),
    ),
    DISTANCE.metric(
        "hd95_mm",
        "HD95",
        "95 % Hausdorff distance, mean over the major structures: larger directed 95th percentile.",
        _of_labels(lambda e: e.hd95_mm),
    ),
    Scale("voxels", False, (0, inf), 3).metric(
        "hd95_voxels",
        "HD95, Learn2Reg",
        "As Learn2Reg computes it: surfaces by area, in voxels whatever their size; on its tracks.",
        _of_labels(lambda e: e.hd95_voxels),
    ),
    SIMILARITY.metric(
        "correlation",
        "correlation, mask",
        "Of fixed and warped image in the fixed mask: one contrast, no labels; folds can raise it.",
        _without_labels(lambda e: e.correlation),
    ),
    BITS.metric(
        "mutual_information_bits",
        "mutual information, mask",
        "Of the same, 64 bins over the range 0 to 1, where there are no labels.",
        _without_labels(
            lambda e: mutual_information(e.inputs.fixed, e.warped_image, data_range=1, mask=e.inputs.fixed_mask)
        ),
    ),
    Scale("%", False, (0, 100), 3).metric(
        "folds_percent",
        "|J| ≤ 0",
        "Brain voxels with a non-positive Jacobian determinant: central differences, no shift.",
        lambda e: folds_percent(e.determinant),
    ),
    Scale("%", False, (0, inf), 3).metric(
        "ndv_percent",
        "NDV",
        "Non-diffeomorphic volume in percent of the brain (Liu et al., IJCV 2024).",
        lambda e: e.ndv_percent,
    ),
    SPREAD.metric(
        "sdlogj",
        "SD log|J|",
        "Standard deviation of the log Jacobian determinant in the brain; floor 1e-9, no shift.",
        lambda e: sd_log_jacobian(e.determinant),
    ),
    SPREAD.metric(
        "sdlogj_learn2reg",
        "SD log|J|, Learn2Reg",
        "As Learn2Reg computes it: of |J| + 3, over the volume without its rim; on its tracks.",
        lambda e: learn2reg_sd_log_jacobian(e.prediction) if e.rules.surface_in_voxels else None,
    ),
    DISTANCE.metric(
        "tre_mm",
        "TRE",
        "Mean distance of landmarks, where there are any; the field as a cubic spline (Learn2Reg).",
        lambda e: e.landmark_error_mm,
    ),
    DISTANCE.metric(
        "epe_mm",
        "EPE",
        "Mean distance to the true displacement in the brain; simulated cohorts only.",
        lambda e: e.endpoint_error_mm,
    ),
)
