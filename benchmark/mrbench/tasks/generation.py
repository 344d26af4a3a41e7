"""Generation: new axial T1 slices of brains, from nothing but the train split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from mrbench.core.case import Case, CaseId
from mrbench.core.dataset import Dataset
from mrbench.core.errors import DataError
from mrbench.core.grid import Grid
from mrbench.core.look import Look
from mrbench.core.metric import Metric, Scale
from mrbench.core.prediction import finite_array
from mrbench.core.protocol import Protocol
from mrbench.core.random import rng_for, seed_for
from mrbench.core.row import distinct
from mrbench.core.task import Evaluation, Picture, Setting, Task
from mrbench.core.track import Track, tracks_by_name
from mrbench.io.files import sha256_of
from mrbench.metrics.axes import AxesSearch
from mrbench.metrics.distribution import (
    MS_SSIM_SMALLEST,
    MS_SSIM_WINDOW,
    copy_margins,
    frechet_distance,
    kernel_mmd,
    nearest_correlations,
    pair_ms_ssim,
    precision_recall,
)
from mrbench.metrics.scales import SHARE
from mrbench.metrics.slice_features import WEIGHTS, slice_features

if TYPE_CHECKING:
    import pandas as pd

SLICES = 8
"""Axial slices of each person, from the middle of the grid upwards: thalamus to the roof of the ventricles."""

DRAWS = 8
"""Cases: sets of new slices, each as large as the set of real slices it is compared with."""

SHOWN = 3
"""Samples in a panel, and training slices beside each."""

TRACKS = tracks_by_name(
    Track("axial-t1", f"axial T1 slices, {SLICES} levels of a brain aligned to the template", {"slices": SLICES})
)


@dataclass(frozen=True)
class GenerationInputs:
    """What a generation method sees: how much to make, and no image.

    Attributes
    ----------
    count : int
    shape : tuple of int
        ``(y, x)`` of a slice.
    seed : int
        Of this draw; the same for every method.
    spacing : tuple of float
        mm, order ``(z, y, x)``.
    """

    count: int
    shape: tuple[int, int]
    seed: int
    spacing: tuple[float, float, float]


@dataclass(frozen=True)
class GenerationReference:
    """What only the scorer sees: real slices that nobody trained on, and the training slices, ``(slice, y, x)``.

    ``people`` says whose each training slice is, by number. What is measured of the real slices alone is kept, as it
    is the same in every draw.
    """

    held_out: np.ndarray
    training: np.ndarray
    people: np.ndarray

    @cached_property
    def features(self) -> np.ndarray:
        return slice_features(self.held_out)

    @cached_property
    def nearest(self) -> tuple[np.ndarray, np.ndarray]:
        """Of each held-out slice, as `copy_margins`."""
        return copy_margins(self.held_out, self.training, self.people)

    @cached_property
    def other_people(self) -> Mapping[str, float]:
        """What as many real people of the train split score: the best that slices of people never seen can do.

        Empty where too few people train.
        """
        count, trained = len(self.held_out) // SLICES, len(self.training) // SLICES
        if count > trained:
            return {}
        chosen = np.linspace(0, trained - 1, count).round().astype(int)
        features = slice_features(self.training[np.isin(self.people, chosen)])
        precision, recall = precision_recall(self.features, features)
        return {
            "frechet": frechet_distance(self.features, features),
            "mmd": kernel_mmd(self.features, features),
            "precision": precision,
            "recall": recall,
        }

    @cached_property
    def likeness(self) -> float:
        return pair_ms_ssim(self.held_out, random_pairs(len(self.held_out)), data_range=1)


@dataclass(frozen=True)
class GenerationEvaluation(Evaluation[GenerationInputs, GenerationReference]):
    """What the metrics of generation share: features of both sets, and the nearest training slice of each new one."""

    @cached_property
    def slices(self) -> np.ndarray:
        """The new slices in the range of the protocol."""
        return np.clip(self.prediction, 0, 1)

    @cached_property
    def features(self) -> tuple[np.ndarray, np.ndarray]:
        """Of the real held-out slices and of the new ones."""
        return self.reference.features, slice_features(self.slices)

    @cached_property
    def coverage(self) -> tuple[float, float]:
        """Precision and recall."""
        return precision_recall(*self.features)

    @cached_property
    def nearest(self) -> tuple[np.ndarray, np.ndarray]:
        """Of each new slice, as `copy_margins`."""
        return copy_margins(self.slices, self.reference.training, self.reference.people)


METRICS: tuple[Metric, ...] = (
    Scale("", False, (0, inf), 2).metric(
        "frechet",
        "Fréchet distance",
        "Of Gaussians fitted to mrbench's own features of new and real held-out slices. No FID.",
        lambda e: frechet_distance(*e.features),
    ),
    Scale("", False, (-inf, inf), 3).metric(
        "mmd",
        "kernel MMD",
        "Squared, unbiased, cubic kernel, of the same features; 0 on average for equal sets.",
        lambda e: kernel_mmd(*e.features),
    ),
    SHARE.metric("precision", "precision", "Share of new slices among the real (k = 3).", lambda e: e.coverage[0]),
    SHARE.metric("recall", "recall", "Share of real slices among the new (k = 3).", lambda e: e.coverage[1]),
    Scale("", False, (-1, 1), 3).metric(
        "pair_ms_ssim",
        "MS-SSIM of pairs",
        "Mean of random pairs of new slices: above that of real pairs, variety is missing.",
        lambda e: pair_ms_ssim(e.slices, random_pairs(len(e.slices)), data_range=1),
        ranked=False,
    ),
    Scale("", False, (-1, 1), 3).metric(
        "nearest_ncc",
        "NCC, nearest training slice",
        "Median over new slices of the highest normalised cross-correlation with a training slice or its mirror image.",
        lambda e: np.median(e.nearest[0]),
        ranked=False,
    ),
    Scale("", False, (0, 1), 3).metric(
        "copied",
        "share copied",
        "Share of new slices nearer (NCC) to one person of the train split than to all others, by more than any real "
        "held-out slice is.",
        lambda e: (e.nearest[1] > e.reference.nearest[1].max()).mean(),
    ),
)


@dataclass(frozen=True)
class TrainingSlices:
    """The slices of the train split ``(slice, y, x)``, those of a subject in a row, and the tracks trained for."""

    images: np.ndarray
    tracks: Sequence[str]


class Generation(Task[GenerationInputs, GenerationReference]):
    """Generation of slices; a case is one draw, compared with the slices of a split.

    A prediction is ``(count, y, x)``: slices on the grid of the data, 1 at the 99.5th percentile of a brain.
    """

    name = "generation"
    tracks = TRACKS
    draws = True
    kernels = ("sets",)
    metrics = METRICS
    spread = "nearest_ncc"

    def cases(self, setting: Setting) -> list[CaseId]:
        draws = range(1, DRAWS + 1) if setting.dataset.subjects(setting.split) else ()
        return [CaseId(f"{setting.split}-draw-{number}", (f"draw-{number}",)) for number in draws]

    def subjects_for(self, setting: Setting, cases: Sequence[CaseId]) -> list[str]:
        return [s for split in dict.fromkeys(("train", setting.split)) for s in setting.dataset.subjects(split)]

    def load(self, setting: Setting, case: CaseId) -> Case[GenerationInputs, GenerationReference]:
        reference, spacing = reference_of(Cohort.of(setting.dataset), setting.split)
        count, *shape = reference.held_out.shape
        inputs = GenerationInputs(count, (shape[0], shape[1]), seed_for(case.id, "generation"), spacing)
        return Case(case.id, case.subjects, inputs, reference, spacing)

    def training_examples(self, dataset: Dataset, tracks: Sequence[Track[Any]]) -> TrainingSlices:
        return TrainingSlices(slices_of(Cohort.of(dataset), "train")[0], [track.name for track in tracks])

    def protocol(self, setting: Setting) -> Protocol:
        settings = {
            "dataset": setting.dataset.name,
            "slices": f"{SLICES} axial slices of T1 from the middle of the grid upwards",
            "prediction": "as many slices as are held out, clipped to 0 to 1",
            "features": f"slice-features {sha256_of(WEIGHTS)[:12]}",
            "mmd": "(x.y / d + 1)^3, unbiased",
            "precision_recall": "k = 3",
            "ms_ssim": f"4 scales, {MS_SSIM_WINDOW}x{MS_SSIM_WINDOW} Gaussian, random pairs",
            "correlation": "normalised, over the whole slice, with training slices and their mirror images",
            "copied": "nearer to one person than to all others by more than any held-out slice",
        }
        return Protocol(f"generation/{setting.track.name}", version=1, settings=settings)

    def check(self, case: Case, prediction: object) -> np.ndarray:
        expected = (case.inputs.count, *case.inputs.shape)
        return finite_array(prediction, expected, what="the array of slices", axes="(slice, y, x)")

    def looks(self, case: Case, prediction: np.ndarray) -> list[Look]:
        """Look for slices that are all the same, in other units, or whose mean lies wrongly."""
        same = bool(np.ptp(prediction, axis=0).max() < 1e-3)
        drawn = Look("variety", "Slices differ.", "all slices are the same; draw each from inputs.seed." * same)
        real = case.reference.held_out
        ratio = float(np.percentile(prediction, 99.5) / np.percentile(real, 99.5))
        warning = f"intensities are {ratio:.3g} times those of real slices; 1 is the 99.5th percentile of a brain."
        units = Look(
            "units",
            "1 is the 99.5th percentile of a brain, within a factor of 3.",
            "" if 1 / 3 < ratio < 3 else warning,
        )
        # of means: no new slice has a true one, and what is particular to a person averages out
        return [drawn, units, *AxesSearch(real.mean(0), prediction.mean(0), names="yx").looks("the mean slice")]

    def grid(self, setting: Setting, case: Case[GenerationInputs, GenerationReference]) -> Grid:
        return Grid((case.inputs.count, *case.inputs.shape), case.spacing)

    def evaluate(
        self, case: Case[GenerationInputs, GenerationReference], prediction: np.ndarray
    ) -> GenerationEvaluation:
        return GenerationEvaluation(case, prediction)

    def details(self, evaluation: GenerationEvaluation) -> Mapping[str, Any]:
        reference = evaluation.reference
        return {
            "nearest_ncc": [round(float(value), 4) for value in evaluation.nearest[0]],
            "nearest_ncc_real": [round(float(value), 4) for value in reference.nearest[0]],
            "pair_ms_ssim_real": reference.likeness,
            "other_people": dict(reference.other_people),
        }

    def notes(self, rows: pd.DataFrame) -> list[str]:
        needed = ("nearest_ncc_real", "pair_ms_ssim_real")
        known = next((one for one in distinct(rows["details"]) if all(one.get(name) for name in needed)), None)
        if known is None:
            return []
        held_out = np.asarray(known["nearest_ncc_real"])
        return [
            f"A case is a draw of {len(held_out)} slices: intervals and tests are over draws, of one training each.",
            f"Real held-out slices: NCC with the nearest training slice {np.median(held_out):.3f} in the median, "
            f"{held_out.max():.3f} at the highest; MS-SSIM of pairs {known['pair_ms_ssim_real']:.3f}.",
            *_of_other_people(known.get("other_people", {})),
        ]

    def picture(self, case: Case, prediction: np.ndarray, index: int | None = None) -> Picture:
        """Samples, each with the training slices most like it; the difference is the sample less each of them."""
        training = case.reference.training
        new, real = (_with_nearest(images.clip(0, 1), training) for images in (prediction, case.reference.held_out))
        typical = training[np.linspace(0, len(training) - 1, SHOWN * (SHOWN + 1)).astype(int)]
        return Picture(
            _mosaic(real),
            _mosaic(typical),
            _mosaic(new),
            _mosaic(new[:, :1] - new),
            names=(f"real held-out slices, each\nbefore its {SHOWN} nearest training slices", "training slices"),
            compared="training slice",
            scale=2.0,
        )


def _of_other_people(scores: Mapping[str, float]) -> list[str]:
    if not scores:
        return []
    named = {metric.name: f"{metric.label} {scores[metric.name]:.{metric.decimals}f}" for metric in METRICS[:4]}
    return [f"As many real people of the train split: {', '.join(named.values())}."]


@dataclass(frozen=True)
class Cohort:
    """A dataset as a key: equal where its subjects are, so that what every draw asks for is made once a process."""

    address: str
    fingerprint: str
    extra_subjects: tuple[str, ...]
    dataset: Dataset = field(compare=False)

    @classmethod
    def of(cls, dataset: Dataset) -> Cohort:
        return cls(dataset.address, dataset.fingerprint, getattr(dataset, "extra_subjects", ()), dataset)


@lru_cache(maxsize=4)
def reference_of(cohort: Cohort, split: str) -> tuple[GenerationReference, tuple[float, float, float]]:
    """What every draw of a split is compared with, and the spacing.

    Raises
    ------
    DataError
        As `slices_of`, or if the train split is on another grid.
    """
    held_out, spacing = slices_of(cohort, split)
    training, _ = slices_of(cohort, "train")
    if held_out.shape[1:] != training.shape[1:]:
        raise DataError(
            f"slices of {cohort.dataset.name} are {training.shape[1:]} pixels in the train split and "
            f"{held_out.shape[1:]} in {split}; resample them to one grid."
        )
    people = np.repeat(np.arange(len(training) // SLICES), SLICES)
    return GenerationReference(held_out, training, people), spacing


@lru_cache(maxsize=4)
def slices_of(cohort: Cohort, split: str) -> tuple[np.ndarray, tuple[float, float, float]]:
    """Slices ``(slice, y, x)`` of a split, those of a subject in a row, and the spacing.

    Raises
    ------
    DataError
        If the split has no subjects, the volumes differ in size, are too small, or have no T1.
    """
    dataset = cohort.dataset
    names = dataset.subjects(split)
    images, spacing = np.empty(0), None
    for number, name in enumerate(names):
        subject = dataset.load(name)
        if "T1" not in subject.images:
            raise DataError(f"subject '{name}' has {' and '.join(subject.images)} but no T1, which generation needs.")
        volume = subject.images["T1"]
        middle = len(volume) // 2
        part = volume[middle : middle + SLICES]
        if len(part) < SLICES or min(part.shape[1:]) < MS_SSIM_SMALLEST:
            raise DataError(
                f"subject '{name}' has {volume.shape} voxels; generation needs {2 * SLICES} slices of "
                f"{MS_SSIM_SMALLEST}x{MS_SSIM_SMALLEST} pixels at the least."
            )
        if not number:
            images = np.empty((len(names), *part.shape), part.dtype)
        if part.shape != images.shape[1:]:
            raise DataError(
                f"subject '{name}' has slices of {part.shape[1:]} pixels, others {images.shape[2:]}; "
                "resample them to one grid."
            )
        images[number] = part
        spacing = spacing or subject.spacing
    if spacing is None:
        raise DataError(f"{dataset.name} has no subjects in the split '{split}'; generation compares with them.")
    return images.reshape(-1, *images.shape[2:]), spacing


def random_pairs(count: int) -> np.ndarray:
    """A fixed random order in which no image stands beside itself."""
    order = rng_for(f"{count} slices", "pairs").permutation(count)
    partner = np.empty(count, int)
    partner[order] = np.roll(order, 1)
    return partner


def _with_nearest(images: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Evenly spaced images, each followed by its nearest training slices: ``(SHOWN, 1 + SHOWN, y, x)``."""
    shown = images[np.linspace(0, len(images) - 1, SHOWN).astype(int)]
    indices, _ = nearest_correlations(shown, training, nearest=SHOWN)
    return np.concatenate([shown[:, None], training[indices]], axis=1)


def _mosaic(tiles: np.ndarray) -> np.ndarray:
    """Tiles as one image, the first row on top where the first axis runs upwards."""
    grid = tiles.reshape(SHOWN, SHOWN + 1, *tiles.shape[-2:])[::-1]
    return np.concatenate([np.concatenate(list(row), axis=1) for row in grid], axis=0)
