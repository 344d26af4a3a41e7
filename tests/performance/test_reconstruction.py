"""What we wrote ourselves against the library that does the same, measured in one run."""

from __future__ import annotations

import numpy as np
import sigpy
from sigpy.mri.app import EspiritCalib
from tests.performance.conftest import Versus

from mrbench.core.random import rng_for
from mrbench.physics.coils import receive_coils
from mrbench.physics.espirit import espirit
from mrbench.physics.fourier import to_kspace
from mrbench.physics.noise import complex_noise


def test_maps_against_sigpy(versus: Versus) -> None:
    """ESPIRiT of one 128 x 128 slice, 8 coils, 24 x 24 calibration samples: the same maps in less time."""
    y, x = np.mgrid[-1:1:128j, -1:1:128j]
    inside = y**2 + x**2 < 0.7
    image = inside * (1 + 0.3 * np.cos(9 * x) * np.cos(7 * y)) * receive_coils((128, 128), 8, rng_for("a", "coils"))
    kspace = to_kspace(image) + complex_noise(image.shape, 0.002, rng_for("a", "noise"))

    def sigpys() -> np.ndarray:
        return EspiritCalib(kspace, crop=0, show_pbar=False).run()

    assert np.abs((espirit(kspace, (24, 24)) * sigpys().conj()).sum(0))[inside].min() > 0.998
    versus(lambda: espirit(kspace, (24, 24)), sigpys, name="sigpy")


def test_fourier_transform_against_sigpy(versus: Versus) -> None:
    """Centred orthonormal FFT of 5 slices of 8 coils, 128 x 128: the same k-space in less time."""
    rng = np.random.default_rng(0)
    images = (rng.random((5, 8, 128, 128)) + 1j * rng.random((5, 8, 128, 128))).astype(np.complex64)
    assert np.allclose(to_kspace(images), sigpy.fft(images, axes=(-2, -1)), atol=1e-3)
    versus(lambda: to_kspace(images), lambda: sigpy.fft(images, axes=(-2, -1)), name="sigpy", repeats=5)
