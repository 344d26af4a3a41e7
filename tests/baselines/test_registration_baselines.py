"""Every registration method meets the contract, and every wrapper's field warps as its tool does."""

from __future__ import annotations

import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from tests.marks import slow

from mrbench.core.case import Case
from mrbench.core.method import Method, Resources
from mrbench.core.registry import find_method
from mrbench.core.specification import parse_spec
from mrbench.metrics.deformation import warp
from mrbench.tasks.registration import Registration
from mrbench_baselines.registration.ants import VARIANTS

QUICK = [
    "identity",
    "affine",
    slow("affine[metric=mutual-information]"),
    slow("elastix[iterations=10]"),
    slow("elastix[recipe=par0035,iterations=20,grid_mm=12]"),
    slow("elastix[recipe=ncc-bending,iterations=20,grid_mm=12]"),
    slow("demons"),
    slow("demons[forces=fast-symmetric,iterations=10]"),
    slow("ants"),
    slow("ants[variant=transmorph]"),
    slow("ants[variant=cc]"),
    slow("convexadam"),
    slow("dipy-syn"),
    slow("fireants"),
    slow("greedy"),
]

pytestmark = pytest.mark.filterwarnings("default")  # the tools' own warnings are not ours to mend


@pytest.fixture(autouse=True)
def _itk_first(request: pytest.FixtureRequest) -> None:
    """ITK cannot be loaded any more where ANTs has registered; a process of pytest-xdist may see these in any order."""
    if "slow" in request.keywords:
        find_method("elastix", "registration").build().setup(Resources(threads=1))


def ready(text: str):
    spec = parse_spec(text)
    method_class = find_method(spec.name, "registration")
    if reason := method_class.unavailable_reason():
        pytest.skip(reason)
    method = method_class.build(**spec.parameters)
    method.setup(Resources(threads=1))
    return method


FIELDS: dict[str, np.ndarray] = {}


def field_of(text: str, case: Case, method: Method | None = None) -> np.ndarray:
    """The field of a method for the case, which all tests share."""
    if text not in FIELDS:
        FIELDS[text] = (method or ready(text)).predict(case.inputs)
        FIELDS[text].flags.writeable = False
    return FIELDS[text]


