"""A tiny phantom as k-space: a smooth object with edges, eight coils or one, slices or a cine."""

from __future__ import annotations

import h5py
import numpy as np

from mrbench.core.case import Case
from mrbench.core.random import rng_for
from mrbench.datasets.acquisition import Acquisition
from mrbench.physics.coils import receive_coils, smooth_phase
from mrbench.physics.fourier import to_kspace
from mrbench.physics.noise import complex_noise
from mrbench.tasks.reconstruction import ReconstructionReference, undersample
from mrbench.tasks.sampling import TRACKS, draw_mask

SHAPE = (48, 96)
"""Rows and columns, different, so that a swapped axis cannot pass."""


def magnitude(frames: int, *, beating: bool = False, seed: int = 0) -> np.ndarray:
    """Ellipses inside an ellipse; the small one beats where asked."""
    rng = rng_for(str(seed), "phantom")
    y, x = np.mgrid[-1 : 1 : SHAPE[0] * 1j, -1 : 1 : SHAPE[1] * 1j]
    centre = rng.uniform(-0.2, 0.2, 2)
    images = []
    for frame in range(frames):
        size = 0.3 - (0.1 * np.sin(2 * np.pi * frame / frames) if beating else 0.02 * frame)
        image = 0.5 * ((y / 0.85) ** 2 + (x / 0.8) ** 2 < 1)
        image += 0.4 * (((y - centre[0]) / size) ** 2 + ((x - centre[1]) / size) ** 2 < 1)
        image += 0.2 * ((y + 0.45) ** 2 + (x - 0.3) ** 2 < 0.03)
        images.append(image * (1 + 0.1 * np.cos(5 * x + 3 * y)))
    return np.stack(images).astype(np.float32)


def acquire(
    frames: int = 2, coils: int = 4, *, noise: float = 0.005, beating: bool = False, seed: int = 0
) -> Acquisition:
    """Fully sampled k-space of the phantom."""
    target = magnitude(frames, beating=beating, seed=seed)
    maps = np.ones((1, *SHAPE), np.complex64)
    if coils > 1:
        maps = receive_coils(SHAPE, coils, rng_for(str(seed), "coils"))
    image = (target * smooth_phase(SHAPE, rng_for(str(seed), "phase")))[:, None] * maps
    kspace = to_kspace(image) + complex_noise(image.shape, noise, rng_for(str(seed), "noise"))
    return Acquisition(kspace.astype(np.complex64), target, target > 0, None, SHAPE, (5.0, 1.0, 1.0), dynamic=beating)


def case_of(track: str, *, frames: int = 2, coils: int | None = None, noise: float = 0.005, seed: int = 0) -> Case:
    """One case of a track, as the task would load it."""
    chosen = TRACKS[track].settings
    scan = acquire(frames, coils or chosen.coils or 6, noise=noise, beating=chosen.dynamic, seed=seed)
    mask = draw_mask(chosen, scan.kspace.shape, rng_for(f"{track} {seed}", "mask"))
    inputs, scale = undersample(scan, mask, slice(None))
    assert scan.reference is not None
    reference = ReconstructionReference(scan.reference / scale, scan.foreground, SHAPE, "")
    return Case("phantom", ("phantom",), inputs, reference, scan.spacing)


def write_fastmri(path, scan: Acquisition) -> None:
    """The acquisition as a fastMRI file."""
    with h5py.File(path, "w") as file:
        file["kspace"] = scan.kspace if scan.kspace.shape[1] > 1 else scan.kspace[:, 0]
        name = "reconstruction_rss" if scan.kspace.shape[1] > 1 else "reconstruction_esc"
        file[name] = scan.reference
