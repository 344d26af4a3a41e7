"""Malformed files by chance: valid ones of every kind that is read, cut, flipped, overwritten and mislabelled."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np

from mrbench.datasets.brats import BratsFolder
from mrbench.datasets.folder import ContrastFolder, Folder
from mrbench.datasets.kspace_folder import KspaceFolder
from mrbench.datasets.split_file import SplitFile
from mrbench.datasets.volumes import VolumeFolder
from mrbench.io.cfl import write_cfl
from mrbench.io.kspace import read_kspace
from mrbench.io.nifti import read_volume
from mrbench.io.tables import label_names, read_table

EVIL = [
    b"\0",
    b"\xff" * 4,
    b"\x7f\xff\xff\xff",
    b"\0\0\x80\x7f",
    b"\0\0\xc0\x7f",
    b"-1",
    b"1e38",
    b"../../x",
    b"\xed\xa0\x80",
]
"""Bytes that are often no good: zeros, largest integers, infinity, NaN, a path, a lone surrogate."""


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """Spoil bytes in one to four ways, mostly near the beginning, where headers are."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        reach = max(1, min(len(data), 400) if rng.random() < 0.7 else len(data))
        at = int(rng.integers(reach))
        match rng.integers(6):
            case 0:
                data = data[:at]
            case 1:
                data[at : at + 1] = bytes([int(rng.integers(256))])
            case 2:
                evil = EVIL[rng.integers(len(EVIL))]
                data[at : at + len(evil)] = evil
            case 3:
                data[at:at] = EVIL[rng.integers(len(EVIL))]
            case 4:
                del data[at : at + int(rng.integers(1, 9))]
            case 5:
                for place in rng.integers(0, reach, 8):
                    if place < len(data):
                        data[place] ^= 1 << int(rng.integers(8))
    return bytes(data)


def _nii(folder: Path) -> bytes:
    volume = np.zeros((6, 7, 8), np.float32)
    volume[2:5, 2:5, 2:5] = 1
    nib.Nifti1Image(volume, np.diag([2.0, 2.0, 2.0, 1.0])).to_filename(folder / "valid.nii")
    return (folder / "valid.nii").read_bytes()


def _kspace() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.standard_normal((2, 3, 12, 9)) + 1j * rng.standard_normal((2, 3, 12, 9))).astype(np.complex64)


def _write(name: str, read: Callable[[Path], object]) -> Callable[[Path, bytes], object]:
    def load(folder: Path, content: bytes) -> object:
        path = folder / name
        path.write_bytes(content)
        return read(path)

    return load


def _zipped(folder: Path, content: bytes) -> object:
    path = folder / "a.nii.gz"
    path.write_bytes(gzip.compress(content, 1))
    return read_volume(path, labels=True)


def _cfl_header(folder: Path, content: bytes) -> object:
    write_cfl(folder / "b", _kspace().swapaxes(-1, -2).reshape(2, *[1] * 9, 3, 1, 9, 12))
    (folder / "b.hdr").write_bytes(content)
    return read_kspace(folder / "b.cfl")


def _in_table(cls: type, folder: Path, content: bytes) -> object:
    _nii(folder)
    (folder / "subjects.csv").write_bytes(content)
    dataset = cls(folder)
    for split in ("train", "validation", "test"):
        for subject in dataset.subjects(split)[:1]:
            dataset.entry(subject), dataset.content_key(subject)
    return dataset


def _learn2reg(folder: Path, content: bytes) -> object:
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "a_0001_0000.nii.gz").touch()
    (folder / "x_dataset.json").write_bytes(content)
    return Folder(folder)


def kinds(folder: Path) -> dict[str, tuple[bytes, Callable[[Path, bytes], object]]]:
    """Valid content and reader by the name of a kind of file."""
    nii = _nii(folder)
    np.save(folder / "valid.npy", _kspace())
    with h5py.File(folder / "valid.h5", "w") as file:
        file["kspace"], file["mask"] = _kspace(), np.ones(9, np.float32)
        file["reconstruction_rss"] = np.ones((2, 9, 9), np.float32)
    table = b"subject,split,T1,labels,mask\na,train,valid.nii,valid.nii,\nb,test,valid.nii,,valid.nii\n"
    scans = [{"image": "./imagesTr/a_0001_0000.nii.gz", "label": "./labelsTr/a_0001_0000.nii.gz"}]
    pairs = [{"fixed": "./imagesTr/a_0001_0000.nii.gz", "moving": "./imagesTr/a_0002_0000.nii.gz"}]
    learn2reg = json.dumps({"name": "x", "training": scans, "registration_val": pairs, "modality": {"0": "MR"}})
    splits = json.dumps({"version": 1, "splits": {"train": ["a"], "validation": [], "test": ["b"]}})
    required = ("subject", "split")
    return {
        "nii": (nii, _write("a.nii", lambda path: read_volume(path, flat=True))),
        "nii.gz, header": (nii, _zipped),
        "nii.gz, stream": (gzip.compress(nii), _write("b.nii.gz", read_volume)),
        "npy": ((folder / "valid.npy").read_bytes(), _write("a.npy", read_kspace)),
        "cfl": (b"# Dimensions\n12 9 1 3 1 1 1 1 1 1 2 1 1 1 1 1\n", _cfl_header),
        "fastmri": ((folder / "valid.h5").read_bytes(), _write("a.h5", read_kspace)),
        "subjects.csv": (table, _write("s.csv", lambda path: read_table(path, required, whole=True))),
        "labels.csv": (b"label,name\n1,head\n2,brain\n", _write("l.csv", label_names)),
        "splits.json": (splits.encode(), _write("s.json", SplitFile.read)),
        "folder of images": (table, lambda *a: _in_table(Folder, *a)),
        "folder of contrasts": (table, lambda *a: _in_table(ContrastFolder, *a)),
        "folder of volumes": (table, lambda *a: _in_table(VolumeFolder, *a)),
        "folder of tumours": (table, lambda *a: _in_table(BratsFolder, *a)),
        "folder of k-space": (table.replace(b"T1", b"kspace"), lambda *a: _in_table(KspaceFolder, *a)),
        "learn2reg": (learn2reg.encode(), _learn2reg),
    }
