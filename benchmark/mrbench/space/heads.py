"""Raw heads brought to where registration starts: stripped of what is no brain, aligned to a template or a head.

A brain is cut out by the template: an affine transform finds where it lies, what is bright and joined there is cut
loose from the scalp, and that aligns better; twice. It asks for no weights and no other tool. On six heads of IXI's
train split, Dice with the labels' brain is .967 to .976, in 16 s of one core; adult T1 is all that it was tried on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from mrbench.core.errors import DataError
from mrbench.io.nifti import Volume
from mrbench.space.alignment import itk_threads, to_sitk
from mrbench.space.pieces import largest_piece
from mrbench.space.template import GRID_ORIGIN_MM, GRID_SHAPE, GRID_SPACING, template_2mm

if TYPE_CHECKING:
    import SimpleITK as sitk

Alignment = Literal["affine", "rigid"]

STARTS_MM = ((0, 0), (-20, 0), (-45, 0), (20, 0), (-20, 15))
"""Up and forwards from where the centre of the head's field of view meets the template's: necks move it."""

BRAIN = 0.05
"""Of the template's intensity: above it is brain."""

REACH = 4
"""Voxels of 2 mm around the target's brain where a head is looked at."""

COARSE_MM = 2.0
"""Voxel size at which transforms and brains are found."""

ROUNDS = 2
"""Of cutting out and aligning what was cut out."""

FITS = (0.9, 0.25)
"""Overlap and correlation below which `agreement` says that a brain should be looked at."""


@dataclass(frozen=True)
class TemplateGrid:
    """The field of the 2 mm grid in voxels of another size.

    Attributes
    ----------
    spacing : float
        mm.
    """

    spacing: float

    @property
    def shape(self) -> tuple[int, int, int]:
        """Order ``(z, y, x)``."""
        z, y, x = (round(size * 2.0 / self.spacing) for size in GRID_SHAPE)
        return z, y, x

    @property
    def origin(self) -> tuple[float, float, float]:
        """MNI position in mm of the first voxel, order ``(z, y, x)``."""
        z, y, x = (first + (self.spacing - 2.0) / 2 for first in GRID_ORIGIN_MM)
        return z, y, x

    @property
    def affine(self) -> np.ndarray:
        """From ``(x, y, z)`` indices to mm of RAS."""
        affine = np.diag([self.spacing] * 3 + [1.0])
        affine[:3, 3] = self.origin[::-1]
        return affine


@dataclass(frozen=True)
class Target:
    """What heads are aligned to, on the 2 mm grid.

    Attributes
    ----------
    name : str
        For sentences.
    image : ndarray of float32
        Without its skull.
    brain : ndarray of bool
    """

    name: str
    image: np.ndarray
    brain: np.ndarray


@lru_cache
def template_brain() -> np.ndarray:
    """The brain of the template on the 2 mm grid, as bool."""
    from scipy.ndimage import binary_fill_holes

    return binary_fill_holes(largest_piece(template_2mm() > BRAIN))


@lru_cache
def template() -> Target:
    """The ICBM template."""
    return Target("the template", template_2mm(), template_brain())


def brain_mask(head: Volume) -> np.ndarray:
    """Find the brain of a T1 head.

    Returns
    -------
    ndarray of bool, the shape of the head

    Raises
    ------
    DataError
        If no brain is found where the template's comes to lie.
    """
    import SimpleITK as sitk

    coarse = _coarse(head)
    array = sitk.GetArrayFromImage(coarse)
    place = _carried(_best_affine(coarse), coarse)
    brain = _loose(array, place)
    for _ in range(ROUNDS):
        if not brain.any():
            raise DataError("no brain was found in the head; give a mask, or check that it is a T1 with its skull.")
        stripped = _image_like(np.where(brain, array, 0), coarse)
        place = _carried(_aligned(stripped, "affine", template()), coarse)
        brain = _cut(array, place)
    fine = to_sitk(head.array, head.spacing, (0.0, 0.0, 0.0))
    with itk_threads(1):
        back = sitk.Resample(_image_like(brain, coarse), fine, sitk.Transform(), sitk.sitkLinear, 0.0)
    return sitk.GetArrayFromImage(back) > 0.5


def align(head: Volume, brain: np.ndarray, how: Alignment, onto: Target | None = None) -> sitk.Transform:
    """Find the transform from positions of the target to positions in a head.

    Parameters
    ----------
    head : Volume
        What is aligned.
    brain : ndarray of bool, the shape of the head
        Nothing else takes part.
    how : {"affine", "rigid"}
        How freely heads are moved.
    onto : Target, optional
        Default: the template.

    Returns
    -------
    SimpleITK.Transform
    """
    stripped = _coarse(Volume(np.where(brain, head.array, 0).astype(np.float32), head.affine))
    return _aligned(stripped, how, onto or template())


