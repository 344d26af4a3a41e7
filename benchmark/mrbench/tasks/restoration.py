"""What super-resolution and denoising share: a volume to restore, its truth, its scores, its picture."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isnan
from typing import Any

import numpy as np

from mrbench.core.case import Case, CaseId
from mrbench.core.errors import DataError, PredictionError
from mrbench.core.metric import Metric
from mrbench.core.row import Row
from mrbench.core.task import Picture, Scores, Task
from mrbench.data.dataset import Dataset
from mrbench.metrics.image import WINDOW, nmse, psnr, ssim, ssim_3d
from mrbench.metrics.sharpness import gmsd, hfen, sharpness_ratio

PSNR = Metric("psnr_db", "PSNR", "dB", True, (-inf, inf), 2, "Peak signal-to-noise ratio of the volume, peak 1.")
SSIM = Metric("ssim", "SSIM", "", True, (-1, 1), 4, "Mean over axial slices, 7x7 uniform window, data range 1.")
SSIM_3D = Metric("ssim_3d", "SSIM 3-D", "", True, (-1, 1), 4, "7x7x7 uniform window, data range 1.")
NMSE = Metric("nmse", "NMSE", "", False, (0, inf), 4, "Squared error over squared norm of the volume.")
PSNR_FG = Metric("psnr_fg_db", "PSNR, foreground", "dB", True, (-inf, inf), 2,
                 "Peak 1, mean squared error over the foreground alone: the brain where labels know it.")  # fmt: skip
SSIM_FG = Metric("ssim_fg", "SSIM, foreground", "", True, (-1, 1), 4, "The slice-wise SSIM map over the foreground.")
GMSD = Metric("gmsd", "GMSD", "", False, (0, inf), 4, "Gradient-magnitude similarity deviation (Xue et al. 2014).")
HFEN = Metric("hfen", "HFEN", "", False, (0, inf), 3,
              "High-frequency error norm: relative error of the Laplacian of Gaussian (Ravishankar 2011).")  # fmt: skip
SHARPNESS = Metric("sharpness", "sharpness", "", True, (0, inf), 3,
                   "Mean in-plane gradient of the foreground over the reference's: 1 is as sharp; more may be noise.",
                   ranked=False)  # fmt: skip


@dataclass(frozen=True)
class RestorationReference:
    """What only the scorer sees: the true volume, maximum about 1, and the foreground."""

    volume: np.ndarray
    foreground: np.ndarray


@dataclass(frozen=True)
class TrainingVolumes:
    """True volumes of the train split, and the settings of the tracks that they are degraded for."""

    volumes: Sequence[np.ndarray]
    tracks: Sequence[Any]


class Restoration(Task):
    """A task whose prediction is the true volume ``(z, y, x)`` in the units of its input.

    Cases are the subjects of a split.
    """

    material = "volumes"

    @abstractmethod
    def degrade(self, case: CaseId, volume: np.ndarray, track: str, spacing: tuple[float, float, float]) -> Any:
        """Return the inputs that a method sees of a true volume."""

    def trim(self, case: CaseId, volume: np.ndarray, foreground: np.ndarray, track: str) -> tuple[slice, ...]:
        """Return the part of a volume that the track works on: all of it."""
        return (slice(None),) * 3

    def cases(self, dataset: Dataset, split: str, track: str) -> list[CaseId]:
        return [CaseId(subject, (subject,)) for subject in dataset.subjects(split)]

    def load(self, dataset: Dataset, case: CaseId, track: str) -> Case:
        subject = dataset.load(case.subjects[0])
        volume = next(iter(subject.images.values()))
        foreground = subject.mask if subject.labels is None else subject.labels > 0
        part = self.trim(case, volume, foreground, track)
        volume, foreground = np.ascontiguousarray(volume[part]), np.ascontiguousarray(foreground[part])
        if min(volume.shape[1:]) < WINDOW:
            raise DataError(
                f"case '{case.id}' has slices of {volume.shape[1:]} pixels; SSIM needs {WINDOW} each way, "
                "so use larger images."
            )
        inputs = self.degrade(case, volume, track, subject.spacing)
        return Case(case.id, case.subjects, inputs, RestorationReference(volume, foreground), subject.spacing)

    def training_examples(self, dataset: Dataset, tracks: Sequence[str]) -> TrainingVolumes:
        subjects = [dataset.load(subject) for subject in dataset.subjects("train")]
        return TrainingVolumes([next(iter(s.images.values())) for s in subjects], [self.setting(t) for t in tracks])

    @abstractmethod
    def setting(self, track: str) -> Any:
        """Return the settings object of a track."""

    def check(self, case: Case, prediction: Any) -> np.ndarray:
        expected = case.reference.volume.shape
        if not isinstance(prediction, np.ndarray):
            raise PredictionError(f"the method returned {type(prediction).__name__}; return an array of {expected}.")
        if prediction.shape != expected:
            raise PredictionError(f"the volume has shape {prediction.shape}; {expected} is needed, axes (z, y, x).")
        if not np.issubdtype(prediction.dtype, np.floating):
            raise PredictionError(f"the volume has dtype {prediction.dtype}; return real floating-point numbers.")
        if not np.isfinite(prediction).all():
            raise PredictionError("the volume holds NaN or infinite values; the method diverged or divided by zero.")
        return np.ascontiguousarray(prediction, dtype=np.float32)

    def diagnose(self, case: Case, prediction: np.ndarray) -> str | None:
        """Warn where the volume fits clearly better moved by a voxel, mirrored, or in other units."""
        target = case.reference.volume
        own = nmse(target, prediction)
        variants = {
            f"moved by {step:+d} voxel along {name}": np.roll(prediction, step, axis)
            for axis, name in enumerate("zyx") for step in (-1, 1) if target.shape[axis] > 1
        } | {f"mirrored along {name}": np.flip(prediction, axis) for axis, name in enumerate("zyx")}  # fmt: skip
        for name, variant in variants.items():
            if (other := nmse(target, variant)) < 0.6 * own:
                return f"the volume fits better {name}: NMSE {other:.4f} instead of {own:.4f}"
        energy = float((prediction.astype(np.float64) ** 2).sum())
        ratio = float((target * prediction).sum()) / energy if energy else 1.0
        return None if 0.5 < ratio < 2 else f"the volume fits better times {ratio:.3g}; keep the units of the input."

    def score(self, case: Case, prediction: np.ndarray) -> Scores:
        target, foreground = case.reference.volume, case.reference.foreground
        found = {
            "psnr_db": psnr(target, prediction, data_range=1),
            "ssim": ssim(target, prediction, data_range=1),
            "ssim_3d": ssim_3d(target, prediction, data_range=1),
            "nmse": nmse(target, prediction),
            "gmsd": gmsd(target, prediction, data_range=1),
            "hfen": hfen(target, prediction),
        }
        if foreground.any():
            found |= {
                "psnr_fg_db": psnr(target, prediction, data_range=1, mask=foreground),
                "ssim_fg": ssim(target, prediction, data_range=1, mask=foreground),
                "sharpness": sharpness_ratio(target, prediction, mask=foreground),
            }
        wanted = {metric.name for metric in self.metrics}
        metrics = {name: value for name, value in found.items() if name in wanted and not isnan(value)}
        return Scores(metrics, {"megavoxels": round(target.size / 1e6, 4)})

    def notes(self, rows: Sequence[Row]) -> list[str]:
        """Say the size that seconds and memory by megavoxel refer to."""
        sizes = sorted({row.details["megavoxels"] for row in rows if "megavoxels" in row.details})
        return [f"A case is {' or '.join(f'{size:.2f}' for size in sizes[:3])} megavoxels."] if sizes else []

    def scoring(self, dataset: Dataset) -> Mapping[str, Any]:
        """The settings of scoring that all restoration shares."""
        return {
            "dataset": dataset.name,
            "normalisation": "volume over its maximum (simulated: 99.5th percentile in the brain, clipped)",
            "data_range": 1,
            "border": "none is cut; SSIM leaves out the 3 voxels of its window",
            "ssim": "2-D axial, 7x7 uniform, sample covariance, K1 0.01, K2 0.03; 3-D likewise with 7x7x7",
            "foreground": "labels, or else mask, or else the head",
        }

    def picture(self, case: Case, prediction: np.ndarray) -> Picture:
        target = case.reference.volume
        axis, middle = self.plane(case), [size // 2 for size in target.shape]
        planes = [image.take(middle[axis], axis) for image in (target, self.shown_input(case), prediction)]
        top = float(np.percentile(planes[0], 99.5)) or 1.0
        reference, source, shown = (plane / top for plane in planes)
        return Picture(reference, source, shown, shown - reference, names=("reference", "input"))

    def plane(self, case: Case) -> int:
        """Axis that a panel cuts across."""
        return 0

    @abstractmethod
    def shown_input(self, case: Case) -> np.ndarray:
        """Return the input on the grid of the reference, as a panel shows it."""
