"""Raw k-space from files, and what is wrong with them, in one sentence each."""

import shutil
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest
from tests.io.kspace_files import HEADER, columns, fastmri

from mrbench.core.errors import DataError
from mrbench.io.cfl import read_cfl, write_cfl
from mrbench.io.ismrmrd_file import sort_readouts
from mrbench.io.kspace import read_kspace
from mrbench.io.raw import parse_axes
from mrbench.physics.fourier import root_sum_of_squares, to_image


def test_fastmri_multicoil_is_cropped_by_its_header(tmp_path: Path, kspace: np.ndarray) -> None:
    raw = read_kspace(fastmri(tmp_path / "a.h5", kspace))
    assert raw.crop == (12, 14) and raw.mask is None
    expected = root_sum_of_squares(to_image(kspace))[:, 6:18, 1:15]
    assert np.allclose(raw.reference, expected, atol=1e-5)
    given = np.ones((3, 12, 12), np.float32)
    own = read_kspace(fastmri(tmp_path / "b.h5", kspace, reconstruction_rss=given))
    assert own.crop == (12, 12) and (own.reference == 1).all()


def test_fastmri_singlecoil_and_a_test_file_with_its_mask(tmp_path: Path, kspace: np.ndarray) -> None:
    single = read_kspace(fastmri(tmp_path / "a.h5", kspace[:, 0]))
    assert single.kspace.shape == (3, 1, 24, 16) and single.reference is not None
    masked = np.where(columns(), kspace, 0)
    raw = read_kspace(fastmri(tmp_path / "b.h5", masked, mask=columns().astype(np.float32)))
    assert raw.reference is None and raw.mask is not None
    assert (raw.mask == columns()).all() and raw.mask.shape == (3, 24, 16)


def test_padded_columns_are_no_undersampling(tmp_path: Path, kspace: np.ndarray) -> None:
    kspace[..., :2] = kspace[..., -1:] = 0
    assert read_kspace(fastmri(tmp_path / "a.h5", kspace)).mask is None


def test_cfl_and_npy_give_the_same(tmp_path: Path, kspace: np.ndarray) -> None:
    masked = np.where(columns(), kspace[0], 0)
    reads_first = masked.swapaxes(-1, -2)[:, None]  # (coil, z, phase, read), which BART calls read, phase, z, coil
    write_cfl(tmp_path / "a", reads_first)
    assert (tmp_path / "a.hdr").read_text().split("\n")[1] == "24 16 1 4"
    assert (read_cfl(tmp_path / "a") == reads_first).all()
    np.save(tmp_path / "b.npy", masked[None])
    np.save(tmp_path / "b.mask.npy", columns())
    for name in ("a.cfl", "b.npy"):
        raw = read_kspace(tmp_path / name)
        assert raw.kspace.shape == (1, 4, 24, 16) and (raw.mask == columns()).all()
    assert "not zero in every coil" in read_kspace(tmp_path / "a.cfl").note
    assert read_kspace(tmp_path / "b.npy").note == ""


@pytest.mark.parametrize(("dimension", "dynamic"), [(13, False), (10, True)])
def test_cfl_with_slices_or_times(dimension: int, dynamic: bool, tmp_path: Path, kspace: np.ndarray) -> None:
    sizes = [24, 16, 1, 4] + [1] * 12
    sizes[dimension] = 3
    write_cfl(tmp_path / "a", kspace.swapaxes(-1, -2).reshape(sizes[::-1]))
    raw = read_kspace(tmp_path / "a.cfl")
    assert (raw.kspace == kspace).all() and raw.dynamic == dynamic
    sizes[2], sizes[dimension] = 3, 1
    write_cfl(tmp_path / "b", kspace.swapaxes(-1, -2).reshape(sizes[::-1]))
    with pytest.raises(DataError, match="two of read, phase and partition, coil, and either"):
        read_kspace(tmp_path / "b.cfl")


