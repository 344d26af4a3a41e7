"""Every layout from the command line: a synthetic folder of it in, a board with its own track and scores out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pytest

from mrbench.io.cfl import write_cfl
from mrbench.physics.fourier import root_sum_of_squares, to_image
from tests.command import mrbench
from tests.io import series
from tests.io.test_kspace_releases import matlab_order, write_v73
from tests.kspace_phantom import acquire
from tests.tasks.test_fastmri_protocol import write as fastmri
from tests.tasks.test_registration_protocols import labels_of, learn2reg, transmorph

pytestmark = pytest.mark.slow  # each run starts a process that imports the method's packages

SHAPE = (20, 24, 22)


def head(path: Path, number: int = 0, level: float = 100.0) -> None:
    """A ball in air with a ball in it."""
    z, y, x = np.indices(SHAPE)
    radius = np.sqrt((z - 10) ** 2 + (y - 12) ** 2 + (x - 11 - number) ** 2)
    noise = np.random.default_rng(number).standard_normal(SHAPE)
    volume = np.where(radius < 9, level * (1 + (radius < 4)) + noise, 0).astype(np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.Nifti1Image(volume.T, np.eye(4)).to_filename(path)


def labels(path: Path, number: int = 0) -> None:
    z, y, x = np.indices(SHAPE)
    radius = np.sqrt((z - 10) ** 2 + (y - 12) ** 2 + (x - 11 - number) ** 2)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.Nifti1Image(np.select([radius < 4, radius < 9], [2, 1], 0).astype(np.uint8).T, np.eye(4)).to_filename(path)


def bids(folder: Path) -> None:
    for number in range(2):
        person = f"sub-{number:02d}"
        head(folder / person / f"anat/{person}_T1w.nii.gz", number)
        labels(folder / f"derivatives/seg/{person}/anat/{person}_dseg.nii.gz", number)
    (folder / "dataset_description.json").write_text("{}")


def ixi(folder: Path) -> None:
    for number in (12, 13):
        head(folder / f"IXI-T1/IXI{number:03d}-HH-1211-T1.nii.gz", number - 12)
        head(folder / f"IXI-T2/IXI{number:03d}-HH-1211-T2.nii.gz", number - 12, 60)


def oasis(folder: Path) -> None:
    numbers = {f"{395 + n:04d}": 1 + n % 2 for n in range(20)}
    learn2reg(folder, "OASIS", numbers, [(f"{n + 1:04d}", f"{n:04d}") for n in range(395, 414)])


def few_pairs(name: str) -> Callable[[Path], object]:
    return lambda folder: learn2reg(folder, name, {"0001": 1, "0002": 2}, [("0002", "0001")])


def atlas_and_patient(folder: Path) -> None:
    freesurfer = np.array([0, 16, 14, 15, 24])
    atlas, patient = (freesurfer[labels_of(seed)].astype(np.int16) for seed in (1, 2))
    transmorph(folder, {"atlas.pkl": atlas, "Test/subject_1.pkl": patient})


def tumour(folder: Path) -> None:
    name = "BraTS-GLI-00001-000"
    for number, ending in enumerate(("t1n", "t1c", "t2w", "t2f")):
        head(folder / name / f"{name}-{ending}.nii.gz", 0, 50 + 20 * number)
    z, y, x = np.indices(SHAPE)
    radius = np.sqrt((z - 10) ** 2 + (y - 12) ** 2 + (x - 11) ** 2)
    written = np.select([radius < 2, radius < 3, radius < 4], [1, 3, 2], 0).astype(np.uint8)
    nib.Nifti1Image(written.T, np.eye(4)).to_filename(folder / name / f"{name}-seg.nii.gz")


def raw(folder: Path) -> np.ndarray:
    folder.mkdir(parents=True, exist_ok=True)
    return acquire(2, 4).kspace


def cmrxrecon(folder: Path) -> None:
    cine = np.stack([acquire(2, 4, beating=True, seed=n).kspace for n in range(3)], axis=1)  # time, slice, coil, y, x
    (folder / "P001").mkdir(parents=True)
    write_v73(folder / "P001/cine_sax.mat", "kspace_full", matlab_order(cine))


def m4raw(folder: Path) -> None:
    kspace = raw(folder)
    with h5py.File(folder / "2022061003_T101.h5", "w") as file:
        file["kspace"], file["reconstruction_rss"] = kspace, root_sum_of_squares(to_image(kspace))
        file.attrs["acquisition"] = "T1"


def skm_tea(folder: Path) -> None:
    hybrid = np.tile(raw(folder)[:1].transpose(0, 2, 3, 1)[:, :, :, None], (16, 1, 1, 2, 1))  # x, ky, kz, echo, coil
    with h5py.File(folder / "MTR_001.h5", "w") as file:
        file["kspace"] = hybrid


def ismrmrd(folder: Path) -> None:
    from tests.io.test_ismrmrd import COILS, COLUMNS, READS, write

    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    write(folder / "a.h5", rng.standard_normal((COILS, READS, COLUMNS)).astype(np.complex64))


def cfl(folder: Path) -> None:
    """Dimensions coil, y, slice, x, which the table names."""
    write_cfl(folder / "a", raw(folder).transpose(3, 0, 2, 1))
    (folder / "subjects.csv").write_text("subject,split,kspace,axes\na,test,a.cfl,coil y slice x\n")


def npy(folder: Path) -> None:
    np.save(folder / "a.npy", raw(folder))


def two_heads(folder: Path) -> None:
    for number in range(2):
        head(folder / f"p{number}.nii.gz", number)


def table_of_pairs(folder: Path) -> None:
    for number, name in enumerate("pq"):
        head(folder / f"{name}.nii.gz", number)
        labels(folder / f"{name}_labels.nii.gz", number)
    lines = [f"{name},test,{name}.nii.gz,{name}_labels.nii.gz" for name in "pq"]
    (folder / "subjects.csv").write_text("\n".join(["subject,split,T1,labels", *lines]) + "\n")
    (folder / "pairs.csv").write_text("moving,fixed\nq,p\np,q\n")


VALIDATION = ("--split", "validation")

LAYOUTS: dict[str, tuple[Callable[[Path], object], str, str, str, tuple[str, ...]]] = {
    "table with pairs": (table_of_pairs, "registration", "inter-subject", "identity", ()),
    "BIDS": (bids, "registration", "inter-subject", "identity", ()),
    "Learn2Reg OASIS": (oasis, "registration", "oasis-l2r", "identity", VALIDATION),
    "Learn2Reg hippocampus": (few_pairs("HippocampusMR"), "registration", "l2r-hippocampus", "identity", VALIDATION),
    "LUMIR": (few_pairs("LUMIR"), "registration", "lumir", "identity", VALIDATION),
    "TransMorph": (atlas_and_patient, "registration", "transmorph-ixi", "identity", ()),
    "BraTS": (tumour, "segmentation", "glioma", "threshold", ()),
    "BraTS, by lesion": (tumour, "segmentation", "brats-2023", "threshold", ("--track", "brats-2023")),
    "IXI": (ixi, "super-resolution", "3d-x2", "interpolation", ()),
    "NIfTI alone": (two_heads, "denoising", "rician-10", "noisy", ()),
    "DICOM": (lambda path: series.write(path / "one"), "denoising", "rician-10", "noisy", ()),
    "fastMRI knee": (
        lambda path: fastmri(path / "multicoil_val/file0.h5", "CORPD_FBK"),
        "reconstruction",
        "fastmri-knee-4x",
        "zero-filled",
        (),
    ),
    "fastMRI brain": (
        lambda path: fastmri(path / "multicoil_val/file_brain_AXT2_0.h5", "AXT2"),
        "reconstruction",
        "fastmri-brain-4x",
        "zero-filled",
        (),
    ),
    "fastMRI knee, one coil": (
        lambda path: fastmri(path / "singlecoil_val/file0.h5", "CORPD_FBK", coils=1),
        "reconstruction",
        "fastmri-knee-singlecoil-4x",
        "zero-filled",
        (),
    ),
    "CMRxRecon": (cmrxrecon, "reconstruction", "cmrxrecon-4x", "zero-filled", ()),
    "M4Raw": (m4raw, "reconstruction", "multicoil-4x", "zero-filled", ()),
    "SKM-TEA": (skm_tea, "reconstruction", "multicoil-4x", "zero-filled", ()),
    "ISMRMRD": (ismrmrd, "reconstruction", "multicoil-4x", "zero-filled", ()),
    "BART": (cfl, "reconstruction", "multicoil-4x", "zero-filled", ()),
    "NumPy": (npy, "reconstruction", "multicoil-4x", "zero-filled", ()),
    "images as k-space": (two_heads, "reconstruction", "singlecoil-4x", "zero-filled", ()),
    "images, noisy target": (
        two_heads,
        "reconstruction",
        "multicoil-4x-noisy-target",
        "zero-filled",
        ("--track", "multicoil-4x-noisy-target"),
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_folder_of_each_layout_becomes_a_board(layout: str, tmp_path: Path) -> None:
    write, task, track, method, options = LAYOUTS[layout]
    write(tmp_path / "own")
    done = mrbench(
        "run", "-t", task, "-d", f"folder:{tmp_path / 'own'}", "-m", method, "--limit", "1", *options, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (rows,) = (tmp_path / "mrbench-results" / task).rglob("rows.jsonl")
    board, (row,) = rows.parent, (json.loads(line) for line in rows.read_text().splitlines())
    assert row["track"] == track and row["status"] == "ok" and row["metrics"]
    assert (board / "leaderboard.md").is_file() and (board / "report.html").is_file()
