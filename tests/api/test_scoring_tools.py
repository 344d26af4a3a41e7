"""Files that ANTs and elastix themselves wrote, scored without code: the Dice of the tool's own warp."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

import mrbench
from mrbench.api import scoring
from mrbench.api.boards import publish
from mrbench.core.binding import bind

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
    """``transformix -def all``."""
    import itk

    images = [itk.imread(f"{path}_t1.nii.gz", itk.F) for path in (fixed, moving)]
    wanted = itk.ParameterObject.New()
    for kind in ("translation", "bspline"):
        own = wanted.GetDefaultParameterMap(kind, 1, 16.0)
        own["MaximumNumberOfIterations"], own["NumberOfSpatialSamples"] = ["30"], ["300"]
        wanted.AddParameterMap(own)
    _, transform = itk.elastix_registration_method(*images, parameter_object=wanted, log_to_console=False)
    (folder / name).mkdir()
    field = itk.transformix_deformation_field(images[1], transform, output_directory=str(folder.parent))
    itk.imwrite(field, str(folder / name / "deformationField.mha"))
    labels = [itk.imread(f"{path}_labels.nii.gz", itk.F) for path in (fixed, moving)]
    transform.SetParameter("FinalBSplineInterpolationOrder", "0")
    warped = itk.transformix_filter(labels[1], transform)
    return dice(np.rint(itk.array_from_image(labels[0])), np.rint(itk.array_from_image(warped)))


@pytest.mark.slow
@pytest.mark.parametrize("tool", [ants, elastix])
def test_what_the_tool_wrote_scores_as_what_the_tool_warps(
    cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: Callable[[Path, Path, str, Path], float]
) -> None:
    if tool is ants and find_spec("ants") is None:
        pytest.skip("needs antspyx")
    monkeypatch.setattr(scoring, "publish", partial(publish, figures=False))
    (warps := tmp_path / "warps").mkdir()
    own = {}
    # a process of its own: ITK and ANTs in one crash each other
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        for case in bind("registration", f"folder:{cohort}").all_cases:
            moving, fixed = (cohort / subject[1:] for subject in case.subjects)
            own[case.id] = process.submit(tool, fixed, moving, case.id, warps).result()
    board = mrbench.score(
        "registration", dataset=f"folder:{cohort}", predictions=warps, name="Theirs", out=tmp_path / "out"
    )
    assert not board.failed and not board.notices and len(board.rows) == len(own) == 3
    for row in board.rows:
        assert row.metrics["dice"] == pytest.approx(own[row.case], abs=0.005)
        assert row.metrics["dice"] > 0.8
