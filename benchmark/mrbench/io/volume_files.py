"""A volume from whatever it lies in: a NIfTI file, or a folder with a DICOM series."""

from __future__ import annotations

import hashlib
from pathlib import Path

from mrbench.core.errors import DataError
from mrbench.io.dicom import read_series, series_in
from mrbench.io.files import content_digest
from mrbench.io.nifti import Volume, read_volume

SERIES = "::"
"""Between a folder and the UID of one of its series."""


def is_there(path: Path) -> bool:
    """Whether a path names a file, or a folder that may hold a series."""
    folder, _ = _series(path)
    return path.is_file() or folder.is_dir()


def read_image(path: Path, *, labels: bool = False, flat: bool = False) -> Volume:
    """Read a NIfTI file or, of a folder, ``FOLDER`` or ``FOLDER::UID``, its DICOM series.

    Raises
    ------
    DataError
        As of `read_volume` and `read_series`; or if labels are to come from DICOM.
    """
    folder, uid = _series(path)
    if path.is_file() or not folder.is_dir():
        return read_volume(path, labels=labels, flat=flat)
    if labels:
        raise DataError(f"{path} is a folder; labels and masks are NIfTI files.")
    return read_series(folder, uid)


def digest_of(path: Path) -> str:
    """Hex digest of the content of a NIfTI file or of the files of a series, whatever they are called.

    Raises
    ------
    DataError
        If they cannot be read.
    """
    folder, uid = _series(path)
    if path.is_file() or not folder.is_dir():
        return content_digest(path)
    files = [file for series in series_in(folder) if uid in ("", series.uid) for file in series.files]
    return hashlib.sha256("".join(sorted(map(content_digest, files))).encode()).hexdigest()


def _series(path: Path) -> tuple[Path, str]:
    folder, separator, uid = str(path).rpartition(SERIES)
    return (Path(folder), uid) if separator else (path, "")