def resampled(volume: Volume, transform: sitk.Transform, grid: TemplateGrid, *, nearest: bool) -> np.ndarray:
    """Bring a volume to a grid of the template in one resampling: cubic, or nearest for labels and masks.

    A finer image is smoothed against aliasing before it is brought to coarser voxels.
    """
    import SimpleITK as sitk
    from scipy.ndimage import gaussian_filter

    array = volume.array
    if not nearest:
        sigma = [0.35 * max(0.0, grid.spacing / size - 1) for size in volume.spacing]
        array = gaussian_filter(array, sigma) if any(sigma) else array
    image = to_sitk(array, volume.spacing, (0.0, 0.0, 0.0))
    step = (grid.spacing,) * 3
    direction = (1, 0, 0, 0, 1, 0, 0, 0, 1)
    how = sitk.sitkNearestNeighbor if nearest else sitk.sitkBSpline
    with itk_threads(1):
        out = sitk.Resample(
            image, grid.shape[::-1], transform, how, grid.origin[::-1], step, direction, 0, image.GetPixelID()
        )
    return sitk.GetArrayFromImage(out)


def agreement(
    image: np.ndarray, mask: np.ndarray, grid: TemplateGrid, how: Alignment = "affine", onto: Target | None = None
) -> tuple[float, float]:
    """How well an aligned brain fits what it was aligned to, the template unless told.

    Returns
    -------
    overlap : float
        Dice of the two brains: .96 of well aligned ones with the template. Of rigid alignment, which leaves a brain
        its size, the part of the smaller brain that lies in the larger.
    correlation : float
        Of the intensities where both are: about .5.
    """
    from scipy.ndimage import zoom

    factor = [theirs / ours for theirs, ours in zip(grid.shape, GRID_SHAPE, strict=True)]
    same = all(one == 1 for one in factor)
    target = onto or template()
    wanted = target.image if same else zoom(target.image, factor, order=1)
    brain = target.brain if same else zoom(target.brain.astype(np.float32), factor, order=1) > 0.5
    both = brain & mask
    sizes = np.count_nonzero(brain), np.count_nonzero(mask)
    overlap = np.count_nonzero(both) / max(1, min(sizes) if how == "rigid" else sum(sizes) / 2)
    varied = both.any() and image[both].std() > 0
    return float(overlap), float(np.corrcoef(image[both], wanted[both])[0, 1]) if varied else 0.0


def _on_grid(array: np.ndarray) -> sitk.Image:
    return to_sitk(array, GRID_SPACING, GRID_ORIGIN_MM)


def _coarse(volume: Volume) -> sitk.Image:
    """A volume at about 2 mm, where transforms are found: positions stay those of the volume."""
    import SimpleITK as sitk
    from scipy.ndimage import gaussian_filter

    factors = [max(1, round(COARSE_MM / size)) for size in volume.spacing]
    array = np.asarray(volume.array, np.float32)
    if max(factors) > 1:
        array = gaussian_filter(array, [0.5 * (factor - 1) for factor in factors])
        array = array[tuple(slice(None, None, factor) for factor in factors)]
    spacing = tuple(size * factor for size, factor in zip(volume.spacing, factors, strict=True))
    return to_sitk(np.ascontiguousarray(array), spacing, (0.0, 0.0, 0.0)) if array.size else sitk.Image()  # type: ignore[arg-type]


def _best_affine(moving: sitk.Image) -> sitk.Transform:
    """The affine transform of a head with its skull, from several places to start."""
    import SimpleITK as sitk

    fixed = _on_grid(template_2mm())
    tried = []
    for up, forwards in STARTS_MM:
        start = sitk.CenteredTransformInitializer(
            fixed, moving, sitk.AffineTransform(3), sitk.CenteredTransformInitializerFilter.GEOMETRY
        )
        x, y, z = start.GetTranslation()
        start.SetTranslation((x, y + forwards, z - up))
        tried.append(_optimised(template(), moving, start, (4,)))
    best = min(tried, key=lambda pair: pair[1])[0]
    return _optimised(template(), moving, best, (2, 1))[0]


