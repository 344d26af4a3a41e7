"""DICOM series: sorted by position, rescaled, into mrbench's convention; read by pydicom."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mrbench.core.errors import DataError
from mrbench.io.bounds import MOST_BYTES
from mrbench.io.nifti import Volume

if TYPE_CHECKING:
    import pydicom

MOST_SLICES = 4096

EVEN = 0.02
"""Fraction of the distance between slices by which it may differ: rounding of positions, and no more."""

TAGS = [
    "PatientID",
    "PatientName",
    "Modality",
    "SeriesInstanceUID",
    "SeriesDescription",
    "SeriesNumber",
    "Rows",
    "Columns",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "NumberOfFrames",
    "SamplesPerPixel",
    "ImageType",
]
"""All that is read to sort files into series."""


@dataclass(frozen=True)
class Series:
    """The files of one series in one folder.

    Attributes
    ----------
    uid, patient, description, modality : str
    files : tuple of Path
        By name.
    """

    uid: str
    patient: str
    description: str
    modality: str
    files: tuple[Path, ...]


def series_in(folder: Path) -> list[Series]:
    """The series whose files lie in a folder, by number of files, the longest first; empty where there is no DICOM.

    Raises
    ------
    DataError
        If the folder cannot be listed, or holds more files than a series has slices by far.
    """
    files: dict[str, list[Path]] = {}
    facts: dict[str, Any] = {}
    for path in _dicom_files(folder):
        header = _header(path, TAGS)
        uid = _text(header, "SeriesInstanceUID")
        if uid:
            files.setdefault(uid, []).append(path)
            facts.setdefault(uid, header)
    series = [
        Series(
            uid,
            _text(facts[uid], "PatientID"),
            _text(facts[uid], "SeriesDescription"),
            _text(facts[uid], "Modality"),
            tuple(paths),
        )
        for uid, paths in files.items()
    ]
    return sorted(series, key=lambda one: (-len(one.files), one.uid))


def read_series(folder: Path, uid: str = "") -> Volume:
    """Read a series into a volume: slices sorted along their normal, rescaled, reoriented to RAS+ as NIfTI is.

    Parameters
    ----------
    folder : Path
        Holds one series or several.
    uid : str
        Of the series; may be left out where the folder holds one.

    Raises
    ------
    DataError
        If there is no such series or several, a slice is missing or stands twice, slices are not parallel, of one size
        and evenly apart, or a file cannot be decoded.
    """
    import nibabel as nib

    available = series_in(folder)
    chosen = [series for series in available if not uid or series.uid == uid]
    if len(chosen) != 1:
        several = ", ".join(f"{series.description or 'no name'} ({series.uid})" for series in available[:4])
        fault = f"holds {len(available)} DICOM series: {several}" if available else "holds no DICOM series"
        raise DataError(f"{folder} {fault}; give one of them, as FOLDER::UID.")
    slices = [_slice(path) for path in chosen[0].files]
    stacked, affine = _stack(folder, slices)
    canonical = nib.as_closest_canonical(nib.Nifti1Image(stacked, affine))
    array = np.asarray(canonical.dataobj).transpose(2, 1, 0)
    return Volume(np.ascontiguousarray(array, np.float32), canonical.affine)


def _dicom_files(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(path for path in folder.iterdir() if path.name[0] != "." and path.is_file())
    except OSError as error:
        raise DataError(f"{folder} cannot be listed ({error.strerror or error}); give a folder.") from None
    for path in entries:
        try:
            with path.open("rb") as file:
                if file.read(132)[128:] == b"DICM" and path.name.upper() != "DICOMDIR":
                    yield path
        except OSError:
            continue


def _header(path: Path, tags: list[str] | None) -> pydicom.Dataset | None:
    """The elements of a file, or None where it is damaged; those of its pixels where no tags are named."""
    import pydicom

    try:
        with _quiet():
            return pydicom.dcmread(path, stop_before_pixels=tags is not None, specific_tags=tags)
    except Exception:  # pydicom raises whatever a damaged file leads to
        return None


@contextmanager
def _quiet() -> Iterator[None]:
    """Let pydicom read what it can without a word: what matters of a file is checked here."""
    from pydicom import config

    before = config.settings.reading_validation_mode
    config.settings.reading_validation_mode = config.IGNORE
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            yield
    finally:
        config.settings.reading_validation_mode = before


def _text(header: pydicom.Dataset | None, name: str) -> str:
    """An element as text; empty where the file or the element is damaged."""
    try:
        with _quiet():
            return str(header.get(name, "") or "") if header is not None else ""
    except Exception:  # a value that cannot be decoded
        return ""


@dataclass(frozen=True)
class _Slice:
    path: Path
    pixels: np.ndarray
    position: np.ndarray
    orientation: np.ndarray
    spacing: np.ndarray


def _slice(path: Path) -> _Slice:
    header = _header(path, None)
    if header is None:
        raise DataError(f"{path} is damaged DICOM; copy it again, or take it out.")
    try:
        with _quiet():
            if int(header.get("NumberOfFrames", 1) or 1) > 1 or int(header.get("SamplesPerPixel", 1)) > 1:
                raise DataError(f"{path} is multi-frame or colour DICOM; convert it to NIfTI with dcm2niix.")
            if int(header.Rows) * int(header.Columns) * 8 > MOST_BYTES // 64:
                raise DataError(f"{path} claims {header.Rows} x {header.Columns} pixels; check the file.")
            slope = float(header.get("RescaleSlope", 1) or 1)
            pixels = header.pixel_array.astype(np.float64) * slope + float(header.get("RescaleIntercept", 0) or 0)
            position = np.array(header.ImagePositionPatient, np.float64)
            orientation = np.array(header.ImageOrientationPatient, np.float64).reshape(2, 3)
            spacing = np.array(header.PixelSpacing, np.float64)
            pixels = pixels.astype(np.float32)
    except DataError:
        raise
    except Exception as error:  # a tag that is missing or malformed, a compression without its decoder
        raise DataError(f"{path} cannot be decoded ({type(error).__name__}); convert it with dcm2niix.") from None
    if (
        position.shape != (3,)
        or spacing.shape != (2,)
        or not all(np.isfinite(part).all() for part in (pixels, position, orientation, spacing))
    ):
        raise DataError(f"{path} has a malformed position, orientation or spacing; check the file.")
    return _Slice(path, pixels, position, orientation, spacing)


def _stack(folder: Path, slices: list[_Slice]) -> tuple[np.ndarray, np.ndarray]:
    """Slices in order as an array ``(x, y, z)``, and its affine in RAS."""
    first = slices[0]
    if not 2 <= len(slices) <= MOST_SLICES:
        raise DataError(f"{folder} holds a series of {len(slices)} images; a volume of 2 to {MOST_SLICES} is needed.")
    for other in slices:
        alike = np.allclose(other.orientation, first.orientation, atol=1e-3) and np.allclose(
            other.spacing, first.spacing, rtol=1e-3
        )
        if other.pixels.shape != first.pixels.shape or not alike:
            raise DataError(f"{other.path} has another size, direction or spacing than {first.path.name}; split them.")
    along_row, along_column = first.orientation
    normal = np.cross(along_row, along_column)
    if not (
        np.allclose(np.linalg.norm(first.orientation, axis=1), 1, atol=1e-2) and abs(np.linalg.norm(normal) - 1) < 1e-2
    ):
        raise DataError(f"{first.path} has an orientation that is no pair of right angles; check the file.")
    if not (first.spacing > 0).all():
        raise DataError(f"{first.path} has pixels of {first.spacing.tolist()} mm; check the file.")
    slices = sorted(slices, key=lambda one: float(one.position @ normal))
    gaps = np.diff([float(one.position @ normal) for one in slices])
    step = float(np.median(gaps))
    if step <= 1e-3 or (gaps < 0.5 * step).any():
        twin = slices[int(gaps.argmin()) + 1].path
        raise DataError(f"{twin} lies where another slice lies: echoes or time points in one series; split it.")
    if (np.abs(gaps - step) > EVEN * step + 1e-3).any():
        widest = int(np.abs(gaps - step).argmax())
        one, next_one = (slices[widest + offset].path.name for offset in (0, 1))
        raise DataError(
            f"{folder}: {one} and {next_one} lie {gaps[widest]:.3g} mm apart, other slices {step:.3g} mm; a slice is "
            "missing, or they are unevenly spaced."
        )
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = along_row * first.spacing[1], along_column * first.spacing[0]
    affine[:3, 2] = (slices[-1].position - slices[0].position) / (len(slices) - 1)
    affine[:3, 3] = slices[0].position
    affine[:2] *= -1  # LPS to RAS
    return np.stack([one.pixels.T for one in slices], axis=2), affine
