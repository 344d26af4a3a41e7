"""Raw k-space from files: fastMRI HDF5, ISMRMRD, BART cfl, NumPy. One form comes out of all of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from mrbench.core.errors import DataError
from mrbench.io.cfl import cfl_kspace
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
    dynamic : bool
        Whether frames are time points.
    """

    kspace: np.ndarray
    mask: np.ndarray | None
    crop: tuple[int, int]
    reference: np.ndarray | None
    note: str = ""
    dynamic: bool = False


def read_kspace(path: Path, mask_path: Path | None = None) -> RawKspace:
    """Read one file.

    A mask is never guessed where a guess could be wrong. It is the file given, or ``NAME.mask.npy`` beside the
    data, of shape ``(x,)``, ``(y, x)`` or ``(frame, y, x)``, or what an HDF5 file itself carries. Without one, samples
    that are exactly zero in every one of several coils were not taken, since a receiver's noise is never that;
    of a single coil this is not known, and refused.

    Raises
    ------
    DataError
        If the file is missing, truncated, not complex, empty, or does not fit its mask.
    """
    if not path.is_file():
        raise DataError(f"{path} is not there; check the path.")
    if path.suffix not in SUFFIXES:
        raise DataError(f"{path} is no k-space file; choose one of {', '.join(SUFFIXES)}.")
    beside = mask_beside(path)
    chosen = mask_path or (beside if beside.is_file() else None)
    given = _load_npy(chosen) if chosen else None
    if path.suffix == ".npy":
        array, dynamic = _load_npy(path), False
    elif path.suffix == ".cfl":
        array, dynamic = cfl_kspace(path.with_suffix(""))
    else:
        return _read_hdf5(path, given)
    kspace = _as_frames(path, array)
    mask = None if given is None else _fit_mask(path, given, kspace)
    return replace(_finish(path, kspace, mask, None, None), dynamic=dynamic)


def mask_beside(path: Path) -> Path:
    """Where the mask of a k-space file lies, if it has one of its own."""
    return path.with_name(f"{path.stem}{MASK_SUFFIX}")


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
    if _starts_at_zero_frequency(array):
        raise DataError(f"{path} has its zero frequency in the corner; apply numpy.fft.fftshift to its last two axes.")
    frames = array.reshape((1,) * (4 - array.ndim) + array.shape)
    return np.ascontiguousarray(frames, np.complex64)


