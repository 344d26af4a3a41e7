"""Reconstruction: an image from undersampled Cartesian k-space."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mrbench.core.case import Case, CaseId
from mrbench.core.errors import DataError, PredictionError, RequestError
from mrbench.core.examples import AsNeeded
from mrbench.core.grid import Grid
from mrbench.core.look import Look
from mrbench.core.metric import Metric
from mrbench.core.protocol import Protocol
from mrbench.core.random import rng_for
from mrbench.core.row import distinct
from mrbench.core.task import Evaluation, Picture, Setting, Task
from mrbench.core.track import Track
from mrbench.datasets.acquisition import Acquisition, KspaceDataset
from mrbench.metrics.image import image_scores
from mrbench.metrics.scales import DECIBELS, ERROR, SIMILARITY
from mrbench.physics.fourier import centre_crop, root_sum_of_squares, to_image
from mrbench.physics.sampling import calibration_size, centred, true_acceleration
from mrbench.tasks.files import read_prediction, write_kspace
from mrbench.tasks.reconstruction_axes import looks
from mrbench.tasks.sampling import AS_ACQUIRED, TRACKS, NoisyTarget, Sampling, draw_mask
from mrbench.tasks.strata import by_acquisition

if TYPE_CHECKING:
    import pandas as pd

EVERY = 4
"""Every fourth slice of a simulated slab is reconstructed and scored: 5 slices, 8 mm apart."""


@dataclass(frozen=True)
class ReconstructionInputs:
    """What a reconstruction method sees.

    Attributes
    ----------
    kspace : ndarray of complex64, shape ``(frame, coil, y, x)``
        Centred, orthonormal; zero where not sampled. Scaled so that the brightest pixel of the zero-filled
        root-sum-of-squares images is 1.
    mask : ndarray of bool, shape ``(frame, y, x)``
        What was sampled.
    calibration : tuple of int
        Rows and columns of the centred block that every frame samples fully; ``(0, 0)`` for none.
    dynamic : bool
        Whether frames are time points of one slice rather than slices.
    spacing : tuple of float
        mm, order ``(frame, y, x)``; of k-space files 1, because not all formats know it.
    """

    kspace: np.ndarray
    mask: np.ndarray
    calibration: tuple[int, int]
    dynamic: bool
    spacing: tuple[float, float, float]


@dataclass(frozen=True)
class ReconstructionReference:
    """What only the scorer sees: the true magnitude and the foreground, or None where nobody knows them.

    ``scale`` is what the k-space of the dataset was divided by, ``protocol`` what was acquired, where its file tells.
    """

    magnitude: np.ndarray | None
    foreground: np.ndarray | None
    crop: tuple[int, int]
    note: str
    scale: float = 1.0
    protocol: str = ""


@dataclass(frozen=True)
class ReconstructionEvaluation(Evaluation[ReconstructionInputs, ReconstructionReference]):
    """Volume, slice and foreground scores share their moments."""

    @cached_property
    def scores(self) -> Mapping[str, float]:
        """All image scores by the names of the metrics; empty where nobody knows the true image."""
        target, mask = self.reference.magnitude, self.reference.foreground
        if target is None:
            return {}
        foreground = mask if mask is not None and mask.any() else None
        return image_scores(target, self.prediction, data_range=float(target.max()), mask=foreground, by_slice=True)


def _score(name: str) -> Callable[[ReconstructionEvaluation], float | None]:
    return lambda evaluation: evaluation.scores.get(name)


METRICS: tuple[Metric, ...] = (
    DECIBELS.metric(
        "psnr_db", "PSNR", "Peak signal-to-noise ratio of the volume, peak: its maximum (fastMRI).", _score("psnr_db")
    ),
    SIMILARITY.metric(
        "ssim",
        "SSIM",
        "Mean over slices, 7x7 uniform window, data range: the volume's maximum (fastMRI).",
        _score("ssim"),
    ),
    ERROR.metric("nmse", "NMSE", "Squared error over squared norm of the volume (fastMRI).", _score("nmse")),
    DECIBELS.metric(
        "psnr_fg_db",
        "PSNR, foreground",
        "The same peak, mean squared error over the voxels of the foreground alone.",
        _score("psnr_fg_db"),
    ),
    SIMILARITY.metric(
        "ssim_fg",
        "SSIM, foreground",
        "The same SSIM map, averaged over the voxels of the foreground alone.",
        _score("ssim_fg"),
    ),
    DECIBELS.metric(
        "psnr_slice_db",
        "PSNR by slice",
        "Mean over slices, peak: the slice's maximum. Not fastMRI's; decibels apart from it.",
        _score("psnr_slice_db"),
    ),
    SIMILARITY.metric(
        "ssim_slice",
        "SSIM by slice",
        "Mean over slices, data range: the slice's maximum. Not fastMRI's.",
        _score("ssim_slice"),
    ),
    ERROR.metric("nmse_slice", "NMSE by slice", "Mean over slices of each slice's NMSE.", _score("nmse_slice")),
)


class Reconstruction(Task[ReconstructionInputs, ReconstructionReference]):
    """Image reconstruction from undersampled k-space.

    A prediction is the image ``(frame, y, x)``, complex or magnitude, in the units of the k-space given. The harness
    alone takes the magnitude and crops to the reference.

    Cases are the subjects of a split under one mask after another: first every subject with its first mask.
    """

    name = "reconstruction"
    representation = "k-space"
    kernels = ("images",)
    input_names = ("kspace",)
    output_ending = ".h5"
    tracks = TRACKS
    metrics = METRICS

    def default_track(self, dataset: KspaceDataset) -> Track[Sampling]:  # type: ignore[override]
        """Return the track of a dataset where the user names none: fastMRI's, or its own kind of sampling."""
        fitting = _fitting(dataset)
        published = [name for name in fitting if dataset.published and name.startswith(dataset.published)]
        return TRACKS[(published or fitting)[0]]

    def cases(self, setting: Setting) -> list[CaseId]:
        dataset: KspaceDataset = setting.dataset  # type: ignore[assignment]
        if not _fits(setting.track, dataset):
            fitting = ", ".join(_fitting(dataset))
            raise RequestError(f"track '{setting.track.name}' does not suit {dataset.name}; choose {fitting}.")
        subjects, masks = dataset.subjects(setting.split), setting.track.settings.masks
        if masks == 1:
            return [CaseId(subject, (subject,)) for subject in subjects]
        return [CaseId(f"{s}_mask{number}", (s,)) for number in range(1, masks + 1) for s in subjects]

    def load(self, setting: Setting, case: CaseId) -> Case[ReconstructionInputs, ReconstructionReference]:
        dataset: KspaceDataset = setting.dataset  # type: ignore[assignment]
        track: Track[Sampling] = setting.track
        acquisition = dataset.acquisition(case.subjects[0], coils=track.settings.coils)
        thin = slice(None, None, EVERY if dataset.simulated and not acquisition.dynamic else 1)
        mask = acquisition.mask
        if mask is None:
            rng = rng_for(case.id, f"mask {track.name}")
            mask = draw_mask(track.settings, acquisition.kspace.shape, rng, file=acquisition.file)
            if track.settings.official and acquisition.acquired is not None:
                mask = mask & _columns(acquisition.acquired, mask.shape[-1])
        inputs, scale = undersample(acquisition, mask, thin)
        noisy = isinstance(track.settings, NoisyTarget)
        truth = acquisition.noisy_reference if noisy else acquisition.reference
        reference = truth[thin] / scale if truth is not None else None
        foreground = acquisition.foreground[thin] if acquisition.foreground is not None else None
        answer = ReconstructionReference(
            reference, foreground, acquisition.crop, acquisition.note, scale, acquisition.protocol
        )
        return Case(case.id, case.subjects, inputs, answer, inputs.spacing)

    def protocol(self, setting: Setting) -> Protocol:
        dataset: KspaceDataset = setting.dataset  # type: ignore[assignment]
        return Protocol(
            f"reconstruction/{setting.track.name}",
            version=1,
            settings={
                "dataset": dataset.name,
                "slices": f"every {EVERY}th of a simulated slab, all of a measured one",
                "sampling": {"what": setting.track.description, **setting.track.facts},
                "target": getattr(
                    setting.track.settings, "target", "magnitude; of measured coils the root sum of squares"
                ),
                "crop": "centre, to the reconstruction matrix of the header where there is one",
                "data_range": "maximum of the cropped target volume",
                "ssim": "2-D, 7x7 uniform, sample covariance, K1 0.01, K2 0.03, mean over slices",
                "foreground": dataset.region,
            },
        )

    def check(self, case: Case, prediction: object) -> np.ndarray:
        frames, _, rows, columns = case.inputs.kspace.shape
        if not isinstance(prediction, np.ndarray):
            raise PredictionError(
                f"the method returned {type(prediction).__name__}; return a numpy array of shape "
                f"{(frames, rows, columns)}."
            )
        if prediction.shape != (frames, rows, columns):
            raise PredictionError(
                f"the image has shape {prediction.shape}; {(frames, rows, columns)} is needed: one image a frame, "
                "coils combined."
            )
        if not np.issubdtype(prediction.dtype, np.inexact):
            raise PredictionError(f"the image has dtype {prediction.dtype}; return floating-point or complex numbers.")
        magnitude = np.abs(prediction) if np.iscomplexobj(prediction) else prediction
        with np.errstate(over="ignore"):
            magnitude = np.ascontiguousarray(centre_crop(magnitude, case.reference.crop), dtype=np.float32)
        if not np.isfinite(magnitude).all():
            raise PredictionError("the image holds NaN or infinite values; the method diverged or divided by zero.")
        if not magnitude.any():
            raise PredictionError("the image is zero everywhere; the coil maps may be empty.")
        return magnitude

    def looks(self, case: Case, prediction: np.ndarray) -> list[Look]:
        """Look for an image that is mirrored, exchanged, moved, or in other units."""
        reference = case.reference
        return looks(case.inputs.kspace, reference.magnitude, reference.foreground, reference.crop, prediction)

    def write_inputs(self, inputs: ReconstructionInputs, folder: Path) -> Mapping[str, Path | float]:
        return write_kspace(folder, inputs.kspace, inputs.mask)

    def read_output(self, inputs: ReconstructionInputs, path: Path) -> object:
        frames, _, rows, columns = inputs.kspace.shape
        return read_prediction(path, self.holds, Grid((frames, rows, columns), inputs.spacing))

    def grid(self, setting: Setting, case: Case[ReconstructionInputs, ReconstructionReference]) -> Grid:
        frames, _, rows, columns = case.inputs.kspace.shape
        return Grid((frames, rows, columns), case.spacing, crop=case.reference.crop, scale=case.reference.scale)

    def evaluate(
        self, case: Case[ReconstructionInputs, ReconstructionReference], prediction: np.ndarray
    ) -> ReconstructionEvaluation:
        return ReconstructionEvaluation(case, prediction)

    def details(self, evaluation: ReconstructionEvaluation) -> Mapping[str, Any]:
        reference = evaluation.reference
        details: dict[str, Any] = {
            "frames" if evaluation.inputs.dynamic else "slices": len(evaluation.prediction),
            "true_acceleration": round(true_acceleration(evaluation.inputs.mask), 3),
        }
        if reference.note:
            details["note"] = reference.note
        if reference.protocol:
            details["acquisition"] = reference.protocol
        return details if reference.magnitude is not None else {**details, "scored": False}

    def notes(self, rows: pd.DataFrame) -> list[str]:
        """Say the true acceleration, which of a random mask is anything around the nominal one, and what is odd."""
        details = distinct(rows["details"])
        said = list(dict.fromkeys(own["note"] for own in details if "note" in own))
        said += by_acquisition(rows)
        if any(own.get("scored") is False for own in details):
            said.append("No scores: these data came undersampled, so nobody has the true image.")
        by_case = zip(rows["case"], rows["details"], strict=True)
        accelerations = {case: own["true_acceleration"] for case, own in by_case if "true_acceleration" in own}
        if not accelerations:
            return said
        for kind in ("frames", "slices"):
            if sizes := sorted({own[kind] for own in details if kind in own}):
                said.append(f"A case is {' or '.join(map(str, sizes))} {kind if sizes != [1] else kind[:-1]}.")
        low, high, mean = (
            min(accelerations.values()),
            max(accelerations.values()),
            sum(accelerations.values()) / len(accelerations),
        )
        return [*said, f"True acceleration {mean:.2f} on average ({low:.2f} to {high:.2f})."]

    def slices(self, case: Case) -> int:
        return len(case.inputs.kspace)

    def picture(self, case: Case, prediction: np.ndarray, index: int | None = None) -> Picture:
        middle = len(prediction) // 2
        place = middle if index is None else index

        def zero_filled(frame: int) -> np.ndarray:
            image = root_sum_of_squares(to_image(case.inputs.kspace[frame]))
            return centre_crop(image, case.reference.crop)

        target = case.reference.magnitude
        source = zero_filled(place)
        reference = source if target is None else target[place]
        scale = reference if place == middle else zero_filled(middle) if target is None else target[middle]
        # the brightest pixels, fat and vessels, would darken the rest
        top = float(np.percentile(scale, 99.5)) or float(scale.max()) or 1.0
        images = [image / top for image in (reference, source, prediction[place])]
        names = ("zero-filled, no reference" if target is None else "reference", "zero-filled")
        return Picture(images[0], images[1], images[2], images[2] - images[0], names=names)

    def training_examples(  # type: ignore[override]
        self, dataset: KspaceDataset, tracks: Sequence[Track[Sampling]]
    ) -> TrainingScans:
        chosen = [track.settings for track in tracks]
        coils = {sampling.coils for sampling in chosen}
        names = ", ".join(track.name for track in tracks)
        if len(coils) > 1 or any(not _fits(track, dataset) for track in tracks) or not dataset.full:
            raise RequestError(
                f"tracks {names} cannot be trained together on {dataset.name}: they need full k-space, "
                "and the same number of coils."
            )

        def scan(subject: str) -> Acquisition:
            return dataset.acquisition(subject, coils=chosen[0].coils)

        return TrainingScans(AsNeeded(scan, dataset.subjects("train")).checked(), chosen)


