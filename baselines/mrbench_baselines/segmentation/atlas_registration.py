"""Registration of a brain and the atlas: affine, then demons, both of T1 on coarse grids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mrbench.space.alignment import register_affine, to_sitk
from mrbench.tasks.registration import RegistrationInputs
from mrbench.tasks.segmentation import CONTRASTS, SegmentationInputs
from mrbench_baselines.registration.demons import Demons
from mrbench_baselines.registration.field import mm_from_voxels

if TYPE_CHECKING:
    import SimpleITK as sitk

STEP_MM, FEWEST = 4.0, 16
"""Step of the grids, and voxels across that a small grid keeps all the same."""

SMOOTH_VOXELS = 1.5
"""SD that regularises demons, more than usual: no tumour should be squeezed into a healthy atlas."""

ORIGIN = (0.0, 0.0, 0.0)


def scaled_t1(inputs: SegmentationInputs) -> np.ndarray:
    """T1 from 0 to 1 in the brain: demons and the outside need the darkest, not the mean, to be 0."""
    image = inputs.images[CONTRASTS.index("T1")]
    low, high = np.percentile(image[inputs.mask], (1, 99))
    return np.where(inputs.mask, np.clip((image - low) / max(high - low, 1e-6), 0, 1), 0).astype(np.float32)


def coarse(array: np.ndarray, spacing: tuple[float, float, float]) -> sitk.Image:
    """A SimpleITK image of about `STEP_MM`, its first voxel where that of the array lies."""
    from scipy.ndimage import gaussian_filter

    steps = [
        max(1, min(round(STEP_MM / side), size // FEWEST)) for side, size in zip(spacing, array.shape, strict=True)
    ]
    smooth = gaussian_filter(array.astype(np.float32), [0.35 * step if step > 1 else 0 for step in steps])
    z, y, x = steps
    kept = np.ascontiguousarray(smooth[::z, ::y, ::x])
    return to_sitk(kept, (spacing[0] * z, spacing[1] * y, spacing[2] * x), ORIGIN)


def coarse_t1(inputs: SegmentationInputs) -> sitk.Image:
    """What is registered of a brain."""
    return coarse(scaled_t1(inputs), inputs.spacing)


def affine_to_atlas(image: sitk.Image, inputs: SegmentationInputs, reference: sitk.Image) -> sitk.Transform:
    """Affine transform from positions in a brain, whose `coarse_t1` is ``image``, to positions in the atlas."""
    import SimpleITK as sitk

    brain = sitk.Cast(coarse(inputs.mask, inputs.spacing) > 0.5, sitk.sitkUInt8)
    try:
        return register_affine(image, reference, brain, threads=1)
    except RuntimeError:  # too few voxels, or no contrast between them, to measure mutual information: middle on middle
        middle = sitk.CenteredTransformInitializerFilter.GEOMETRY
        return sitk.CenteredTransformInitializer(image, reference, sitk.AffineTransform(3), middle)


def field_to_atlas(fixed: sitk.Image, affine: sitk.Transform, target: sitk.Image) -> sitk.Transform:
    """What is left after the affine, by demons: a displacement field in mm, from positions in the brain ``fixed``."""
    import SimpleITK as sitk

    near = sitk.Resample(target, fixed, affine, sitk.sitkLinear)
    brain, moving = sitk.GetArrayFromImage(fixed), sitk.GetArrayFromImage(near)
    pair = RegistrationInputs(brain, moving, brain > 0, moving > 0, fixed.GetSpacing()[::-1])
    enough = min(brain.shape) >= 4  # for the recursive filter in demons
    voxels = Demons(smooth_voxels=SMOOTH_VOXELS).predict(pair) if enough else np.zeros((3, *brain.shape))
    field = sitk.GetImageFromArray(mm_from_voxels(voxels, pair.spacing), isVector=True)
    field.CopyInformation(fixed)
    return field


def to_atlas(affine: sitk.Transform, field: sitk.Transform) -> sitk.Transform:
    """Both as one transform, from positions in a brain to positions in the atlas."""
    import SimpleITK as sitk

    # the constructor of the transform empties the image that it is given
    return sitk.CompositeTransform([affine, sitk.DisplacementFieldTransform(sitk.Image(field))])


def from_atlas(affine: sitk.Transform, field: sitk.Transform) -> sitk.Transform:
    """The inverse of `to_atlas`, from positions in the atlas."""
    import SimpleITK as sitk

    back = sitk.InvertDisplacementField(field, maximumNumberOfIterations=20)
    return sitk.CompositeTransform([sitk.DisplacementFieldTransform(back), affine.GetInverse()])
