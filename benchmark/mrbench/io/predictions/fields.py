"""Displacement fields and transforms of registration tools, read into voxels of the fixed grid and written back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mrbench.core.errors import DataError, brief
from mrbench.core.grid import Grid
from mrbench.io.apart import read_apart
from mrbench.io.bounds import check_claim
from mrbench.io.nifti import opened, quiet
from mrbench.io.numpy_file import read_npy
from mrbench.io.predictions.grid import LPS, GridError, check_grid

if TYPE_CHECKING:
    from nibabel import Nifti1Header, Nifti1Image

FSL_FIELD, FSL_SPLINES = (2006,), (2007, 2008, 2009, 2016)
"""NIfTI intents of FNIRT: a displacement field, and coefficients of splines."""


@dataclass(frozen=True)
class StoredField:
    """A field as a file holds it and as the definition of its format means it.

    Attributes
    ----------
    components : ndarray, shape ``(3, z, y, x)``
        The numbers as stored, first component first; axes RAS+.
    voxels : ndarray of float32, shape ``(3, z, y, x)``
        mrbench's convention: voxels, pull-back, components ``(z, y, x)``.
    """

    components: np.ndarray
    voxels: np.ndarray


def read_learn2reg(path: Path, grid: Grid) -> StoredField:
    """Learn2Reg: voxels in the order of the dataset's own files, pull-back; ``(x, y, z, 3)`` or ``(3, x, y, z)``.

    ``.npz`` files of half the size hold every second voxel (2020 and 2021). The header of a NIfTI file is not looked
    at, as Learn2Reg's own evaluation does not.
    """
    array = _npz(path) if path.name.lower().endswith(".npz") else np.squeeze(np.asarray(_nifti(path).dataobj))
    if array.ndim != 4 or 3 not in (array.shape[0], array.shape[-1]):
        raise DataError(f"{path} has shape {array.shape}; (x, y, z, 3) or (3, x, y, z) is needed.")
    vectors = np.moveaxis(array, 0, -1) if array.shape[0] == 3 and array.shape[-1] != 3 else array
    vectors = vectors.astype(np.float64)
    wanted = _file_shape(grid)
    if tuple(2 * size for size in vectors.shape[:3]) == wanted:
        vectors = _doubled(vectors)
    if vectors.shape[:3] != wanted:
        raise GridError(f"{path} has shape {vectors.shape[:3]}, its case {wanted}; resample it to the case's grid.")
    return _from_file_order(vectors, grid.file_orientation)


def write_learn2reg(path: Path, field: np.ndarray, grid: Grid) -> None:
    """Write ``(x, y, z, 3)`` float32 in the order of the dataset's own files."""
    import nibabel as nib

    vectors = _to_file_order(field, grid.file_orientation)
    to_ras = np.linalg.inv(nib.orientations.inv_ornt_aff(grid.file_orientation, _file_shape(grid)))
    nib.Nifti1Image(vectors.astype(np.float32), grid.world @ to_ras).to_filename(path)


def read_itk(path: Path, grid: Grid) -> StoredField:
    """ITK, ANTs, elastix (``deformationField``) and greedy: mm along left, posterior, superior, x first, pull-back."""
    if path.name.lower().endswith((".nii", ".nii.gz")):
        image = _nifti(path)
        vectors, affine = np.asarray(image.dataobj), _world(path, image.affine)
        vectors = vectors[:, :, :, 0] if vectors.ndim == 5 and vectors.shape[3] == 1 else vectors
    else:
        vectors, affine = _sitk_vectors(path)
    if vectors.ndim != 4 or vectors.shape[3] != 3:
        raise DataError(f"{path} has shape {vectors.shape}; three components a voxel are needed.")
    turned, canonical, _ = _canonical(vectors.astype(np.float64), affine)
    check_grid(grid, path, turned.shape[1:], canonical)
    return _from_lps_mm(turned, canonical)


def write_itk(path: Path, field: np.ndarray, grid: Grid) -> None:
    """Write a vector image of NIfTI, as ITK does: ``(x, y, z, 1, 3)``, intent 1007, mm, LPS."""
    import nibabel as nib

    mm = np.einsum("ij,jzyx->xyzi", LPS[:3, :3] @ grid.world[:3, :3], np.asarray(field[::-1], np.float64))
    image = nib.Nifti1Image(mm[:, :, :, None].astype(np.float32), grid.world)
    image.header.set_intent(1007)
    image.header.set_xyzt_units("mm")
    image.to_filename(path)


