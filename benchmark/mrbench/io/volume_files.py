"""A volume from whatever it lies in: a NIfTI file, a folder with a DICOM series, or an array of a pickle."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from mrbench.core.errors import DataError
from mrbench.io.dicom import read_series, series_in
from mrbench.io.files import content_digest, remembered
from mrbench.io.nifti import Volume, read_volume
from mrbench.io.pickled_arrays import read_pickled_arrays

SERIES = "::"
"""Between a folder and the UID of one of its series."""

PART = SERIES
"""Between a pickle and the number of one of its arrays."""


def is_there(path: Path) -> bool:
    """Whether a path names a file, a folder that may hold a series, or a part of a file."""
    place, _ = _series(path)
    return path.is_file() or place.is_dir() or place.is_file()


def read_image(path: Path, *, labels: bool = False, flat: bool = False) -> Volume:
    """Read a NIfTI file, of a folder (``FOLDER`` or ``FOLDER::UID``) its DICOM series, or ``FILE.pkl::NUMBER``.

    Raises
    ------
    DataError
        As of `read_volume` and `read_series`; or if labels are to come from DICOM.
    """
    folder, uid = _series(path)
    if folder.is_file() and folder.suffix == ".pkl":
        return _of_pickle(folder, uid, labels)
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
    if folder.is_file():
        return (
            hashlib.sha256(f"{content_digest(folder)}{SERIES}{uid}".encode()).hexdigest()
            if uid
            else content_digest(folder)
        )
    if not folder.is_dir():
        return content_digest(path)
    files = [file for series in series_in(folder) if uid in ("", series.uid) for file in series.files]
    return hashlib.sha256("".join(sorted(map(content_digest, files))).encode()).hexdigest()


def voxels_digest(path: Path, content: str) -> str:
    """Hex digest of the voxels of an image as `read_image` returns them, whatever the compression and the header.

    Parameters
    ----------
    path : Path
        As of `read_image`.
    content : str
        Its `digest_of`, by which the result is remembered, and which stands in where the image cannot be read.
    """

    def digest() -> str:
        array = np.ascontiguousarray(read_image(path, flat=True).array + np.float32(0))  # -0 is 0
        return hashlib.sha256(repr(array.shape).encode() + array.tobytes()).hexdigest()

    try:
        return remembered(f"{content}.voxels", digest)
    except DataError:  # its rows will say so
        return content


def _of_pickle(path: Path, number: str, labels: bool) -> Volume:
    """An array of a pickle: 1 mm, axes left, inferior, anterior, as FreeSurfer conforms and crops a head.

    Nothing in the file says how it lies; scores do not depend on it.
    """
    arrays = read_pickled_arrays(path)
    if not (number.isascii() and number.isdigit()) or int(number) >= len(arrays) or arrays[int(number)].ndim != 3:
        raise DataError(f"{path} has no volume number {number or '(none)'}; it needs an image and a label map.")
    array = arrays[int(number)]
    if not np.isfinite(array).all() or (labels and not (0 <= array.min() <= array.max() < 2**15)):
        raise DataError(f"{path} holds NaN, or labels that are none from 0 to 32767; check how it was written.")
    oriented = array[::-1, ::-1].transpose(1, 2, 0)
    return Volume(np.ascontiguousarray(oriented, np.int16 if labels else np.float32), np.eye(4))


def _series(path: Path) -> tuple[Path, str]:
    folder, separator, uid = str(path).rpartition(SERIES)
    return (Path(folder), uid) if separator else (path, "")
