"""Raw k-space from files: fastMRI HDF5, ISMRMRD, BART cfl, NumPy. One form comes out of all of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from mrbench.core.errors import DataError
from mrbench.data.cfl import read_cfl
from mrbench.physics.fourier import centre_crop, root_sum_of_squares, to_image

SUFFIXES = (".h5", ".hdf5", ".mrd", ".cfl", ".npy")
MASK_SUFFIX = ".mask.npy"
"""``NAME.mask.npy`` beside ``NAME.npy`` or ``NAME.cfl``."""


@dataclass(frozen=True)
class RawKspace:
    """k-space as a file holds it.

    Attributes
    ----------
    kspace : ndarray of complex64, shape ``(frame, coil, y, x)``
    mask : ndarray of bool, shape ``(frame, y, x)``, or None where all was sampled
    crop : tuple of int
        Rows and columns of the image to show and score.
    reference : ndarray of float32, shape ``(frame, *crop)``, or None where it cannot be known
    note : str
        What a reader of the results must know.
    """

    kspace: np.ndarray
    mask: np.ndarray | None
    crop: tuple[int, int]
    reference: np.ndarray | None
    note: str = ""


def read_kspace(path: Path, mask_path: Path | None = None) -> RawKspace:
    """Read one file.

    A mask is never guessed where a guess could be wrong: HDF5 files carry it, others have ``NAME.mask.npy``
    beside them, of shape ``(x,)``, ``(y, x)`` or ``(frame, y, x)``. Without one, samples that are exactly zero in
    every one of several coils were not taken, since a receiver's noise is never that; of a single coil this is
    not known, and refused.

    Raises
    ------
    DataError
        If the file is missing, truncated, not complex, empty, or does not fit its mask.
    """
    if not path.is_file():
        raise DataError(f"{path} is not there; check the path.")
    if path.suffix == ".npy":
        kspace, header = _load_npy(path), None
    elif path.suffix == ".cfl":
        kspace, header = read_cfl(path.with_suffix("")), None
    elif path.suffix in SUFFIXES:
        return _read_hdf5(path)
    else:
        raise DataError(f"{path} is no k-space file; choose one of {', '.join(SUFFIXES)}.")
    kspace = _as_frames(path, kspace)
    beside = path.with_name(f"{path.stem}{MASK_SUFFIX}")
    chosen = mask_path or (beside if beside.is_file() else None)
    mask = _fit_mask(path, _load_npy(chosen), kspace) if chosen else None
    return _finish(path, kspace, mask, header, None)


def _load_npy(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise DataError(f"{path} is not there; check the path.") from None
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} cannot be read ({error}); the file may be truncated.") from error


def _as_frames(path: Path, array: np.ndarray) -> np.ndarray:
    """Check an array of k-space and bring it to ``(frame, coil, y, x)``."""
    if not np.iscomplexobj(array):
        raise DataError(f"{path} holds {array.dtype} numbers; k-space is complex (is this a magnitude image?).")
    if not 2 <= array.ndim <= 4:
        raise DataError(f"{path} has shape {array.shape}; (coil, y, x) or (frame, coil, y, x) is needed.")
    if not np.isfinite(array).all():
        raise DataError(f"{path} holds NaN or infinite samples; replace them by zero and leave them out of the mask.")
    if not array.any():
        raise DataError(f"{path} is zero everywhere; check how it was written.")
    frames = array.reshape((1,) * (4 - array.ndim) + array.shape)
    return np.ascontiguousarray(frames, np.complex64)


def _fit_mask(path: Path, mask: np.ndarray, kspace: np.ndarray) -> np.ndarray:
    frames, _, rows, columns = kspace.shape
    if mask.ndim == 1 and len(mask) != columns:
        raise DataError(
            f"{path}: the mask has {len(mask)} columns but k-space has {columns}; give the mask of this file."
        )
    try:
        return np.broadcast_to(mask.astype(bool), (frames, rows, columns))
    except ValueError:
        raise DataError(
            f"{path}: the mask has shape {mask.shape} but k-space has {(frames, rows, columns)} (frame, y, x)."
        ) from None


def _finish(
    path: Path, kspace: np.ndarray, mask: np.ndarray | None, crop: tuple[int, int] | None, target: np.ndarray | None
) -> RawKspace:
    """Settle mask, crop and reference, the same way for every format."""
    rows, columns = kspace.shape[-2:]
    crop = (min(crop[0], rows), min(crop[1], columns)) if crop else (rows, columns)
    note = ""
    if mask is None:
        taken = (kspace != 0).any(axis=1)
        if not taken.all() and not _only_padding(taken):
            if kspace.shape[1] == 1:
                raise DataError(
                    f"{path} has samples that are zero but no mask says whether they were taken; add {path.stem}"
                    f"{MASK_SUFFIX}."
                )
            mask = taken
            note = f"No mask file: taken are the {100 * taken.mean():.1f} % of samples that are not zero in every coil."
    elif mask.all():
        mask = None
    if mask is not None:
        return RawKspace(kspace, mask, crop, None, note)
    if target is None:
        target = centre_crop(root_sum_of_squares(to_image(kspace)), crop)
    return RawKspace(kspace, None, crop, target.astype(np.float32))


def _only_padding(taken: np.ndarray) -> bool:
    """Whether all that is zero is a rim of columns: fastMRI's brains are padded so."""
    columns: np.ndarray = np.logical_and.reduce(taken, axis=(0, 1))
    inside = np.flatnonzero(columns)
    return bool(len(inside)) and bool(columns[inside[0] : inside[-1] + 1].all()) and not taken[..., ~columns].any()