@pytest.mark.parametrize("order", ["y x coil slice", "coil x y time", "time,x,coil,y"])
def test_cfl_with_dimensions_in_any_order_that_the_table_names(order: str, tmp_path: Path, kspace: np.ndarray) -> None:
    """The first name is of the header's first dimension above 1; those of 1 are not named."""
    places = [("frame", "coil", "y", "x").index(name) for name in parse_axes(order, "here")]
    write_cfl(tmp_path / "a", kspace.transpose(places[::-1])[:, None])
    raw = read_kspace(tmp_path / "a.cfl", axes=order)
    assert (raw.kspace == kspace).all() and raw.dynamic == ("time" in order)
    with pytest.raises(DataError, match=r"has 4 dimensions above 1 \(.*\) but the table names 3 axes"):
        read_kspace(tmp_path / "a.cfl", axes="y x coil")
    write_cfl(tmp_path / "b", kspace[:1, :, :, :, None].transpose(3, 0, 1, 2, 4))
    assert (read_kspace(tmp_path / "b.cfl", axes="y,coil,x").kspace == kspace[:1]).all()


@pytest.mark.skipif(shutil.which("bart") is None, reason="bart is not installed")
def test_cfl_of_barts_own_phantom(tmp_path: Path) -> None:
    """Ellipses of BART's phantom: reads are rows, and four coils are coils."""
    subprocess.run(["bart", "phantom", "-k", "-s4", "-x", "48", "k"], cwd=tmp_path, check=True)
    subprocess.run(["bart", "phantom", "-x", "48", "image"], cwd=tmp_path, check=True)
    raw = read_kspace(tmp_path / "k.cfl")
    assert raw.kspace.shape == (1, 4, 48, 48) and raw.mask is None
    image = np.abs(read_cfl(tmp_path / "image")).T  # the phantom is taller than wide: a transposed one does not fit
    assert np.corrcoef(raw.reference[0].ravel(), image.ravel())[0, 1] > 0.7
    assert np.corrcoef(raw.reference[0].ravel(), image.T.ravel())[0, 1] < 0.6


def test_masks_beside_hdf5_and_in_the_table_are_used(tmp_path: Path, kspace: np.ndarray) -> None:
    path = fastmri(tmp_path / "s.h5", np.where(columns(), kspace[:, 0], 0))
    with pytest.raises(DataError, match=r"add s\.mask\.npy"):
        read_kspace(path)
    np.save(tmp_path / "s.mask.npy", columns())
    assert (read_kspace(path).mask == columns()).all()
    np.save(tmp_path / "other.npy", np.roll(columns(), 1))
    assert (read_kspace(path, tmp_path / "other.npy").mask == np.roll(columns(), 1)).all()


