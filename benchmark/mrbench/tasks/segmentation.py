"""Segmentation of brain tumours: whole tumour, core and enhancing tumour from four contrasts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from math import inf, isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mrbench.core.case import Case, CaseId
from mrbench.core.dataset import Dataset
from mrbench.core.errors import DataError, PredictionError
from mrbench.core.examples import AsNeeded
from mrbench.core.grid import Grid
from mrbench.core.look import Look
from mrbench.core.metric import Scale
from mrbench.core.protocol import Protocol
from mrbench.core.task import Evaluation, Picture, Setting, Task
from mrbench.core.track import Track, tracks_by_name
from mrbench.datasets.dataset import Subject
from mrbench.datasets.grid import subject_grid
from mrbench.metrics.axes import AxesSearch
from mrbench.metrics.lesions import LesionRules, LesionScores, hd95_or, lesion_scores
from mrbench.metrics.overlap import dice, hd95_mm
from mrbench.metrics.scales import SHARE
from mrbench.tasks.files import read_prediction, write_images

if TYPE_CHECKING:
    import pandas as pd

CONTRASTS = ("T1", "T1c", "T2", "FLAIR")
HIGHEST_LABEL = 3

REGIONS: dict[str, tuple[int, ...]] = {"whole": (1, 2, 3), "core": (1, 3), "enhancing": (3,)}
"""The nested regions of BraTS, by label: 1 necrotic core, 2 oedema, 3 enhancing tumour."""

MISSED_MM = 373.13
"""HD95 of BraTS where one of the two masks is empty: the diagonal of its volumes, whatever the grid here."""

LEAST_MOVED = 0.85
"""Overlap of a tumour once moved by a voxel or two, below which that is no mistake: a poor outline lies to a side."""


@dataclass(frozen=True)
class SegmentationInputs:
    """What a segmentation method sees.

    Attributes
    ----------
    images : ndarray of float32, shape ``(4, z, y, x)``
        T1, T1c, T2 and FLAIR, each with mean 0 and SD 1 in the brain, zero outside.
    mask : ndarray of bool
        The brain.
    spacing : tuple of float
        mm, order ``(z, y, x)``.
    """

    images: np.ndarray
    mask: np.ndarray
    spacing: tuple[float, float, float]


@dataclass(frozen=True)
class SegmentationReference:
    """What only the scorer sees: the label map, and how lesions are counted where they are."""

    labels: np.ndarray
    rules: LesionRules | None = None


@dataclass(frozen=True)
class SegmentationEvaluation(Evaluation[SegmentationInputs, SegmentationReference]):
    """What the metrics of segmentation share: the regions of both label maps."""

    @cached_property
    def regions(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Each region in the reference and in the prediction, as bool."""
        labels = self.reference.labels
        return {name: (np.isin(labels, region), np.isin(self.prediction, region)) for name, region in REGIONS.items()}

    @cached_property
    def dice(self) -> dict[str, float]:
        return {name: dice(*pair) for name, pair in self.regions.items()}

    def hd95_mm(self, region: str) -> float:
        target, prediction = self.regions[region]
        if self.reference.rules is not None:
            return hd95_or(self.reference.rules.missed_mm, target, prediction, self.case.spacing)
        if not (target.any() or prediction.any()):
            return 0.0
        distance = hd95_mm(target, prediction, spacing=self.case.spacing)
        return distance if isfinite(distance) else MISSED_MM

    @cached_property
    def lesions(self) -> dict[str, LesionScores] | None:
        """Scores by lesion of each region, on tracks that count lesions."""
        rules = self.reference.rules
        if rules is None:
            return None
        spacing, regions = self.case.spacing, self.regions.items()
        return {name: lesion_scores(*pair, spacing=spacing, rules=rules) for name, pair in regions}

    @property
    def mean_dice(self) -> float:
        """Of the regions; on tracks that count lesions, of their lesions."""
        values = self.dice if self.lesions is None else {name: one.dice for name, one in self.lesions.items()}
        return float(np.mean([*values.values()]))

    @property
    def dice_where_enhancing(self) -> float | None:
        return self.dice["enhancing"] if self.regions["enhancing"][0].any() else None


def _lesions(region: str, score: str) -> Callable[[SegmentationEvaluation], float | None]:
    return lambda evaluation: None if evaluation.lesions is None else getattr(evaluation.lesions[region], score)


def _dice(region: str) -> Callable[[SegmentationEvaluation], float]:
    return lambda evaluation: evaluation.dice[region]


def _hd95(region: str) -> Callable[[SegmentationEvaluation], float]:
    return lambda evaluation: evaluation.hd95_mm(region)