def _read_hdf5(path: Path) -> RawKspace:
    import h5py

    try:
        with h5py.File(path) as file:
            if "kspace" in file:
                return _read_fastmri(path, file)
            ismrmrd = "dataset" in file and "data" in file["dataset"]
        if ismrmrd:
            return _read_ismrmrd(path)
        raise DataError(f"{path} has neither 'kspace' (fastMRI) nor 'dataset/data' (ISMRMRD); check its format.")
    except OSError as error:
        raise DataError(f"{path} cannot be read as HDF5 ({error}); the file may be truncated.") from error


def _read_fastmri(path: Path, file: Any) -> RawKspace:
    """``kspace`` is ``(slice, coil, y, x)``, or ``(slice, y, x)`` of a single coil; columns are phase-encoded."""
    array = file["kspace"][()]
    if array.ndim == 3:
        array = array[:, None]
    kspace = _as_frames(path, array)
    mask = _fit_mask(path, file["mask"][()].ravel(), kspace) if "mask" in file else None
    crop = header_crop(file["ismrmrd_header"][()]) if "ismrmrd_header" in file else None
    name = "reconstruction_rss" if kspace.shape[1] > 1 else "reconstruction_esc"
    target = file[name][()] if name in file else None
    if target is not None:
        if len(target) != len(kspace):
            raise DataError(f"{path}: {name} has {len(target)} slices but kspace has {len(kspace)}.")
        crop = target.shape[1:]
    return _finish(path, kspace, mask, crop, target)


def header_crop(header: bytes | str) -> tuple[int, int]:
    """Reconstruction matrix ``(rows, columns)`` of an ISMRMRD header, where the oversampling is cut off."""
    root = ElementTree.fromstring(header)
    space = {"i": "http://www.ismrm.org/ISMRMRD"}
    size = root.find("i:encoding/i:reconSpace/i:matrixSize", space)
    if size is None:
        raise DataError("the ISMRMRD header has no encoding/reconSpace/matrixSize; complete it.")
    return tuple(int(str(size.findtext(f"i:{axis}", namespaces=space))) for axis in "xy")  # type: ignore[return-value]


def _read_ismrmrd(path: Path) -> RawKspace:
    """Sort the readouts of a 2-D Cartesian scan by slice and phase-encoding step; noise scans are left out."""
    try:
        import ismrmrd
    except ImportError:
        raise DataError(f"{path} is ISMRMRD, which needs its reader: pip install ismrmrd.") from None
    scan = ismrmrd.Dataset(str(path), "dataset", create_if_needed=False)
    try:
        header = scan.read_xml_header()
        readouts = [scan.read_acquisition(number) for number in range(scan.number_of_acquisitions())]
    finally:
        scan.close()
    readouts = [r for r in readouts if not r.is_flag_set(ismrmrd.ACQ_IS_NOISE_MEASUREMENT)]
    if not readouts:
        raise DataError(f"{path} holds no readouts but noise; check the file.")
    encoding = ismrmrd.xsd.CreateFromDocument(header).encoding[0]
    if encoding.encodedSpace.matrixSize.z > 1:
        raise DataError(f"{path} is a 3-D scan; cut it into slices by a Fourier transform along its partitions first.")
    if len({r.data.shape for r in readouts}) > 1:
        raise DataError(f"{path} has readouts of different coils or lengths; split the file.")
    coils, reads = readouts[0].data.shape
    columns = int(encoding.encodedSpace.matrixSize.y)
    frames = 1 + max(r.idx.slice for r in readouts)
    limits = encoding.encodingLimits.kspace_encoding_step_1
    shift = columns // 2 - int(limits.center) if limits is not None else 0
    kspace = np.zeros((frames, coils, reads, columns), np.complex64)
    count = np.zeros((frames, columns), int)
    for readout in readouts:
        frame, column = readout.idx.slice, readout.idx.kspace_encode_step_1 + shift
        kspace[frame, :, :, column] += readout.data
        count[frame, column] += 1
    kspace /= np.maximum(count, 1)[:, None, None]
    mask = np.broadcast_to(count[:, None] > 0, (frames, reads, columns))
    return _finish(path, _as_frames(path, kspace), mask, header_crop(header), None)
