"""Orientation after loading, and what is refused."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

from mrbench.core.errors import DataError
from mrbench.io.nifti import read_volume


def save(path: Path, data: np.ndarray, affine: np.ndarray | None = None, code: int = 1) -> Path:
    image = nib.Nifti1Image(data, np.diag([1.0, 2.0, 3.0, 1.0]) if affine is None else affine)
    image.set_sform(image.affine, code)
    image.set_qform(image.affine, code)
    image.to_filename(path)
    return path


@pytest.mark.parametrize("axes", ["RAS", "LPS", "PSR", "IAL", "SLP"])
def test_any_orientation_comes_out_as_zyx_in_ras(tmp_path: Path, axes: str) -> None:
    """A bright voxel far right, anterior and superior must have high x, y and z indices."""
    ras = np.zeros((4, 5, 6), np.float32)
    ras[3, 4, 5] = 1
    image = nib.Nifti1Image(ras, np.diag([1.0, 2.0, 3.0, 1.0]))
    turned = image.as_reoriented(ornt_transform(io_orientation(image.affine), axcodes2ornt(axes)))
    volume = read_volume(save(tmp_path / "a.nii.gz", np.asarray(turned.dataobj), turned.affine))
    assert volume.array.shape == (6, 5, 4)
    assert np.argwhere(volume.array).tolist() == [[5, 4, 3]]
    assert volume.spacing == (3, 2, 1)


def test_labels_are_integers(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii.gz", np.full((2, 2, 2), 207, np.uint8))
    assert read_volume(path, labels=True).array.dtype == np.int16
    assert read_volume(path).array.dtype == np.float32


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        (np.zeros((2, 2), np.float32), 1, "3-D volume is needed"),
        (np.zeros((2, 2, 2, 3), np.float32), 1, "3-D volume is needed"),
        (np.full((2, 2, 2), np.nan, np.float32), 1, "NaN"),
        (np.zeros((2, 2, 2), np.float32), 0, "no affine"),
        (np.zeros((2, 2, 2), np.complex64), 1, "complex64 values; a real volume"),
    ],
)
def test_malformed_volumes_are_one_sentence(tmp_path: Path, data: np.ndarray, code: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_volume(save(tmp_path / "a.nii.gz", data, code=code))


@pytest.mark.parametrize("value", [0.5, -1, 40000])
def test_labels_that_are_no_labels_are_refused(tmp_path: Path, value: float) -> None:
    with pytest.raises(DataError, match="not a label map"):
        read_volume(save(tmp_path / "a.nii.gz", np.full((2, 2, 2), value, np.float32)), labels=True)


def test_what_is_no_nifti_is_one_sentence(tmp_path: Path) -> None:
    nib.MGHImage(np.zeros((2, 2, 2), np.float32), np.eye(4)).to_filename(tmp_path / "a.mgz")
    with pytest.raises(DataError, match=r"a\.mgz is MGH; convert it to NIfTI"):
        read_volume(tmp_path / "a.mgz")


def test_truncated_file_is_one_sentence(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii.gz", np.random.default_rng(0).random((20, 20, 20)))
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match="cannot be read"):
        read_volume(path)


def test_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not there"):
        read_volume(tmp_path / "a.nii.gz")
