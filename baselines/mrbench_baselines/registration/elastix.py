"""elastix: B-spline registration with adaptive stochastic gradient descent."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mrbench.core.errors import RequestError, unknown_name
from mrbench.core.method import Method, Resources
from mrbench.tasks.registration import RegistrationInputs
from mrbench_baselines.registration.field import voxels_from_mm

SEED = 121212

_BRAIN = {
    "FixedImagePyramid": "FixedSmoothingImagePyramid",
    "MovingImagePyramid": "MovingSmoothingImagePyramid",
    "Interpolator": "LinearInterpolator",
    "ResampleInterpolator": "FinalLinearInterpolator",
    "Resampler": "DefaultResampler",
    "Transform": "BSplineTransform",
    "Optimizer": "AdaptiveStochasticGradientDescent",
    "AutomaticParameterEstimation": "true",
    "ASGDParameterEstimationMethod": "Original",
    "MaximumStepLength": "0.5",
    "ImageSampler": "RandomCoordinate",
    "NumberOfSpatialSamples": "5000",
    "NewSamplesEveryIteration": "true",
    "CheckNumberOfSamples": "true",
    "NumberOfResolutions": "3",
    "ImagePyramidSchedule": "4 4 4 2 2 2 1 1 1",
    "MaximumNumberOfIterations": "500",
    "FinalGridSpacingInPhysicalUnits": "5",
    "NumberOfHistogramBins": "32",
    "BSplineInterpolationOrder": "1",
    "FinalBSplineInterpolationOrder": "1",
    "DefaultPixelValue": "0",
    "WriteResultImage": "false",
}

RECIPES: dict[str, dict[str, str]] = {
    "default": {},
    "par0035": {
        **_BRAIN,
        "Registration": "MultiResolutionRegistration",
        "Metric": "AdvancedMattesMutualInformation",
    },
    "ncc-bending": {
        **_BRAIN,
        "Registration": "MultiMetricMultiResolutionRegistration",
        "Metric": "AdvancedNormalizedCorrelation TransformBendingEnergyPenalty",
        "Metric0Weight": "1",
        "Metric1Weight": "1",
    },
}
"""``default``: the B-spline map of elastix (4 resolutions, 16 mm grid, mutual information and bending energy).
``par0035``: the brain recipe of the elastix model zoo (Hammers atlas, 5 mm grid), its B-spline stage.
``ncc-bending``: the same with normalised correlation, bending energy and the fixed mask, the best regularised
setting that was measured on IXI."""


class Elastix(Method):
    """``min_c -S(fixed, moving o T_c) + w B(T_c)``, T_c a cubic B-spline with coefficients c (itk-elastix).

    S is Mattes' mutual information of 32 bins (``AdvancedMattesMutualInformation``) or, in ``ncc-bending``, normalised
    correlation (``AdvancedNormalizedCorrelation``); B is the bending energy (``TransformBendingEnergyPenalty``, mean
    squared second derivatives, in mm) with the weight w = 1 (``Metric1Weight``); ``par0035`` has none. What is tuned is
    the spacing of the control points, the regulariser that all recipes share.

    Parameters
    ----------
    recipe : {"default", "par0035", "ncc-bending"}
    grid_mm : float or "tuned", optional
        Final spacing of the control points (``FinalGridSpacingInPhysicalUnits``); 16 in the default recipe, 5 in the
        others.
    iterations : int, optional
        Per resolution; 256 in the default recipe, 500 in the others.
    """

    task = "registration"
    reference = "Klein et al., elastix, IEEE TMI 2010; parameters: elastix model zoo, Par0035"
    tunable = {"grid_mm": (9.0, 13.0, 18.0)}
    presets: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {},
        {"grid_mm": "tuned"},
        {"recipe": "par0035"},
        {"recipe": "ncc-bending"},
    )
    quick_presets = ({"iterations": 30},)

    def __init__(self, *, recipe: str = "default", grid_mm: float | None = None, iterations: int | None = None) -> None:
        if recipe not in RECIPES:
            raise unknown_name("recipe of elastix", recipe, RECIPES)
        if grid_mm is not None and grid_mm <= 0:
            raise RequestError(f"elastix: grid_mm is {grid_mm}; give the spacing of the control points in mm.")
        self.recipe = recipe
        self.grid_mm = grid_mm
        self.iterations = iterations

    def setup(self, resources: Resources) -> None:
        super().setup(resources)
        import itk

        itk.ElastixRegistrationMethod  # noqa: B018  (ITK loads a module at first touch, for seconds)

    def parameter_object(self) -> object:
        """The elastix parameter object of this recipe."""
        import itk

        parameters = itk.ParameterObject.New()
        if self.recipe == "default":
            chosen = dict(parameters.GetDefaultParameterMap("bspline", 4, self.grid_mm or 16.0))
        else:
            chosen = {key: tuple(value.split(" ")) for key, value in RECIPES[self.recipe].items()}
            chosen["FinalGridSpacingInPhysicalUnits"] = (str(self.grid_mm or 5.0),)
        if self.iterations is not None:
            chosen["MaximumNumberOfIterations"] = (str(self.iterations),)
        chosen["RandomSeed"] = (str(SEED),)
        parameters.AddParameterMap(chosen)
        return parameters

    def predict(self, inputs: RegistrationInputs) -> np.ndarray:
        field, _ = self.register(inputs)
        return field

    def register(self, inputs: RegistrationInputs) -> tuple[np.ndarray, Any]:
        """Return our field, and elastix's transform parameters for whoever wants to warp with the tool."""
        import itk

        fixed, moving = (_image(array, inputs.spacing) for array in (inputs.fixed, inputs.moving))
        masks = {"fixed_mask": _image(inputs.fixed_mask, inputs.spacing)} if self.recipe == "ncc-bending" else {}
        _, transform = itk.elastix_registration_method(
            fixed,
            moving,
            parameter_object=self.parameter_object(),
            number_of_threads=self.resources.threads,
            log_to_console=False,
            **masks,
        )
        # transformix writes its field into the working directory unless told where else
        with tempfile.TemporaryDirectory() as folder:
            vectors = itk.transformix_deformation_field(moving, transform, output_directory=folder)
        return voxels_from_mm(itk.array_from_image(vectors), inputs.spacing), transform


def _image(array: np.ndarray, spacing: tuple[float, float, float]) -> object:
    import itk

    image = itk.image_from_array(np.ascontiguousarray(array, np.uint8 if array.dtype == bool else np.float32))
    image.SetSpacing(spacing[::-1])
    return image
