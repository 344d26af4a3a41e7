"""One rule of intensities for all folders of volumes: what is background, what is refused, what is shifted.

1. A constant background is zero. Where at least six of the eight corners of a volume hold one value that a twentieth
   of all voxels or more share, that value is the background, and it is subtracted: 0 changes nothing; 50 or 1e-4, as
   converters and standardised brains have them, become 0.
2. Intensities are magnitudes. Where more than 5 % of the foreground is then still negative, the volume is standardised
   (mean 0) or signed, and refused: clipping would cut away part of the brain. A few negative voxels, as interpolation
   leaves them, become 0.
3. Foreground is the mask that the folder gives, else what is not background, else (no constant background: ringing or
   noise around a head) the `head_mask`, which volumes with the head in air always have.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mrbench.core.errors import DataError
from mrbench.space.pieces import largest_piece

NEGATIVE = 0.05
"""Share of negative voxels in the foreground that interpolation may leave; more is no magnitude image."""

CORNERS = 0.75
"""Share of the eight corners that hold the background: a head may reach into two of them."""

BACKGROUND_SHARE = 0.05
"""Of voxels that must hold the value of the corners for it to be the background."""

DARK = 0.05
"""Of the maximum: what lies around a head without being exactly zero."""


def background_of(volume: np.ndarray) -> float | None:
    """The constant value around the object, or None where there is none, or no object."""
    corners = volume[np.ix_(*([0, -1] for _ in range(volume.ndim)))]
    values, counts = np.unique(corners, return_counts=True)
    value = values[counts.argmax()]
    share = (volume == value).mean()
    if counts.max() < CORNERS * corners.size or not BACKGROUND_SHARE <= share < 1:
        return None
    return float(value)


def without_background(volume: np.ndarray) -> np.ndarray:
    """The volume with its constant background, if it has one, at zero; float32."""
    background = background_of(volume)
    if not background:
        return volume
    shifted = volume - np.float32(background)
    shifted[volume == np.float32(background)] = 0
    return shifted


def shift_note(volumes: Iterable[np.ndarray]) -> str:
    """What a table says where a constant background other than zero is taken off any of the volumes as read."""
    shifted = any(background_of(volume) for volume in volumes)
    return "Its constant background is not zero and was subtracted from every voxel." if shifted else ""


def known_foreground(volume: np.ndarray) -> np.ndarray | None:
    """What is not background, in a volume that `without_background` returned; None without a constant background."""
    return volume != 0 if background_of(volume) == 0 else None


def foreground_of(volume: np.ndarray) -> np.ndarray:
    """Where the object is, in a volume that `without_background` returned; bool."""
    known = known_foreground(volume)
    return known if known is not None else head_mask(volume)


def head_mask(volume: np.ndarray) -> np.ndarray:
    """Where the object is: above 5 % of the maximum, largest piece, holes filled slice by slice.

    Parameters
    ----------
    volume : ndarray, shape ``(z, y, x)``
        Magnitude, not zero everywhere.

    Returns
    -------
    ndarray of bool
    """
    from scipy.ndimage import binary_fill_holes

    return np.stack([binary_fill_holes(plane) for plane in largest_piece(volume > DARK * volume.max())])


def check_magnitude(path: Path, volume: np.ndarray, foreground: np.ndarray | None) -> None:
    """Refuse intensities that are no magnitudes.

    Parameters
    ----------
    path : Path
        What the message names.
    volume : ndarray
        As of `without_background`.
    foreground : ndarray of bool or None
        None where it is not known: then more than 5 % of all voxels must not be clearly negative, which is below -5 %
        of the 99.5th percentile; ringing is weaker.

    Raises
    ------
    DataError
        If more than 5 % of the foreground is negative.
    """
    inside = volume if foreground is None else volume[foreground]
    floor = 0.0 if foreground is not None else -NEGATIVE * max(0.0, float(np.percentile(volume, 99.5)))
    below = float((inside < floor).mean()) if inside.size else 0.0
    if below > NEGATIVE:
        raise DataError(
            f"{path} is negative in {below:.0%} of the {'volume' if foreground is None else 'mask'}; give magnitudes, "
            "not standardised intensities."
        )
