"""A healthy atlas, registered to the patient: tumour is what is unusual where it lies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mrbench.core.method import Resources
from mrbench.space.alignment import to_sitk
from mrbench.tasks.segmentation import SegmentationInputs, TrainingTumours, TumourExample
from mrbench_baselines.registration.demons import Demons
from mrbench_baselines.segmentation.atlas_registration import (
    ORIGIN,
    affine_to_atlas,
    coarse_t1,
    field_to_atlas,
    from_atlas,
    scaled_t1,
    to_atlas,
)
from mrbench_baselines.segmentation.mixture import GaussianMixture

if TYPE_CHECKING:
    import SimpleITK as sitk

LEAST_SPREAD, FARTHEST = 0.15, 15.0
"""A spread is at least about the noise, in SDs of the brain; a residual is at most so many spreads."""

KNOWN = 1 / 3
"""Share of the train subjects that must be healthy at a place for the atlas to know it."""

AROUND_MM = 2.0
"""SD of the Gaussian that averages the residuals around a voxel."""


class Atlas(GaussianMixture):
    """Gaussian mixtures of the contrasts and of their residuals from a registered healthy atlas.

    The atlas holds at each place the median of each contrast over the train subjects, tumours left out, and their
    spread (median absolute deviation). Affine registration and demons of T1 bring it to a brain. A residual is how many
    spreads a voxel lies from the median; residuals, and their means around the voxel, stand in the mixtures beside the
    contrasts. What is bright where it is bright in everyone is then no tumour, as in template-moderated classification
    (Kaus et al., Radiology 2001). The mixtures maximise likelihood, as `GaussianMixture` says. Of what is unusual, the
    thickest piece is kept.

    Parameters
    ----------
    components : int
        Gaussians of healthy tissue; each label has two.
    smoothness : float
        SD in voxels.
    """

    reference = "Prastawa et al., A brain tumor segmentation framework based on outlier detection, MedIA 2004"
    tunable = {"smoothness": (0.5, 0.7, 1.0)}
    presets = ({},)
    floor = -12.0

    def __init__(self, *, components: int = 8, smoothness: float = 0.7) -> None:
        super().__init__(components=components, smoothness=smoothness)

    def setup(self, resources: Resources) -> None:
        super().setup(resources)
        Demons().setup(resources)

    def fit(self, examples: TrainingTumours) -> None:
        subjects = list(examples.subjects)
        images = [coarse_t1(subject.inputs) for subject in subjects]
        self.reference_ = images[0]
        affines = [affine_to_atlas(i, p.inputs, self.reference_) for i, p in zip(images, subjects, strict=True)]
        self.target_ = _middle_t1(subjects, affines, self.reference_)
        fields = [field_to_atlas(*pair, self.target_) for pair in zip(images, affines, strict=True)]
        self.atlas_ = _atlas(subjects, [from_atlas(*pair) for pair in zip(affines, fields, strict=True)])
        transforms = [to_atlas(*pair) for pair in zip(affines, fields, strict=True)]
        self.fit_mixtures(
            (_compared(p.inputs, self.atlas_, t), p.labels[p.inputs.mask])
            for p, t in zip(subjects, transforms, strict=True)
        )

    def features(self, inputs: SegmentationInputs) -> np.ndarray:
        """Contrasts, residuals and their means around each voxel of the brain, ``(voxels, 12)``."""
        image = coarse_t1(inputs)
        affine = affine_to_atlas(image, inputs, self.reference_)
        return _compared(inputs, self.atlas_, to_atlas(affine, field_to_atlas(image, affine, self.target_)))

    def scores(self, features: np.ndarray) -> np.ndarray:
        """Log posteriors: densities of 12 features differ too much between voxels to be smoothed themselves."""
        from scipy.special import logsumexp

        scores = super().scores(features)
        return scores - logsumexp(scores, axis=0)

    def tumour_of(self, candidate: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
        """The thickest piece: caps of white-matter hyperintensity may be larger than a tumour, but they are thin."""
        from scipy.ndimage import distance_transform_edt, label

        depth = distance_transform_edt(candidate, spacing)
        pieces, _ = label(candidate)
        return candidate & (pieces == pieces.flat[depth.argmax()])


def _channels(maps: np.ndarray, spacing: tuple[float, float, float]) -> sitk.Image:
    """Maps ``(maps, z, y, x)`` as a SimpleITK image of float32 channels."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.moveaxis(maps, 0, -1).astype(np.float32), isVector=True)
    image.SetSpacing(spacing[::-1])
    return image


