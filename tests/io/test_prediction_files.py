"""Files of predictions in the formats of the field: what they mean, where they lie, whose they are."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from mrbench.core.case import CaseId
from mrbench.core.errors import DataError, RequestError
from mrbench.core.grid import Grid
from mrbench.io.predictions.fields import (
    read_fsl,
    read_itk,
    read_learn2reg,
    read_npy_field,
    read_transform,
    write_itk,
    write_learn2reg,
)
from mrbench.io.predictions.formats import find_format, format_of
from mrbench.io.predictions.grid import GridError
from mrbench.io.predictions.images import read_fastmri, read_nifti_image, write_fastmri, write_nifti
from mrbench.io.predictions.matching import cases_of, files_below, match

SHAPE = (6, 8, 7)
"""Axes (z, y, x), all different."""

AFFINE = np.array([[2.0, 0, 0, -5], [0, 3.0, 0, 7], [0, 0, 1.5, 11], [0, 0, 0, 1]])
"""RAS+, (x, y, z)."""

GRID = Grid(SHAPE, (1.5, 3.0, 2.0), AFFINE)

LIA = np.array([[0, -1], [2, -1], [1, 1.0]])
"""Orientation of files whose axes run left, down and to the front, as FreeSurfer's do."""


@pytest.fixture
def field() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 1.5, (3, *SHAPE)).astype(np.float32)


def where(field: np.ndarray, index: tuple[int, int, int]) -> np.ndarray:
    """RAS mm of the moving point of the fixed voxel ``(z, y, x)``, by definition of mrbench's convention."""
    place = np.array(index) + field[(slice(None), *index)]
    return AFFINE[:3, :3] @ place[::-1] + AFFINE[:3, 3]


def lps_image(field: np.ndarray) -> sitk.Image:
    """The field as SimpleITK holds it: built from points of the world, not by the code under test."""
    vectors = np.zeros((*SHAPE, 3))
    for index in np.ndindex(SHAPE):
        fixed = AFFINE[:3, :3] @ np.array(index[::-1]) + AFFINE[:3, 3]
        vectors[index] = (where(field, index) - fixed) * (-1, -1, 1)
    image = sitk.GetImageFromArray(vectors, isVector=True)
    image.SetSpacing((2.0, 3.0, 1.5))
    image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    image.SetOrigin((5.0, -7.0, 11.0))
    return image


