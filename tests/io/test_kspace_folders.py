"""Folders of k-space as datasets: their table, their axes, the tracks that they suit."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tests.io.kspace_files import columns, fastmri
from tests.settings import setting_of

from mrbench.core.errors import DataError, RequestError
from mrbench.core.registry import find_dataset
from mrbench.datasets.kspace_folder import KspaceFolder
from mrbench.io.kspace import read_kspace
from mrbench.physics.fourier import to_kspace
from mrbench.tasks.reconstruction import TRACKS, Reconstruction


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
    fastmri(tmp_path / "b.h5", kspace[:, :1])
    fastmri(tmp_path / "c.h5", np.where(columns(), kspace, 0), mask=columns())
    folder = KspaceFolder(tmp_path)
    assert folder.acquisition("a", coils=None).mask is None
    with pytest.raises(DataError, match=r"b\.h5 has one coil, the folder's first file several coils"):
        folder.acquisition("b", coils=None)
    with pytest.raises(DataError, match=r"c\.h5 is undersampled, unlike"):
        folder.acquisition("c", coils=None)


def test_arrays_of_any_number_of_coils_share_a_folder(tmp_path: Path, kspace: np.ndarray) -> None:
    """fastMRI's brains: 4 coils, 2, 3 -> each is a case of the track, by as many coils as it has"""
    for number, coils in enumerate((4, 2, 3)):
        fastmri(tmp_path / f"{number}.h5", kspace[:, :coils])
    setting = setting_of(Reconstruction(), KspaceFolder(tmp_path), "multicoil-4x")
    coils = {case.subjects[0]: setting.load(case).inputs.kspace.shape[1] for case in setting.cases()}
    assert coils == {"0": 4, "1": 2, "2": 3}


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
    with pytest.raises(DataError, match="line 2 has 2 fields, fewer than the 3 of the heading"):
        KspaceFolder(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no k-space"):
        KspaceFolder(tmp_path / "empty")


def test_a_subject_that_is_not_there_is_one_sentence(tmp_path: Path, kspace: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", kspace)
    folder = KspaceFolder(tmp_path)
    with pytest.raises(RequestError, match=r"unknown subject of .* 'nope': choose from: a"):
        folder.acquisition("nope", coils=None)
    with pytest.raises(RequestError, match=r"is raw k-space; read it by acquisition\('a', coils=None\)"):
        folder.load("a")


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


def test_a_folder_named_as_kspace_fails_by_itself(tmp_path: Path, kspace: np.ndarray) -> None:
    """It was opened as a file before anything ran."""
    np.save(tmp_path / "a.npy", kspace)
    (tmp_path / "b.h5").mkdir()
    (tmp_path / "subjects.csv").write_text("subject,split,kspace\np1,test,a.npy\np2,test,b.h5\n")
    folder = KspaceFolder(tmp_path)
    assert folder.subjects("test") == ("p1", "p2") and folder.acquisition("p1", coils=None).kspace.size
    with pytest.raises(DataError):
        folder.acquisition("p2", coils=None)
