"""Inputs of a case as files of the field, for commands: NIfTI in mm with origin 0, HDF5 as fastMRI's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mrbench.core.grid import Grid
from mrbench.io.predictions.fields import StoredField
from mrbench.io.predictions.formats import format_of
from mrbench.io.predictions.images import write_nifti


def write_images(
    folder: Path, spacing: tuple[float, float, float], images: Mapping[str, np.ndarray]
) -> dict[str, Path]:
    """Write volumes ``(z, y, x)`` as ``<name>.nii.gz``; masks as 0 and 1. Returns their paths by name."""
    paths = {}
    for name, image in images.items():
        paths[name] = folder / f"{name}.nii.gz"
        array = image.astype(np.uint8) if image.dtype == bool else image
        write_nifti(paths[name], array, Grid(image.shape, spacing))
    return paths


def write_kspace(folder: Path, kspace: np.ndarray, mask: np.ndarray) -> dict[str, Path]:
    """Write ``kspace.h5``: ``kspace`` ``(frame, coil, y, x)`` and ``mask`` ``(frame, y, x)``."""
    import h5py

    path = folder / "kspace.h5"
    with h5py.File(path, "w") as file:
        file["kspace"], file["mask"] = kspace, mask
    return {"kspace": path}


def read_prediction(path: Path, holds: str, grid: Grid) -> object:
    """Read what a command wrote, in any format that its content tells."""
    read = format_of([path], holds).read(path, grid)
    return read.voxels if isinstance(read, StoredField) else read