@pytest.mark.parametrize("ending", [".nii.gz", ".mha", ".nrrd"])
def test_itk_fields_mean_points_of_the_world(field: np.ndarray, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a_to_b_1Warp{ending}"
    sitk.WriteImage(lps_image(field), str(path))
    np.testing.assert_allclose(read_itk(path, GRID).voxels, field, atol=1e-5)


def test_itk_fields_on_axes_of_another_order_are_turned(field: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "warp.nii.gz"
    turned = sitk.DICOMOrient(lps_image(field), "RIA")
    sitk.WriteImage(turned, str(path))
    np.testing.assert_allclose(read_itk(path, GRID).voxels, field, atol=1e-5)


def test_what_is_written_for_itk_is_what_itk_writes(field: np.ndarray, tmp_path: Path) -> None:
    write_itk(tmp_path / "ours.nii.gz", field, GRID)
    ours, theirs = sitk.ReadImage(str(tmp_path / "ours.nii.gz")), lps_image(field)
    assert ours.GetNumberOfComponentsPerPixel() == 3
    np.testing.assert_allclose(sitk.GetArrayFromImage(ours), sitk.GetArrayFromImage(theirs), atol=1e-4)
    np.testing.assert_allclose(ours.GetOrigin(), theirs.GetOrigin(), atol=1e-5)


@pytest.mark.parametrize("ending", [".tfm", ".h5", ".mat"])
def test_affine_transforms_move_points_as_itk_does(tmp_path: Path, ending: str) -> None:
    affine = sitk.AffineTransform(3)
    affine.SetMatrix((1.1, 0.1, 0, -0.05, 0.9, 0, 0, 0.02, 1))
    affine.SetTranslation((2, -1, 3))
    path = tmp_path / f"a_0GenericAffine{ending}"
    sitk.WriteTransform(affine, str(path))
    read = read_transform(path, GRID).voxels
    for index in [(0, 0, 0), (5, 2, 6), (3, 7, 1)]:
        fixed = (AFFINE[:3, :3] @ np.array(index[::-1]) + AFFINE[:3, 3]) * (-1, -1, 1)
        np.testing.assert_allclose(where(read, index) * (-1, -1, 1), affine.TransformPoint(fixed.tolist()), atol=1e-4)


def test_composite_transforms_are_read_whole(field: np.ndarray, tmp_path: Path) -> None:
    shift = sitk.TranslationTransform(3, (0.0, 0.0, 3.0))
    warp = sitk.DisplacementFieldTransform(sitk.Cast(lps_image(0 * field), sitk.sitkVectorFloat64))
    path = tmp_path / "Composite.h5"
    sitk.WriteTransform(sitk.CompositeTransform([shift, warp]), str(path))
    np.testing.assert_allclose(read_transform(path, GRID).voxels[0], 2.0, atol=1e-5)


def test_parameters_of_elastix_are_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "TransformParameters.0.txt"
    path.write_text('(Transform "BSplineTransform")\n')
    with pytest.raises(DataError, match="transformix -def all"):
        read_transform(path, GRID)


@pytest.mark.parametrize("orientation", [None, LIA])
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_learn2reg_is_voxels_in_the_order_of_the_files(
    field: np.ndarray, tmp_path: Path, orientation: np.ndarray | None, first: bool, packed: bool
) -> None:
    """A point of the fixed file's array, moved by the vector there, is the point of the moving file's array."""
    grid = Grid(SHAPE, GRID.spacing, AFFINE, orientation)
    to_file = np.eye(4) if orientation is None else nib.orientations.inv_ornt_aff(LIA, _shape_in_file())
    stored = np.zeros((*(SHAPE[::-1] if orientation is None else _shape_in_file()), 3), np.float32)
    for index in np.ndindex(SHAPE):
        start = np.array([*index[::-1], 1.0])
        end = start + np.append(field[(slice(None), *index)][::-1], 0.0)
        place, goal = to_file @ start, to_file @ end
        stored[tuple(np.rint(place[:3]).astype(int))] = (goal - place)[:3]
    array = np.moveaxis(stored, -1, 0) if first else stored
    path = tmp_path / ("disp_0001_0002.npz" if packed else "disp_0001_0002.nii.gz")
    if packed:
        np.savez_compressed(path, array)
    else:
        nib.Nifti1Image(array, np.eye(4)).to_filename(path)
    np.testing.assert_allclose(read_learn2reg(path, grid).voxels, field, atol=1e-5)


def _shape_in_file() -> tuple[int, ...]:
    return tuple(SHAPE[::-1][int(place)] for place, _ in LIA)


@pytest.mark.parametrize("orientation", [None, LIA])
def test_learn2reg_is_read_as_it_was_written(field, tmp_path: Path, orientation: np.ndarray | None) -> None:
    grid = Grid(SHAPE, GRID.spacing, AFFINE, orientation)
    write_learn2reg(tmp_path / "disp_1_2.nii.gz", field, grid)
    np.testing.assert_allclose(read_learn2reg(tmp_path / "disp_1_2.nii.gz", grid).voxels, field, atol=1e-6)
    written = nib.as_closest_canonical(nib.load(tmp_path / "disp_1_2.nii.gz"))
    np.testing.assert_allclose(written.affine, AFFINE, err_msg="viewers show it where it lies")


def test_learn2reg_of_half_the_size_is_doubled(tmp_path: Path) -> None:
    grid = Grid((8, 12, 10), (1, 1, 1))
    half = np.broadcast_to(np.array([1.0, 2, 3])[:, None, None, None], (3, 5, 6, 4)).astype(np.float16)
    np.savez(tmp_path / "disp_1_2.npz", half)
    voxels = read_learn2reg(tmp_path / "disp_1_2.npz", grid).voxels
    np.testing.assert_allclose(
        voxels, np.broadcast_to(np.array([3.0, 2, 1])[:, None, None, None], (3, 8, 12, 10)), atol=1e-3
    )


@pytest.mark.parametrize("left_handed", [False, True])
def test_fsl_fields_are_mm_of_the_file_with_x_mirrored_where_it_is_right_handed(
    field: np.ndarray, tmp_path: Path, left_handed: bool
) -> None:
    """By FSL's definition of its coordinates: voxel times size, x counted from the other end where det > 0."""
    affine = AFFINE @ np.diag([-1, 1, 1, 1.0]) if left_handed else AFFINE
    if left_handed:
        affine[:3, 3] = AFFINE[:3, 3] + AFFINE[:3, 0] * (SHAPE[2] - 1)
    sizes, width = np.array([2.0, 3.0, 1.5]), SHAPE[2] - 1
    stored = np.zeros((*SHAPE[::-1], 3), np.float32)
    for z, y, x in np.ndindex(SHAPE):
        start = np.array([x, y, z], float)
        end = start + field[:, z, y, x][::-1]
        file_start, file_end = ((np.array([width - p[0], *p[1:]]) if left_handed else p) for p in (start, end))
        mm = [np.array([p[0] if left_handed else width - p[0], *p[1:]]) * sizes for p in (file_start, file_end)]
        stored[tuple(file_start.astype(int))] = mm[1] - mm[0]
    image = nib.Nifti1Image(stored, affine)
    image.header.set_intent(2006, allow_unknown=True)
    image.to_filename(tmp_path / "warp.nii.gz")
    np.testing.assert_allclose(read_fsl(tmp_path / "warp.nii.gz", GRID).voxels, field, atol=1e-5)


def test_fsl_coefficients_and_coordinates_are_refused(tmp_path: Path) -> None:
    places = np.moveaxis(np.indices(SHAPE[::-1]), 0, -1) * np.array([2.0, 3.0, 1.5])
    for intent, message in ((2007, "coefficients"), (2006, "convertwarp --relout")):
        image = nib.Nifti1Image(places.astype(np.float32), AFFINE)
        image.header.set_intent(intent, allow_unknown=True)
        image.to_filename(tmp_path / "warp.nii.gz")
        with pytest.raises(DataError, match=message):
            read_fsl(tmp_path / "warp.nii.gz", GRID)


def test_a_field_elsewhere_is_refused(field: np.ndarray, tmp_path: Path) -> None:
    write_itk(tmp_path / "warp.nii.gz", field, GRID)
    moved = AFFINE.copy()
    moved[0, 3] += 1
    with pytest.raises(GridError, match=r"0\.667 voxels away"):
        read_itk(tmp_path / "warp.nii.gz", Grid(SHAPE, GRID.spacing, moved))
    with pytest.raises(GridError, match="resample"):
        read_itk(tmp_path / "warp.nii.gz", Grid((7, 8, 7), GRID.spacing))
    with pytest.raises(GridError, match="correct its header"):
        read_itk(tmp_path / "warp.nii.gz", Grid(SHAPE, (1, 1, 1)))


def test_components_last_in_numpy_are_refused(field: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "u.npy", np.moveaxis(field, 0, -1))
    with pytest.raises(DataError, match="move the components to the front"):
        read_npy_field(tmp_path / "u.npy", GRID)
    np.save(tmp_path / "u.npy", field)
    np.testing.assert_array_equal(read_npy_field(tmp_path / "u.npy", GRID).voxels, field)


def test_images_are_turned_to_the_case(tmp_path: Path) -> None:
    image = np.random.default_rng(1).random(SHAPE).astype(np.float32)
    write_nifti(tmp_path / "a.nii.gz", image, GRID)
    turned = nib.load(tmp_path / "a.nii.gz").as_reoriented(LIA)
    turned.to_filename(tmp_path / "b.nii.gz")
    np.testing.assert_array_equal(read_nifti_image(tmp_path / "b.nii.gz", GRID), image)


def test_fastmri_files_are_in_units_of_their_kspace_and_may_be_cropped(tmp_path: Path) -> None:
    grid = Grid((2, 10, 9), (1, 1, 1), crop=(6, 5), scale=1e-3)
    cropped = np.random.default_rng(2).random((2, 6, 5)).astype(np.float32)
    write_fastmri(tmp_path / "a.h5", cropped, grid)
    whole = read_fastmri(tmp_path / "a.h5", grid)
    assert whole.shape == grid.shape
    np.testing.assert_allclose(whole[:, 2:8, 2:7], cropped, rtol=1e-6)
    assert np.count_nonzero(whole) == cropped.size


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x1f\x8b\x08nonsense", b"PK\x03\x04zip"])
@pytest.mark.parametrize(
    ("holds", "name"),
    [
        ("field", "learn2reg"),
        ("field", "itk"),
        ("field", "itk-transform"),
        ("field", "fsl"),
        ("field", "npy"),
        ("image", "nifti"),
        ("image", "fastmri"),
        ("image", "npy"),
        ("labels", "nifti"),
    ],
)
def test_damaged_files_are_one_sentence(tmp_path: Path, content: bytes, holds: str, name: str) -> None:
    endings = {"itk-transform": ".h5", "npy": ".npy", "fastmri": ".h5"}
    path = tmp_path / f"a{endings.get(name, '.nii.gz')}"
    path.write_bytes(content)
    with pytest.raises(DataError):
        find_format(name, holds).read(path, GRID)


def test_formats_are_told_by_looking(field: np.ndarray, tmp_path: Path) -> None:
    write_itk(tmp_path / "a.nii.gz", field, GRID)
    write_learn2reg(tmp_path / "b.nii.gz", field, GRID)
    assert format_of([tmp_path / "a.nii.gz"], "field").name == "itk"
    assert format_of([tmp_path / "b.nii.gz"], "field").name == "learn2reg"
    with pytest.raises(RequestError, match=r"two formats, itk .* and learn2reg"):
        format_of([tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"], "field")
    (tmp_path / "c.npy").write_bytes(b"")
    with pytest.raises(RequestError, match="no known format of a displacement field"):
        format_of([tmp_path / "c.txtx"], "field")
    with pytest.raises(RequestError, match="did you mean 'learn2reg'"):
        find_format("learn", "field")


PAIRS = [CaseId(f"{a}_to_{b}", (a, b)) for a, b in (("b3", "b4"), ("b4", "b5"), ("b5", "b3"))]
BACK_AND_FORTH = [CaseId("s1_to_s2", ("s1", "s2")), CaseId("s2_to_s1", ("s2", "s1"))]


@pytest.mark.parametrize(
    ("name", "cases", "matched"),
    [
        ("b3_to_b4", PAIRS, ["b3_to_b4"]),
        ("b3_to_b4_1Warp", PAIRS, ["b3_to_b4"]),
        ("b3_to_b4/deformationField", PAIRS, ["b3_to_b4"]),
        ("b4_b3", PAIRS, ["b3_to_b4"]),
        ("disp_b4_b3", PAIRS, ["b3_to_b4"]),
        ("disp_0004_0003", PAIRS, ["b3_to_b4"]),
        ("disp_0004_0005", PAIRS, ["b4_to_b5"]),
        ("disp_0007_0003", PAIRS, []),
        ("b33_to_b4", PAIRS, []),
        ("disp_0001_0002", BACK_AND_FORTH, ["s2_to_s1"]),
        ("disp_s2_s1", BACK_AND_FORTH, ["s1_to_s2"]),
        ("s1_s2", BACK_AND_FORTH, ["s1_to_s2", "s2_to_s1"]),
        ("p1", [CaseId("p1", ("p1",)), CaseId("p1_mask2", ("p1",))], ["p1"]),
        ("p1_mask2", [CaseId("p1", ("p1",)), CaseId("p1_mask2", ("p1",))], ["p1_mask2"]),
        ("p1_seg", [CaseId("p1", ("p1",)), CaseId("p11", ("p11",))], ["p1"]),
    ],
)
def test_files_are_matched_by_names(name: str, cases: list[CaseId], matched: list[str]) -> None:
    """Learn2Reg names the fixed image first: disp_<fixed>_<moving>."""
    assert cases_of(name, cases) == matched


def test_matching_refuses_what_is_not_clear(tmp_path: Path) -> None:
    for name in (".hidden.nii.gz", "README.md", "times.csv", "other.nii.gz"):
        (tmp_path / name).write_text("")
    with pytest.raises(RequestError, match=r"no file in .* is named by a case, such as b3_to_b4 \(there is other"):
        match(tmp_path, files_below(tmp_path), PAIRS)
    (tmp_path / "b3_to_b4.NII.GZ").write_text("")
    done = match(tmp_path, files_below(tmp_path), PAIRS)
    assert list(done.files) == ["b3_to_b4"] and [path.name for path in done.surplus] == ["other.nii.gz"]
    (tmp_path / "b3_to_b4.npz").write_text("")
    with pytest.raises(RequestError, match="are both of case b3_to_b4"):
        match(tmp_path, files_below(tmp_path), PAIRS)
    (tmp_path / "s1_s2.npy").write_text("")
    with pytest.raises(RequestError, match="may be s1_to_s2 or s2_to_s1"):
        match(tmp_path, [tmp_path / "s1_s2.npy"], BACK_AND_FORTH)
    with pytest.raises(RequestError, match="is not a folder"):
        files_below(tmp_path / "nowhere")


def test_nifti_of_four_axes_is_called_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "case.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros((4, 5, 6, 2), np.uint8), np.eye(4)), path)
    with pytest.raises(
        RequestError, match=r"is NIfTI of shape \(4, 5, 6, 2\); a label map is one volume of three axes"
    ):
        format_of([path], "labels")
