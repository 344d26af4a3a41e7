"""Raw k-space from files, and what is wrong with them, in one sentence each."""

import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from tests.settings import setting_of

from mrbench.core.errors import DataError, RequestError
from mrbench.core.registry import find_dataset
from mrbench.datasets.kspace_folder import KspaceFolder
from mrbench.io.cfl import read_cfl, write_cfl
from mrbench.io.ismrmrd_file import sort_readouts
from mrbench.io.kspace import read_kspace
from mrbench.physics.fourier import root_sum_of_squares, to_image, to_kspace
from mrbench.tasks.reconstruction import TRACKS, Reconstruction

HEADER = """<?xml version="1.0"?><ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD">
<experimentalConditions><H1resonanceFrequency_Hz>128000000</H1resonanceFrequency_Hz></experimentalConditions>
<encoding><encodedSpace><matrixSize><x>24</x><y>16</y><z>1</z></matrixSize>
<fieldOfView_mm><x>48</x><y>32</y><z>5</z></fieldOfView_mm></encodedSpace>
<reconSpace><matrixSize><x>12</x><y>14</y><z>1</z></matrixSize>
<fieldOfView_mm><x>24</x><y>28</y><z>5</z></fieldOfView_mm></reconSpace>
<encodingLimits><kspace_encoding_step_1><minimum>0</minimum><maximum>15</maximum><center>8</center>
</kspace_encoding_step_1></encodingLimits><trajectory>cartesian</trajectory></encoding></ismrmrdHeader>"""


@pytest.fixture
def kspace() -> np.ndarray:
    rng = np.random.default_rng(1)
    image = np.zeros((3, 4, 24, 16), complex)
    image[:, :, 6:18, 3:13] = rng.random((3, 4, 12, 10)) + 1j * rng.random((3, 4, 12, 10))
    noise = rng.standard_normal(image.shape) + 1j * rng.standard_normal(image.shape)
    return to_kspace(image + 0.01 * noise).astype(np.complex64)


def columns() -> np.ndarray:
    mask = np.zeros(16, bool)
    mask[[0, 3, 6, 7, 8, 9, 12]] = True
    return mask


def fastmri(path: Path, kspace: np.ndarray, **more) -> Path:
    with h5py.File(path, "w") as file:
        file["kspace"] = kspace
        file["ismrmrd_header"] = HEADER
        for name, value in more.items():
            file[name] = value
    return path


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


def test_kspace_with_its_centre_in_the_corner_is_refused(tmp_path: Path) -> None:
    """The images look right, as a shift of k-space is a phase; the masks would keep the highest frequencies."""
    z, y = np.mgrid[-1:1:64j, -1:1:48j]
    disc = (z**2 + y**2 < 0.6) + 0.01 * np.random.default_rng(0).standard_normal((64, 48)).astype(np.complex64)
    np.save(tmp_path / "right.npy", to_kspace(disc))
    assert read_kspace(tmp_path / "right.npy").kspace.shape == (1, 1, 64, 48)
    np.save(tmp_path / "wrong.npy", np.fft.fft2(disc))
    with pytest.raises(DataError, match=r"wrong\.npy has its zero frequency in the corner; apply numpy.fft.fftshift"):
        read_kspace(tmp_path / "wrong.npy")


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("dynamic", [True, False])
@pytest.mark.parametrize("coils", [None, 1, 4])
def test_every_kind_of_kspace_has_a_track(full: bool, dynamic: bool, coils: int | None) -> None:
    data = SimpleNamespace(name="x", full=full, dynamic=dynamic, coils=coils, simulated=False, published="")
    assert Reconstruction().default_track(data).name in TRACKS  # type: ignore[arg-type]


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


def test_folder_of_full_data_is_undersampled_by_the_track(tmp_path: Path, kspace: np.ndarray) -> None:
    for name in "ab":
        fastmri(tmp_path / f"{name}.h5", kspace)
    folder, task = KspaceFolder(tmp_path), Reconstruction()
    assert task.default_track(folder).name == "multicoil-4x"
    cases = setting_of(task, folder, "multicoil-4x").cases()
    assert [case.id for case in cases][:3] == ["a_mask1", "b_mask1", "a_mask2"]
    case = setting_of(task, folder, "multicoil-4x").load(cases[0])
    assert case.reference.magnitude.shape == (3, 12, 14) and not case.inputs.mask.all()
    with pytest.raises(RequestError, match="does not suit"):
        setting_of(task, folder, "singlecoil-4x").cases()


def test_folder_whose_files_disagree(tmp_path: Path, kspace: np.ndarray) -> None:
    fastmri(tmp_path / "a.h5", kspace)
    fastmri(tmp_path / "b.h5", kspace[:, :2])
    fastmri(tmp_path / "c.h5", np.where(columns(), kspace, 0), mask=columns())
    folder = KspaceFolder(tmp_path)
    assert folder.acquisition("a", coils=None).mask is None
    with pytest.raises(DataError, match=r"b\.h5 has 2 coils but the folder's first file has 4"):
        folder.acquisition("b", coils=None)
    with pytest.raises(DataError, match=r"c\.h5 is undersampled, unlike"):
        folder.acquisition("c", coils=None)


