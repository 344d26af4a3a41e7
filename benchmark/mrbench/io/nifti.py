"""Reading NIfTI volumes into mrbench's convention: ``(z, y, x)``, RAS+, float32 or int16, mm."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mrbench.core.errors import DataError, brief
from mrbench.io.bounds import check_claim

if TYPE_CHECKING:
    from nibabel import Nifti1Header, Nifti1Image

SUFFIXES = (".nii.gz", ".nii")

MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
"""mm in a unit of length, by the lowest three bits of ``xyzt_units``: unknown (taken for mm), metre, mm, micron."""

VOXEL_MM = (0.005, 100.0)
"""What a voxel of MRI may measure: from ex-vivo microscopy to a localiser's slice."""

AGREE = 0.1
"""Fraction of a voxel by which two affines may place a voxel apart and still be the same."""

_CANNOT = (OSError, ValueError, EOFError, MemoryError, OverflowError)


@dataclass(frozen=True)
class Volume:
    """A volume on its own grid.

    Attributes
    ----------
    array : ndarray
        Axes ``(z, y, x)``; indices grow towards superior, anterior, right.
    affine : ndarray
        4x4, maps ``(x, y, z)`` voxel indices to mm in RAS.
    """

    array: np.ndarray
    affine: np.ndarray

    @property
    def spacing(self) -> tuple[float, float, float]:
        """mm, in array order ``(z, y, x)``."""
        return spacing_of(self.affine)


def spacing_of(affine: np.ndarray) -> tuple[float, float, float]:
    """Voxel sizes of an affine in mm, in array order ``(z, y, x)``."""
    x, y, z = np.sqrt((affine[:3, :3] ** 2).sum(axis=0)).tolist()
    return z, y, x


def read_volume(path: Path, *, labels: bool = False, flat: bool = False) -> Volume:
    """Read a NIfTI file and reorient it to RAS+ by flipping and permuting axes, never by resampling.

    Where voxels lie is what sform and qform say together: of two that are set, both must say the same; one that is
    zero, not finite or singular, or whose code is 0 (unknown), is passed over. Lengths are converted from the
    header's unit to mm.

    Parameters
    ----------
    path : Path
        The file.
    labels : bool
        Read integers (int16) instead of float32.
    flat : bool
        Take a 2-D image as a volume of one slice.

    Raises
    ------
    DataError
        If the file cannot be read, is not 3-D, claims more than it holds, has no affine or two that disagree, voxels
        of no possible size, or holds NaN or labels that are no integers.
    """
    import nibabel as nib

    image = opened(path)
    shape = _spatial_shape(path, tuple(int(size) for size in image.shape), flat)
    dtype = np.dtype(image.get_data_dtype())
    if dtype.kind not in "iuf":
        raise DataError(f"{path} holds {dtype} values; a real volume is needed, such as the magnitude.")
    check_claim(path, shape, dtype.itemsize, compressed=path.name.lower().endswith(".gz"))
    affine = _affine_mm(path, image.header, shape)
    data = _values(path, image, labels).reshape(shape)
    canonical = nib.as_closest_canonical(nib.Nifti1Image(data, affine))
    array = np.asarray(canonical.dataobj).transpose(2, 1, 0)
    return Volume(np.ascontiguousarray(array, dtype=np.int16 if labels else np.float32), canonical.affine)


def oriented_points(path: Path, points: np.ndarray) -> np.ndarray:
    """Positions in voxels of a file, ``(x, y, z)`` as it stores them, as ``(z, y, x)`` of what `read_volume` returns.

    Parameters
    ----------
    path : Path
        The image.
    points : ndarray of float, shape ``(point, 3)``
        Counted from 0, at the centres of voxels.

    Raises
    ------
    DataError
        As of `read_volume`, for its header.
    """
    from nibabel.orientations import inv_ornt_aff, io_orientation

    image = opened(path)
    shape = _spatial_shape(path, tuple(int(size) for size in image.shape), False)
    as_stored = inv_ornt_aff(io_orientation(_affine_mm(path, image.header, shape)), shape)
    oriented = np.linalg.inv(as_stored)
    return (points @ oriented[:3, :3].T + oriented[:3, 3])[:, ::-1]


def opened(path: Path) -> Nifti1Image:
    """The image with its header read and its voxels not."""
    import nibabel as nib

    if path.exists() and not path.is_file():
        raise DataError(f"{path} is not a file; check the path.")
    try:
        with quiet():
            image = nib.load(path)
    except FileNotFoundError:
        raise DataError(f"{path} is not there; check the path.") from None
    except Exception as error:  # nibabel raises whatever a malformed header leads to
        raise DataError(f"{path} cannot be read as NIfTI ({brief(error)}); the file may be truncated.") from error
    if not isinstance(image, nib.Nifti1Image):
        raise DataError(f"{path} is {type(image).__name__.removesuffix('Image')}; convert it to NIfTI.")
    return image


