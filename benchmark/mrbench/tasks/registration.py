"""Registration: bring a moving brain onto a fixed one, both already affinely aligned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from mrbench.core.case import Case, CaseId
from mrbench.core.errors import DataError, PredictionError
from mrbench.core.grid import Grid
from mrbench.core.metric import Metric
from mrbench.core.prediction import finite_array
from mrbench.core.protocol import Protocol
from mrbench.core.setting import Setting
from mrbench.core.task import Evaluation, Picture, Task
from mrbench.core.track import Track, tracks_by_name
from mrbench.datasets.dataset import Dataset, Subject
from mrbench.datasets.grid import subject_grid
from mrbench.metrics.conventions import OURS, Pair, fits
from mrbench.metrics.deformation import (
    compose,
    endpoint_error_mm,
    folds_percent,
    jacobian_determinant,
    non_diffeomorphic_volume_percent,
    sd_log_jacobian,
    warp,
)
from mrbench.metrics.overlap import LabelOverlap, hd95_per_label, merge_labels
from mrbench.tasks.files import read_prediction, write_images

CONTRAST = "T1"


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
    """What only the scorer sees: labels, the structures to score, and the true field where it is known."""

    fixed_labels: np.ndarray
    moving_labels: np.ndarray
    structures: Mapping[str, tuple[int, ...]]
    displacement: np.ndarray | None


@dataclass(frozen=True)
class RegistrationEvaluation(Evaluation[RegistrationInputs, RegistrationReference]):
    """What the metrics of registration share: warped labels, overlaps, distances, Jacobian determinant."""

    @cached_property
    def warped(self) -> np.ndarray:
        """The moving labels on the fixed grid, nearest neighbour."""
        return warp(self.reference.moving_labels, self.prediction, order=0)

    @cached_property
    def before(self) -> LabelOverlap:
        return LabelOverlap.of(self.reference.fixed_labels, self.reference.moving_labels)

    @cached_property
    def after(self) -> LabelOverlap:
        return LabelOverlap.of(self.reference.fixed_labels, self.warped)

    @cached_property
    def groups(self) -> list[tuple[int, ...]]:
        return list(self.reference.structures.values())

    @cached_property
    def present(self) -> list[int]:
        """Numbers, from 1, of the structures that both images have."""
        return self.before.merged(self.groups).in_both()

    @cached_property
    def dice(self) -> np.ndarray:
        return self.after.merged(self.groups).dice(self.present)

    @cached_property
    def dice_by_structure(self) -> dict[str, float]:
        names = list(self.reference.structures)
        return {names[number - 1]: float(value) for number, value in zip(self.present, self.dice, strict=True)}

    @property
    def dice_of_hardest(self) -> float:
        initial = self.before.merged(self.groups).dice(self.present)
        return float(self.dice[np.argsort(initial, kind="stable")[: max(1, round(0.3 * len(self.present)))]].mean())

    @property
    def hd95_mm(self) -> float:
        fixed, moved = (merge_labels(labels, self.groups) for labels in (self.reference.fixed_labels, self.warped))
        distances = hd95_per_label(fixed, moved, self.present, spacing=self.case.spacing)
        # a structure that was warped away is as far off as the image allows, and stays in the mean
        farthest = float(np.linalg.norm(np.multiply(fixed.shape, self.case.spacing)))
        return float(np.where(np.isinf(distances), farthest, distances).mean())

    @cached_property
    def determinant(self) -> np.ndarray:
        """Of the Jacobian, at the voxels of the mask."""
        return jacobian_determinant(self.prediction, mask=self.inputs.fixed_mask)

    @property
    def endpoint_error_mm(self) -> float | None:
        if self.reference.displacement is None:
            return None
        return endpoint_error_mm(
            self.reference.displacement, self.prediction, mask=self.inputs.fixed_mask, spacing=self.case.spacing
        )


METRICS: tuple[Metric, ...] = (
    Metric(
        "dice",
        "Dice",
        "",
        True,
        (0, 1),
        4,
        "Mean Dice over the major structures, labels warped nearest.",
        compute=lambda e: e.dice.mean(),
    ),
    Metric(
        "dice_all",
        "Dice, all labels",
        "",
        True,
        (0, 1),
        4,
        "Mean Dice over every label in both images.",
        compute=lambda e: e.after.dice(e.before.in_both()).mean(),
    ),
    Metric(
        "dice30",
        "Dice30",
        "",
        True,
        (0, 1),
        4,
        "Mean Dice over the 30 % of structures that overlap least before registration.",
        compute=lambda e: e.dice_of_hardest,
    ),
    Metric(
        "hd95_mm",
        "HD95",
        "mm",
        False,
        (0, inf),
        2,
        "95 % Hausdorff distance, mean over the major structures: larger directed 95th percentile.",
        compute=lambda e: e.hd95_mm,
    ),
    Metric(
        "folds_percent",
        "|J| ≤ 0",
        "%",
        False,
        (0, 100),
        3,
        "Brain voxels with a non-positive Jacobian determinant: central differences, no shift.",
        compute=lambda e: folds_percent(e.determinant),
    ),
    Metric(
        "ndv_percent",
        "NDV",
        "%",
        False,
        (0, inf),
        3,
        "Non-diffeomorphic volume in percent of the brain (Liu et al., IJCV 2024).",
        compute=lambda e: non_diffeomorphic_volume_percent(e.prediction, e.inputs.fixed_mask),
    ),
    Metric(
        "sdlogj",
        "SD log|J|",
        "",
        False,
        (0, inf),
        3,
        "Standard deviation of the log Jacobian determinant in the brain; floor 1e-9, no shift.",
        compute=lambda e: sd_log_jacobian(e.determinant),
    ),
    Metric(
        "epe_mm",
        "EPE",
        "mm",
        False,
        (0, inf),
        2,
        "Mean distance to the true displacement in the brain; simulated cohorts only.",
        compute=lambda e: e.endpoint_error_mm,
    ),
)


class Registration(Task[RegistrationInputs, RegistrationReference]):
    """Deformable registration between subjects.

    A prediction is a displacement field ``(3, z, y, x)``, in voxels of the fixed grid, pull-back:
    ``warped(p) = moving(p + u(p))``. The harness alone warps labels (nearest) and images (linear).

    Cases are the pairs that a dataset names, or else the ring of a split: each subject is moved onto the next, so each
    is fixed once and moving once.
    """

    name = "registration"
    tracks = tracks_by_name(
        Track("inter-subject", "each brain of the split onto the next, T1 to T1", {"pairs": "ring"})
    )
    breakdown = "dice_by_structure"
    holds = "field"
    input_names = ("fixed", "moving", "fixed_mask", "moving_mask")
    metrics = METRICS

    def cases(self, setting: Setting) -> list[CaseId]:
        dataset: Dataset = setting.dataset  # type: ignore[assignment]
        ring = dataset.subjects(setting.split)
        pairs = dataset.pairs(setting.split)
        if pairs is None:
            pairs = tuple(zip(ring, (*ring[1:], ring[0]), strict=True)) if len(ring) > 1 else ()
        cases = [CaseId(f"{moving}_to_{fixed}", (moving, fixed)) for moving, fixed in pairs]
        if twice := [name for name, count in Counter(case.id for case in cases).items() if count > 1]:
            raise DataError(f"two pairs of {dataset.name} are both called '{twice[0]}'; rename one of their subjects.")
        return cases

    def load(self, setting: Setting, case: CaseId) -> Case[RegistrationInputs, RegistrationReference]:
        dataset: Dataset = setting.dataset  # type: ignore[assignment]
        moving, fixed = (dataset.load(subject) for subject in case.subjects)
        _check_pair(fixed, moving, dataset.name)
        if fixed.labels is None or moving.labels is None:
            raise DataError(f"case '{case.id}' has no labels; registration cannot be scored on {dataset.name}.")
        groups = list(dataset.structures.values())
        if not groups or not LabelOverlap.of(fixed.labels, moving.labels).merged(groups).in_both():
            raise DataError(f"case '{case.id}': no structure is in both label maps, so there is nothing to score.")
        inputs = RegistrationInputs(
            fixed.images[CONTRAST], moving.images[CONTRAST], fixed.mask, moving.mask, fixed.spacing
        )
        reference = RegistrationReference(
            fixed.labels, moving.labels, dataset.structures, _true_displacement(moving, fixed)
        )
        return Case(case.id, case.subjects, inputs, reference, fixed.spacing)

    def training_examples(self, dataset: Dataset, tracks: Sequence[Track[Any]]) -> list[Subject]:  # type: ignore[override]
        subjects = [dataset.load(subject) for subject in dataset.subjects("train")]
        for subject in subjects:
            _check_pair(subjects[0], subject, dataset.name)
        return subjects

    def protocol(self, setting: Setting) -> Protocol:
        dataset: Dataset = setting.dataset  # type: ignore[assignment]
        return Protocol(
            f"registration/{setting.track.name}",
            version=1,
            settings={
                "dataset": dataset.name,
                "contrast": CONTRAST,
                "pairs": "ring" if dataset.pairs(setting.split) is None else "as the dataset names them",
                "structures": {name: list(labels) for name, labels in dataset.structures.items()},
                "label_warp": "nearest",
                "absent_label": "left out where absent from the fixed or the moving image",
                "mask": "fixed brain mask",
                "jacobian": "central differences, unshifted",
                "hd95": "max of directed 95th percentiles, voxel surfaces, mm",
            },
        )

    def check(self, case: Case, prediction: Any) -> np.ndarray:
        expected = (3, *case.inputs.fixed.shape)
        field = finite_array(prediction, expected, what="the field", axes="(component, z, y, x)")
        largest = float(np.abs(field).max())
        if largest > max(expected):
            raise PredictionError(
                f"the field reaches {largest:.0f} voxels, farther than the image is wide; check its units."
            )
        return field

    def diagnose(self, case: Case, prediction: np.ndarray) -> str | None:
        """Warn where another convention for the same field fits the labels clearly better."""
        tried = fits(prediction, self.pair(case))
        best = tried.best
        if not tried.beats(best, OURS):
            return None
        share, own = tried.by_name[str(best)].labels, tried.by_name[str(OURS)].labels
        return f"the field fits better read {best.changes}: {share:.2f} of sampled labels agree instead of {own:.2f}"

    def write_inputs(self, inputs: RegistrationInputs, folder: Path) -> Mapping[str, Path | float]:
        return write_images(folder, inputs.spacing, {name: getattr(inputs, name) for name in self.input_names})

    def read_output(self, inputs: RegistrationInputs, path: Path) -> Any:
        return read_prediction(path, self.holds, Grid(inputs.fixed.shape, inputs.spacing))

    def pair(self, case: Case[RegistrationInputs, RegistrationReference]) -> Pair:
        """What the conventions of a field are tried on."""
        inputs, reference = case.inputs, case.reference
        return Pair(inputs.fixed, inputs.moving, reference.fixed_labels, reference.moving_labels, case.spacing)

    def grid(self, setting: Setting, case: Case[RegistrationInputs, RegistrationReference]) -> Grid:
        return subject_grid(setting.dataset, case.subjects[1], case.inputs.fixed.shape, case.spacing)

    def evaluate(
        self, case: Case[RegistrationInputs, RegistrationReference], prediction: np.ndarray
    ) -> RegistrationEvaluation:
        return RegistrationEvaluation(case, prediction)

    def details(self, evaluation: RegistrationEvaluation) -> Mapping[str, Any]:
        return {"dice_by_structure": evaluation.dice_by_structure}

    def picture(self, case: Case, prediction: np.ndarray) -> Picture:
        middle = case.inputs.fixed.shape[0] // 2
        warped = warp(case.inputs.moving, prediction, order=1)[middle]
        fixed, moving = case.inputs.fixed[middle], case.inputs.moving[middle]
        plane = np.indices(fixed.shape) + prediction[1:, middle]
        return Picture(fixed, moving, warped, warped - fixed, plane, ("fixed", "moving"))


def _true_displacement(moving: Subject, fixed: Subject) -> np.ndarray | None:
    """Field that carries ``fixed`` to ``moving`` through the template that both were made from."""
    if "to_template" not in fixed.truth or "from_template" not in moving.truth:
        return None
    to_template = fixed.truth["to_template"].astype(np.float32)
    return compose(moving.truth["from_template"].astype(np.float32), to_template)


def _check_pair(fixed: Subject, moving: Subject, dataset: str) -> None:
    """Refuse subjects that cannot be registered: one without the contrast, or on another grid."""
    for subject in (fixed, moving):
        if CONTRAST not in subject.images:
            raise DataError(f"subject '{subject.id}' of {dataset} has no {CONTRAST}; registration needs it.")
    if apart := moving.apart_from(fixed):
        raise DataError(
            f"'{moving.id}' and '{fixed.id}' lie on different grids, {apart}; resample {dataset} to one grid."
        )