DICE = {
    region: SHARE.metric(
        f"dice_{region}", f"Dice, {name}", f"Labels {labels}. Empty in both: 1; empty in one: 0 (BraTS).", _dice(region)
    )
    for (region, labels), name in zip(REGIONS.items(), ("whole tumour", "core", "enhancing"), strict=True)
}
MEAN = SHARE.metric(
    "dice",
    "Dice, mean of regions",
    "Of whole tumour, core and enhancing tumour; on brats-2023 of their lesion-wise Dice.",
    lambda e: e.mean_dice,
)
PRESENT = SHARE.metric(
    "dice_enhancing_present",
    "Dice, enhancing where there is any",
    "The other convention: cases whose reference has no enhancing tumour are left out.",
    lambda e: e.dice_where_enhancing,
)
HD95 = {
    region: Scale("mm", False, (0, inf), 1).metric(
        f"hd95_{region}_mm",
        f"HD95, {region}",
        f"95 % Hausdorff distance; empty in both: 0; empty in one: {MISSED_MM} (BraTS), on brats-2023 374.",
        _hd95(region),
    )
    for region in REGIONS
}


LESIONS = tuple(
    Scale(unit, not unit, (0, inf if unit else 1), 1 if unit else 3).metric(
        f"{score.partition('_')[0]}_lesions_{region}{'_mm' if unit else ''}",
        f"lesion-wise {label}, {region}",
        f"Mean over lesions, missed and surplus ones among them (BraTS 2023); {worst} each. On brats-2023.",
        _lesions(region, score),
    )
    for score, label, unit, worst in (("dice", "Dice", "", "0"), ("hd95_mm", "HD95", "mm", "374 mm"))
    for region in REGIONS
)


@dataclass(frozen=True)
class TumourExample:
    """One train subject: inputs as a case has them, and the label map."""

    inputs: SegmentationInputs
    labels: np.ndarray


@dataclass(frozen=True)
class TrainingTumours:
    """The train split, and the tracks trained for."""

    subjects: Sequence[TumourExample]
    tracks: Sequence[str]


TRACKS: Mapping[str, Track[object]] = tracks_by_name(
    Track[object](
        "glioma",
        "T1, T1c, T2 and FLAIR to necrotic core, oedema and enhancing tumour",
        {"contrasts": CONTRASTS},
    ),
    Track[object]("brats-2023", "the same, scored by lesion as BraTS 2023 scores glioma", LesionRules()),
)