@pytest.mark.parametrize("text", QUICK)
def test_contract(text: str, task: Registration, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Right shape, finite, inputs untouched, the same twice (of one recipe of a tool), and better than still."""
    for variant in ("transmorph", "cc"):
        monkeypatch.setitem(VARIANTS[variant], "reg_iterations", (10, 5, 0))
    before = case.inputs.fixed.copy(), case.inputs.moving.copy()
    method = ready(text)
    first = task.check(case, field_of(text, case, method))
    assert np.array_equal(before[0], case.inputs.fixed) and np.array_equal(before[1], case.inputs.moving)
    if not method.fresh_process and "recipe=" not in text:
        np.testing.assert_allclose(task.check(case, method.predict(case.inputs)), first, atol=1e-4)
    still = task.score(case, np.zeros_like(first)).metrics["dice"]
    assert task.diagnose(case, first) is None
    if text != "identity":
        assert task.score(case, first).metrics["dice"] > still + 0.1, "does not find a shift of (2, -3, 1) voxels"


def agree(own: np.ndarray, tool: np.ndarray) -> None:
    """Our warp with the converted field, and the tool's own warped image, away from the border."""
    inner = (slice(4, -4),) * 3
    difference = np.abs(own[inner] - tool[inner])
    assert np.corrcoef(own[inner].ravel(), tool[inner].ravel())[0, 1] > 0.9999
    assert difference.max() < 0.05


@pytest.mark.slow
def test_elastix_field_warps_as_transformix(case: Case) -> None:
    import itk

    from mrbench_baselines.registration.elastix import _image

    method = ready("elastix[recipe=par0035,iterations=20,grid_mm=12]")
    field, transform = method.register(case.inputs)
    tool = itk.transformix_filter(_image(case.inputs.moving, case.spacing), transform, log_to_console=False)
    agree(warp(case.inputs.moving, field, order=1), itk.array_from_image(tool))


@pytest.mark.slow
def test_ants_field_warps_as_ants(case: Case) -> None:
    method = ready("ants")
    import ants

    from mrbench_baselines.registration.ants import _image

    with tempfile.TemporaryDirectory() as folder:
        field, transforms = method.register(case.inputs, Path(folder))
        images = [_image(array, case.spacing) for array in (case.inputs.fixed, case.inputs.moving)]
        tool = ants.apply_transforms(*images, transforms, interpolator="linear").numpy().transpose(2, 1, 0)
    agree(warp(case.inputs.moving, field, order=1), tool)


@pytest.mark.parametrize("name", ["affine", slow("demons")])
def test_simpleitk_fields_warp_as_simpleitk(name: str, case: Case) -> None:
    import SimpleITK as sitk

    field = field_of(name, case)
    image = sitk.GetImageFromArray(case.inputs.moving)
    image.SetSpacing(case.spacing[::-1])
    mm = field.astype(np.float64) * np.asarray(case.spacing)[:, None, None, None]
    vectors = sitk.GetImageFromArray(np.moveaxis(mm[::-1], 0, -1), isVector=True)
    vectors.CopyInformation(image)
    tool = sitk.Resample(image, image, sitk.DisplacementFieldTransform(vectors), sitk.sitkLinear)
    agree(warp(case.inputs.moving, field, order=1), sitk.GetArrayFromImage(tool))


@pytest.mark.slow
def test_dipy_field_warps_as_dipy(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    from dipy.align.imwarp import SymmetricDiffeomorphicRegistration as Tool

    kept = {}
    optimize = Tool.optimize

    def spy(self, *images):
        kept["mapping"] = optimize(self, *images)
        return kept["mapping"]

    monkeypatch.setattr(Tool, "optimize", spy)
    field = ready("dipy-syn").predict(case.inputs)
    agree(warp(case.inputs.moving, field, order=1), kept["mapping"].transform(case.inputs.moving.astype(np.float64)))


def test_greedy_field_warps_as_itk(case: Case) -> None:
    """greedy's field is an ITK displacement field; a known shift shows that the direction is right."""
    field = field_of("greedy", case)
    inside = case.inputs.fixed_mask
    np.testing.assert_allclose(field[:, inside].mean(axis=1), (2, -3, 1), atol=0.5)


@pytest.mark.skipif(find_spec("fireants") is None, reason="pip install --no-deps fireants")
def test_fireants_field_warps_as_fireants(case: Case, monkeypatch) -> None:
    method = ready("fireants")
    from fireants.registration.greedy import GreedyRegistration

    kept = {}
    original = GreedyRegistration.get_warp_parameters

    def spy(self, fixed, moving, **options):
        kept["image"] = lambda: self.evaluate(fixed, moving)[0, 0].detach().numpy()
        return original(self, fixed, moving, **options)

    monkeypatch.setattr(GreedyRegistration, "get_warp_parameters", spy)
    field = method.predict(case.inputs)
    agree(warp(case.inputs.moving, field, order=1), kept["image"]())


@pytest.mark.slow
def test_convexadam_field_is_voxels_in_array_order(case: Case) -> None:
    """The package returns no warped image; a known shift shows sign, order and units."""
    field = field_of("convexadam", case)
    inside = case.inputs.fixed_mask
    np.testing.assert_allclose(field[:, inside].mean(axis=1), (2, -3, 1), atol=0.5)


def test_missing_packages_are_named() -> None:
    for name, install in {
        "ants": "mrbench[ants]",
        "convexadam": "mrbench[convexadam]",
        "fireants": "--no-deps",
    }.items():
        needs = find_method(name, "registration").needs
        assert install in next(iter(needs.values()))
