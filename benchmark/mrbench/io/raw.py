"""k-space as a file holds it, brought to one form and settled: mask, crop, reference."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mrbench.core.errors import DataError
from mrbench.physics.fourier import centre_crop, root_sum_of_squares, to_image

MASK_SUFFIX = ".mask.npy"
"""``NAME.mask.npy`` beside ``NAME.npy`` or ``NAME.cfl``."""

AXES = ("frame", "coil", "y", "x")

_AXIS_NAMES = {**{name: name for name in AXES}, "slice": "frame", "time": "frame"}

LARGEST = 1e15
"""Of a sample's magnitude, and the inverse of the least peak: squares and their sums stay within float32."""

SMALLEST = 7
"""Pixels: the window of SSIM."""


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
    protocol : str
        What was acquired, in the words of the file: ``CORPDFS_FBK``, ``AXT2``.
    acquired : slice or None
        Columns that were measured, where the file tells.
    """

    kspace: np.ndarray
    mask: np.ndarray | None
    crop: tuple[int, int]
    reference: np.ndarray | None
    note: str = ""
    dynamic: bool = False
    protocol: str = ""
    acquired: slice | None = None


def parse_axes(text: str, where: object) -> tuple[str, ...]:
    """Read what the axes of an array are, such as ``slice y x coil``.

    Parameters
    ----------
    text : str
        Names of `AXES` in the array's order, apart by blanks, commas, ``-`` or ``x`` signs; ``slice`` and ``time``
        stand for ``frame``.
    where : object
        What the message names.

    Raises
    ------
    DataError
        If a name is unknown or stands twice, or y or x is missing.
    """
    words = text.casefold().replace(",", " ").replace("-", " ").replace("×", " ").replace(";", " ").split()
    axes = tuple(_AXIS_NAMES.get(word, "") for word in words)
    if "" in axes or len(set(axes)) < len(axes) or not {"y", "x"} <= set(axes):
        raise DataError(f"{where}: axes '{text}' are not clear; name each once of slice (or time), coil, y and x.")
    return axes


def as_frames(path: Path, array: np.ndarray, axes: tuple[str, ...] | None = None) -> np.ndarray:
    """Check an array of k-space and bring it to ``(frame, coil, y, x)``.

    Without ``axes``, two axes are ``(y, x)`` and four are ``(frame, coil, y, x)``; of three nobody knows whether the
    first is coils or slices.

    Raises
    ------
    DataError
        If it is not complex, its axes are not clear, it has fewer than 7 pixels along y or x, is zero everywhere or in
        a whole frame, not finite, or has its zero frequency in the corner.
    """
    if not np.iscomplexobj(array):
        raise DataError(f"{path} holds {array.dtype} numbers; k-space is complex (is this a magnitude image?).")
    frames = _ordered(path, array, axes)
    if min(frames.shape[2:]) < SMALLEST:
        rows, columns = frames.shape[2:]
        raise DataError(f"{path} has {rows} x {columns} samples; at least {SMALLEST} x {SMALLEST} are needed to score.")
    if not np.isfinite(frames).all():
        raise DataError(f"{path} holds NaN or infinite samples; replace them by zero and leave them out of the mask.")
    peak = float(max(np.abs(frames.real).max(), np.abs(frames.imag).max()))
    if not peak:
        raise DataError(f"{path} is zero everywhere; check how it was written.")
    if blank := np.flatnonzero(~frames.any(axis=(1, 2, 3))).tolist():  # else it would pass for undersampling
        more = f", and so are {len(blank) - 1} more" if blank[1:] else ""
        raise DataError(f"slice or frame {blank[0]} of {path} is zero in every coil{more}; leave it out.")
    if not 1 / LARGEST < peak < LARGEST:
        raise DataError(f"{path} has samples of {peak:.1g}, whose squares single precision cannot hold; rescale them.")
    frames = np.ascontiguousarray(frames, np.complex64)
    if _starts_at_zero_frequency(frames):
        raise DataError(f"{path} has its zero frequency in the corner; apply numpy.fft.fftshift to its last two axes.")
    return frames


def _ordered(path: Path, array: np.ndarray, axes: tuple[str, ...] | None) -> np.ndarray:
    shape = array.shape
    if axes is None:
        if array.ndim == 3:
            raise DataError(
                f"{path} has shape {shape}, of coils or of slices; save it as (slice, coil, y, x), so {(1, *shape)} or "
                f"{(shape[0], 1, *shape[1:])}, or say axes=coil y x in the table."
            )
        if array.ndim == 4 and shape[1] > min(shape[2:]):
            raise DataError(
                f"{path} has shape {shape}, which is not clear as (slice, coil, y, x); reorder it, or name its axes in "
                "the table, such as axes=slice y x coil."
            )
        if array.ndim not in (2, 4):
            raise DataError(f"{path} has shape {shape}; (y, x) or (slice, coil, y, x) is needed.")
        axes = AXES[-array.ndim :]
    if len(axes) != array.ndim:
        raise DataError(f"{path} has shape {shape} but the table names {len(axes)} axes, {', '.join(axes)}.")
    ordered = array.transpose([axes.index(name) for name in AXES if name in axes])
    absent = tuple(place for place, name in enumerate(AXES) if name not in axes)
    return np.expand_dims(ordered, absent)


def _starts_at_zero_frequency(kspace: np.ndarray) -> bool:
    """Whether the four corners hold far more energy than a block of their size in the middle."""
    energy = (np.abs(kspace) ** 2).reshape(-1, *kspace.shape[-2:]).sum(0)
    reach = [max(1, side // 8) for side in energy.shape]
    shifted = np.fft.fftshift(energy)
    middle = tuple(slice(side // 2 - r, side // 2 + r) for side, r in zip(energy.shape, reach, strict=True))
    return bool(shifted[middle].sum() > 4 * energy[middle].sum())


def fit_mask(path: Path, mask: np.ndarray, kspace: np.ndarray) -> np.ndarray:
    """A mask of shape ``(x,)``, ``(y, x)`` or ``(frame, y, x)`` as ``(frame, y, x)``.

    Raises
    ------
    DataError
        If it has another shape, holds no numbers, or takes no sample of a frame.
    """
    frames, _, rows, columns = kspace.shape
    if mask.dtype.kind not in "biuf" or not np.isfinite(mask).all():
        raise DataError(f"{path}: the mask holds {mask.dtype} values or NaN; write booleans.")
    if mask.ndim == 1 and len(mask) != columns:
        raise DataError(
            f"{path}: the mask has {len(mask)} columns but k-space has {columns}; give the mask of this file."
        )
    if mask.shape not in ((columns,), (rows, columns), (1, columns), (1, rows, columns), (frames, rows, columns)):
        raise DataError(
            f"{path}: the mask has shape {mask.shape} but k-space has {(frames, rows, columns)} (frame, y, x)."
        )
    if not mask.any():
        raise DataError(f"{path}: the mask takes no sample; check it.")
    taken = np.broadcast_to(mask.astype(bool), (frames, rows, columns))
    if not (some := taken.any(axis=(1, 2))).all():
        raise DataError(f"{path}: the mask takes no sample of slice or frame {int(some.argmin())}; leave it out.")
    return taken


def settle(
    path: Path,
    kspace: np.ndarray,
    mask: np.ndarray | None,
    crop: tuple[int, int] | None = None,
    target: np.ndarray | None = None,
) -> RawKspace:
    """Settle mask, crop and reference, the same way for every format.

    Raises
    ------
    DataError
        If samples are zero and nobody says whether they were taken, or the crop is smaller than a score needs.
    """
    rows, columns = kspace.shape[-2:]
    crop = (min(crop[0], rows), min(crop[1], columns)) if crop else (rows, columns)
    if min(crop) < SMALLEST:
        raise DataError(f"{path} is cropped to {crop[0]} x {crop[1]} pixels; a score needs {SMALLEST} x {SMALLEST}.")
    note = ""
    if mask is None:
        taken = (kspace != 0).any(axis=1)
        if only_padding(taken):
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


def only_padding(taken: np.ndarray) -> bool:
    """Whether all that is zero is a narrow, even rim of columns; a wide or one-sided one is undersampling."""
    columns: np.ndarray = np.logical_and.reduce(taken, axis=(0, 1))
    inside = np.flatnonzero(columns)
    if len(inside) < 0.75 * len(columns) or len(inside) == len(columns) or taken[..., ~columns].any():
        return False
    left, right = inside[0], len(columns) - 1 - inside[-1]
    return bool(columns[inside[0] : inside[-1] + 1].all()) and abs(int(left) - int(right)) <= 2
