"""The Fourier convention: centred and orthonormal. Each test fails for the other choice."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mrbench.physics.fourier import centre_crop, root_sum_of_squares, to_image, to_kspace
from mrbench_methods.reconstruction import fourier as tensors


def noise(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


@given(st.integers(2, 9), st.integers(2, 9))
def test_inverse_and_energy_for_odd_and_even_sizes(rows: int, columns: int) -> None:
    image = noise((2, rows, columns))
    kspace = to_kspace(image)
    assert np.allclose(to_image(kspace), image, atol=1e-5)
    assert np.linalg.norm(kspace) == pytest.approx(np.linalg.norm(image), rel=1e-5)  # orthonormal


@pytest.mark.parametrize("shape", [(8, 6), (7, 5)])
def test_zero_frequency_and_origin_are_in_the_centre(shape: tuple[int, int]) -> None:
    centre = tuple(size // 2 for size in shape)
    flat = to_kspace(np.ones(shape, np.complex64))
    assert np.abs(flat[centre]) == pytest.approx(np.sqrt(shape[0] * shape[1]), rel=1e-5)
    point = np.zeros(shape, np.complex64)
    point[centre] = 1
    assert np.allclose(to_kspace(point), 1 / np.sqrt(shape[0] * shape[1]), atol=1e-6)  # no phase: not off by one


def test_agrees_with_sigpy_and_with_the_tensor_form() -> None:
    import sigpy

    image = noise((3, 11, 14))
    ours = to_kspace(image)
    assert ours.dtype == np.complex64
    assert np.allclose(ours, sigpy.fft(image, axes=(-2, -1)), atol=1e-5)
    assert np.allclose(ours, tensors.to_kspace(torch.from_numpy(image)).numpy(), atol=1e-5)
    assert np.allclose(tensors.to_image(torch.from_numpy(ours)).numpy(), image, atol=1e-5)


def test_root_sum_of_squares_and_crop() -> None:
    images = noise((2, 4, 6, 8))
    assert np.allclose(root_sum_of_squares(images), np.sqrt((np.abs(images) ** 2).sum(1)), atol=1e-6)
    grid = np.arange(48).reshape(6, 8)
    assert (centre_crop(grid, (2, 4)) == grid[2:4, 2:6]).all()
    assert (centre_crop(grid, (3, 8)) == grid[1:4]).all()  # fastMRI rounds down
    with pytest.raises(ValueError, match="no centre"):
        centre_crop(grid, (7, 4))
