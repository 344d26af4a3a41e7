"""fastMRI's HDF5 files, and the ISMRMRD header that they carry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np

from mrbench.core.errors import DataError
from mrbench.io.bounds import check_claim
from mrbench.io.raw import RawKspace, as_frames, fit_mask, settle

if TYPE_CHECKING:
    import h5py

LARGEST_HEADER = 2**24
"""Bytes of XML."""


def read_fastmri(path: Path, given: np.ndarray | None = None) -> RawKspace:
    """Read ``kspace``, ``(slice, coil, y, x)`` or of a single coil ``(slice, y, x)``; columns are phase-encoded.

    The image is cropped to the stored target or, without one, to the header's reconstruction matrix, and its rows to
    its columns where it is taller than wide, as fastMRI's ``evaluate.py`` does.

    Parameters
    ----------
    path : Path
        The file.
    given : ndarray, optional
        A mask that goes before the file's own.

    Raises
    ------
    DataError
        If the file cannot be read or an array in it is not what it should be.
    """
    import h5py

    try:
        with h5py.File(path) as file:
            array = _array(path, file, "kspace")
            mask = _array(path, file, "mask").ravel() if given is None and "mask" in file else given
            header = _text(path, file, "ismrmrd_header") if "ismrmrd_header" in file else None
            name = "reconstruction_rss" if array.ndim == 4 and array.shape[1] > 1 else "reconstruction_esc"
            target = _array(path, file, name) if name in file else None
            protocol = _attribute(file, "acquisition")
    except DataError:
        raise
    except Exception as error:  # h5py raises whatever a damaged file leads to
        raise DataError(f"{path} cannot be read as HDF5 ({type(error).__name__}); the file may be truncated.") from None
    axes = ("frame", "coil", "y", "x") if array.ndim == 4 else ("frame", "y", "x")
    kspace = as_frames(path, array, axes)
    crop = header_crop(path, header) if header is not None else None
    if target is not None:
        crop = _check_target(path, name, target, len(kspace))
    if crop is not None:
        crop = (min(crop), crop[1])  # evaluate.py: center_crop(target, (target.shape[-1], target.shape[-1]))
    settled = settle(path, kspace, None if mask is None else fit_mask(path, mask, kspace), crop, target)
    acquired = header_columns(header, kspace.shape[-1]) if header is not None else None
    return replace(settled, protocol=protocol, acquired=acquired)


def acquisition_of(path: Path) -> str:
    """What was acquired, in the words of a fastMRI file: ``CORPD_FBK``; empty of any other file."""
    import h5py

    if path.suffix.lower() not in (".h5", ".hdf5"):
        return ""
    try:
        with h5py.File(path) as file:
            return _attribute(file, "acquisition")
    except Exception:  # h5py raises whatever a damaged file leads to; its row will say so
        return ""


def _check_target(path: Path, name: str, target: np.ndarray, slices: int) -> tuple[int, int]:
    if target.ndim != 3 or len(target) != slices:
        raise DataError(f"{path}: {name} has shape {target.shape} but kspace has {slices} slices.")
    if target.dtype.kind not in "iuf" or not np.isfinite(target).all() or not target.any():
        raise DataError(f"{path}: {name} is zero everywhere or holds NaN; delete it, and it is made from k-space.")
    return target.shape[1], target.shape[2]


def _array(path: Path, file: h5py.File, name: str) -> np.ndarray:
    import h5py

    dataset = file[name]
    if not isinstance(dataset, h5py.Dataset) or dataset.shape is None or dataset.dtype.kind not in "biufc":
        raise DataError(f"{path}: '{name}' is no array of numbers; check how the file was written.")
    if dataset.is_virtual or dataset.external:
        raise DataError(f"{path}: '{name}' lies in another file; copy it into this one.")
    filtered = dataset.id.get_create_plist().get_nfilters() > 0
    check_claim(path, dataset.shape, dataset.dtype.itemsize, compressed=filtered)
    return dataset[()]


def _attribute(file: h5py.File, name: str) -> str:
    """A short text among the attributes of the file; empty where there is none."""
    value = file.attrs.get(name, "")
    return value[:40] if isinstance(value, str) else ""


def _text(path: Path, file: h5py.File, name: str) -> bytes | str:
    dataset = file[name]
    text = dataset[()] if getattr(dataset, "shape", None) == () else b""
    if not isinstance(text, bytes | str) or len(text) > LARGEST_HEADER:
        raise DataError(f"{path}: '{name}' is no text; check how the file was written.")
    return text


def header_columns(header: bytes | str, columns: int) -> slice | None:
    """Columns that were measured, by the encoding limits of an ISMRMRD header; None where it does not tell.

    References
    ----------
    ``padding_left`` and ``padding_right`` of ``SliceDataset``, fastmri/data/mri_data.py.
    """
    space = {"i": "http://www.ismrm.org/ISMRMRD"}
    try:
        encoding = ElementTree.fromstring(header).find("i:encoding", space)
        assert encoding is not None
        size = int(str(encoding.findtext("i:encodedSpace/i:matrixSize/i:y", namespaces=space)))
        limits = encoding.find("i:encodingLimits/i:kspace_encoding_step_1", space)
        centre, highest = (int(str(limits.findtext(f"i:{end}", namespaces=space))) for end in ("center", "maximum"))  # type: ignore[union-attr]
    except (ElementTree.ParseError, AssertionError, AttributeError, ValueError):
        return None
    first = size // 2 - centre
    last = first + highest + 1
    return slice(first, last) if size == columns and 0 <= first < last <= columns else None


def header_crop(path: Path, header: bytes | str) -> tuple[int, int]:
    """Reconstruction matrix ``(rows, columns)`` of an ISMRMRD header, where the oversampling is cut off."""
    space = {"i": "http://www.ismrm.org/ISMRMRD"}
    try:
        size = ElementTree.fromstring(header).find("i:encoding/i:reconSpace/i:matrixSize", space)
        rows, columns = (int(str(size.findtext(f"i:{axis}", namespaces=space))) for axis in "xy")  # type: ignore[union-attr]
    except (ElementTree.ParseError, AttributeError, ValueError, LookupError):
        raise DataError(f"{path}: its ISMRMRD header has no encoding/reconSpace/matrixSize; complete it.") from None
    if min(rows, columns) < 1:
        raise DataError(f"{path}: its ISMRMRD header has a reconstruction matrix of {rows} x {columns}; correct it.")
    return rows, columns