@pytest.mark.parametrize("sampled", [slice(16, 32), slice(0, 30), slice(10, 48)])
def test_a_wide_or_lopsided_rim_is_undersampling(sampled: slice, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    kspace = np.zeros((1, 4, 20, 48), np.complex64)
    kspace[..., sampled] = rng.standard_normal((1, 4, 20, 48))[..., sampled]
    np.save(tmp_path / "a.npy", kspace)
    raw = read_kspace(tmp_path / "a.npy")
    assert raw.mask is not None and raw.reference is None


def test_references_that_cannot_be(tmp_path: Path, kspace: np.ndarray) -> None:
    wide = read_kspace(fastmri(tmp_path / "a.h5", kspace, reconstruction_rss=np.ones((3, 12, 20), np.float32)))
    assert wide.crop == (12, 16) and wide.reference.shape == (3, 12, 16)  # as narrow as its k-space
    for number, target in enumerate((np.zeros((3, 12, 12)), np.full((3, 12, 12), np.nan), np.ones((12, 12)))):
        with pytest.raises(DataError, match="reconstruction_rss"):
            read_kspace(fastmri(tmp_path / f"{number}.h5", kspace, reconstruction_rss=target))
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["kspace"], file["ismrmrd_header"] = kspace, "<not xml"
    with pytest.raises(DataError, match=r"x\.h5: its ISMRMRD header"):
        read_kspace(tmp_path / "x.h5")


def test_ismrmrd_refuses_what_it_cannot_sort(tmp_path: Path, kspace: np.ndarray) -> None:
    ismrmrd = pytest.importorskip("ismrmrd")

    def write(name: str, column: int, **index: int) -> Path:
        with ismrmrd.Dataset(str(tmp_path / name), "dataset", create_if_needed=True) as scan:
            scan.write_xml_header(HEADER)
            for number in range(16):
                readout = ismrmrd.Acquisition.from_array(kspace[0, :, :, number])
                readout.idx.kspace_encode_step_1 = number if number else column
                for key, value in index.items():
                    setattr(readout.idx, key, value * number)
                scan.append_acquisition(readout)
        return tmp_path / name

    with pytest.raises(DataError, match="several values of repetition"):
        sort_readouts(write("a.h5", 0, repetition=1))
    with pytest.raises(DataError, match="step 99 of 16"):
        sort_readouts(write("b.h5", 99))
    full = write("c.h5", 0)
    full.chmod(0o444)
    assert read_kspace(full).mask is None  # a read-only, fully sampled scan is scored


def test_ismrmrd_sorts_its_readouts(tmp_path: Path, kspace: np.ndarray) -> None:
    ismrmrd = pytest.importorskip("ismrmrd")
    path = tmp_path / "scan.h5"
    scan = ismrmrd.Dataset(str(path), "dataset", create_if_needed=True)
    scan.write_xml_header(HEADER)
    order = [(frame, column) for frame in range(3) for column in np.flatnonzero(columns())][::-1]
    for frame, column in order:
        readout = ismrmrd.Acquisition.from_array(kspace[frame, :, :, column])
        readout.idx.slice, readout.idx.kspace_encode_step_1 = frame, column
        scan.append_acquisition(readout)
    scan.close()
    raw = read_kspace(path)
    assert np.allclose(raw.kspace, np.where(columns(), kspace, 0)) and (raw.mask == columns()).all()
    assert raw.crop == (12, 14)


def faults() -> dict[str, tuple]:
    return {
        "magnitude": (lambda k: np.abs(k).astype(np.int16), None, "int16 numbers; k-space is complex"),
        "short_mask": (lambda k: k, np.ones(15, bool), "15 columns but k-space has 16"),
        "frames_mask": (lambda k: k, np.ones((2, 24, 16), bool), r"shape \(2, 24, 16\)"),
        "no_mask": (lambda k: np.where(columns(), k[:, :1], 0), None, "no mask says whether"),
        "empty": (lambda k: 0 * k, None, "zero everywhere"),
        "nan": (lambda k: k * np.nan, None, "NaN"),
        "blank_frame": (lambda k: k * (np.arange(3) != 1)[:, None, None, None], None, "frame 1 of .* is zero in"),
        "mask_of_no_frame": (lambda k: k, np.arange(3)[:, None, None] * np.ones((1, 24, 16)), "no sample .* frame 0"),
        "flat": (lambda k: k[0, 0, 0], None, "has shape"),
    }


@pytest.mark.parametrize("fault", faults())
def test_faults_are_one_sentence(fault: str, tmp_path: Path, kspace: np.ndarray) -> None:
    spoil, mask, message = faults()[fault]
    np.save(tmp_path / "a.npy", spoil(kspace))
    if mask is not None:
        np.save(tmp_path / "a.mask.npy", mask)
    with pytest.raises(DataError, match=message) as caught:
        read_kspace(tmp_path / "a.npy")
    assert "a.npy" in str(caught.value) and "\n" not in str(caught.value)


def test_broken_files(tmp_path: Path, kspace: np.ndarray) -> None:
    whole = fastmri(tmp_path / "a.h5", kspace)
    (tmp_path / "cut.h5").write_bytes(whole.read_bytes()[:3000])
    with pytest.raises(DataError, match="truncated"):
        read_kspace(tmp_path / "cut.h5")
    np.save(tmp_path / "b.npy", kspace)
    (tmp_path / "cut.npy").write_bytes((tmp_path / "b.npy").read_bytes()[:500])
    with pytest.raises(DataError, match="truncated"):
        read_kspace(tmp_path / "cut.npy")
    write_cfl(tmp_path / "c", kspace[0][:, None])
    (tmp_path / "c.cfl").write_bytes((tmp_path / "c.cfl").read_bytes()[:-8])
    with pytest.raises(DataError, match="truncated"):
        read_kspace(tmp_path / "c.cfl")
    with pytest.raises(DataError, match="kspace has 3 slices"):
        read_kspace(fastmri(tmp_path / "d.h5", kspace, reconstruction_rss=np.ones((2, 12, 12), np.float32)))
    with h5py.File(tmp_path / "e.h5", "w") as file:
        file["image"] = np.ones(3)
    with pytest.raises(DataError, match="neither 'kspace'"):
        read_kspace(tmp_path / "e.h5")


def test_bart_scans_undersampled_in_two_directions_are_read(tmp_path: Path, kspace: np.ndarray) -> None:
    """Dimensions 1, y, x, coil: rows are BART's dimension 1, columns its dimension 2."""
    write_cfl(tmp_path / "a", kspace[0].swapaxes(-1, -2)[..., None])
    assert (tmp_path / "a.hdr").read_text().split("\n")[1] == "1 24 16 4"
    assert (read_kspace(tmp_path / "a.cfl").kspace == kspace[:1]).all()


def test_kspace_too_small_to_score_is_one_sentence(tmp_path: Path, kspace: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", kspace[:, :, :6])
    with pytest.raises(DataError, match=r"6 x 16 samples; at least 7 x 7 are needed"):
        read_kspace(tmp_path / "a.npy")
    with pytest.raises(DataError, match=r"cropped to 5 x 5 pixels"):
        read_kspace(fastmri(tmp_path / "b.h5", kspace, reconstruction_rss=np.ones((3, 9, 5), np.float32)))


def test_a_tall_reference_is_cropped_to_a_square_as_fastmri_does(tmp_path: Path, kspace: np.ndarray) -> None:
    """evaluate.py: ``center_crop(target, (target.shape[-1], target.shape[-1]))``."""
    target = np.arange(3 * 20 * 10, dtype=np.float32).reshape(3, 20, 10)
    raw = read_kspace(fastmri(tmp_path / "a.h5", kspace, reconstruction_rss=target))
    assert raw.crop == (10, 10)
    np.testing.assert_array_equal(raw.reference, target[:, 5:15])


def test_files_that_claim_more_than_they_hold_are_refused_before_memory_is_taken(tmp_path: Path) -> None:
    header = np.lib.format.magic(1, 0)
    text = b"{'descr': '<c8', 'fortran_order': False, 'shape': (200000, 1, 200000, 200000), }".ljust(117) + b"\n"
    (tmp_path / "a.npy").write_bytes(header + len(text).to_bytes(2, "little") + text)
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_dataset("kspace", (200, 32, 4000, 4000), np.complex64, chunks=(1, 1, 100, 100))
    (tmp_path / "c.hdr").write_text("# Dimensions\n90000 90000 1 8\n")
    (tmp_path / "c.cfl").write_bytes(bytes(80))
    for name in ("a.npy", "b.h5", "c.cfl"):
        with pytest.raises(DataError, match="more than the file can"):
            read_kspace(tmp_path / name)


def test_archives_groups_and_texts_in_the_place_of_arrays(tmp_path: Path, kspace: np.ndarray) -> None:
    with (tmp_path / "a.npy").open("wb") as file:
        np.savez(file, kspace=kspace)
    with pytest.raises(DataError, match=r"a\.npy cannot be read .* it may be an \.npz archive"):
        read_kspace(tmp_path / "a.npy")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_group("kspace")
    with pytest.raises(DataError, match="'kspace' is no array of numbers"):
        read_kspace(tmp_path / "b.h5")
    (tmp_path / "c.hdr").write_bytes(b"\xff\xfe\n1 2\n")
    (tmp_path / "c.cfl").touch()
    with pytest.raises(DataError, match=r"c\.hdr does not name the dimensions"):
        read_kspace(tmp_path / "c.cfl")
