"""Synthesis: one MR contrast of a brain from another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from mrbench.core.case import Case, CaseId
from mrbench.core.dataset import Dataset
from mrbench.core.errors import DataError
from mrbench.core.examples import AsNeeded
from mrbench.core.grid import Grid
from mrbench.core.look import Look, told_after
from mrbench.core.metric import Metric
from mrbench.core.prediction import finite_array
from mrbench.core.protocol import Protocol
from mrbench.core.task import Evaluation, Picture, Setting, Task
from mrbench.core.track import Track, tracks_by_name
from mrbench.datasets.dataset import Dataset as SubjectDataset
from mrbench.datasets.dataset import Subject
from mrbench.datasets.grid import subject_grid
from mrbench.metrics.axes import AxesSearch
from mrbench.metrics.image import WINDOW, mae, nmse, psnr, volume_ssim
from mrbench.metrics.information import mutual_information, shifted_mutual_information
from mrbench.metrics.overlap import dice_per_label
from mrbench.metrics.published import by_own_maximum
from mrbench.metrics.scales import BITS, DECIBELS, ERROR, SHARE, SIMILARITY
from mrbench.tasks.files import read_prediction, write_images

CEILING = 1.5
"""Highest intensity, of the 99.5th percentile of the contrast in the brain; what is brighter is clipped."""

CLASSES = 3
"""Of the downstream check: fluid, grey and white matter, whatever their order in the contrast."""

MISALIGNED = 1.02
"""Mutual information of the contrasts, one of them moved, over that of the two as they are: more is a warning."""

TRACKS = tracks_by_name(Track("t1-to-t2", "T2 from T1", ("T1", "T2")), Track("t2-to-t1", "T1 from T2", ("T2", "T1")))
"""Settings: the source and the target contrast."""


@dataclass(frozen=True)
class SynthesisInputs:
    """What a synthesis method sees.

    Attributes
    ----------
    image : ndarray of float32, shape ``(z, y, x)``
        Source contrast over its 99.5th percentile in the brain, at most 1.5; zero outside the brain.
    mask : ndarray of bool
        The brain.
    source, target : str
        Contrasts, ``T1`` or ``T2``.
    spacing : tuple of float
        mm, order ``(z, y, x)``.
    """

    image: np.ndarray
    mask: np.ndarray
    source: str
    target: str
    spacing: tuple[float, float, float]


@dataclass(frozen=True)
class SynthesisReference:
    """What only the scorer sees: the true target contrast, scaled as the source is."""

    image: np.ndarray
    mask: np.ndarray


@dataclass(frozen=True)
class Scan:
    """One train subject: contrasts by name, scaled as in a case, and the brain."""

    id: str
    images: Mapping[str, np.ndarray]
    mask: np.ndarray
    spacing: tuple[float, float, float]

    @cached_property
    def brain(self) -> np.ndarray:
        """Flat indices of the voxels in the mask."""
        return np.flatnonzero(self.mask)


@dataclass(frozen=True)
class TrainingScans:
    """The train split, and the source and target of each track trained for."""

    scans: Sequence[Scan]
    tracks: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class SynthesisEvaluation(Evaluation[SynthesisInputs, SynthesisReference]):
    """What the metrics of synthesis share: the prediction in the range of the protocol, one map of SSIM."""

    @property
    def target(self) -> np.ndarray:
        return self.reference.image

    @property
    def mask(self) -> np.ndarray:
        return self.reference.mask

    @cached_property
    def pair(self) -> tuple[np.ndarray, np.ndarray]:
        """True and synthesised contrast."""
        return self.target, np.clip(_synthesised(self.prediction), 0, CEILING)

    @cached_property
    def ssim(self) -> tuple[float, float]:
        """3-D SSIM of the volume and of the brain, from one map."""
        return volume_ssim(*self.pair, data_range=1, mask=self.mask)

    @cached_property
    def by_slice(self) -> tuple[float, float]:
        """PSNR and SSIM of axial slices, each image over its own maximum."""
        return by_own_maximum(*self.pair)

    @property
    def cycle_mae(self) -> float | None:
        if self.prediction.ndim != 4:
            return None
        return mae(self.inputs.image, np.clip(self.prediction[1], 0, CEILING), mask=self.mask)


METRICS: tuple[Metric, ...] = (
    DECIBELS.metric(
        "psnr_db",
        "PSNR, brain",
        "Data range 1, over the brain mask.",
        lambda e: psnr(*e.pair, data_range=1, mask=e.mask),
    ),
    SIMILARITY.metric(
        "ssim",
        "SSIM, brain",
        "Mean over the brain of the 3-D map, 7x7x7 uniform window, data range 1.",
        lambda e: e.ssim[1],
    ),
    ERROR.metric("mae", "MAE, brain", "Mean absolute error over the brain mask.", lambda e: mae(*e.pair, mask=e.mask)),
    ERROR.metric(
        "nmse",
        "NMSE, brain",
        "Squared error over squared norm, in the brain mask.",
        lambda e: nmse(*e.pair, mask=e.mask),
    ),
    BITS.metric(
        "mutual_information_bits",
        "mutual information",
        "Of the true and the made contrast in the brain; 64 bins over the range 0 to 1.5.",
        lambda e: mutual_information(*e.pair, data_range=CEILING, mask=e.mask),
    ),
    SHARE.metric(
        "dice_tissue",
        "Dice, tissues",
        "Downstream check: mean Dice of three multi-Otsu classes of true and made contrast.",
        lambda e: tissue_dice(e.target, e.pair[1], e.mask),
    ),
    DECIBELS.metric(
        "psnr_whole_db", "PSNR, whole", "Data range 1, over the volume.", lambda e: psnr(*e.pair, data_range=1)
    ),
    SIMILARITY.metric("ssim_whole", "SSIM, whole", "The 3-D map over the volume without its rim.", lambda e: e.ssim[0]),
    ERROR.metric("mae_whole", "MAE, whole", "Mean absolute error over the volume.", lambda e: mae(*e.pair)),
    DECIBELS.metric(
        "psnr_slice_db",
        "PSNR by slice",
        "As published on IXI and BraTS: axial slices, both images over their own maxima, background in it (SynDiff).",
        lambda e: e.by_slice[0],
    ),
    SIMILARITY.metric(
        "ssim_slice", "SSIM by slice", "Of the same slices, 7x7 uniform window, data range 1.", lambda e: e.by_slice[1]
    ),
    ERROR.metric(
        "cycle_mae",
        "cycle MAE",
        "Of the input made again from the prediction, in the brain: small without being right.",
        lambda e: e.cycle_mae,
        ranked=False,
    ),
)


class Synthesis(Task[SynthesisInputs, SynthesisReference]):
    """Synthesis of a contrast; cases are the subjects of a split.

    A prediction is the target contrast ``(z, y, x)``, the 99.5th percentile in the brain 1 and zero outside; or that
    and the source made again from it, ``(2, z, y, x)``, whose error is then shown.
    """

    name = "synthesis"
    representation = "contrasts"
    tracks = TRACKS
    tracks_apart = True
    kernels = ("images", "doubles", "volumes", "labels")
    input_names = ("image", "mask")
    metrics = METRICS

    def cases(self, setting: Setting) -> list[CaseId]:
        subjects, wanted = setting.dataset.subjects(setting.split), setting.track.settings
        if isinstance(setting.dataset, SubjectDataset) and subjects:
            held = [setting.dataset.contrasts(subject) for subject in subjects]
            if all(names is not None and not set(wanted) <= set(names) for names in held):
                found = sorted({name for names in held for name in names or ()})
                raise DataError(
                    f"no {setting.split} subject of {setting.dataset.name} has both {' and '.join(wanted)}, which "
                    f"{setting.track.name} needs (found: {', '.join(found) or 'none'}); add them, or name the columns "
                    "so in subjects.csv."
                )
        return [CaseId(subject, (subject,)) for subject in subjects]

    def load(self, setting: Setting, case: CaseId) -> Case[SynthesisInputs, SynthesisReference]:
        source, target = setting.track.settings
        scan = scan_of(setting.dataset.load(case.subjects[0]), (source, target), setting.track.name)
        inputs = SynthesisInputs(scan.images[source], scan.mask, source, target, scan.spacing)
        return Case(case.id, case.subjects, inputs, SynthesisReference(scan.images[target], scan.mask), scan.spacing)

    def training_examples(self, dataset: Dataset, tracks: Sequence[Track[tuple[str, str]]]) -> TrainingScans:
        pairs = [track.settings for track in tracks]
        names = sorted({name for pair in pairs for name in pair})

        def scan(subject: str) -> Scan:
            return scan_of(dataset.load(subject), names, tracks[0].name)

        return TrainingScans(AsNeeded(scan, dataset.subjects("train")).checked(), pairs)

    def protocol(self, setting: Setting) -> Protocol:
        settings = {
            "dataset": setting.dataset.name,
            "contrasts": list(setting.track.settings),
            "normalisation": f"each contrast over its 99.5th percentile in the brain, 0 to {CEILING}, 0 outside",
            "prediction": f"clipped to 0 to {CEILING}",
            "data_range": 1,
            "ssim": f"3-D, {WINDOW}x{WINDOW}x{WINDOW} uniform, sample covariance, K1 0.01, K2 0.03",
            "mutual_information": "64 bins",
            "tissues": f"multi-Otsu, {CLASSES} classes in the brain, thresholds of each image its own",
        }
        return Protocol(f"synthesis/{setting.track.name}", version=1, settings=settings)

    def check(self, case: Case, prediction: object) -> np.ndarray:
        shape = case.reference.image.shape
        return finite_array(prediction, shape, (2, *shape), what="the image", axes="(z, y, x)")

    def looks(self, case: Case, prediction: np.ndarray) -> list[Look]:
        """Look for contrasts that are not aligned, and for a prediction that lies wrongly or is in other units."""
        inputs, target, synthesised = case.inputs, case.reference.image, _synthesised(prediction)
        apart = misalignment(inputs.image, target, inputs.mask, inputs.source, inputs.target, inputs.spacing)
        aligned = Look(
            "aligned contrasts", f"{inputs.source} and {inputs.target} of the data are aligned.", apart or ""
        )
        axes = AxesSearch(target, synthesised, names="zyx", region=inputs.mask, kind="information").looks("the image")
        ratio = float(np.percentile(synthesised[inputs.mask], 99.5))  # the target's is 1
        warning = f"the 99.5th percentile in the brain is {ratio:.3g}; scale the image so that it is about 1."
        units = "1 is the 99.5th percentile in the brain, within a factor of 3."
        return [aligned, *axes, told_after(axes, Look("units", units, "" if 1 / 3 < ratio < 3 else warning))]

    def write_inputs(self, inputs: SynthesisInputs, folder: Path) -> Mapping[str, Path | float]:
        return write_images(folder, inputs.spacing, {"image": inputs.image, "mask": inputs.mask})

    def read_output(self, inputs: SynthesisInputs, path: Path) -> object:
        return read_prediction(path, self.holds, Grid(inputs.image.shape, inputs.spacing))

    def grid(self, setting: Setting, case: Case[SynthesisInputs, SynthesisReference]) -> Grid:
        return subject_grid(setting.dataset, case.subjects[0], case.reference.image.shape, case.spacing)

    def evaluate(self, case: Case[SynthesisInputs, SynthesisReference], prediction: np.ndarray) -> SynthesisEvaluation:
        return SynthesisEvaluation(case, prediction)

    def details(self, evaluation: SynthesisEvaluation) -> Mapping[str, Any]:
        return {"megavoxels": evaluation.target.size / 1e6}

    def slices(self, case: Case) -> int:
        return len(case.reference.image)

    def picture(self, case: Case, prediction: np.ndarray, index: int | None = None) -> Picture:
        middle = len(case.reference.image) // 2 if index is None else index
        reference, source, synthesised = (
            np.minimum(image[middle], 1)
            for image in (case.reference.image, case.inputs.image, _synthesised(prediction))
        )
        return Picture(
            reference, source, synthesised, synthesised - reference, names=(case.inputs.target, case.inputs.source)
        )


def scan_of(subject: Subject, contrasts: Sequence[str], track: str) -> Scan:
    """Scale the contrasts of a subject as the protocol says.

    Raises
    ------
    DataError
        If one is missing, or empty in the brain, or the volume is thinner than the SSIM window.
    """
    images = {}
    for name in contrasts:
        if name not in subject.images:
            raise DataError(
                f"subject '{subject.id}' has {' and '.join(subject.images)} but no {name}, which the track {track} "
                f"needs; add it, or leave the subject out."
            )
        top = float(np.percentile(subject.images[name][subject.mask], 99.5))
        if top <= 0:
            raise DataError(f"subject '{subject.id}': {name} is empty in the brain; check its file and its mask.")
        image = np.where(subject.mask, np.clip(subject.images[name] / top, 0, CEILING), 0)
        images[name] = np.ascontiguousarray(image, dtype=np.float32)
    if min(subject.mask.shape) < WINDOW:
        raise DataError(
            f"subject '{subject.id}' has {subject.mask.shape} voxels; the 3-D SSIM needs {WINDOW} each way, "
            "so use larger volumes."
        )
    return Scan(subject.id, images, subject.mask, subject.spacing)


def misalignment(
    source: np.ndarray,
    target: np.ndarray,
    mask: np.ndarray,
    source_name: str,
    target_name: str,
    spacing: tuple[float, float, float],
) -> str | None:
    """Say by how much two contrasts fit better when one is moved by up to two voxels along an axis, or None."""
    moves = list(product(range(3), (-2, -1, 1, 2)))
    shifts = np.zeros((1 + len(moves), 3), int)
    for shift, (axis, step) in zip(shifts[1:], moves, strict=True):
        shift[axis] = step
    still, *moved = shifted_mutual_information(source, target, data_range=CEILING, mask=mask, shifts=shifts)
    best = int(np.argmax(moved))
    if moved[best] < MISALIGNED * still:
        return None
    axis, step = moves[best]
    return (
        f"{target_name} fits {source_name} better when moved by {step:+d} voxel along {'zyx'[axis]} "
        f"({step * spacing[axis]:+.3g} mm): {moved[best]:.3f} bits of mutual information instead of {still:.3f}; "
        "register the contrasts first."
    )


def tissue_dice(target: np.ndarray, prediction: np.ndarray, mask: np.ndarray) -> float:
    """Mean Dice of the multi-Otsu classes of two images in a mask; classes that one of them lacks count as 0."""
    true, synthesised = (_classes(image[mask]) for image in (target, prediction))
    return float(np.nan_to_num(dice_per_label(true, synthesised, range(1, CLASSES + 1))).mean())


def _classes(values: np.ndarray) -> np.ndarray:
    from skimage.filters import threshold_multiotsu

    try:
        thresholds = threshold_multiotsu(values, CLASSES)
    except ValueError:  # fewer levels than classes
        return np.ones(values.shape, np.uint8)
    return (1 + np.digitize(values, thresholds)).astype(np.uint8)


def _synthesised(prediction: np.ndarray) -> np.ndarray:
    return prediction[0] if prediction.ndim == 4 else prediction
