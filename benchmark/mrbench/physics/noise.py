"""Noise of magnitude images and of receivers."""

from __future__ import annotations

import numpy as np


def add_rician(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Add Gaussian noise of SD ``sigma`` to the real and imaginary channel, then take the magnitude."""
    real, imaginary = (sigma * rng.standard_normal(image.shape, dtype=np.float32) for _ in range(2))
    return np.hypot(image + real, imaginary)


def complex_noise(shape: tuple[int, ...], sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Thermal noise of a receiver: SD ``sigma`` in the real and in the imaginary channel, complex64."""
    pair = rng.standard_normal((*shape, 2), dtype=np.float32)
    return (sigma * pair).view(np.complex64)[..., 0]
