"""Affine registration of the pair with SimpleITK."""

from __future__ import annotations

import numpy as np

from mrbench.core.method import Method, Resources
from mrbench.space.alignment import register_affine, to_sitk
from mrbench.tasks.registration import RegistrationInputs
from mrbench_baselines.registration.field import voxels_from_mm


class Affine(Method):
    """Pairwise affine, Mattes mutual information, three resolutions: what shape alone cannot explain."""

    task = "registration"
    reference = "Lowekamp et al., The design of SimpleITK, Front. Neuroinform. 2013"
    quick_presets = ({},)

    def setup(self, resources: Resources) -> None:
        super().setup(resources)
        import SimpleITK  # noqa: F401

    def predict(self, inputs: RegistrationInputs) -> np.ndarray:
        import SimpleITK as sitk

        origin = (0.0, 0.0, 0.0)
        fixed, moving, mask = (
            to_sitk(array.astype(np.float32), inputs.spacing, origin)
            for array in (inputs.fixed, inputs.moving, inputs.fixed_mask)
        )
        affine = register_affine(fixed, moving, sitk.Cast(mask, sitk.sitkUInt8), threads=self.resources.threads)
        field = sitk.TransformToDisplacementField(
            affine, sitk.sitkVectorFloat64, fixed.GetSize(), fixed.GetOrigin(), fixed.GetSpacing()
        )
        return voxels_from_mm(sitk.GetArrayFromImage(field), inputs.spacing)
