"""What super-resolution and denoising share: a volume to restore, its truth, its scores, its picture."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from mrbench.core.case import Case, CaseId
from mrbench.core.dataset import Dataset
from mrbench.core.errors import DataError
from mrbench.core.examples import AsNeeded
from mrbench.core.grid import Grid
from mrbench.core.look import Look, told_after
from mrbench.core.metric import Scale
from mrbench.core.prediction import finite_array
from mrbench.core.task import Evaluation, Picture, Setting, Task
from mrbench.core.track import Track
from mrbench.datasets.grid import subject_grid
from mrbench.metrics.axes import AxesSearch
from mrbench.metrics.image import HIGHEST_PSNR, WINDOW, image_scores, ssim_3d
from mrbench.metrics.scales import DECIBELS, ERROR, SIMILARITY
from mrbench.metrics.sharpness import gmsd, hfen, sharpness_ratio
from mrbench.tasks.files import read_prediction, write_images

if TYPE_CHECKING:
    import pandas as pd

LOWEST_GAIN = 0.6
"""Of a volume in the units of its input; Rician noise of 20 % that nothing was done about brightens 1.3 times."""


@dataclass(frozen=True)
class RestorationReference:
    """What only the scorer sees: the true volume, maximum about 1, and the foreground."""

    volume: np.ndarray
    foreground: np.ndarray


@dataclass(frozen=True)
class RestorationEvaluation(Evaluation[Any, RestorationReference]):
    """What the metrics of restoration share."""

    @property
    def target(self) -> np.ndarray:
        return self.reference.volume

    @cached_property
    def scores(self) -> Mapping[str, float]:
        """PSNR, SSIM and NMSE of the volume and its foreground, from one pass."""
        return image_scores(self.target, self.prediction, data_range=1, mask=self.reference.foreground)


def _score(name: str) -> Callable[[RestorationEvaluation], float]:
    return lambda evaluation: evaluation.scores[name]


PSNR = DECIBELS.metric(
    "psnr_db",
    "PSNR",
    f"Peak signal-to-noise ratio of the volume, peak 1; at most {HIGHEST_PSNR:.0f} dB.",
    _score("psnr_db"),
)
SSIM = SIMILARITY.metric("ssim", "SSIM", "Mean over axial slices, 7x7 uniform window, data range 1.", _score("ssim"))
SSIM_3D = SIMILARITY.metric(
    "ssim_3d",
    "SSIM 3-D",
    "7x7x7 uniform window, data range 1.",
    lambda e: ssim_3d(e.target, e.prediction, data_range=1),
)
NMSE = ERROR.metric("nmse", "NMSE", "Squared error over squared norm of the volume.", _score("nmse"))
PSNR_FG = DECIBELS.metric(
    "psnr_fg_db",
    "PSNR, foreground",
    "Peak 1, mean squared error over the foreground alone: the brain where labels know it.",
    _score("psnr_fg_db"),
)
SSIM_FG = SIMILARITY.metric(
    "ssim_fg", "SSIM, foreground", "The slice-wise SSIM map over the foreground.", _score("ssim_fg")
)
GMSD = ERROR.metric(
    "gmsd",
    "GMSD",
    "Gradient-magnitude similarity deviation (Xue et al. 2014).",
    lambda e: gmsd(e.target, e.prediction, data_range=1),
)
HFEN = Scale("", False, (0, inf), 3).metric(
    "hfen",
    "HFEN",
    "High-frequency error norm: relative error of the Laplacian of Gaussian (Ravishankar 2011).",
    lambda e: hfen(e.target, e.prediction),
)
SHARPNESS = Scale("", True, (0, inf), 3).metric(
    "sharpness",
    "sharpness",
    "Mean in-plane gradient of the foreground over the reference's: 1 is as sharp; more may be noise.",
    lambda e: sharpness_ratio(e.target, e.prediction, mask=e.reference.foreground),
    ranked=False,
)


@dataclass(frozen=True)
class TrainingVolumes:
    """True volumes of the train split, and the settings of the tracks that they are degraded for."""

    volumes: Sequence[np.ndarray]
    tracks: Sequence[Any]


class RestorationInputs(Protocol):
    """What the inputs of all tasks of restoration have: an image, the SD of its noise, and the size of its voxels."""

    @property
    def image(self) -> np.ndarray: ...

    @property
    def sigma(self) -> float: ...

    @property
    def spacing(self) -> tuple[float, float, float]: ...


Given = TypeVar("Given", bound=RestorationInputs)


class Restoration(Task[Given, RestorationReference]):
    """A task whose prediction is the true volume ``(z, y, x)`` in the units of its input.

    Cases are the subjects of a split.
    """

    representation = "volumes"
    kernels = ("images", "volumes")
    input_names = ("image", "sigma")

    @abstractmethod
    def degrade(
        self, case: CaseId, volume: np.ndarray, track: Track[Any], spacing: tuple[float, float, float]
    ) -> Given:
        """Return the inputs that a method sees of a true volume."""

    def trim(self, case: CaseId, volume: np.ndarray, foreground: np.ndarray, track: Track[Any]) -> tuple[slice, ...]:
        """Return the part of a volume that the track works on: all of it."""
        return (slice(None),) * 3

    def cases(self, setting: Setting) -> list[CaseId]:
        return [CaseId(subject, (subject,)) for subject in setting.dataset.subjects(setting.split)]

    def load(self, setting: Setting, case: CaseId) -> Case[Given, RestorationReference]:
        subject, track = setting.dataset.load(case.subjects[0]), setting.track
        volume = next(iter(subject.images.values()))
        foreground = subject.mask if subject.labels is None else subject.labels > 0
        part = self.trim(case, volume, foreground, track)
        volume, foreground = np.ascontiguousarray(volume[part]), np.ascontiguousarray(foreground[part])
        if not (volume.any() and foreground.any()):
            raise DataError(
                f"case '{case.id}' has no {'foreground' if volume.any() else 'signal'} in the {len(volume)} slices "
                f"of the track {track.name}; check its image, labels and mask."
            )
        if min(volume.shape[1:]) < WINDOW:
            raise DataError(
                f"case '{case.id}' has slices of {volume.shape[1:]} pixels; SSIM needs {WINDOW} each way, "
                "so use larger images."
            )
        inputs = self.degrade(case, volume, track, subject.spacing)
        return Case(case.id, case.subjects, inputs, RestorationReference(volume, foreground), subject.spacing)

    def training_examples(self, dataset: Dataset, tracks: Sequence[Track[Any]]) -> TrainingVolumes:
        def volume(subject: str) -> np.ndarray:
            return next(iter(dataset.load(subject).images.values()))

        volumes = AsNeeded(volume, dataset.subjects("train")).checked()
        return TrainingVolumes(volumes, [track.settings for track in tracks])

    def check(self, case: Case, prediction: object) -> np.ndarray:
        return finite_array(prediction, case.reference.volume.shape, what="the volume", axes="(z, y, x)")

    def looks(self, case: Case, prediction: np.ndarray) -> list[Look]:
        """Look for a volume that is mirrored, exchanged, moved, or in other units."""
        target = case.reference.volume
        axes = AxesSearch(target, prediction, names="zyx", region=case.reference.foreground).looks("the volume")
        # of the target's pattern, not the energy: noise that a method left in adds energy, but none of the pattern
        gain = float((target * prediction).sum(dtype=np.float64) / (target**2).sum(dtype=np.float64))
        right = LOWEST_GAIN < gain < 1 / LOWEST_GAIN
        warning = f"the volume is {gain:.3g} times as bright as the reference; keep the units of the input."
        units = f"Its units are those of the input, within a factor of {1 / LOWEST_GAIN:.2g}."
        return [*axes, told_after(axes, Look("units", units, "" if right else warning))]

    def write_inputs(self, inputs: Given, folder: Path) -> Mapping[str, Path | float]:
        return {**write_images(folder, inputs.spacing, {"image": inputs.image}), "sigma": inputs.sigma}

    def read_output(self, inputs: Given, path: Path) -> object:
        return read_prediction(path, self.holds, Grid(inputs.image.shape, inputs.spacing))

    def grid(self, setting: Setting, case: Case[Given, RestorationReference]) -> Grid:
        return subject_grid(setting.dataset, case.subjects[0], case.reference.volume.shape, case.spacing)

    def evaluate(self, case: Case[Given, RestorationReference], prediction: np.ndarray) -> RestorationEvaluation:
        return RestorationEvaluation(case, prediction)

    def details(self, evaluation: RestorationEvaluation) -> Mapping[str, Any]:
        return {"megavoxels": evaluation.target.size / 1e6}

    def notes(self, rows: pd.DataFrame) -> list[str]:
        """Say the size that seconds and memory by megavoxel refer to."""
        sizes = sorted(rows["megavoxels"].dropna().unique())
        ends = dict.fromkeys(f"{size:.2g}" for size in (sizes[:1] + sizes[-1:]))
        return [f"A case is {' to '.join(ends)} megavoxels."] if sizes else []

    def scoring(self, setting: Setting) -> Mapping[str, Any]:
        """The settings of scoring that all restoration shares."""
        return {
            "dataset": setting.dataset.name,
            "normalisation": "volume over its maximum (simulated: 99.5th percentile in the brain, clipped)",
            "data_range": 1,
            "border": "none is cut; SSIM leaves out the 3 voxels of its window",
            "ssim": "2-D axial, 7x7 uniform, sample covariance, K1 0.01, K2 0.03; 3-D likewise with 7x7x7",
            "foreground": "labels, or else mask, or else the head",
        }

    def slices(self, case: Case) -> int:
        return int(case.reference.volume.shape[self.plane(case)])

    def picture(self, case: Case, prediction: np.ndarray, index: int | None = None) -> Picture:
        target, axis = case.reference.volume, self.plane(case)
        middle = target.shape[axis] // 2
        place = middle if index is None else index
        planes = [image.take(place, axis) for image in (target, self.shown_input(case), prediction)]
        top = float(np.percentile(target.take(middle, axis), 99.5)) or 1.0  # one scale for all slices
        reference, source, shown = (plane / top for plane in planes)
        return Picture(reference, source, shown, shown - reference, names=("reference", "input"))

    @abstractmethod
    def shown_input(self, case: Case) -> np.ndarray:
        """Return the input on the grid of the reference, as a panel shows it."""
