"""Files that ANTs and elastix themselves wrote, scored without code: the Dice of the tool's own warp."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

import mrbench
from mrbench.api import scoring
from mrbench.api.boards import publish
from mrbench.core.binding import bind
from mrbench.core.method import Resources

LABELS = (1, 2, 3, 4)


def dice(first: np.ndarray, second: np.ndarray) -> float:
    overlaps = [2 * ((first == n) & (second == n)).sum() / ((first == n).sum() + (second == n).sum()) for n in LABELS]
    return float(np.mean(overlaps))


def ants(fixed: Path, moving: Path, name: str, folder: Path) -> float:
    """``antsApplyTransforms -o [field,1]``: affine and warp composed into one field."""
    import ants as tool

    images = [tool.image_read(f"{path}_t1.nii.gz") for path in (fixed, moving)]
    result = tool.registration(*images, "SyNOnly", reg_iterations=(20, 10, 0), outprefix=f"{folder.parent}/{name}_")
    field = tool.apply_transforms(*images, result["fwdtransforms"], compose=f"{folder.parent}/{name}_")
    Path(field).rename(folder / f"{name}_Warp.nii.gz")
    labels = [tool.image_read(f"{path}_labels.nii.gz") for path in (fixed, moving)]
    warped = tool.apply_transforms(*labels, result["fwdtransforms"], interpolator="nearestNeighbor")
    return dice(labels[0].numpy(), warped.numpy())


def elastix(fixed: Path, moving: Path, name: str, folder: Path) -> float:
    """``transformix -def all``, which writes the file itself."""
    import itk

    from mrbench_baselines.registration.elastix import Elastix

    Elastix().setup(Resources(threads=1))
    images = [as_itk(Path(f"{path}_t1.nii.gz")) for path in (fixed, moving)]
    wanted = itk.ParameterObject.New()
    for kind in ("translation", "bspline"):
        own = wanted.GetDefaultParameterMap(kind, 1, 16.0)
        own["MaximumNumberOfIterations"], own["NumberOfSpatialSamples"] = ["30"], ["300"]
        wanted.AddParameterMap(own)
    _, transform = itk.elastix_registration_method(*images, parameter_object=wanted, log_to_console=False)
    (folder / name).mkdir()
    itk.transformix_deformation_field(images[1], transform, output_directory=str(folder / name))
    labels = [as_itk(Path(f"{path}_labels.nii.gz")) for path in (fixed, moving)]
    transform.SetParameter("FinalBSplineInterpolationOrder", "0")
    warped = itk.transformix_filter(labels[1], transform)
    return dice(np.rint(itk.array_from_image(labels[0])), np.rint(itk.array_from_image(warped)))


def as_itk(path: Path) -> object:
    """As SimpleITK reads it: the part of itk that reads files takes seconds to load."""
    import itk

    read = sitk.ReadImage(str(path), sitk.sitkFloat32)
    image = itk.image_from_array(sitk.GetArrayFromImage(read))
    image.SetSpacing(read.GetSpacing())
    image.SetOrigin(read.GetOrigin())
    image.SetDirection(np.reshape(read.GetDirection(), (3, 3)))
    return image


@contextmanager
def worker(tool: Callable[..., float]) -> Iterator[Callable[..., float]]:
    """A process of its own for ANTs, after which ITK cannot be loaded; elastix, which takes seconds to load, stays."""
    if tool is elastix:
        yield tool
        return
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        yield lambda *arguments: process.submit(tool, *arguments).result()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # the tools' own warnings are not ours to mend
@pytest.mark.parametrize("tool", [elastix, ants])
def test_what_the_tool_wrote_scores_as_what_the_tool_warps(
    cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: Callable[[Path, Path, str, Path], float]
) -> None:
    if tool is ants and find_spec("ants") is None:
        pytest.skip("needs antspyx")
    monkeypatch.setattr(scoring, "publish", partial(publish, figures=False))
    (warps := tmp_path / "warps").mkdir()
    own = {}
    with worker(tool) as call:
        for case in bind("registration", f"folder:{cohort}").all_cases:
            moving, fixed = (cohort / subject[1:] for subject in case.subjects)
            own[case.id] = call(fixed, moving, case.id, warps)
    board = mrbench.score(
        "registration", dataset=f"folder:{cohort}", predictions=warps, name="Theirs", out=tmp_path / "out"
    )
    assert not board.failed and not board.notices and len(board.rows) == len(own) == 3
    for row in board.rows:
        assert row.metrics["dice"] == pytest.approx(own[row.case], abs=0.005)
        assert row.metrics["dice"] > 0.8
