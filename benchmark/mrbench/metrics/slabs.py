"""Scores of volumes larger than memory, read a few slices at a time; equal to those of whole volumes to the last digit.

A volume is anything with a shape that can be cut along its first axis: an array, ``np.load(..., mmap_mode="r")``, a
dataset of h5py, or `Turned` of nibabel's ``dataobj``. What depends on slices alone, or on counts, is here; which
metrics do not is told in ``docs/scale.md``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Protocol

import numpy as np

from mrbench.metrics.deformation import jacobian_determinant
from mrbench.metrics.image import scores_of_slices, slice_sums
from mrbench.metrics.overlap import LabelOverlap

SLICES = 16
"""Read at a time; copied, as kernels are compiled for arrays that can be written, not for a file that is mapped."""


class Volume(Protocol):
    """What can be read by slabs."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, key: slice, /) -> np.ndarray: ...


@dataclass(frozen=True)
class Turned:
    """A file with its slowest axis last, as nibabel shows NIfTI ``(x, y, z)``, with the slowest first ``(z, y, x)``."""

    stored: Volume

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.stored.shape[::-1])

    def __getitem__(self, key: slice, /) -> np.ndarray:
        return np.asarray(self.stored[(Ellipsis, key)]).T  # type: ignore[index]


def largest_value(volume: Volume, *, slices: int = SLICES) -> float:
    """The largest value of a volume, which is fastMRI's data range."""
    return max(float(np.max(volume[part])) for part in _parts(volume.shape[0], slices))


def image_scores_by_slabs(
    target: Volume,
    prediction: Volume,
    *,
    data_range: float,
    mask: Volume | None = None,
    by_slice: bool = False,
    slices: int = SLICES,
) -> dict[str, float]:
    """PSNR, SSIM and NMSE of a stack, of its foreground and of its slices: `mrbench.metrics.image_scores`.

    Parameters
    ----------
    target, prediction : volume of real numbers, shape ``(slice, y, x)``
        The truth, and what is scored.
    data_range : float
        Of the volume and of the foreground; see `largest_value`.
    mask : volume of bool, the same shape, optional
        The foreground.
    by_slice : bool
        Whether to score each slice by its own maximum, too.
    slices : int
        Read at a time.

    Returns
    -------
    dict of str to float
        The names of `mrbench.metrics.image_scores`.

    Raises
    ------
    ValueError
        As `mrbench.metrics.image_scores`.
    """
    if target.shape != prediction.shape or (mask is not None and mask.shape != target.shape):
        shapes = f"{target.shape} and {prediction.shape}" + (f", the mask {mask.shape}" if mask is not None else "")
        raise ValueError(f"the volumes have shapes {shapes}; one shape is needed.")
    sums: list[np.ndarray] = []
    tops: list[np.ndarray] = []
    count = 0
    for part in _parts(target.shape[0], slices):
        truth, inside = np.array(target[part]), None if mask is None else np.asarray(mask[part], bool)
        top = truth.max(axis=(1, 2)).astype(np.float64) if by_slice else None
        sums.append(slice_sums(truth, np.array(prediction[part]), inside, data_range, top))
        tops += [] if top is None else [top]
        count += 0 if inside is None else int(np.count_nonzero(inside))
    together = np.concatenate(tops) if by_slice else None
    return scores_of_slices(np.concatenate(sums), target.shape, data_range, None if mask is None else count, together)


def label_overlap_by_slabs(target: Volume, prediction: Volume, *, slices: int = SLICES) -> LabelOverlap:
    """The joint histogram of two label maps, and with it Dice: `mrbench.metrics.LabelOverlap.of`, which see."""
    if target.shape != prediction.shape:
        raise ValueError(f"target has shape {target.shape}, prediction {prediction.shape}; one shape is needed.")
    parts = _parts(target.shape[0], slices)
    return reduce(add, (LabelOverlap.of(np.array(target[p]), np.array(prediction[p])) for p in parts))


def folds_percent_by_slabs(displacement: np.ndarray, *, mask: np.ndarray | None = None, slices: int = SLICES) -> float:
    """Percentage of folded voxels: `mrbench.metrics.folds_percent` of the Jacobian's determinant.

    Parameters
    ----------
    displacement : ndarray of float32 or float64, shape ``(3, z, y, x)``
        Voxels; may be mapped from a file. A slab is read with the slice before and the slice after it.
    mask : ndarray of bool, shape ``(z, y, x)``, optional
        Voxels that count; all by default.
    slices : int
        Read at a time.

    Raises
    ------
    ValueError
        As `mrbench.metrics.jacobian_determinant`, or if no voxel counts.
    """
    size, folded, count = displacement.shape[1], 0, 0
    for part in _parts(size, slices):
        first, last = max(part.start - 1, 0), min(part.stop + 1, size)
        determinant = jacobian_determinant(np.array(displacement[:, first:last]))
        inner = determinant[part.start - first : part.stop - first]
        counted = inner if mask is None else inner[np.asarray(mask[part], bool)]
        folded, count = folded + int(np.count_nonzero(counted <= 0)), count + counted.size
    if not count:
        raise ValueError("the mask is empty; there is nothing to average over.")
    return 100 * (folded / count)


def _parts(size: int, slices: int) -> Iterator[slice]:
    if slices < 1:
        raise ValueError(f"{slices} slices cannot be read at a time; give 1 or more.")
    return (slice(start, min(start + slices, size)) for start in range(0, size, slices))