class Segmentation(Task[SegmentationInputs, SegmentationReference]):
    """Segmentation of tumours; cases are the subjects of a split.

    A prediction is a map of integers ``(z, y, x)``: 0 nothing, 1 necrotic core, 2 oedema, 3 enhancing tumour.
    """

    name = "segmentation"
    representation = "tumours"
    tracks = TRACKS
    weights_by_track = False
    holds = "labels"
    kernels = ("labels",)
    input_names = (*CONTRASTS, "mask")
    metrics = (MEAN, *DICE.values(), *HD95.values(), PRESENT, *LESIONS)

    def cases(self, setting: Setting) -> list[CaseId]:
        return [CaseId(subject, (subject,)) for subject in setting.dataset.subjects(setting.split)]

    def load(self, setting: Setting, case: CaseId) -> Case[SegmentationInputs, SegmentationReference]:
        example = example_of(setting.dataset.load(case.subjects[0]))
        reference = SegmentationReference(example.labels, _lesion_rules(setting.track))
        return Case(case.id, case.subjects, example.inputs, reference, example.inputs.spacing)

    def training_examples(self, dataset: Dataset, tracks: Sequence[Track[Any]]) -> TrainingTumours:
        # not checked, which would hold them: all methods go through them once before anything else
        examples = AsNeeded(lambda subject: example_of(dataset.load(subject)), dataset.subjects("train"))
        return TrainingTumours(examples, [track.name for track in tracks])

    def protocol(self, setting: Setting) -> Protocol:
        settings: dict[str, Any] = {
            "dataset": setting.dataset.name,
            "normalisation": "each contrast to mean 0 and SD 1 in the brain",
            "regions": {name: list(labels) for name, labels in REGIONS.items()},
            "empty_dice": "1 where both are empty, 0 where one is",
            "empty_hd95_mm": f"0 where both are empty, {MISSED_MM} where one is",
        }
        if (rules := _lesion_rules(setting.track)) is not None:
            settings |= {
                "empty_hd95_mm": f"0 where both are empty, {rules.missed_mm:g} where one is",
                "hd95": "surfaces by area",
                "lesions": asdict(rules),
                "equal_to": "metrics.py of rachitsaluja/BraTS-2023-Metrics, BraTS-GLI",
            }
        return Protocol(f"segmentation/{setting.track.name}", version=1, settings=settings)

    def check(self, case: Case, prediction: object) -> np.ndarray:
        expected = case.reference.labels.shape
        if not isinstance(prediction, np.ndarray):
            raise PredictionError(f"the method returned {type(prediction).__name__}; return an array of {expected}.")
        if prediction.shape != expected:
            raise PredictionError(f"the label map has shape {prediction.shape}; {expected} is needed, axes (z, y, x).")
        if not np.issubdtype(prediction.dtype, np.integer):
            raise PredictionError(f"the label map has dtype {prediction.dtype}; return integers.")
        if prediction.size and not 0 <= prediction.min() <= prediction.max() <= HIGHEST_LABEL:
            raise PredictionError(
                f"the labels run from {prediction.min()} to {prediction.max()}; use 0 to {HIGHEST_LABEL} (BraTS before "
                "2023 wrote 4 for enhancing tumour, which is 3 here)."
            )
        return np.ascontiguousarray(prediction, dtype=np.uint8)

    def looks(self, case: Case, prediction: np.ndarray) -> list[Look]:
        """Look for a whole tumour that is mirrored, exchanged or moved."""
        search = AxesSearch(
            case.reference.labels > 0, prediction > 0, names="zyx", kind="overlap", least_moved=LEAST_MOVED
        )
        return search.looks("the label map")

    def write_inputs(self, inputs: SegmentationInputs, folder: Path) -> Mapping[str, Path | float]:
        images = dict(zip(CONTRASTS, inputs.images, strict=True))
        return write_images(folder, inputs.spacing, {**images, "mask": inputs.mask})

    def read_output(self, inputs: SegmentationInputs, path: Path) -> object:
        return read_prediction(path, self.holds, Grid(inputs.mask.shape, inputs.spacing))

    def grid(self, setting: Setting, case: Case[SegmentationInputs, SegmentationReference]) -> Grid:
        return subject_grid(setting.dataset, case.subjects[0], case.reference.labels.shape, case.spacing)

    def evaluate(
        self, case: Case[SegmentationInputs, SegmentationReference], prediction: np.ndarray
    ) -> SegmentationEvaluation:
        return SegmentationEvaluation(case, prediction)

    def details(self, evaluation: SegmentationEvaluation) -> Mapping[str, Any]:
        return {"megavoxels": evaluation.prediction.size / 1e6}

    def notes(self, rows: pd.DataFrame) -> list[str]:
        """Medians beside the means of the table: both are in print, and HD95 makes them differ by a factor."""
        medians_of = []
        for method, scores in rows[rows["status"] == "ok"].groupby("method", sort=False, observed=True):
            medians = [_median(scores, f"dice_{region}", 3) for region in REGIONS]
            distances = [_median(scores, f"hd95_{region}_mm", 1) for region in REGIONS]
            medians_of.append(f"{method} {' / '.join(medians)}, {' / '.join(distances)} mm")
        return [f"Medians of Dice and HD95, whole / core / enhancing: {'; '.join(medians_of)}."] if medians_of else []

    def slices(self, case: Case) -> int:
        return len(case.reference.labels)

    def picture(self, case: Case, prediction: np.ndarray, index: int | None = None) -> Picture:
        area = (case.reference.labels > 0).sum(axis=(1, 2))
        largest = int(area.argmax()) if area.any() else len(area) // 2
        middle = largest if index is None else index
        reference, labels = (image[middle] / HIGHEST_LABEL for image in (case.reference.labels, prediction))
        flair = case.inputs.images[CONTRASTS.index("FLAIR"), middle]
        source = np.clip((flair + 2) / 6, 0, 1) * case.inputs.mask[middle]
        return Picture(reference, source, labels, labels - reference, names=("reference", "FLAIR"))


def _lesion_rules(track: Track[Any]) -> LesionRules | None:
    return track.settings if isinstance(track.settings, LesionRules) else None


def example_of(subject: Subject) -> TumourExample:
    """Normalise the contrasts of a subject as the protocol says.

    Raises
    ------
    DataError
        If a contrast or the label map is missing, or a contrast is constant in the brain.
    """
    absent = [name for name in CONTRASTS if name not in subject.images]
    if absent or subject.labels is None:
        lacks = ", ".join([*absent, *(["labels"] if subject.labels is None else [])])
        raise DataError(
            f"subject '{subject.id}' lacks {lacks}; segmentation needs {', '.join(CONTRASTS)} and labels: add them."
        )
    images = []
    for name in CONTRASTS:
        inside = subject.images[name][subject.mask]
        if not inside.std():
            raise DataError(f"subject '{subject.id}': {name} is constant in the brain; check its file.")
        images.append(np.where(subject.mask, (subject.images[name] - inside.mean()) / inside.std(), 0))
    inputs = SegmentationInputs(np.stack(images).astype(np.float32), subject.mask, subject.spacing)
    return TumourExample(inputs, subject.labels)


def _median(scores: pd.DataFrame, name: str, digits: int) -> str:
    """The median of a metric; a dash where no row has it."""
    values = scores[name].dropna() if name in scores else []
    return f"{np.median(values):.{digits}f}" if len(values) else "–"