@dataclass(frozen=True)
class TrainingScans:
    """Fully sampled acquisitions of the train split, and the sampling of the tracks that masks are drawn by."""

    scans: Sequence[Acquisition]
    tracks: Sequence[Sampling]


def _columns(acquired: slice, width: int) -> np.ndarray:
    measured = np.zeros(width, bool)
    measured[acquired] = True
    return measured


def undersample(acquisition: Acquisition, mask: np.ndarray, frames: slice) -> tuple[ReconstructionInputs, float]:
    """Leave out what the mask leaves out, and scale by the zero-filled image.

    Returns
    -------
    inputs : ReconstructionInputs
    scale : float
        What the k-space was divided by; the reference must be, too.

    Raises
    ------
    DataError
        If nothing is left, so that no image can be made.
    """
    # where(), not a product: a product leaves signed zeros, which leak the signs of what was left out
    kspace = np.where(mask[frames, None], acquisition.kspace[frames], 0)
    scale = float(root_sum_of_squares(to_image(kspace)).max())
    if scale == 0:
        raise DataError("the sampled k-space is zero everywhere; check the k-space file and its mask.")
    calibration = calibration_size(mask)
    rows, columns = map(centred, mask.shape[1:], calibration)
    if 0 not in calibration and not kspace[..., rows, columns].any(axis=(1, 2, 3)).all():
        raise DataError("the calibration lines in the centre of k-space are zero; check the k-space file and its mask.")
    kspace = np.ascontiguousarray(kspace / np.float32(scale))
    between, *within = acquisition.spacing
    spacing = ((frames.step or 1) * between, *within)
    return ReconstructionInputs(kspace, mask[frames], calibration, acquisition.dynamic, spacing), scale  # type: ignore[arg-type]


def _fitting(dataset: KspaceDataset) -> list[str]:
    """Names of the tracks that take a dataset, its own kind of sampling first."""
    return [name for name, track in TRACKS.items() if _fits(track, dataset)]


def _fits(track: Track[Sampling], dataset: KspaceDataset) -> bool:
    if not dataset.full:
        return track.name == AS_ACQUIRED
    sampling = track.settings
    if sampling.official if dataset.simulated else isinstance(sampling, NoisyTarget):
        return False  # fastMRI's masks want files, and of measured data the truth is not known
    coils = dataset.coils is None or (dataset.coils == 1) == (sampling.coils == 1)
    return coils and track.name != AS_ACQUIRED and sampling.dynamic == dataset.dynamic