@contextmanager
def quiet() -> Iterator[None]:
    """Let nibabel mend a header without a word: what matters of it is checked here."""
    logger = logging.getLogger("nibabel.global")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def _spatial_shape(path: Path, shape: tuple[int, ...], flat: bool) -> tuple[int, ...]:
    sizes = shape
    while len(sizes) > 3 and sizes[-1] == 1:
        sizes = sizes[:-1]
    if flat and len(sizes) == 2:
        sizes = (*sizes, 1)
    if len(sizes) != 3:
        raise DataError(f"{path} has shape {shape}; a 3-D volume is needed.")
    return sizes


def _values(path: Path, image: Nifti1Image, labels: bool) -> np.ndarray:
    try:
        with quiet():
            data = np.asanyarray(image.dataobj)
            if not labels:
                data = data.astype(np.float32)
    except _CANNOT as error:
        raise DataError(f"{path} cannot be read as NIfTI ({brief(error)}); the file may be truncated.") from error
    except Exception as error:  # zlib.error and what nibabel wraps
        raise DataError(f"{path} is damaged ({brief(error)}); copy it again.") from error
    if not np.isfinite(data).all():
        raise DataError(f"{path} holds NaN or infinite values; replace them in the file, and check its scl_slope.")
    if not labels:
        return data
    whole = np.rint(data)
    if not (0 <= data.min() <= data.max() < 2**15 and np.abs(data - whole).max() < 1e-3):
        raise DataError(f"{path} is not a label map: labels are integers from 0 to 32767.")
    return whole.astype(np.int16)


def _affine_mm(path: Path, header: Nifti1Header, shape: tuple[int, ...]) -> np.ndarray:
    """Where voxels lie, in mm of RAS: what sform and qform agree on."""
    unit = MM.get(int(header["xyzt_units"]) & 7)
    if unit is None:
        raise DataError(f"{path} gives its voxel sizes in an unknown unit (xyzt_units); set it to mm.")
    affines = {}
    for name in ("sform", "qform"):
        if int(header[f"{name}_code"]) > 0:
            affine = _usable(header, name)
            if affine is not None:
                affines[name] = affine
    if not affines:
        raise DataError(
            f"{path} has no affine (sform and qform are unset, singular or not finite); set its orientation first."
        )
    if len(affines) == 2:
        apart = voxels_apart(affines["sform"], affines["qform"], shape)
        if apart > AGREE:
            sizes = {name: " x ".join(f"{s:.3g}" for s in spacing_of(a)[::-1]) for name, a in affines.items()}
            raise DataError(
                f"{path} says in two ways where its voxels lie, {apart:.3g} voxels apart (sform: {sizes['sform']}, "
                f"qform: {sizes['qform']}); set the code of the wrong one to 0."
            )
    affine = next(iter(affines.values())).copy()
    affine[:3] *= unit
    smallest, largest = VOXEL_MM
    if not all(smallest <= size <= largest for size in spacing_of(affine)):
        z, y, x = spacing_of(affine)
        raise DataError(
            f"{path} has voxels of {x:.3g} x {y:.3g} x {z:.3g} mm, which no scanner makes; correct its affine or its "
            "unit of length (xyzt_units)."
        )
    return affine


def _usable(header: Nifti1Header, name: str) -> np.ndarray | None:
    """An affine of the header, or None where it is not finite or singular."""
    try:
        with np.errstate(all="ignore"):
            affine = np.asarray(getattr(header, f"get_{name}")(), np.float64)
            if not np.isfinite(affine).all() or np.abs(affine).max() > 1e9:
                return None
            columns = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
            volume = abs(np.linalg.det(affine[:3, :3] / columns)) if columns.min() > 0 else 0.0
    except (ValueError, np.linalg.LinAlgError):  # a quaternion longer than 1
        return None
    except Exception:  # nibabel's HeaderDataError
        return None
    return affine if volume > 1e-3 else None


def voxels_apart(a: np.ndarray, b: np.ndarray, shape: tuple[int, ...]) -> float:
    """How far apart two affines place a voxel of a grid at the most, in voxels of the first.

    Parameters
    ----------
    a, b : ndarray, shape (4, 4)
        From ``(x, y, z)`` indices to mm.
    shape : tuple of int
        Of the grid, order ``(x, y, z)``.
    """
    corners = np.array(np.meshgrid(*((0, size - 1) for size in shape), indexing="ij")).reshape(3, -1)
    gap = np.abs((a - b)[:3, :3] @ corners + (a - b)[:3, 3:])
    return float(np.sqrt((gap**2).sum(axis=0)).max() / np.sqrt((a[:3, :3] ** 2).sum(axis=0)).min())
