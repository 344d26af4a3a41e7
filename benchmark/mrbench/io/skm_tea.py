"""SKM-TEA's raw knees: hybrid k-space ``(x, ky, kz, echo, coil)`` in HDF5, too large to be read whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from mrbench.core.errors import DataError
from mrbench.io.raw import RawKspace, as_frames, fit_mask, settle

PLACES = 8
"""Positions along x that are read, spread over the middle half: each is a 2-D k-space of 512 x 160."""

AXES = 5


def is_skm_tea(path: Path) -> bool:
    """Whether an HDF5 file has the five axes of SKM-TEA; False where it cannot be read."""
    import h5py

    try:
        with h5py.File(path) as file:
            held = file.get("kspace")
            return isinstance(held, h5py.Dataset) and held.ndim == AXES
    except Exception:  # whoever reads it next says what is wrong
        return False


def read_skm_tea(path: Path, given: np.ndarray | None = None) -> RawKspace:
    """Read the first echo at some positions along x; columns are kz.

    Parameters
    ----------
    path : Path
        An ``.h5`` file of ``files_recon_calib-24``.
    given : ndarray, optional
        A mask. Without one all is sampled, as the release has it; what was never acquired there, the corners of an
        ellipse, is zero.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    import h5py

    try:
        with h5py.File(path) as file:
            held = file["kspace"]
            size = held.shape[0]
            count = min(PLACES, size)
            chosen = np.unique(np.linspace(size // 4, max(size // 4, 3 * size // 4 - 1), count).astype(int))
            array = np.stack([held[int(place), :, :, 0, :] for place in chosen])
    except Exception as error:  # h5py raises whatever a damaged file leads to
        raise DataError(f"{path} cannot be read as HDF5 ({type(error).__name__}); the file may be truncated.") from None
    kspace = as_frames(path, array, ("frame", "y", "x", "coil"))
    mask = np.ones(kspace.shape[-2:], bool) if given is None else given
    note = f"First echo of {len(chosen)} of {size} positions along x; the target is the RSS of the k-space given."
    return replace(settle(path, kspace, fit_mask(path, mask, kspace)), note=note)
