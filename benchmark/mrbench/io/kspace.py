"""Raw k-space from files: fastMRI HDF5 (M4Raw too), SKM-TEA, ISMRMRD, MATLAB, BART cfl, NumPy. One form comes out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mrbench.core.errors import DataError
from mrbench.io.cfl import cfl_kspace, cfl_squeezed
from mrbench.io.fastmri import read_fastmri
from mrbench.io.ismrmrd_file import read_ismrmrd
from mrbench.io.mat_kspace import read_mat
from mrbench.io.numpy_file import read_npy
from mrbench.io.raw import AXES, MASK_SUFFIX, RawKspace, as_frames, fit_mask, parse_axes, settle
from mrbench.io.skm_tea import is_skm_tea, read_skm_tea

SUFFIXES = (".h5", ".hdf5", ".mrd", ".mat", ".cfl", ".npy")


def read_kspace(path: Path, mask_path: Path | None = None, axes: str = "") -> RawKspace:
    """Read one file.

    A mask is never guessed where a guess could be wrong. It is the file given, or ``NAME.mask.npy`` beside the
    data, of shape ``(x,)``, ``(y, x)`` or ``(frame, y, x)``, or what an HDF5 file itself carries. Without one, samples
    that are exactly zero in every one of several coils were not taken, since a receiver's noise is never that;
    of a single coil this is not known, and refused.

    Parameters
    ----------
    path : Path
        The file.
    mask_path : Path, optional
        Holds the sampling mask, where the file of k-space does not.
    axes : str
        What the axes of a ``.npy`` array are, as `parse_axes` reads it, or the dimensions above 1 of a ``.cfl`` header,
        in its order; ``time`` makes it dynamic. Without it an array is ``(y, x)`` or ``(slice, coil, y, x)``, and a
        ``.cfl`` is BART's.

    Raises
    ------
    DataError
        If the file is missing, truncated, not complex, empty, not clear in its axes, or does not fit its mask.
    """
    suffix = path.suffix.lower()
    if not path.is_file():
        raise DataError(f"{path} is not there; check the path.")
    if suffix not in SUFFIXES:
        raise DataError(f"{path} is no k-space file; choose one of {', '.join(SUFFIXES)}.")
    if axes and suffix not in (".npy", ".cfl"):
        raise DataError(f"{path} says itself what its axes are; leave its field under axes empty.")
    beside = mask_beside(path)
    chosen = mask_path or (beside if beside.is_file() else None)
    given = read_npy(chosen) if chosen else None
    if suffix == ".mat":
        return read_mat(path, given)
    if suffix not in (".npy", ".cfl"):
        if is_skm_tea(path):
            return read_skm_tea(path, given)
        return read_ismrmrd(path, given) if _is_ismrmrd(path) else read_fastmri(path, given)
    if suffix == ".npy":
        array, dynamic = read_npy(path), "time" in axes.casefold()
        kspace = as_frames(path, array, parse_axes(axes, path) if axes else None)
    elif axes:
        named, dynamic = parse_axes(axes, path), "time" in axes.casefold()
        kspace = as_frames(path, cfl_squeezed(path.with_suffix(""), len(named)), named[::-1])
    else:
        array, dynamic = cfl_kspace(path.with_suffix(""))
        kspace = as_frames(path, array, AXES)
    mask = None if given is None else fit_mask(path, given, kspace)
    return replace(settle(path, kspace, mask), dynamic=dynamic)


def mask_beside(path: Path) -> Path:
    """Where the mask of a k-space file lies, if it has one of its own."""
    return path.with_name(f"{path.stem}{MASK_SUFFIX}")


def _is_ismrmrd(path: Path) -> bool:
    """Whether an HDF5 file holds ISMRMRD readouts, and no fastMRI k-space.

    Raises
    ------
    DataError
        If it holds neither, or is no HDF5.
    """
    import h5py

    try:
        with h5py.File(path) as file:
            if "kspace" in file:
                return False
            if isinstance(file.get("dataset"), h5py.Group) and "data" in file["dataset"]:
                return True
    except Exception as error:  # h5py raises whatever a damaged file leads to
        raise DataError(f"{path} cannot be read as HDF5 ({type(error).__name__}); the file may be truncated.") from None
    raise DataError(f"{path} has neither 'kspace' (fastMRI) nor 'dataset/data' (ISMRMRD); check its format.")