def _starts_at_zero_frequency(kspace: np.ndarray) -> bool:
    """Whether the four corners hold far more energy than a block of their size in the middle."""
    energy = (np.abs(kspace) ** 2).reshape(-1, *kspace.shape[-2:]).sum(0)
    reach = [max(1, side // 8) for side in energy.shape]
    shifted = np.fft.fftshift(energy)
    middle = tuple(slice(side // 2 - r, side // 2 + r) for side, r in zip(energy.shape, reach, strict=True))
    return bool(shifted[middle].sum() > 4 * energy[middle].sum())


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
        if _only_padding(taken):
            note = "Columns at the rim of k-space are zero: padding, as fastMRI's brains have it."
        elif not taken.all():
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
        target = root_sum_of_squares(to_image(kspace))
    return RawKspace(kspace, None, crop, centre_crop(target, crop).astype(np.float32), note)


def _only_padding(taken: np.ndarray) -> bool:
    """Whether all that is zero is a narrow, even rim of columns; a wide or one-sided one is undersampling."""
    columns: np.ndarray = np.logical_and.reduce(taken, axis=(0, 1))
    inside = np.flatnonzero(columns)
    if len(inside) < 0.75 * len(columns) or len(inside) == len(columns) or taken[..., ~columns].any():
        return False
    left, right = inside[0], len(columns) - 1 - inside[-1]
    return bool(columns[inside[0] : inside[-1] + 1].all()) and abs(int(left) - int(right)) <= 2


def _read_hdf5(path: Path, given: np.ndarray | None) -> RawKspace:
    import h5py

    try:
        with h5py.File(path) as file:
            if "kspace" in file:
                return _read_fastmri(path, file, given)
            ismrmrd = "dataset" in file and "data" in file["dataset"]
        if ismrmrd:
            return _read_ismrmrd(path, given)
        raise DataError(f"{path} has neither 'kspace' (fastMRI) nor 'dataset/data' (ISMRMRD); check its format.")
    except OSError as error:
        raise DataError(f"{path} cannot be read as HDF5 ({error}); the file may be truncated.") from error


def _read_fastmri(path: Path, file: Any, given: np.ndarray | None) -> RawKspace:
    """``kspace`` is ``(slice, coil, y, x)``, or ``(slice, y, x)`` of a single coil; columns are phase-encoded."""
    array = file["kspace"][()]
    if array.ndim == 3:
        array = array[:, None]
    kspace = _as_frames(path, array)
    if given is None and "mask" in file:
        given = file["mask"][()].ravel()
    mask = None if given is None else _fit_mask(path, given, kspace)
    crop = header_crop(path, file["ismrmrd_header"][()]) if "ismrmrd_header" in file else None
    name = "reconstruction_rss" if kspace.shape[1] > 1 else "reconstruction_esc"
    target = file[name][()] if name in file else None
    if target is not None:
        if target.ndim != 3 or len(target) != len(kspace):
            raise DataError(f"{path}: {name} has shape {target.shape} but kspace has {len(kspace)} slices.")
        if not np.isfinite(target).all() or not target.any():
            raise DataError(f"{path}: {name} is zero everywhere or holds NaN; delete it, and it is made from k-space.")
        crop = target.shape[1:]
    return _finish(path, kspace, mask, crop, target)


def header_crop(path: Path, header: bytes | str) -> tuple[int, int]:
    """Reconstruction matrix ``(rows, columns)`` of an ISMRMRD header, where the oversampling is cut off."""
    space = {"i": "http://www.ismrm.org/ISMRMRD"}
    try:
        size = ElementTree.fromstring(header).find("i:encoding/i:reconSpace/i:matrixSize", space)
        rows, columns = (int(str(size.findtext(f"i:{axis}", namespaces=space))) for axis in "xy")  # type: ignore[union-attr]
    except (ElementTree.ParseError, AttributeError, ValueError):
        raise DataError(f"{path}: its ISMRMRD header has no encoding/reconSpace/matrixSize; complete it.") from None
    return rows, columns


def _read_ismrmrd(path: Path, given: np.ndarray | None) -> RawKspace:
    """Sort the readouts of a 2-D Cartesian scan by slice and phase-encoding step; repeated ones are averaged."""
    try:
        import ismrmrd
    except ImportError:
        raise DataError(f"{path} is ISMRMRD, which needs its reader: pip install ismrmrd.") from None
    with ismrmrd.Dataset(str(path), "dataset", mode="r") as scan:
        header = scan.read_xml_header()
        readouts = [scan.read_acquisition(number) for number in range(scan.number_of_acquisitions())]
    crop = header_crop(path, header)
    other = (ismrmrd.ACQ_IS_NOISE_MEASUREMENT, ismrmrd.ACQ_IS_PARALLEL_CALIBRATION, ismrmrd.ACQ_IS_NAVIGATION_DATA,
             ismrmrd.ACQ_IS_PHASECORR_DATA, ismrmrd.ACQ_IS_DUMMYSCAN_DATA)  # fmt: skip
    readouts = [r for r in readouts if not any(r.is_flag_set(flag) for flag in other)]
    if not readouts:
        raise DataError(f"{path} holds no readouts of an image; check the file.")
    encoding = ismrmrd.xsd.CreateFromDocument(header).encoding[0]
    if encoding.encodedSpace.matrixSize.z > 1:
        raise DataError(f"{path} is a 3-D scan; cut it into slices by a Fourier transform along its partitions first.")
    for index in ("contrast", "phase", "repetition", "set"):
        if len({getattr(r.idx, index) for r in readouts}) > 1:
            raise DataError(f"{path} has several values of {index}; write each into a file of its own.")
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
        if not 0 <= column < columns:
            raise DataError(f"{path}: a readout lies at step {column} of {columns}; check encodedSpace and its limits.")
        kspace[frame, :, :, column] += readout.data
        count[frame, column] += 1
    kspace /= np.maximum(count, 1)[:, None, None]
    kspace = _as_frames(path, kspace)
    taken = np.broadcast_to(count[:, None] > 0, (frames, reads, columns))
    if given is not None:
        taken = _fit_mask(path, given, kspace)
    return _finish(path, kspace, None if _only_padding(taken) else taken, crop, None)
