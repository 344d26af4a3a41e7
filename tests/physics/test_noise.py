"""Rician noise: its two channels, its mean, and the exact inverse of that."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import ive

from mrbench.physics.noise import add_rician, complex_noise, correct_rician_bias, rician_mean

SIGMAS = pytest.mark.parametrize("sigma", [0.02, 1.0, 300.0])


@pytest.mark.parametrize("signal", [0.0, 0.05, 0.2, 1.0])
def test_noise_is_in_both_channels(signal: float) -> None:
    """Of one channel alone the square would gain one variance, not two, and the spread of air would be wrong."""
    sigma, n = 0.1, 400_000
    noisy = add_rician(np.full(n, signal), sigma, np.random.default_rng(0))
    assert noisy.shape == (n,) and noisy.min() >= 0
    error = 4 * np.std(noisy**2) / np.sqrt(n)
    assert error < 0.25 * sigma**2
    assert np.mean(noisy**2) == pytest.approx(signal**2 + 2 * sigma**2, abs=error)
    if signal == 0:  # Rayleigh; a half-normal has a mean of 0.80 sigma
        assert np.mean(noisy) == pytest.approx(np.sqrt(np.pi / 2) * sigma, rel=5e-3)
        assert np.std(noisy) == pytest.approx(np.sqrt(2 - np.pi / 2) * sigma, rel=5e-3)


def test_channels_are_independent_and_the_input_stays() -> None:
    image = np.zeros((40, 50, 60), np.float32)
    first, second = (add_rician(image, 0.1, np.random.default_rng(seed)) for seed in (0, 1))
    assert not image.any() and not np.array_equal(first, second)
    assert np.array_equal(first, add_rician(image, 0.1, np.random.default_rng(0)))
    # equal or opposite channels would give sqrt(2) |n|, whose values begin at 0: a tenth sigma holds 6 % of them
    assert np.mean(first < 0.01) == pytest.approx(1 - np.exp(-(0.1**2) / 2), abs=1e-3)
    assert abs(np.corrcoef(first[:, :, 1:].ravel(), first[:, :, :-1].ravel())[0, 1]) < 0.02


def test_receivers_have_the_same_noise_in_both_channels() -> None:
    noise = complex_noise((4, 200, 150), 0.3, np.random.default_rng(0))
    assert noise.shape == (4, 200, 150) and noise.dtype == np.complex64
    for channel in (noise.real, noise.imag):
        assert np.std(channel) == pytest.approx(0.3, rel=0.01) and abs(np.mean(channel)) < 0.005
    assert abs(np.corrcoef(noise.real.ravel(), noise.imag.ravel())[0, 1]) < 0.015


@SIGMAS
@pytest.mark.parametrize("ratio", [0.0, 0.3, 1.0, 2.5, 8.0])
def test_mean_is_that_of_many_draws(ratio: float, sigma: float) -> None:
    n = 400_000
    draws = add_rician(np.full(n, ratio * sigma), sigma, np.random.default_rng(3))
    error = 4 * np.std(draws) / np.sqrt(n)
    assert error < 0.01 * sigma
    assert rician_mean(np.array(ratio * sigma), sigma) == pytest.approx(np.mean(draws, dtype=np.float64), abs=error)


@pytest.mark.parametrize("ratio", [0.0, 1e-3, 0.1, 0.7, 1.0, 3.0, 10.0, 40.0, 100.0])
def test_mean_is_the_integral_over_the_density(ratio: float) -> None:
    def weighted(m: float) -> float:
        return m**2 * np.exp(-((m - ratio) ** 2) / 2) * ive(0, m * ratio)

    expected, _ = quad(weighted, max(0, ratio - 12), ratio + 12, points=[max(ratio, 1.0)], epsabs=1e-11, epsrel=1e-11)
    assert rician_mean(np.array(ratio), 1.0) == pytest.approx(expected, abs=1e-6)
    assert rician_mean(np.array(0.02 * ratio), 0.02) == pytest.approx(0.02 * expected, abs=2e-8)


def test_mean_has_its_limits() -> None:
    """The noise floor in air; far above the noise ``signal + sigma^2 / (2 signal)``; no overflow."""
    assert rician_mean(np.array(0.0), 2.0) == pytest.approx(2 * np.sqrt(np.pi / 2))
    far = np.array([200.0, 1e3, 1e4])
    np.testing.assert_allclose(rician_mean(far, 1.0), far + 0.5 / far, rtol=1e-7)


@pytest.mark.parametrize("sigma", [0.0, -0.1])
def test_a_mean_needs_noise(sigma: float) -> None:
    with pytest.raises(ValueError, match="needs a positive one"):
        rician_mean(np.ones(3), sigma)


@SIGMAS
def test_correction_inverts_the_mean(sigma: float) -> None:
    """Over the table, its end and the series beyond it."""
    ratios = np.concatenate([np.geomspace(1e-6, 1, 2000), np.linspace(0, 100, 20_001), np.linspace(18.8, 19.2, 2000)])
    corrected = correct_rician_bias(rician_mean(sigma * ratios, sigma), sigma)
    assert corrected.dtype == np.float32
    # near zero a rounding of the mean by 1e-16 already is 1e-8 of the signal: nothing of 1e-4
    np.testing.assert_allclose(corrected / sigma, ratios, atol=1e-4, rtol=0)


def test_a_mean_far_above_the_noise_is_hardly_moved() -> None:
    means = np.array([1e3, 1e5], np.float32)
    np.testing.assert_allclose(correct_rician_bias(means, 1.0), means, rtol=1e-6)


@SIGMAS
def test_below_the_floor_there_is_no_signal(sigma: float) -> None:
    """A smooth image dips below the lowest mean there is, and some filters below zero."""
    floor = np.sqrt(np.pi / 2)
    below = sigma * np.array([-5.0, -1e-3, 0.0, 0.5, 1.0, floor - 1e-6])
    assert not correct_rician_bias(below, sigma).any()
    assert correct_rician_bias(np.array([sigma * (floor + 0.01)]), sigma)[0] > 0


def test_the_image_stays_and_keeps_its_shape() -> None:
    image = np.random.default_rng(0).random((3, 5, 4), np.float32)
    before = image.copy()
    corrected = correct_rician_bias(image, 0.2)
    assert np.array_equal(image, before) and corrected.shape == image.shape
    assert (corrected <= image).all()  # the bias is upwards alone


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(
    signals=st.lists(st.floats(0, 120), min_size=2, max_size=20),
    sigma=st.floats(1e-3, 1e3),
)
def test_mean_and_correction_are_monotone(signals: list[float], sigma: float) -> None:
    ordered = np.sort(signals)
    means = rician_mean(sigma * ordered, sigma)
    rounding = 1e-12 * sigma * 120
    assert (np.diff(means) >= -rounding).all() and (means >= sigma * np.sqrt(np.pi / 2) - rounding).all()
    values = sigma * ordered  # any image, not the means alone
    corrected = correct_rician_bias(values, sigma).astype(np.float64)
    # float32 may round two neighbours by a unit; the table and the series meet within 1e-4 sigma
    assert (np.diff(corrected) >= -1e-4 * sigma).all()
    assert (corrected >= 0).all()
