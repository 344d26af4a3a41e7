"""Receive coils and object phase: what turns a magnitude image into multi-coil complex data."""

from __future__ import annotations

import numpy as np

from mrbench.physics.fourier import root_sum_of_squares


def receive_coils(shape: tuple[int, int], coils: int, rng: np.random.Generator) -> np.ndarray:
    """Sensitivities of a ring of loops around the image, each falling off with the distance.

    The ring is turned, shifted and sized at random, as heads lie differently in a coil. The maps are
    scaled to a root sum of squares of one, so that the object's magnitude is the truth for sum-of-squares
    and for SENSE reconstructions alike.

    Returns
    -------
    ndarray of complex64, shape ``(coils, y, x)``

    References
    ----------
    The form of sigpy's ``birdcage_maps``.
    """
    rows, columns = shape
    y, x = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
    turn, radius = rng.uniform(0, 2 * np.pi), rng.uniform(1.05, 1.3)
    shift = rng.uniform(-0.1, 0.1, 2)
    angles = turn + 2 * np.pi * np.arange(coils) / coils
    dx = x[None] - shift[1] - radius * np.cos(angles)[:, None, None]
    dy = y[None] - shift[0] - radius * np.sin(angles)[:, None, None]
    maps = np.exp(1j * (np.arctan2(dx, -dy) + angles[:, None, None])) / np.hypot(np.hypot(dx, dy), 0.15)
    return (maps / root_sum_of_squares(maps)).astype(np.complex64)


def smooth_phase(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Unit-magnitude object phase: a smooth random field and a linear ramp, over the last two axes.

    The field has an SD of 0.8 rad and a correlation length of 20 pixels in the image; it changes slowly
    along a leading slice axis. The ramp spans at most half a turn each way.

    Returns
    -------
    ndarray of complex64, shape ``shape``
    """
    from scipy.ndimage import gaussian_filter

    lengths = (*(5.0 for _ in shape[:-2]), 20.0, 20.0)
    field = gaussian_filter(rng.standard_normal(shape), lengths, mode="wrap")
    field *= 0.8 / field.std()
    for axis, size in zip((-2, -1), shape[-2:], strict=True):
        ramp = np.linspace(-0.5, 0.5, size) * rng.uniform(-np.pi, np.pi)
        field += ramp[:, None] if axis == -2 else ramp
    return np.exp(1j * field).astype(np.complex64)
