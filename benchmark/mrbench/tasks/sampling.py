"""The tracks of reconstruction: how many coils, and which samples are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from mrbench.core.track import Track, tracks_by_name
from mrbench.physics.fastmri_masks import FastMriPattern, fastmri_columns
from mrbench.physics.sampling import equispaced_columns, gaussian_columns, poisson_disc, random_columns

Pattern = Literal["random", "equispaced", "gaussian", "poisson", "as acquired"] | FastMriPattern


@dataclass(frozen=True)
class Sampling:
    """Which samples of k-space a track keeps.

    Attributes
    ----------
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

    coils: int | None
    pattern: Pattern
    acceleration: int = 1
    centre_fraction: float = 0.0
    masks: int = 3
    dynamic: bool = False

    @property
    def official(self) -> bool:
        """Whether the masks are fastMRI's own, drawn from names of files."""
        return self.pattern in get_args(FastMriPattern)


@dataclass(frozen=True)
class NoisyTarget(Sampling):
    """The same of simulated k-space, scored against an image with the noise of its full k-space.

    So measured data are scored, whose truth nobody has: a clean target rewards whoever removes noise, too.
    """

    target: str = "root sum of squares of the full, noisy k-space"


@dataclass(frozen=True)
class CentreLines(Sampling):
    """The same with a centre of so many columns, however wide k-space is."""

    centre_lines: int = 24


AS_ACQUIRED = "as-acquired"

TRACKS = tracks_by_name(
    Track("singlecoil-4x", "one coil, random columns, 8 % centre (fastMRI)", Sampling(1, "random", 4, 0.08)),
    Track("singlecoil-8x", "one coil, random columns, 4 % centre (fastMRI)", Sampling(1, "random", 8, 0.04)),
    Track("multicoil-4x", "all coils, random columns, 8 % centre (fastMRI)", Sampling(None, "random", 4, 0.08)),
    Track("multicoil-8x", "all coils, random columns, 4 % centre (fastMRI)", Sampling(None, "random", 8, 0.04)),
    Track(
        "multicoil-4x-equispaced",
        "all coils, every 4th column and 8 % centre: what GRAPPA needs",
        Sampling(None, "equispaced", 4, 0.08, masks=1),
    ),
    Track(
        "multicoil-8x-poisson",
        "all coils, Poisson disc over both axes, 12 % x 12 % centre",
        Sampling(None, "poisson", 8, 0.12),
    ),
    *(
        Track(
            f"cine-{fold}x",
            "one coil, cine, Gaussian columns by frame, 3 % centre (Schlemper)",
            Sampling(1, "gaussian", fold, 0.03125, dynamic=True),
        )
        for fold in (8, 10)
    ),
    *(
        Track[Sampling](
            f"multicoil-{fold}x-noisy-target",
            f"as multicoil-{fold}x of simulated k-space, scored against the RSS of the full, noisy k-space",
            NoisyTarget(None, "random", fold, fraction),
        )
        for fold, fraction in ((4, 0.08), (8, 0.04))
    ),
    *(
        Track(
            f"fastmri-{name}-{fold}x",
            f"fastMRI's validation: {what}, {pattern} columns by file name, {100 * fraction:g} % centre",
            Sampling(coils, f"fastmri-{pattern}", fold, fraction, masks=1),  # type: ignore[arg-type]
        )
        for name, what, coils, pattern in (
            ("knee", "all coils", None, "random"),
            ("knee-singlecoil", "one coil", 1, "random"),
            ("brain", "all coils", None, "equispaced-fraction"),
            ("magic", "all coils", None, "magic"),
        )
        for fold, fraction in ((4, 0.08), (8, 0.04))
    ),
    *(
        Track[Sampling](
            f"cmrxrecon-{fold}x",
            f"all coils, cine, every {fold}th column and 24 in the centre (CMRxRecon 2023)",
            CentreLines(None, "equispaced", fold, masks=1, dynamic=True),
        )
        for fold in (4, 8, 10)
    ),
    Track(
        AS_ACQUIRED,
        "data that came undersampled, with their own mask: no scores",
        Sampling(None, "as acquired", masks=1),
    ),
)


def draw_mask(sampling: Sampling, shape: tuple[int, ...], rng: np.random.Generator, *, file: str = "") -> np.ndarray:
    """Draw the mask of one acquisition.

    Parameters
    ----------
    sampling : Sampling
        What the track prescribes.
    shape : tuple of int
        Of the k-space, ``(frame, coil, y, x)``; columns run along x.
    rng : Generator
        Where all that is random comes from.
    file : str
        Name of the file, which fastMRI's own masks are drawn from; without one, as in its training, from ``rng``.

    Returns
    -------
    ndarray of bool, shape ``(frame, y, x)``
        The same for all frames, unless the sampling is dynamic. Read-only.
    """
    frames, _, rows, columns = shape
    acceleration, fraction = sampling.acceleration, sampling.centre_fraction
    if isinstance(sampling, CentreLines):
        fraction = min(1.0, sampling.centre_lines / columns)
    if sampling.official:
        name = file or str(rng.integers(2**31))
        mask = fastmri_columns(sampling.pattern, columns, acceleration, fraction, name)  # type: ignore[arg-type]
    elif sampling.pattern == "random":
        mask = random_columns(columns, acceleration, fraction, rng)
    elif sampling.pattern == "equispaced":
        mask = equispaced_columns(columns, acceleration, fraction, rng)
    elif sampling.pattern == "gaussian":
        mask = gaussian_columns(frames, columns, acceleration, round(columns * fraction), rng)[:, None]
    elif sampling.pattern == "poisson":
        side = round(min(rows, columns) * fraction)
        mask = poisson_disc((rows, columns), acceleration, side, int(rng.integers(2**31)))
    else:
        raise ValueError(f"no mask is drawn for data sampled {sampling.pattern}")
    return np.broadcast_to(mask, (frames, rows, columns))