def _moved(
    maps: np.ndarray, spacing: tuple[float, float, float], grid: sitk.Image, transform: sitk.Transform, outside: float
) -> sitk.Image:
    """Maps ``(maps, z, y, x)`` on another grid, linear."""
    import SimpleITK as sitk

    moved = sitk.Resample(_channels(maps, spacing), grid, transform, sitk.sitkLinear, outside)
    # of a single map, SimpleITK drops the axis
    return np.moveaxis(sitk.GetArrayFromImage(moved).reshape(*grid.GetSize()[::-1], len(maps)), -1, 0)


def _grid(inputs: SegmentationInputs) -> sitk.Image:
    return to_sitk(inputs.mask.astype(np.uint8), inputs.spacing, ORIGIN)


def _middle_t1(subjects: Sequence[TumourExample], affines: Sequence[Any], grid: sitk.Image) -> sitk.Image:
    """The median of T1 after affine registration alone, which demons bring every brain to."""
    moved = [
        _moved(
            np.where(p.labels > 0, np.nan, scaled_t1(p.inputs))[None], p.inputs.spacing, grid, affine.GetInverse(), 0
        )
        for p, affine in zip(subjects, affines, strict=True)
    ]
    return to_sitk(np.nan_to_num(_median(np.stack(moved))[0]), grid.GetSpacing()[::-1], ORIGIN)


def _atlas(subjects: Sequence[TumourExample], transforms: Sequence[Any]) -> sitk.Image:
    """Medians of the contrasts and their spreads on the grid of the first subject: a SimpleITK image of 8 channels."""
    from scipy.ndimage import binary_dilation

    home = subjects[0].inputs
    near = binary_dilation(home.mask, iterations=2)
    moved = []
    for subject, transform in zip(subjects, transforms, strict=True):
        healthy = subject.inputs.mask & (subject.labels == 0)
        maps = np.where(healthy, subject.inputs.images, np.nan)
        moved.append(_moved(maps, subject.inputs.spacing, _grid(home), transform, np.nan)[:, near])
    values = np.stack(moved)
    middle = _median(values)
    known = np.isfinite(values).mean(0) >= KNOWN
    # of an unknown place, only what normalisation says
    atlas = np.concatenate([np.zeros_like(home.images), np.ones_like(home.images)])
    atlas[:4, near] = np.where(known, middle, 0)
    atlas[4:, near] = np.where(known, 1.4826 * _median(np.abs(values - middle)), 1)
    return _channels(atlas, home.spacing)


def _median(values: np.ndarray) -> np.ndarray:
    """The lower median along the first axis of what is not NaN; NaN where all is. Much faster than `nanmedian`."""
    ordered = np.sort(values, axis=0)
    last = np.maximum(np.isfinite(values).sum(0) - 1, 0)
    return np.take_along_axis(ordered, last[None] // 2, axis=0)[0]


def _compared(inputs: SegmentationInputs, atlas: sitk.Image, transform: sitk.Transform) -> np.ndarray:
    """Contrasts, residuals from the atlas, and means of the residuals around: ``(voxels, 12)``."""
    import SimpleITK as sitk
    from scipy.ndimage import gaussian_filter

    moved = sitk.Resample(atlas, _grid(inputs), transform, useNearestNeighborExtrapolator=True)
    middle, spread = np.split(np.moveaxis(sitk.GetArrayFromImage(moved), -1, 0), 2)
    residuals = np.clip((inputs.images - middle) / np.maximum(spread, LEAST_SPREAD), -FARTHEST, FARTHEST) * inputs.mask
    sds = [AROUND_MM / side for side in inputs.spacing]
    share = np.maximum(gaussian_filter(inputs.mask.astype(np.float32), sds), 1e-3)
    around = np.stack([gaussian_filter(residual, sds) / share for residual in residuals])
    return np.concatenate([inputs.images, residuals, around])[:, inputs.mask].T
