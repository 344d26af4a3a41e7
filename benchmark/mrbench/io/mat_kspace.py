"""k-space of MATLAB files, as CMRxRecon distributes it: v7.3, which is HDF5, and older ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mrbench.core.errors import DataError
from mrbench.io.bounds import check_claim
from mrbench.io.raw import RawKspace, as_frames, fit_mask, settle

VARIABLES = ("kspace_full", "kspace", "kspace_single_full", "full_kspace")
"""Names of full k-space; undersampled k-space is ``kspace_sub04`` and its like."""

SUBSAMPLED = ("kspace_sub", "kspace_single_sub")

_MAGIC = b"MATLAB 7.3 MAT-file"


def read_mat(path: Path, given: np.ndarray | None = None) -> RawKspace:
    """Read the k-space of a CMRxRecon file: MATLAB's ``(readout, phase, coil, slice, time)``, or without coils.

    Frames are the time points of one slice, the middle one of several, which a note tells; of a file without time they
    are its slices. Columns are phase-encoded.

    Parameters
    ----------
    path : Path
        A ``.mat`` file.
    given : ndarray, optional
        A mask; without it, samples that are zero in every coil were not taken.

    Raises
    ------
    DataError
        If the file cannot be read, or holds no k-space of 3 to 5 axes.
    """
    name, array = _variable(path)
    if not np.iscomplexobj(array) or not 3 <= array.ndim <= 5:
        raise DataError(
            f"{path}: {name} has shape {array.shape} and type {array.dtype}; complex k-space of (readout, phase, coil, "
            "slice, time) is needed."
        )
    single = "single" in name
    axes = ("readout", "phase", *(() if single else ("coil",)), "slice", "time")[: array.ndim]
    note = ""
    if "time" in axes and array.shape[axes.index("time")] > 1:
        place, count = axes.index("slice"), array.shape[axes.index("slice")]
        array = array.take(count // 2, place)
        axes = tuple(axis for axis in axes if axis != "slice")
        note = f"Slice {count // 2 + 1} of {count} of each file, over time." if count > 1 else ""
        frames = "time"
    else:
        array = array[..., 0] if "time" in axes else array
        axes = tuple(axis for axis in axes if axis != "time")
        frames = "slice"
    names = {"readout": "y", "phase": "x", "coil": "coil", frames: "frame"}
    kspace = as_frames(path, array, tuple(names[axis] for axis in axes))
    settled = settle(path, kspace, None if given is None else fit_mask(path, given, kspace))
    notes = " ".join(filter(None, (note, settled.note)))
    return replace(settled, dynamic=frames == "time", note=notes)


def _variable(path: Path) -> tuple[str, np.ndarray]:
    """Name and array of the k-space, in the order of MATLAB's axes."""
    try:
        with path.open("rb") as file:
            new = file.read(len(_MAGIC)) == _MAGIC
        return _of_hdf5(path) if new else _of_older(path)
    except DataError:
        raise
    except Exception as error:  # h5py and scipy raise whatever a damaged file leads to
        raise DataError(f"{path} cannot be read as MATLAB ({type(error).__name__}); it may be truncated.") from None


def _chosen(path: Path, names: list[str]) -> str:
    known = [name for name in VARIABLES if name in names]
    known += sorted(name for name in names if name.startswith(SUBSAMPLED))
    if not known:
        raise DataError(f"{path} holds {', '.join(sorted(names)[:5]) or 'nothing'} but no kspace_full or kspace_sub...")
    return known[0]


def _of_hdf5(path: Path) -> tuple[str, np.ndarray]:
    import h5py

    with h5py.File(path) as file:
        name = _chosen(path, list(file))
        dataset = file[name]
        if not isinstance(dataset, h5py.Dataset) or dataset.shape is None or dataset.is_virtual or dataset.external:
            raise DataError(f"{path}: '{name}' is no array in this file; check how it was written.")
        check_claim(path, dataset.shape, dataset.dtype.itemsize, compressed=True)
        return name, _as_complex(path, name, dataset[()]).T


def _as_complex(path: Path, name: str, stored: np.ndarray) -> np.ndarray:
    """MATLAB's complex numbers in HDF5, pairs of ``real`` and ``imag``, as such."""
    if stored.dtype.names is None:
        return stored
    if set(stored.dtype.names) != {"real", "imag"}:
        raise DataError(f"{path}: '{name}' is a table of {', '.join(stored.dtype.names)}, no complex array.")
    samples = np.empty(stored.shape, np.complex64)
    samples.real, samples.imag = stored["real"], stored["imag"]
    return samples


def _of_older(path: Path) -> tuple[str, np.ndarray]:
    from scipy.io import loadmat, whosmat

    held: list[Any] = whosmat(path)
    name = _chosen(path, [entry[0] for entry in held])
    shape = next(entry[1] for entry in held if entry[0] == name)
    check_claim(path, tuple(shape), 8, compressed=True)
    return name, np.asarray(loadmat(path, variable_names=[name])[name])