def read_transform(path: Path, grid: Grid) -> StoredField:
    """ITK transforms: affine, B-spline, composite; from points of the fixed image to points of the moving one."""
    where = json.dumps({"shape": list(grid.shape), "affine": (LPS @ grid.world).tolist()})
    read = read_apart("mrbench.io.predictions.transforms", "ITK", path, where)
    return _from_lps_mm(read["lps_mm"], grid.world)


def read_fsl(path: Path, grid: Grid) -> StoredField:
    """FNIRT's field (``--fout``), relative: mm along the axes of the file, x mirrored where that is right-handed.

    References
    ----------
    https://fsl.fmrib.ox.ac.uk/fsl/docs/#/registration/fnirt/user_guide and FSL's newimage: ``newimagevox2mm``.
    """
    image = _nifti(path)
    if int(image.header["intent_code"]) in FSL_SPLINES:
        raise DataError(f"{path} holds FNIRT's coefficients; write the field with `fnirtfileutils --in=... --out=...`.")
    vectors = np.asarray(image.dataobj, np.float64)
    if vectors.ndim != 4 or vectors.shape[3] != 3:
        raise DataError(f"{path} has shape {vectors.shape}; (x, y, z, 3) is needed.")
    affine = _world(path, image.affine)
    sizes = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    if _is_absolute(vectors, sizes):
        raise DataError(f"{path} holds coordinates instead of displacements; convert it by `convertwarp --relout`.")
    voxels = vectors / sizes
    if np.linalg.det(affine[:3, :3]) > 0:
        voxels[..., 0] *= -1
    turned, canonical, orientation = _canonical(vectors, affine)
    check_grid(grid, path, turned.shape[1:], canonical)
    return StoredField(turned, _from_file_order(voxels, orientation).voxels)


def read_npy_field(path: Path, grid: Grid) -> StoredField:
    """NumPy: ``(3, z, y, x)``, mrbench's own convention."""
    array = read_npy(path)
    if array.ndim == 4 and array.shape[0] != 3 and array.shape[-1] == 3:
        raise DataError(f"{path} has shape {array.shape}; move the components to the front: (3, z, y, x).")
    if array.ndim != 4 or array.shape[0] != 3:
        raise DataError(f"{path} has shape {array.shape}; (3, z, y, x) is needed.")
    check_grid(grid, path, array.shape[1:])
    return StoredField(array, np.ascontiguousarray(array, np.float32))


def write_npy_field(path: Path, field: np.ndarray, grid: Grid) -> None:
    """Write ``(3, z, y, x)`` float32."""
    np.save(path, np.asarray(field, np.float32))


def looks_like_itk(path: Path) -> bool:
    """Whether a file holds a vector image of ITK."""
    if path.name.lower().endswith((".mha", ".mhd", ".nrrd")):
        return True
    header = nifti_header(path)
    return header is not None and header["dim"][0] == 5 and header["dim"][5] == 3


def looks_like_fsl(path: Path) -> bool:
    """Whether a file says that it is FNIRT's."""
    header = nifti_header(path)
    return header is not None and int(header["intent_code"]) in (*FSL_FIELD, *FSL_SPLINES)


def looks_like_learn2reg(path: Path) -> bool:
    """Whether a file holds three numbers a voxel and names no other tool."""
    if path.name.lower().endswith(".npz"):
        return True
    header = nifti_header(path)
    if header is None or looks_like_fsl(path):
        return False
    dimensions, first, _, _, last = header["dim"][:5]
    return bool(dimensions == 4 and 3 in (first, last))


def looks_like_transform(path: Path) -> bool:
    """Whether a file is named as ITK's transforms are."""
    return path.name.lower().endswith((".h5", ".hdf5", ".hdf", ".tfm", ".xfm", ".mat", ".txt"))


def nifti_header(path: Path) -> Nifti1Header | None:
    """The header of a NIfTI file, or None of anything else and of what cannot be read."""
    import nibabel as nib

    if not path.name.lower().endswith((".nii", ".nii.gz")):
        return None
    try:
        return nib.load(path).header
    except Exception:  # reading it will say what is wrong
        return None


def _nifti(path: Path) -> Nifti1Image:
    image = opened(path)
    shape = tuple(int(size) for size in image.shape)
    dtype = np.dtype(image.get_data_dtype())
    if dtype.kind not in "iuf":
        raise DataError(f"{path} holds {dtype} values; real numbers are needed.")
    check_claim(path, shape, dtype.itemsize, compressed=path.name.lower().endswith(".gz"))
    try:
        with quiet():
            sound = np.isfinite(image.get_fdata(dtype=np.float32)).all()
    except Exception as error:  # nibabel raises whatever a malformed file leads to
        raise DataError(f"{path} cannot be read as NIfTI ({brief(error)}); the file may be truncated.") from error
    if not sound:
        raise DataError(f"{path} holds NaN or infinite values; replace them in the file, and check its scl_slope.")
    return image


