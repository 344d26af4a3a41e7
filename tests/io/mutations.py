"""Malformed files by chance: valid ones of every kind that is read, cut, flipped, overwritten and mislabelled."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
from tests.io.series import write as write_series

from mrbench.core.errors import DataError, RequestError
from mrbench.core.grid import Grid
from mrbench.datasets.brats import BratsFolder
from mrbench.datasets.folder import ContrastFolder, Folder
from mrbench.datasets.kspace_folder import KspaceFolder
from mrbench.datasets.split_file import SplitFile
from mrbench.datasets.volumes import VolumeFolder
from mrbench.io.cfl import write_cfl
from mrbench.io.dicom import read_series
from mrbench.io.kspace import read_kspace
from mrbench.io.label_tables import label_names
from mrbench.io.nifti import read_volume
from mrbench.io.predictions.formats import FORMATS, find_format
from mrbench.io.tables import read_table

GRID = Grid((5, 6, 7), (1.0, 1.0, 1.0), np.eye(4))

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


def _transform(folder: Path) -> bytes:
    """A composite of an affine and a field, as ANTs and elastix write them."""
    import SimpleITK as sitk

    vectors = sitk.GetImageFromArray(np.zeros((*GRID.shape, 3)), isVector=True)
    whole = sitk.CompositeTransform([sitk.AffineTransform(3), sitk.DisplacementFieldTransform(vectors)])
    sitk.WriteTransform(whole, str(folder / "valid-transform.h5"))
    return (folder / "valid-transform.h5").read_bytes()


def _prediction(name: str, holds: str, ending: str) -> Callable[[Path, bytes], object]:
    """Read a prediction that was made elsewhere; one on another grid or of another kind is refused as well."""
    form = find_format(name, holds)

    def read(path: Path) -> object:
        try:
            return form.read(path, GRID)
        except RequestError as error:
            raise DataError(str(error)) from error

    return _write(f"prediction{ending}", read)


def _predictions(folder: Path) -> dict[str, tuple[bytes, Callable[[Path, bytes], object]]]:
    """Of every format that predictions are read from."""
    rng, files = np.random.default_rng(0), {}
    for form in FORMATS:
        shape = (3, *GRID.shape) if form.holds == "field" else GRID.shape
        path = folder / f"valid-{form.holds}-{form.name}{form.ending.removesuffix('.gz')}"
        if form.write is not None:
            form.write(path, rng.integers(0, 2, shape).astype(np.float32), GRID)
            content, ending = path.read_bytes(), form.ending.removesuffix(".gz")
        elif form.name == "itk-transform":
            content, ending = _transform(folder), ".h5"
        else:
            nib.Nifti1Image(np.zeros((*GRID.shape[::-1], 3), np.float32), np.eye(4)).to_filename(folder / "fsl.nii")
            content, ending = (folder / "fsl.nii").read_bytes(), ".nii"
        files[f"{form.holds}, {form.name}"] = content, _prediction(form.name, form.holds, ending)
    return files


def _dicom(folder: Path, content: bytes) -> object:
    """One slice of a series; the preamble is left alone, or it is no DICOM at all."""
    path = folder / "series"
    if not path.is_dir():
        write_series(path)
    valid = (path / "a005.dcm").read_bytes()
    try:
        (path / "a005.dcm").write_bytes(valid[:132] + content)
        return read_series(path)
    finally:
        (path / "a005.dcm").write_bytes(valid)


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
        "subjects.csv": (table, _write("s.csv", lambda path: read_table(path, required))),
        "labels.csv": (b"label,name\n1,head\n2,brain\n", _write("l.csv", label_names)),
        "splits.json": (splits.encode(), _write("s.json", SplitFile.read)),
        "folder of images": (table, lambda *a: _in_table(Folder, *a)),
        "folder of contrasts": (table, lambda *a: _in_table(ContrastFolder, *a)),
        "folder of volumes": (table, lambda *a: _in_table(VolumeFolder, *a)),
        "folder of tumours": (table, lambda *a: _in_table(BratsFolder, *a)),
        "folder of k-space": (table.replace(b"T1", b"kspace"), lambda *a: _in_table(KspaceFolder, *a)),
        "learn2reg": (learn2reg.encode(), _learn2reg),
        "dicom": ((write_series(folder / "series") / "a005.dcm").read_bytes()[132:], _dicom),
        **_predictions(folder),
    }
