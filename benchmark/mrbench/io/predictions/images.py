"""Images and label maps that were made elsewhere: NIfTI, fastMRI's HDF5, NumPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mrbench.core.errors import DataError, brief
from mrbench.core.grid import Grid
from mrbench.io.bounds import check_claim
from mrbench.io.nifti import read_volume
from mrbench.io.numpy_file import read_npy
from mrbench.io.predictions.fields import nifti_header
from mrbench.io.predictions.grid import check_grid

RECONSTRUCTION = "reconstruction"
"""Name of the dataset in the HDF5 files that fastMRI evaluates."""


def read_nifti_image(path: Path, grid: Grid) -> np.ndarray:
    """An image on the case's grid, in the units of the case's inputs."""
    volume = read_volume(path)
    array = _whole(volume.array, grid)
    check_grid(grid, path, array.shape, volume.affine if grid.affine is not None else None)
    return array


def read_nifti_labels(path: Path, grid: Grid) -> np.ndarray:
    """A label map on the case's grid."""
    volume = read_volume(path, labels=True)
    check_grid(grid, path, volume.array.shape, volume.affine if grid.affine is not None else None)
    return volume.array


def write_nifti(path: Path, array: np.ndarray, grid: Grid) -> None:
    """Write ``(z, y, x)`` as NIfTI with the case's affine."""
    import nibabel as nib

    image = nib.Nifti1Image(np.ascontiguousarray(array.transpose(2, 1, 0)), grid.world)
    image.header.set_xyzt_units("mm")
    image.to_filename(path)


def read_fastmri(path: Path, grid: Grid) -> np.ndarray:
    """fastMRI: ``reconstruction`` of ``(slice, y, x)``, in the units of the file's k-space, whole or cropped."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            dataset = file.get(RECONSTRUCTION)
            if not isinstance(dataset, h5py.Dataset):
                raise DataError(f"{path} has no dataset '{RECONSTRUCTION}'; name it so.")
            check_claim(path, dataset.shape, dataset.dtype.itemsize, compressed=dataset.chunks is not None)
            array = np.asarray(dataset[()])
    except DataError:
        raise
    except Exception as error:  # h5py raises whatever a malformed file leads to
        raise DataError(f"{path} cannot be read as HDF5 ({brief(error)}); the file may be truncated.") from error
    if array.ndim == 4 and array.shape[1] == 1:
        array = array[:, 0]
    return _numbers(path, array, grid, grid.scale)


def write_fastmri(path: Path, array: np.ndarray, grid: Grid) -> None:
    """Write ``reconstruction``, float32, in the units of the dataset's k-space."""
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset(RECONSTRUCTION, data=(array.astype(np.float64) * grid.scale).astype(np.float32))


def read_npy_image(path: Path, grid: Grid) -> np.ndarray:
    """NumPy: the array that a method would return."""
    return _numbers(path, read_npy(path), grid, 1.0)


def write_npy(path: Path, array: np.ndarray, grid: Grid) -> None:
    """Write the array as it is."""
    np.save(path, array)


def _numbers(path: Path, array: np.ndarray, grid: Grid, scale: float) -> np.ndarray:
    if array.dtype.kind not in "iufc":
        raise DataError(f"{path} holds {array.dtype} values; numbers are needed.")
    array = _whole(array, grid)
    check_grid(grid, path, array.shape[-3:])
    return array if scale == 1 else (array / scale).astype(np.complex64 if array.dtype.kind == "c" else np.float32)


def _whole(array: np.ndarray, grid: Grid) -> np.ndarray:
    """Put what was cropped to the reference back in the middle of its frame, where the harness crops it again."""
    rows, columns = grid.shape[-2:]
    if grid.crop is None or array.ndim != 3 or array.shape[1:] != grid.crop or grid.crop == (rows, columns):
        return array
    whole = np.zeros((len(array), rows, columns), array.dtype)
    top, left = (rows - grid.crop[0]) // 2, (columns - grid.crop[1]) // 2
    whole[:, top : top + grid.crop[0], left : left + grid.crop[1]] = array
    return whole


def looks_like_nifti(path: Path) -> bool:
    """Whether a file is NIfTI of one number a voxel."""
    header = nifti_header(path)
    return header is not None and all(size <= 1 for size in header["dim"][4 : 1 + header["dim"][0]])


def nifti_shape(path: Path) -> tuple[int, ...] | None:
    """The shape of a NIfTI file in its own order of axes; None of another file."""
    header = nifti_header(path)
    return None if header is None else tuple(int(size) for size in header["dim"][1 : 1 + header["dim"][0]])


def looks_like_fastmri(path: Path) -> bool:
    """Whether a file is HDF5 by its name."""
    return path.name.lower().endswith((".h5", ".hdf5", ".hdf"))
