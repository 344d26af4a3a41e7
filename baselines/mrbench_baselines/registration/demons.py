"""Demons of SimpleITK, over three resolutions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mrbench.core.errors import RequestError, unknown_name
from mrbench.core.method import Method, Resources
from mrbench.space.alignment import to_sitk
from mrbench.tasks.registration import RegistrationInputs
from mrbench_baselines.registration.field import voxels_from_mm

if TYPE_CHECKING:
    import SimpleITK as sitk

FILTERS = {
    "diffeomorphic": "DiffeomorphicDemonsRegistrationFilter",
    "fast-symmetric": "FastSymmetricForcesDemonsRegistrationFilter",
}
COARSE = ((4, 100), (2, 60))
"""Shrink factor and iterations of the coarse resolutions."""


class Demons(Method):
    """Demons: optical-flow forces, the field smoothed by a Gaussian after each step.

    Alternates ``min_c |fixed - moving o c|^2 / sigma_i^2 + |c - u|^2 / sigma_x^2`` for the update, sigma_i the local
    difference and sigma_x by the largest step, with u = Gaussian * c: the Gaussian is the only regulariser.

    Parameters
    ----------
    forces : {"diffeomorphic", "fast-symmetric"}
    smooth_voxels : float
        SD of the Gaussian that regularises the field (``SetStandardDeviations``).
    step_voxels : float
        Largest update of one iteration (``SetMaximumUpdateStepLength``).
    iterations : int
        At full resolution, where nearly all time goes; the coarser ones have 100 and 60.
    """

    task = "registration"
    reference = "Vercauteren et al., Diffeomorphic demons, NeuroImage 2009"
    presets: ClassVar[tuple[Mapping[str, Any], ...]] = ({}, {"forces": "fast-symmetric"})
    quick_presets = ({"forces": "fast-symmetric", "iterations": 10},)

    def __init__(
        self,
        *,
        forces: str = "diffeomorphic",
        smooth_voxels: float = 1.0,
        step_voxels: float = 2.0,
        iterations: int = 40,
    ) -> None:
        if forces not in FILTERS:
            raise unknown_name("forces of demons", forces, FILTERS)
        if iterations < 1:
            raise RequestError(f"demons: iterations is {iterations}; give 1 or more.")
        self.forces = forces
        self.smooth_voxels = smooth_voxels
        self.step_voxels = step_voxels
        self.iterations = iterations

    def setup(self, resources: Resources) -> None:
        super().setup(resources)
        import SimpleITK as sitk

        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(resources.threads)

    def predict(self, inputs: RegistrationInputs) -> np.ndarray:
        import SimpleITK as sitk

        fixed, moving = (to_sitk(a, inputs.spacing, (0.0, 0.0, 0.0)) for a in (inputs.fixed, inputs.moving))
        field = None
        for shrink, iterations in (*COARSE, (1, self.iterations)):
            coarse_fixed, coarse_moving = (_shrink(image, shrink) for image in (fixed, moving))
            demons = getattr(sitk, FILTERS[self.forces])()
            demons.SetNumberOfIterations(iterations)
            demons.SetSmoothDisplacementField(True)
            demons.SetStandardDeviations(self.smooth_voxels)
            demons.SetMaximumUpdateStepLength(self.step_voxels)
            if field is None:
                field = demons.Execute(coarse_fixed, coarse_moving)
            else:
                field = demons.Execute(coarse_fixed, coarse_moving, sitk.Resample(field, coarse_fixed))
        return voxels_from_mm(sitk.GetArrayFromImage(field), inputs.spacing)


def _shrink(image: sitk.Image, factor: int) -> sitk.Image:
    """Smooth by half the factor, then resample linearly about the same centre."""
    import SimpleITK as sitk

    if factor == 1:
        return image
    smooth = sitk.SmoothingRecursiveGaussian(image, [factor / 2 * spacing for spacing in image.GetSpacing()])
    size = [max(1, round(n / factor)) for n in image.GetSize()]
    spacing = [s * n / m for s, n, m in zip(image.GetSpacing(), image.GetSize(), size, strict=True)]
    origin = [o + (new - old) / 2 for o, new, old in zip(image.GetOrigin(), spacing, image.GetSpacing(), strict=True)]
    return sitk.Resample(smooth, size, sitk.Transform(), sitk.sitkLinear, origin, spacing)