def _optimised(
    target: Target, moving: sitk.Image, start: sitk.Transform, shrinks: tuple[int, ...]
) -> tuple[sitk.Transform, float]:
    """A transform improved by mutual information around the target's brain, and the value reached (low is good)."""
    import SimpleITK as sitk

    registration = _registration(target.brain)
    registration.SetOptimizerAsRegularStepGradientDescent(2.0 if shrinks[0] > 2 else 1.0, 1e-3, 150, 0.6)
    registration.SetOptimizerScalesFromPhysicalShift()
    registration.SetShrinkFactorsPerLevel(list(shrinks))
    registration.SetSmoothingSigmasPerLevel([shrink // 2 for shrink in shrinks])
    registration.SmoothingSigmasAreSpecifiedInPhysicalUnitsOff()
    transform = sitk.Transform(start)
    registration.SetInitialTransform(transform, inPlace=True)
    with itk_threads(1):
        registration.Execute(_on_grid(target.image), moving)
    kind = type(start)
    return kind(transform) if kind is not sitk.Transform else transform, float(registration.GetMetricValue())


def _aligned(stripped: sitk.Image, how: Alignment, onto: Target) -> sitk.Transform:
    """From positions of the target to positions of a brain without its skull."""
    import SimpleITK as sitk

    kind = sitk.AffineTransform(3) if how == "affine" else sitk.Euler3DTransform()
    start = sitk.CenteredTransformInitializer(
        _on_grid(onto.image), stripped, kind, sitk.CenteredTransformInitializerFilter.MOMENTS
    )
    return _optimised(onto, stripped, start, (4, 2, 1))[0]


def _registration(brain: np.ndarray) -> sitk.ImageRegistrationMethod:
    import SimpleITK as sitk
    from scipy.ndimage import binary_dilation

    registration = sitk.ImageRegistrationMethod()
    registration.SetMetricAsMattesMutualInformation(numberOfHistogramBins=32)
    registration.SetMetricSamplingStrategy(registration.RANDOM)
    registration.SetMetricSamplingPercentage(0.25, seed=1)
    registration.SetMetricFixedMask(_on_grid(binary_dilation(brain, iterations=REACH).astype(np.uint8)))
    registration.SetInterpolator(sitk.sitkLinear)
    return registration


def _image_like(array: np.ndarray, like: sitk.Image) -> sitk.Image:
    return to_sitk(np.ascontiguousarray(array, np.float32), like.GetSpacing()[::-1], like.GetOrigin()[::-1])


def _carried(transform: sitk.Transform, head: sitk.Image) -> np.ndarray:
    """The template's brain where it lies in a head."""
    import SimpleITK as sitk

    brain = _on_grid(template_brain().astype(np.float32))
    with itk_threads(1):
        return sitk.GetArrayFromImage(sitk.Resample(brain, head, transform.GetInverse(), sitk.sitkLinear, 0.0)) > 0.5


def _middle(head: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, float]:
    """The inside of where a brain lies, and the median intensity there; empty and 0 where there is none."""
    from scipy.ndimage import binary_erosion

    inner = binary_erosion(place, iterations=6)
    return inner, float(np.median(head[inner])) if inner.any() else 0.0


def _loose(head: np.ndarray, place: np.ndarray) -> np.ndarray:
    """The brain, about: what is as bright as its middle and joined to it, cut loose from the scalp."""
    from scipy.ndimage import binary_dilation, binary_erosion, label
    from skimage.morphology import ball

    inner, middle = _middle(head, place)
    bright = (head > 0.45 * middle) & (head < 1.7 * middle) & binary_dilation(place, iterations=3)
    pieces, count = label(binary_erosion(bright, ball(2)))
    if not count or not inner.any():
        return np.zeros(head.shape, bool)
    inside = np.bincount(pieces[inner], minlength=count + 1)
    inside[0] = 0
    return binary_dilation(pieces == inside.argmax(), ball(2)) if inside.any() else np.zeros(head.shape, bool)


def _cut(head: np.ndarray, place: np.ndarray) -> np.ndarray:
    """The brain with its sulci, from where the template's lies, give or take 4 mm."""
    from scipy.ndimage import binary_closing, binary_dilation, binary_erosion, binary_fill_holes
    from skimage.morphology import ball

    _, middle = _middle(head, place)
    wide = binary_dilation(place, iterations=2)
    bright = wide & (head > 0.25 * middle) & (head < 2 * middle)
    core = binary_erosion(place, iterations=3)
    opened = binary_dilation(largest_piece(binary_erosion(bright | core, ball(2))), ball(2))
    return binary_fill_holes(binary_closing(opened & wide, iterations=3) & wide)
