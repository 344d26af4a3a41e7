"""k-space that several tests write to files."""

import numpy as np
import pytest

from mrbench.physics.fourier import to_kspace


@pytest.fixture
def kspace() -> np.ndarray:
    rng = np.random.default_rng(1)
    image = np.zeros((3, 4, 24, 16), complex)
    image[:, :, 6:18, 3:13] = rng.random((3, 4, 12, 10)) + 1j * rng.random((3, 4, 12, 10))
    noise = rng.standard_normal(image.shape) + 1j * rng.standard_normal(image.shape)
    return to_kspace(image + 0.01 * noise).astype(np.complex64)