def test_table_of_a_folder(tmp_path: Path, kspace: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", np.where(columns(), kspace, 0))
    np.save(tmp_path / "m.npy", columns())
    (tmp_path / "subjects.csv").write_text("subject,split,kspace,mask\np1,test,a.npy,m.npy\n")
    folder = KspaceFolder(tmp_path)
    assert folder.subjects("test") == ("p1",) and not folder.full
    (tmp_path / "subjects.csv").write_text("subject,split\np1,test\n")
    with pytest.raises(DataError, match="lacks the column kspace"):
        KspaceFolder(tmp_path)
    (tmp_path / "subjects.csv").write_text("subject,split,kspace\np1,test\n")
    with pytest.raises(DataError, match="line 2 has not as many fields"):
        KspaceFolder(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no k-space"):
        KspaceFolder(tmp_path / "empty")


def test_datasets_without_kspace_say_so() -> None:
    with pytest.raises(RequestError, match="has no k-space; choose cine-sim, icbm-sim"):
        find_dataset("msd-hippocampus", "k-space")


@pytest.mark.real_data
def test_real_undersampled_kspace(tmp_path: Path) -> None:
    import os

    path = Path(os.environ["MRBENCH_DATA"]) / "sigpy-brain-8ch" / "cartesian_ksp.npy"
    (tmp_path / "subjects.csv").write_text(f"subject,split,kspace,axes\nbrain,test,{path},coil y x\n")
    folder, task = find_dataset(f"folder:{tmp_path}", "k-space"), Reconstruction()
    case = (setting := setting_of(task, folder, "as-acquired")).load(setting.cases()[0])
    assert case.inputs.kspace.shape == (1, 8, 230, 180) and case.inputs.calibration == (24, 24)
    assert case.inputs.mask.mean() == pytest.approx(0.1243, abs=1e-3) and case.reference.magnitude is None


def test_a_changed_mask_changes_the_fingerprint(tmp_path: Path, kspace: np.ndarray) -> None:
    (tmp_path / "deep").mkdir()
    np.save(tmp_path / "deep/a.npy", np.where(columns(), kspace, 0))
    np.save(tmp_path / "deep/a.mask.npy", columns())
    (tmp_path / "subjects.csv").write_text("subject,split,kspace\np1,test,deep/a.npy\n")
    before = KspaceFolder(tmp_path).fingerprint
    assert KspaceFolder(tmp_path).fingerprint == before
    np.save(tmp_path / "deep/a.mask.npy", np.ones((24, 16), bool))
    assert KspaceFolder(tmp_path).fingerprint != before


def test_an_array_whose_axes_are_not_clear_is_refused_with_clear_shapes(tmp_path: Path, kspace: np.ndarray) -> None:
    np.save(tmp_path / "three.npy", kspace[:, 0])
    with pytest.raises(DataError, match=r"of coils or of slices; save it as .*\(1, 3, 24, 16\) or \(3, 1, 24, 16\)"):
        read_kspace(tmp_path / "three.npy")
    np.save(tmp_path / "last.npy", np.moveaxis(kspace, 1, -1))
    with pytest.raises(DataError, match=r"\(3, 24, 16, 4\), which is not clear as \(slice, coil, y, x\)"):
        read_kspace(tmp_path / "last.npy")


@pytest.mark.parametrize(
    "axes", ["slice coil y x", "coil,y,x,slice", "Y X Coil Time", "x-y-slice-coil", "coil y x", "y x"]
)
def test_axes_of_the_table_say_what_an_array_is(axes: str, tmp_path: Path, kspace: np.ndarray) -> None:
    words = axes.lower().replace(",", " ").replace("-", " ").split()
    whole = kspace if {"slice", "time"} & {*words} else kspace[:1]
    whole = whole if "coil" in words else whole[:, :1]
    order = [("frame", "coil", "y", "x").index({"slice": "frame", "time": "frame"}.get(word, word)) for word in words]
    rest = [axis for axis in range(4) if axis not in order]
    np.save(tmp_path / "a.npy", whole.transpose(order + rest).reshape([whole.shape[axis] for axis in order]))
    (tmp_path / "subjects.csv").write_text(f'subject,split,kspace,axes\np1,test,a.npy,"{axes}"\n')
    acquisition = KspaceFolder(tmp_path).acquisition("p1", coils=None)
    assert (acquisition.kspace == whole).all() and acquisition.dynamic == ("time" in words)


@pytest.mark.parametrize("axes", ["coil y", "coil y x x", "kx ky", "slice coil y x", "time slice y x"])
def test_axes_that_do_not_fit_are_one_sentence(axes: str, tmp_path: Path, kspace: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", kspace[0])
    with pytest.raises(DataError, match=r"axes"):
        read_kspace(tmp_path / "a.npy", axes=axes)


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


def test_folders_of_kspace_ignore_hidden_files_and_take_any_case(tmp_path: Path, kspace: np.ndarray) -> None:
    (tmp_path / "day1").mkdir()
    fastmri(tmp_path / "day1" / "a.H5", kspace)
    fastmri(tmp_path / "b.h5", 2 * kspace)
    (tmp_path / "._b.h5").write_bytes(b"left by a Mac")
    (tmp_path / "gone.h5").symlink_to(tmp_path / "nowhere.h5")
    (tmp_path / "folder.h5").mkdir()
    folder = KspaceFolder(tmp_path)
    assert folder.subjects("test") == ("b", "day1_a")
    assert folder.left_out == ("folder.h5 is a folder.", "gone.h5 is a link to a file that is not there.")
    assert folder.acquisition("day1_a", coils=None).kspace.shape == (3, 4, 24, 16)


def test_one_scan_in_two_splits_is_refused(tmp_path: Path, kspace: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", kspace)
    np.save(tmp_path / "b.npy", kspace)
    (tmp_path / "subjects.csv").write_text("subject,split,kspace\np1,train,a.npy\np2,test,b.npy\n")
    with pytest.raises(DataError, match="'p1' in train and 'p2' in test are one scan"):
        KspaceFolder(tmp_path).subjects("test")
