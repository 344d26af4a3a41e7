"""Reading NIfTI volumes into mrbench's convention: ``(z, y, x)``, RAS+, float32 or int16."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mrbench.core.errors import DataError

SUFFIXES = (".nii.gz", ".nii")


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
        sizes = np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0))
        return tuple(float(size) for size in sizes[::-1])  # type: ignore[return-value]


def read_volume(path: Path, *, labels: bool = False, flat: bool = False) -> Volume:
    """Read a NIfTI file and reorient it to RAS+ by flipping and permuting axes, never by resampling.

    Parameters
    ----------
    path : Path
    labels : bool
        Read integers (int16) instead of float32.
    flat : bool
        Take a 2-D image as a volume of one slice.

    Raises
    ------
    DataError
        If the file cannot be read, is not 3-D, has no affine, or holds NaN or labels that are no integers.
    """
    import nibabel as nib

    try:
        image = nib.load(path)
        data = np.asanyarray(image.dataobj)
    except FileNotFoundError:
        raise DataError(f"{path} is not there; check the path.") from None
    except Exception as error:
        raise DataError(f"{path} cannot be read as NIfTI ({error}); the file may be truncated.") from error
    if not isinstance(image, nib.Nifti1Image):
        raise DataError(f"{path} is {type(image).__name__.removesuffix('Image')}; convert it to NIfTI.")
    if data.dtype.kind not in "iuf":
        raise DataError(f"{path} holds {data.dtype} values; a real volume is needed, such as the magnitude.")
    data = data[..., 0] if data.ndim == 4 and data.shape[3] == 1 else data
    data = data[..., None] if flat and data.ndim == 2 else data
    if data.ndim != 3:
        raise DataError(f"{path} has shape {data.shape}; a 3-D volume is needed.")
    header = image.header
    if header["qform_code"] == 0 and header["sform_code"] == 0:
        raise DataError(f"{path} has no affine (qform and sform codes are 0); set its orientation first.")
    if not np.isfinite(data).all():
        raise DataError(f"{path} holds NaN or infinite values; replace them in the file.")
    if labels and not (np.abs(data - np.rint(data)).max(initial=0) < 1e-3 and 0 <= data.min() <= data.max() < 2**15):
        raise DataError(f"{path} is not a label map: labels are integers from 0 to 32767.")
    data = np.rint(data).astype(np.int16) if labels else data.astype(np.float32)
    canonical = nib.as_closest_canonical(nib.Nifti1Image(data, image.affine))
    array = np.asarray(canonical.dataobj).transpose(2, 1, 0)
    return Volume(np.ascontiguousarray(array, dtype=np.int16 if labels else np.float32), canonical.affine)
