"""The tracks of reconstruction: how many coils, and which samples are kept."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from mrbench.physics.sampling import equispaced_columns, gaussian_columns, poisson_disc, random_columns

Pattern = Literal["random", "equispaced", "gaussian", "poisson", "as acquired"]


@dataclass(frozen=True)
class Track:
    """One standardized setting.

    Attributes
    ----------
    what : str
        One line for lists.
    coils : int or None
        1, or None for as many as the data have.
    pattern : Pattern
    acceleration : int
        Nominal.
    centre_fraction : float
        Of the columns; of a Poisson disc, its square centre as a fraction of the shorter side.
    masks : int
        Masks a subject, each a case of its own.
    """

    what: str
    coils: int | None
    pattern: Pattern
    acceleration: int = 1
    centre_fraction: float = 0.0
    masks: int = 3
    dynamic: bool = False

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


AS_ACQUIRED = "as-acquired"

TRACKS: dict[str, Track] = {
    "singlecoil-4x": Track("one coil, random columns, 8 % centre (fastMRI)", 1, "random", 4, 0.08),
    "singlecoil-8x": Track("one coil, random columns, 4 % centre (fastMRI)", 1, "random", 8, 0.04),
    "multicoil-4x": Track("all coils, random columns, 8 % centre (fastMRI)", None, "random", 4, 0.08),
    "multicoil-8x": Track("all coils, random columns, 4 % centre (fastMRI)", None, "random", 8, 0.04),
    "multicoil-4x-equispaced": Track(
        "all coils, every 4th column and 8 % centre: what GRAPPA needs", None, "equispaced", 4, 0.08, masks=1
    ),
    "multicoil-8x-poisson": Track(
        "all coils, Poisson disc over both axes, 12 % x 12 % centre", None, "poisson", 8, 0.12
    ),
    "cine-8x": Track(
        "one coil, cine, Gaussian columns by frame, 3 % centre (Schlemper)", 1, "gaussian", 8, 0.03125, dynamic=True
    ),
    AS_ACQUIRED: Track("data that came undersampled, with their own mask: no scores", None, "as acquired", masks=1),
}


def draw_mask(track: Track, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draw the mask of one acquisition.

    Parameters
    ----------
    track : Track
    shape : tuple of int
        Of the k-space, ``(frame, coil, y, x)``; columns run along x.
    rng : Generator

    Returns
    -------
    ndarray of bool, shape ``(frame, y, x)``
        The same for all frames, unless the track is dynamic. Read-only.
    """
    frames, _, rows, columns = shape
    acceleration, fraction = track.acceleration, track.centre_fraction
    if track.pattern == "random":
        mask = random_columns(columns, acceleration, fraction, rng)
    elif track.pattern == "equispaced":
        mask = equispaced_columns(columns, acceleration, fraction, rng)
    elif track.pattern == "gaussian":
        mask = gaussian_columns(frames, columns, acceleration, round(columns * fraction), rng)[:, None]
    elif track.pattern == "poisson":
        side = round(min(rows, columns) * fraction)
        mask = poisson_disc((rows, columns), acceleration, side, int(rng.integers(2**31)))
    else:
        raise ValueError(f"no mask is drawn for data sampled {track.pattern}")
    return np.broadcast_to(mask, (frames, rows, columns))
