"""Sampling masks of Cartesian k-space. A mask is bool, True where a sample was taken."""

from __future__ import annotations

import numpy as np

from mrbench.core.errors import RequestError

BISECTIONS = 60
"""Of the slope of a Poisson disc: more than its floats can be halved."""

ATTEMPTS, TOLERANCE = 30, 0.1
"""sigpy's defaults: samples tried around each before it is left, and the acceleration met to within."""


def centre_columns(width: int, fraction: float) -> slice:
    """The fully sampled middle of the phase-encoding axis, placed as fastMRI places it."""
    count = round(width * fraction)
    start = (width - count + 1) // 2
    return slice(start, start + count)


def random_columns(width: int, acceleration: float, centre_fraction: float, rng: np.random.Generator) -> np.ndarray:
    """fastMRI's random mask: the centre, and every other column by a coin toss.

    The coin is such that the *expected* number of columns is ``width / acceleration``; a drawn mask may lie
    well off it, so report `true_acceleration`.

    Returns
    -------
    ndarray of bool, shape ``(width,)``

    References
    ----------
    ``RandomMaskFunc`` of fastmri/data/subsample.py (Zbontar et al., arXiv:1811.08839).
    """
    centre = centre_columns(width, centre_fraction)
    count = centre.stop - centre.start
    probability = (width / acceleration - count) / (width - count)
    mask = rng.random(width) < probability
    mask[centre] = True
    return mask


def equispaced_columns(width: int, acceleration: int, centre_fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Every ``acceleration``-th column from a random offset, and the centre: what GRAPPA needs.

    The spacing is exact, unlike fastMRI's ``EquispacedMaskFractionFunc``; the centre comes on top, so the
    true acceleration is lower than the nominal one.
    """
    mask = np.zeros(width, bool)
    mask[rng.integers(acceleration) :: acceleration] = True
    mask[centre_columns(width, centre_fraction)] = True
    return mask


def gaussian_columns(
    frames: int, width: int, acceleration: float, centre_lines: int, rng: np.random.Generator
) -> np.ndarray:
    """Variable density by frame: ``width / acceleration`` columns each, of a Gaussian density plus a floor.

    Returns
    -------
    ndarray of bool, shape ``(frames, width)``

    References
    ----------
    Schlemper et al., IEEE TMI 2018; ``cartesian_mask`` of their code, after k-t FOCUSS (Jung et al. 2009).
    """
    count = int(width / acceleration)
    position = np.arange(width) - width // 2
    density = np.exp(-0.5 * (position / (width / 10)) ** 2) + 0.5 / acceleration
    start = width // 2 - centre_lines // 2
    density[start : start + centre_lines] = 0
    density /= density.sum()
    mask = np.zeros((frames, width), bool)
    mask[:, start : start + centre_lines] = True
    for frame in mask:
        frame[rng.choice(width, count - centre_lines, replace=False, p=density)] = True
    return mask


def poisson_disc(shape: tuple[int, int], acceleration: float, calibration: int, seed: int) -> np.ndarray:
    """Variable-density Poisson disc over both axes, with a fully sampled square in the middle (sigpy's).

    The density falls off as ``1 / (1 + slope * radius)``; its slope is searched by bisection until the acceleration is
    met. The masks are those of `sigpy.mri.poisson`, whose search never ends where no slope meets it.

    Returns
    -------
    ndarray of bool, shape ``shape``

    Raises
    ------
    RequestError
        If no such mask exists: the square alone holds more samples, or the grid is too small.
    """
    from sigpy.mri.samp import _poisson

    rows, columns = shape
    fault = f"no Poisson disc of {rows} x {columns} is undersampled {acceleration:g}-fold around a full centre"
    if acceleration <= 1 or calibration >= min(shape):
        raise RequestError(f"{fault} of {calibration}; choose others.")
    y, x = (np.maximum(np.abs(np.arange(size) - size / 2) - calibration / 2, 0) for size in shape)
    radius = np.hypot((y / y.max())[:, None], (x / x.max())[None])
    low, high = 0.0, float(max(shape))
    for _ in range(BISECTIONS):
        slope = (low + high) / 2
        reach = [np.clip((1 + radius * slope) * size / max(shape), 1, None) for size in (columns, rows)]
        mask = _poisson(columns, rows, ATTEMPTS, *reach, (calibration, calibration), seed % 2**31) * (radius < 1)
        reached = mask.size / max(mask.sum(), 1)
        if abs(reached - acceleration) < TOLERANCE:
            return mask > 0
        low, high = (slope, high) if reached < acceleration else (low, slope)
    raise RequestError(f"{fault} of {calibration}; choose others.")


def true_acceleration(mask: np.ndarray) -> float:
    """Number of samples of full k-space over the number taken."""
    return float(mask.size / mask.sum())


def calibration_size(mask: np.ndarray) -> tuple[int, int]:
    """Rows and columns of the largest centred block that every frame samples fully.

    Parameters
    ----------
    mask : ndarray of bool, shape ``(frame, y, x)``
        Which samples were measured.

    Returns
    -------
    tuple of int
        ``(0, 0)`` where not even the centre is sampled. Of a column mask, all rows.
    """
    everywhere: np.ndarray = np.logical_and.reduce(mask, axis=0)
    rows, columns = everywhere.shape
    if not everywhere[rows // 2, columns // 2]:
        return 0, 0
    if everywhere[:, columns // 2].all():
        return rows, _run(np.logical_and.reduce(everywhere, axis=0), columns // 2)
    if everywhere[rows // 2].all():
        return _run(np.logical_and.reduce(everywhere, axis=1), rows // 2), columns
    side = 1
    while side < min(rows, columns) and everywhere[centred(rows, side + 1), centred(columns, side + 1)].all():
        side += 1
    return side, side


def centred(size: int, width: int) -> slice:
    """The ``width`` samples around the zero frequency of an axis of ``size``."""
    start = size // 2 - width // 2
    return slice(start, start + width)


def _run(line: np.ndarray, centre: int) -> int:
    """Length of the longest run of True that ``centred`` can cut around the centre."""
    width = 1
    while width < len(line) and line[centred(len(line), width + 1)].all():
        width += 1
    return width
