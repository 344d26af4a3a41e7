"""DICOM series come out where NIfTI of the same scan does, and half a series is a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from pydicom.dataset import Dataset
from tests.io.mutations import mutate
from tests.io.series import OBLIQUE, SAGITTAL, volume, write

from mrbench.core.errors import DataError
from mrbench.datasets.volumes import VolumeFolder
from mrbench.io.dicom import read_series
from mrbench.io.nifti import read_volume


@pytest.mark.parametrize("orientation", [(1.0, 0, 0, 0, 1, 0), SAGITTAL, OBLIQUE])
def test_a_series_lies_where_its_nifti_does(orientation: tuple[float, ...], tmp_path: Path) -> None:
    """The affine by the formula of the DICOM standard (C.7.6.2.1.1), in LPS, turned into RAS."""
    read = read_series(write(tmp_path / "scan", orientation))
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    affine = np.eye(4)
    affine[:3] = np.stack([row * 1.5, column * 2.0, np.cross(row, column) * 3.0, [-30, 20, 5]], axis=1)
    nifti = nib.Nifti1Image(volume().transpose(2, 1, 0).astype(np.float32) / 2, np.diag([-1.0, -1, 1, 1]) @ affine)
    nifti.to_filename(tmp_path / "scan.nii.gz")
    expected = read_volume(tmp_path / "scan.nii.gz")
    np.testing.assert_array_equal(read.array, expected.array)
    np.testing.assert_allclose(read.affine, expected.affine, atol=1e-4)


def set_tag(name: str, value: object, at: int | None = None) -> Callable[[Dataset, int], None]:
    def change(header: Dataset, number: int) -> None:
        if at is None or number == at:
            setattr(header, name, value)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_tag("ImagePositionPatient", [0, 0, 900], at=11), "mm apart, other slices 3 mm; a slice is missing"),
        (set_tag("ImagePositionPatient", [-30, 20, 5], at=3), "lies where another slice lies"),
        (set_tag("PixelSpacing", [1, 1], at=5), "another size, direction or spacing"),
        (set_tag("ImageOrientationPatient", [1, 0, 0, 0, 0, 1], at=5), "another size, direction or spacing"),
        (set_tag("ImageOrientationPatient", [1, 0, 0, 1, 0, 0]), "no pair of right angles"),
        (set_tag("PixelData", b"\0\0", at=2), "cannot be decoded"),
        (set_tag("NumberOfFrames", 5), "multi-frame or colour DICOM; convert it"),
        (set_tag("PixelSpacing", None), "malformed position, orientation or spacing"),
        (set_tag("PixelSpacing", [0, 0]), "pixels of"),
    ],
)
def test_series_that_are_no_volume_are_one_sentence(change: Callable, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message) as error:
        read_series(write(tmp_path / "scan", (1.0, 0, 0, 0, 1, 0), change=change))
    assert "\n" not in str(error.value)


def test_a_missing_slice_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "scan")
    (folder / "a006.dcm").unlink()
    with pytest.raises(DataError, match=r"a\d\d\d\.dcm and a\d\d\d\.dcm lie 6 mm apart, other slices 3 mm"):
        read_series(folder)


def test_folders_of_series_are_test_subjects(tmp_path: Path) -> None:
    write(tmp_path / "study" / "one", series="a")
    write(tmp_path / "study" / "two", series="a", description="t1 mprage")
    write(tmp_path / "study" / "two", series="b", description="t2 tse")
    write(tmp_path / "study" / "ct", series="b", modality="CT")
    localiser = write(tmp_path / "study" / "localiser", series="b", description="scout")
    for file in sorted(localiser.iterdir())[3:]:
        file.unlink()
    dataset = VolumeFolder(tmp_path / "study")
    assert dataset.subjects("test") == ("P_01_x_t1_mprage", "P_01_x_t1_mprage_2", "P_01_x_t2_tse")
    assert dataset.left_out == (
        "ct (t1 mprage) is CT, not MR.",
        "localiser (scout) has 3 images, fewer than 8.",
    )
    subject = dataset.load("P_01_x_t2_tse")
    assert sorted(subject.images["image"].shape) == [9, 10, 12] and subject.images["image"].max() == 1
    assert dataset.content_key("P_01_x_t1_mprage") != dataset.content_key("P_01_x_t2_tse")
    with pytest.raises(DataError, match=r"two holds 2 DICOM series: t1 mprage .*; give one of them, as FOLDER::UID"):
        read_series(tmp_path / "study" / "two")


def test_damaged_files_of_a_series_are_one_sentence(tmp_path: Path) -> None:
    folder = write(tmp_path / "scan")
    file = folder / "a005.dcm"
    content, rng = file.read_bytes(), np.random.default_rng(0)
    outcomes = set()
    for _ in range(25):
        damaged = mutate(content[132:], rng)
        file.write_bytes(content[:132] + damaged)
        try:
            read_series(folder)
            outcomes.add("read")
        except DataError as error:
            outcomes.add("refused")
            assert "\n" not in str(error)
    assert "refused" in outcomes
