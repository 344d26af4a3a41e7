"""Orientation after loading, and what is refused."""

from __future__ import annotations

import gzip
import tracemalloc
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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


BOX = np.zeros((4, 5, 6), np.float32)


def with_header(path: Path, sform: np.ndarray | None, qform: np.ndarray | None, unit: str | int = 2) -> Path:
    """A volume whose header says exactly this; None: the code is 0."""
    image = nib.Nifti1Image(BOX, None)
    for name, affine in (("sform", sform), ("qform", qform)):
        if affine is not None and np.isfinite(affine).all() and np.linalg.det(affine):
            getattr(image.header, f"set_{name}")(affine, 1)
        elif affine is not None:  # nibabel would refuse to write it
            image.header[f"{name}_code"] = 1
            for row, key in enumerate(("srow_x", "srow_y", "srow_z")):
                image.header[key] = affine[row]
    image.header["xyzt_units"] = unit
    with path.open("wb") as file:
        image.header["magic"], image.header["vox_offset"] = b"n+1", 352
        image.header.write_to(file)
        file.write(bytes(4) + BOX.tobytes())
    return path


@pytest.mark.parametrize(("unit", "size"), [(0, 2.0), (2, 2.0), (3, 2000.0), (1, 0.002), (2 | 8, 2.0)])
def test_lengths_are_mm_whatever_their_unit(tmp_path: Path, unit: int, size: float) -> None:
    """Unknown (taken for mm), mm, micron, metre; the bits of the unit of time do not count."""
    affine = np.diag([size, size, size, 1.0])
    affine[:3, 3] = 5 * size
    volume = read_volume(with_header(tmp_path / "a.nii", affine, affine, unit))
    assert volume.spacing == pytest.approx((2, 2, 2)) and volume.affine[:3, 3] == pytest.approx([10, 10, 10])


@pytest.mark.parametrize(("unit", "size"), [(1, 2.0), (3, 2.0), (2, 2000.0), (5, 2.0)])
def test_voxels_of_no_scanner_and_unknown_units_are_refused(tmp_path: Path, unit: int, size: float) -> None:
    affine = np.diag([size, size, size, 1.0])
    with pytest.raises(DataError, match="xyzt_units"):
        read_volume(with_header(tmp_path / "a.nii", affine, affine, unit))


def test_forms_that_disagree_are_refused_unless_one_is_unknown(tmp_path: Path) -> None:
    two, half = np.diag([2.0, 2.0, 2.0, 1.0]), np.diag([0.5, 0.5, 0.5, 1.0])
    moved = two.copy()
    moved[0, 3] = 0.3  # more than a tenth of a voxel
    for other in (half, moved):
        with pytest.raises(DataError, match=r"in two ways where its voxels lie.*set the code of the wrong one to 0"):
            read_volume(with_header(tmp_path / "a.nii", two, other))
    assert read_volume(with_header(tmp_path / "b.nii", two, None)).spacing == (2, 2, 2)
    assert read_volume(with_header(tmp_path / "c.nii", None, half)).spacing == (0.5, 0.5, 0.5)
    moved[0, 3] = 0.1
    assert read_volume(with_header(tmp_path / "d.nii", two, moved)).spacing == (2, 2, 2)


@pytest.mark.parametrize("bad", [np.zeros((4, 4)), np.full((4, 4), np.nan), np.full((4, 4), np.inf), np.ones((4, 4))])
def test_an_sform_of_no_use_gives_way_to_a_good_qform(tmp_path: Path, bad: np.ndarray) -> None:
    good = np.diag([2.0, 2.0, 2.0, 1.0])
    assert read_volume(with_header(tmp_path / "a.nii", bad, good)).spacing == (2, 2, 2)
    with pytest.raises(DataError, match="has no affine"):
        read_volume(with_header(tmp_path / "b.nii", bad, None))


def test_a_small_archive_of_a_huge_volume_takes_no_memory(tmp_path: Path) -> None:
    """70 bytes of gzip once took 4.8 GB: the header says how much to allocate."""
    path = with_header(tmp_path / "a.nii", np.eye(4), None)
    content = bytearray(path.read_bytes()[:352])
    content[40:56] = np.array([3, 1200, 1000, 1000, 1, 1, 1, 1], "<i2").tobytes()
    for name, data in (("b.nii", bytes(content)), ("b.nii.gz", gzip.compress(bytes(content)))):
        (tmp_path / name).write_bytes(data)
        tracemalloc.start()
        with pytest.raises(DataError, match="more than the file can"):
            read_volume(tmp_path / name)
        assert tracemalloc.get_traced_memory()[1] < 2**24
        tracemalloc.stop()


@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), min_size=12, max_size=12), st.integers(0, 255)
)
@settings(max_examples=60, deadline=None)
def test_any_affine_is_a_place_in_mm_or_a_sentence(rows: list[float], unit: int) -> None:
    with TemporaryDirectory() as folder:
        path = with_header(Path(folder) / "a.nii", None, None, unit)
        content = bytearray(path.read_bytes())
        content[254:256] = (1).to_bytes(2, "little")  # sform_code
        content[280:328] = np.array(rows, "<f4").tobytes()
        path.write_bytes(content)
        try:
            volume = read_volume(path)
        except DataError as error:
            assert "\n" not in str(error)
        else:
            assert np.isfinite(volume.affine).all() and all(0.005 <= size <= 100 for size in volume.spacing)


def test_any_case_of_suffix_is_read(tmp_path: Path) -> None:
    whole = save(tmp_path / "a.nii.gz", BOX).read_bytes()
    (tmp_path / "B.NII.GZ").write_bytes(whole)
    assert read_volume(tmp_path / "B.NII.GZ").array.shape == (6, 5, 4)


def test_nothing_but_the_sentence_is_said_of_a_header(tmp_path: Path, caplog, capfd) -> None:
    """nibabel logs every repair of a header to the terminal."""
    path = with_header(tmp_path / "a.nii", np.eye(4), None)
    content = bytearray(path.read_bytes())
    content[:4], content[252:254] = (347).to_bytes(4, "little"), (32704).to_bytes(2, "little")  # sizeof_hdr, qform_code
    path.write_bytes(content)
    with suppress(DataError):
        read_volume(path)
    assert not caplog.records and capfd.readouterr() == ("", "")


def test_a_volume_larger_than_the_free_memory_is_one_sentence(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("mrbench.io.bounds.SMALL", 0)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=900))
    with pytest.raises(DataError, match="GiB of memory are free; end other programs"):
        read_volume(save(tmp_path / "a.nii.gz", BOX))
