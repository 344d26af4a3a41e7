"""Affine alignment of a head to the ICBM grid, so that deformable registration starts where papers start."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from mrbench.io.nifti import Volume
from mrbench.space.template import GRID_ORIGIN_MM, GRID_SHAPE, GRID_SPACING, template_2mm

if TYPE_CHECKING:
    import SimpleITK as sitk


def to_sitk(array: np.ndarray, spacing: tuple[float, float, float], origin: tuple[float, float, float]) -> sitk.Image:
    """Wrap a ``(z, y, x)`` array as a SimpleITK image with identity direction; spacing and origin in mm."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing[::-1])
    image.SetOrigin(origin[::-1])
    return image


def align_to_template(volume: Volume, mask: np.ndarray) -> sitk.Transform:
    """Find the affine transform from grid positions to positions in ``volume``.

    Both images are described to ITK with identity directions in RAS axes, so no sign is ever flipped.

    Parameters
    ----------
    volume : Volume
        A head; only what ``mask`` covers takes part.
    mask : ndarray of bool, same shape
        The brain, which alone is aligned.

    Returns
    -------
    SimpleITK.AffineTransform
    """
    from scipy.ndimage import binary_dilation

    template = template_2mm()
    stripped = np.where(mask, volume.array, 0).astype(np.float32)
    return register_affine(
        to_sitk(template, GRID_SPACING, GRID_ORIGIN_MM),
        to_sitk(stripped, volume.spacing, (0.0, 0.0, 0.0)),
        to_sitk(binary_dilation(template > 0.05).astype(np.uint8), GRID_SPACING, GRID_ORIGIN_MM),
        threads=1,  # so that what is prepared is the same on every machine
    )


def register_affine(fixed: sitk.Image, moving: sitk.Image, fixed_mask: sitk.Image, *, threads: int) -> sitk.Transform:
    """Affine registration of SimpleITK images: Mattes mutual information, three resolutions.

    Returns
    -------
    SimpleITK.AffineTransform
        From positions in ``fixed`` to positions in ``moving``.
    """
    import SimpleITK as sitk

    affine = sitk.CenteredTransformInitializer(
        fixed, moving, sitk.AffineTransform(3), sitk.CenteredTransformInitializerFilter.MOMENTS
    )
    registration = sitk.ImageRegistrationMethod()
    registration.SetMetricAsMattesMutualInformation(numberOfHistogramBins=32)
    return descend(registration, affine, fixed, moving, fixed_mask, smoothing=(2, 1, 0), threads=threads)


def descend(
    registration: sitk.ImageRegistrationMethod,
    start: sitk.Transform,
    fixed: sitk.Image,
    moving: sitk.Image,
    fixed_mask: sitk.Image,
    *,
    smoothing: Sequence[float],
    threads: int,
    tolerance: float = 1e-4,
) -> sitk.Transform:
    """Move a transform to the optimum of a metric: gradient descent over three resolutions, by 4, 2 and 1.

    Parameters
    ----------
    registration : SimpleITK.ImageRegistrationMethod
        With its metric.
    start : SimpleITK.Transform
        Is changed in place.
    fixed, moving, fixed_mask : SimpleITK.Image
        A fifth of the voxels in the mask is drawn.
    smoothing : sequence of float
        SD of the Gaussian at each resolution, in voxels.
    threads : int
        Of the metric.
    tolerance : float
        Gradient magnitude at which a resolution ends.

    Returns
    -------
    SimpleITK.Transform
        ``start``.
    """
    import SimpleITK as sitk

    registration.SetMetricSamplingStrategy(registration.RANDOM)
    registration.SetMetricSamplingPercentage(0.2, seed=1)
    registration.SetMetricFixedMask(fixed_mask)
    registration.SetInterpolator(sitk.sitkLinear)
    registration.SetOptimizerAsRegularStepGradientDescent(
        1.0, 1e-4, 200, relaxationFactor=0.6, gradientMagnitudeTolerance=tolerance
    )
    registration.SetOptimizerScalesFromPhysicalShift()
    registration.SetShrinkFactorsPerLevel([4, 2, 1])
    registration.SetSmoothingSigmasPerLevel(list(smoothing))
    registration.SmoothingSigmasAreSpecifiedInPhysicalUnitsOff()
    registration.SetInitialTransform(start, inPlace=True)
    with itk_threads(threads):
        registration.Execute(fixed, moving)
    return start


@contextmanager
def itk_threads(threads: int) -> Iterator[None]:
    """Run SimpleITK with so many threads.

    A filter's own `SetNumberOfThreads` does not reach the metric inside it, whose sums, and with them the last digits
    of a transform, differ with the number of threads; of several threads, they differ from run to run.
    """
    import SimpleITK as sitk

    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


def resample_to_grid(
    array: np.ndarray, spacing: tuple[float, float, float], affine: sitk.Transform, *, nearest: bool
) -> np.ndarray:
    """Resample an array once onto the ICBM grid.

    Cubic B-spline for images, nearest neighbour for labels and masks.

    Returns
    -------
    ndarray, shape (96, 112, 96)
    """
    import SimpleITK as sitk

    image = to_sitk(array, spacing, (0.0, 0.0, 0.0))
    size, step, origin = GRID_SHAPE[::-1], GRID_SPACING[::-1], GRID_ORIGIN_MM[::-1]
    interpolator = sitk.sitkNearestNeighbor if nearest else sitk.sitkBSpline
    direction = (1, 0, 0, 0, 1, 0, 0, 0, 1)
    with itk_threads(1):
        out = sitk.Resample(image, size, affine, interpolator, origin, step, direction, 0, image.GetPixelID())
    return sitk.GetArrayFromImage(out)
