"""Raw k-space from files, and what is wrong with them, in one sentence each."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from mrbench.core.errors import DataError, RequestError
from mrbench.data.catalog import find_dataset
from mrbench.data.cfl import read_cfl, write_cfl
from mrbench.data.kspace_files import read_kspace
from mrbench.data.kspace_folder import KspaceFolder
from mrbench.physics.fourier import root_sum_of_squares, to_image, to_kspace
from mrbench.tasks.reconstruction import Reconstruction

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
    write_cfl(tmp_path / "a", masked)
    assert (tmp_path / "a.hdr").read_text().split("\n")[1] == "16 24 4"  # BART's x first
    assert (read_cfl(tmp_path / "a") == masked).all()
    np.save(tmp_path / "b.npy", masked)
    np.save(tmp_path / "b.mask.npy", columns())
    for name in ("a.cfl", "b.npy"):
        raw = read_kspace(tmp_path / name)
        assert raw.kspace.shape == (1, 4, 24, 16) and (raw.mask == columns()).all()
    assert "not zero in every coil" in read_kspace(tmp_path / "a.cfl").note
    assert read_kspace(tmp_path / "b.npy").note == ""


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


def test_broken_files(tmp_path: Path, kspace: np.ndarray) -> None:
    whole = fastmri(tmp_path / "a.h5", kspace)
    (tmp_path / "cut.h5").write_bytes(whole.read_bytes()[:3000])
    with pytest.raises(DataError, match="truncated"):
        read_kspace(tmp_path / "cut.h5")
    np.save(tmp_path / "b.npy", kspace)
    (tmp_path / "cut.npy").write_bytes((tmp_path / "b.npy").read_bytes()[:500])
    with pytest.raises(DataError, match="truncated"):
        read_kspace(tmp_path / "cut.npy")
    write_cfl(tmp_path / "c", kspace)
    (tmp_path / "c.cfl").write_bytes((tmp_path / "c.cfl").read_bytes()[:-8])
    with pytest.raises(DataError, match="truncated"):
        read_kspace(tmp_path / "c.cfl")
    with pytest.raises(DataError, match="2 slices but kspace has 3"):
        read_kspace(fastmri(tmp_path / "d.h5", kspace, reconstruction_rss=np.ones((2, 12, 12), np.float32)))
    with h5py.File(tmp_path / "e.h5", "w") as file:
        file["image"] = np.ones(3)
    with pytest.raises(DataError, match="neither 'kspace'"):
        read_kspace(tmp_path / "e.h5")


def test_folder_of_full_data_is_undersampled_by_the_track(tmp_path: Path, kspace: np.ndarray) -> None:
    for name in "ab":
        fastmri(tmp_path / f"{name}.h5", kspace)
    folder, task = KspaceFolder(tmp_path), Reconstruction()
    assert task.track_for(folder) == "multicoil-4x"
    cases = task.cases(folder, "test", "multicoil-4x")
    assert [case.id for case in cases][:3] == ["a_mask1", "b_mask1", "a_mask2"]
    case = task.load(folder, cases[0], "multicoil-4x")
    assert case.reference.magnitude.shape == (3, 12, 14) and not case.inputs.mask.all()
    with pytest.raises(RequestError, match="does not suit"):
        task.cases(folder, "test", "singlecoil-4x")


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
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no k-space"):
        KspaceFolder(tmp_path / "empty")


def test_datasets_without_kspace_say_so() -> None:
    with pytest.raises(RequestError, match="has no k-space; choose icbm-sim"):
        find_dataset("msd-hippocampus", "k-space")


@pytest.mark.real_data
def test_real_undersampled_kspace() -> None:
    import os

    path = Path(os.environ["MRBENCH_DATA"]) / "sigpy-brain-8ch"
    folder, task = find_dataset(f"folder:{path}", "k-space"), Reconstruction()
    case = task.load(folder, task.cases(folder, "test", "as-acquired")[0], "as-acquired")
    assert case.inputs.kspace.shape == (1, 8, 230, 180) and case.inputs.calibration == (24, 24)
    assert case.inputs.mask.mean() == pytest.approx(0.1243, abs=1e-3) and case.reference.magnitude is None
