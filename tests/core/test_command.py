"""Shell commands as methods: files out, files in, and every way in which that fails."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from tests.kspace_phantom import case_of

from mrbench.core.case import Case
from mrbench.core.errors import PredictionError, RequestError
from mrbench.core.registry import find_method
from mrbench.core.source import source_hash
from mrbench.core.specification import parse_spec
from mrbench.tasks.denoising import DenoisingInputs
from mrbench.tasks.reconstruction import Reconstruction
from mrbench.tasks.super_resolution import SuperResolution

SHIFT = """
import sys
import numpy as np, SimpleITK as sitk
fixed, moving, output = map(str, sys.argv[1:4])
images = [sitk.ReadImage(path) for path in (fixed, moving)]
arrays = [sitk.GetArrayFromImage(image) for image in images]
masses = [[a.sum(tuple({0, 1, 2} - {axis})) for axis in (2, 1, 0)] for a in arrays]
indices = [[float(np.average(np.arange(len(m)), weights=m)) for m in three] for three in masses]
points = [np.array(i.TransformContinuousIndexToPhysicalPoint(k)) for i, k in zip(images, indices)]
field = np.broadcast_to(points[1] - points[0], (*arrays[0].shape, 3))
warp = sitk.GetImageFromArray(np.ascontiguousarray(field), isVector=True)
warp.CopyInformation(images[0])
sitk.WriteImage(warp, output)
"""


def predict(command: str, task: str, inputs):
    return find_method(f"cmd:{command}", task)().predict(inputs)


def test_an_itk_tool_registers(case: Case, tmp_path: Path) -> None:
    """It reads the files as ITK does and writes points of ITK's world; mrbench gets voxels of its own."""
    script = tmp_path / "shift.py"
    script.write_text(SHIFT)
    field = predict(f'"{sys.executable} {script} {{fixed}} {{moving}} {{output}}"', "registration", case.inputs)
    np.testing.assert_allclose(field[:, 5, 5, 5], (2, -3, 1), atol=0.3)


def inputs_for_denoising() -> DenoisingInputs:
    image = np.random.default_rng(0).random((4, 6, 5)).astype(np.float32)
    return DenoisingInputs(image, 0.1, "rician", (2.0, 1.0, 1.5))


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    inputs = inputs_for_denoising()
    np.testing.assert_array_equal(predict("cp {image} {output}", "denoising", inputs), inputs.image)


def test_numbers_are_given_as_numbers(tmp_path: Path) -> None:
    prediction = predict(
        f"sh -c 'echo {{sigma}} {{threads}} > {tmp_path}/said; cp {{image}} {{output}}'",
        "denoising",
        inputs_for_denoising(),
    )
    assert prediction.shape == (4, 6, 5) and (tmp_path / "said").read_text().split() == ["0.1", "1"]


def test_kspace_is_hdf5(tmp_path: Path) -> None:
    script = tmp_path / "zero.py"
    script.write_text(
        "import sys, h5py, numpy as np\n"
        "with h5py.File(sys.argv[1]) as f, h5py.File(sys.argv[2], 'w') as g:\n"
        "    k = f['kspace'][()]; assert f['mask'].shape == (*k.shape[:1], *k.shape[2:])\n"
        "    i = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(k, (-2, -1)), norm='ortho'), (-2, -1))\n"
        "    g['reconstruction'] = np.sqrt((abs(i) ** 2).sum(1))\n"
    )
    case = case_of("multicoil-4x")
    image = predict(f"{sys.executable} {script} {{kspace}} {{output}}", "reconstruction", case.inputs)
    zero_filled = find_method("zero-filled", "reconstruction")().predict(case.inputs)
    np.testing.assert_allclose(
        Reconstruction().check(case, image), Reconstruction().check(case, zero_filled), atol=1e-5
    )


def test_every_named_input_is_written(case: Case, tmp_path: Path) -> None:
    task = find_method("cmd:cp {fixed} {output}", "registration").bound_task
    assert set(task.write_inputs(case.inputs, tmp_path)) == set(task.input_names)
    assert SuperResolution.input_names == ("image", "sigma")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("cp {image} x", "has no {output}"),
        ("", "has no {output}"),
        ("cp '{image} {output}", "mend its quotes"),
        ("cp {picture} {output}", "writes no {picture}; use {image}, {sigma}, {output}, {folder}, {threads}"),
        ("no-such-tool {output}", "there is no command 'no-such-tool'"),
        ("cp {image {output}", "double braces"),
    ],
)
def test_bad_commands_are_refused_before_anything_runs(command: str, message: str) -> None:
    with pytest.raises(RequestError) as error:
        find_method(f"cmd:{command}", "denoising")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("sh -c 'echo sorry >&2; exit 3' {output}", "ended with code 3: sorry"),
        ("true {output}", "left nothing for {output}"),
        ("sh -c 'touch {folder}/output.nii.gz {folder}/output2'", "left output.nii.gz, output2"),
    ],
)
def test_failures_are_told(command: str, message: str) -> None:
    command = command if "{output}" in command else f"{command} {{output}}"
    with pytest.raises(PredictionError) as error:
        predict(command, "denoising", inputs_for_denoising())
    assert message in str(error.value)


def test_the_name_follows_the_files_of_the_command(tmp_path: Path) -> None:
    """Keys hold the qualified name, so an edited script is another method."""
    script = tmp_path / "tool.sh"
    script.write_text("cp $1 $2")
    name = f"cmd:sh {script} {{image}} {{output}}"
    first = find_method(name, "denoising")
    assert find_method(name, "denoising").__qualname__ == first.__qualname__ and source_hash(first)
    (tmp_path / "elsewhere").mkdir()
    script.rename(tmp_path / "elsewhere/moved.sh")
    moved = name.replace("tool.sh", "elsewhere/moved.sh")
    assert find_method(moved, "denoising").__qualname__ == first.__qualname__
    (tmp_path / "elsewhere/moved.sh").write_text("cp  $1 $2")
    assert find_method(moved, "denoising").__qualname__ != first.__qualname__


def test_a_command_is_read_whole() -> None:
    spec = parse_spec("Tool=cmd:mytool --in={image} -x[3] a:b=c {output}")
    assert (spec.alias, spec.name, spec.parameters) == ("Tool", "cmd:mytool --in={image} -x[3] a:b=c {output}", {})