def _npz(path: Path) -> np.ndarray:
    try:
        with np.load(path, allow_pickle=False) as file:
            names = file.files
            if len(names) != 1:
                raise DataError(f"{path} holds {', '.join(names) or 'nothing'}; one array, the field, is needed.")
            return file[names[0]]
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{path} cannot be read ({brief(error)}); write it by numpy.savez_compressed.") from error


def _sitk_vectors(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vectors ``(x, y, z, 3)`` and the RAS affine of an image that SimpleITK reads."""
    import SimpleITK as sitk

    try:
        image = sitk.ReadImage(str(path))
    except Exception as error:
        raise DataError(f"{path} cannot be read by ITK; the file may be truncated.") from error
    if image.GetDimension() != 3:
        raise DataError(f"{path} has {image.GetDimension()} dimensions; a field of a volume is needed.")
    lps = np.eye(4)
    lps[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * np.asarray(image.GetSpacing())
    lps[:3, 3] = image.GetOrigin()
    return np.moveaxis(sitk.GetArrayFromImage(image), (0, 1, 2), (2, 1, 0)), _world(path, LPS @ lps)


def _world(path: Path, affine: np.ndarray) -> np.ndarray:
    """The affine of a file; `DataError` of one that does not say where voxels lie."""
    import nibabel as nib

    if not np.isfinite(affine).all() or np.isnan(nib.io_orientation(affine)).any():
        raise DataError(f"{path} has no affine that says where voxels lie; correct its header.")
    return affine


def _canonical(vectors: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Turn the axes of ``(x, y, z, 3)`` to RAS+, and leave the components: ``(3, z, y, x)``, affine, orientation."""
    import nibabel as nib

    orientation = nib.io_orientation(affine)
    turned = nib.apply_orientation(vectors, orientation)
    canonical = affine @ nib.orientations.inv_ornt_aff(orientation, vectors.shape[:3])
    return turned.transpose(3, 2, 1, 0), canonical, orientation


def _from_lps_mm(components: np.ndarray, affine: np.ndarray) -> StoredField:
    """Of ``(3, z, y, x)``, mm in LPS and x first, on a RAS+ grid of that affine."""
    to_voxels = np.linalg.inv(affine[:3, :3]) @ LPS[:3, :3]
    voxels = np.einsum("ij,jzyx->izyx", to_voxels, components)[::-1]
    return StoredField(components, np.ascontiguousarray(voxels, np.float32))


def _from_file_order(vectors: np.ndarray, orientation: np.ndarray) -> StoredField:
    """Of ``(x, y, z, 3)``, voxels along the axes of a file of that orientation."""
    import nibabel as nib

    turned = nib.apply_orientation(vectors, orientation).transpose(3, 2, 1, 0)
    voxels = np.empty(turned.shape, np.float32)
    for axis, (place, sign) in enumerate(orientation):
        voxels[2 - int(place)] = sign * turned[axis]
    return StoredField(turned, voxels)


def _to_file_order(field: np.ndarray, orientation: np.ndarray) -> np.ndarray:
    """The inverse of `_from_file_order`."""
    import nibabel as nib

    stored = np.stack([sign * field[2 - int(place)] for place, sign in orientation])
    turned = np.empty((3, 2))
    for axis, (place, sign) in enumerate(orientation):
        turned[int(place)] = axis, sign
    return nib.apply_orientation(stored.transpose(3, 2, 1, 0), turned)


def _file_shape(grid: Grid) -> tuple[int, ...]:
    """Shape ``(x, y, z)`` of the dataset's own files."""
    ras = grid.shape[::-1]
    return tuple(ras[int(place)] for place, _ in grid.file_orientation)


def _doubled(vectors: np.ndarray) -> np.ndarray:
    """Every second voxel to every voxel, as Learn2Reg's evaluation of 2021 does."""
    from scipy.ndimage import zoom

    return np.stack([zoom(vectors[..., axis], 2, order=2) for axis in range(3)], axis=-1)


def _is_absolute(vectors: np.ndarray, sizes: np.ndarray) -> bool:
    """Whether vectors follow the coordinates of their voxels more closely than they follow zero."""
    places = np.moveaxis(np.indices(vectors.shape[:3]), 0, -1) * sizes
    centred = places - places.mean(axis=(0, 1, 2))
    stored = vectors - vectors.mean(axis=(0, 1, 2))
    return bool(
        np.abs(np.abs(stored) - np.abs(centred)).mean() < 0.5 * np.abs(centred).mean()
        and stored.std() > 0.5 * centred.std()
    )
