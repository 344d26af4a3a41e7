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


def rician_mean(signal: np.ndarray, sigma: float) -> np.ndarray:
    """Expected magnitude of a true ``signal`` under Rician noise: ``sigma sqrt(pi/2) L_1/2(-signal^2 / 2 sigma^2)``.

    Raises
    ------
    ValueError
        If ``sigma`` is not positive.

    References
    ----------
    Gudbjartsson and Patz, Magn. Reson. Med. 1995; with exponentially scaled Bessel functions, which do not overflow.
    """
    from scipy.special import ive

    if sigma <= 0:
        raise ValueError(f"sigma is {sigma}; Rician noise needs a positive one")
    half = (np.asarray(signal, np.float64) / (2 * sigma)) ** 2  # a quarter of the squared signal-to-noise ratio
    return sigma * np.sqrt(np.pi / 2) * ((1 + 2 * half) * ive(0, half) + 2 * half * ive(1, half))


def correct_rician_bias(mean: np.ndarray, sigma: float) -> np.ndarray:
    """Invert `rician_mean`: the signal whose expected magnitude is ``mean``; 0 below the noise floor.

    Exact to 1e-4 sigma: the monotone function is tabulated and interpolated; far above the noise the signal is
    ``mean - sigma^2 / (2 mean)``.

    Parameters
    ----------
    mean : ndarray
        A denoised magnitude image: an estimate of the expected magnitude.
    sigma : float
        SD of the noise in each channel, in the units of ``mean``.

    Returns
    -------
    ndarray of float32

    References
    ----------
    Koay and Basser, J. Magn. Reson. 2006.
    """
    ratio = np.asarray(mean, np.float64) / sigma
    # fine near zero, where the curve is flat and its inverse is steep
    signals = np.linspace(0, np.sqrt(20), 4000) ** 2
    near = np.interp(ratio, rician_mean(signals, 1.0), signals)
    far = ratio - 0.5 / np.maximum(ratio, 1) - 1 / (8 * np.maximum(ratio, 1) ** 3)
    return (sigma * np.where(ratio < 19, near, far)).astype(np.float32)
