"""Loss of resolution: where voxels lie, what is lost, and the transpose."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from mrbench.physics.resolution import Degradation, profile_sd, spline, zero_fill
from mrbench.tasks.super_resolution import TRACKS

SHAPE = (24, 40, 32)
DEGRADATIONS = {track.degradation: None for track in (track.settings for track in TRACKS.values())} | dict.fromkeys(
    [Degradation("slices", (3, 1, 2)), Degradation("blur", (1, 4, 3)), Degradation("truncation", (3, 1, 2))]
)
each_degradation = pytest.mark.parametrize(
    "degradation", DEGRADATIONS, ids=lambda d: f"{d.kind}-{'x'.join(map(str, d.factors))}"
)


def blob(centre: tuple[float, ...], sds: tuple[float, ...], shape: tuple[int, ...]) -> np.ndarray:
    grid = np.indices(shape, np.float32)
    squared = sum(((axis - c) / sd) ** 2 for axis, c, sd in zip(grid, centre, sds, strict=True))
    return np.exp(-squared / 2).astype(np.float32)


def centroid(volume: np.ndarray) -> np.ndarray:
    return np.array([(axis * volume).sum() / volume.sum() for axis in np.indices(volume.shape)])


def band_limited(shape: tuple[int, ...], factors: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Random, with nothing at or beyond the highest frequency of the low resolution."""
    spectrum = np.fft.fftn(np.random.default_rng(seed).standard_normal(shape))
    for axis, (size, factor) in enumerate(zip(shape, factors, strict=True)):
        if factor > 1:
            kept = np.abs(np.fft.fftfreq(size)) < 0.5 / factor - 1e-9
            spectrum *= kept.reshape([-1 if n == axis else 1 for n in range(len(shape))])
    return np.fft.ifftn(spectrum).real.astype(np.float32)


@each_degradation
def test_voxels_lie_at_origin_plus_n_factors(degradation: Degradation) -> None:
    """In the centroid of a blob, which is nowhere near symmetric to the grid."""
    shape = tuple(n * f for n, f in zip((20, 24, 22), degradation.factors, strict=True))
    centre = tuple(0.45 * n + shift for n, shift in zip(shape, (0.3, -0.4, 0.8), strict=True))
    smooth = tuple(1.5 * f for f in degradation.factors)  # so that a truncation hardly rings
    low = degradation.apply(blob(centre, smooth, shape)).real
    assert low.shape == degradation.low_shape(shape)
    place = np.array(degradation.origin) + centroid(low) * degradation.factors
    np.testing.assert_allclose(place, centre, atol=0.02)


@each_degradation
def test_interpolation_puts_a_blob_back(degradation: Degradation) -> None:
    centre = (12.3, 19.6, 17.8)
    low = degradation.apply(blob(centre, (4.0, 4.0, 4.0), (24, 40, 36))).real
    np.testing.assert_allclose(centroid(spline(low.astype(np.float32), degradation)), centre, atol=0.06)


@pytest.mark.parametrize("track", ["3d-x2", "2d-x4", "3d-x2-blur"])
def test_an_impulse_comes_to_the_voxel_it_lies_at(track: str) -> None:
    degradation = TRACKS[track].settings.degradation
    n = (3, 5, 2)
    volume = np.zeros(SHAPE, np.float32)
    volume[tuple(a * f for a, f in zip(n, degradation.factors, strict=True))] = 1
    low = np.abs(degradation.apply(volume))
    assert np.unravel_index(low.argmax(), low.shape) == n


def test_an_impulse_between_two_slabs_falls_in_the_nearer() -> None:
    volume = np.zeros((32, 6, 5), np.float32)
    volume[11, 2, 3] = 1  # the last voxel of slab 2
    profile = Degradation("slices", (4, 1, 1)).apply(volume)[:, 2, 3]
    assert profile.argmax() == 2 and profile[3] > profile[1]
    volume = np.roll(volume, 1, axis=0)
    assert Degradation("slices", (4, 1, 1)).apply(volume)[:, 2, 3].argmax() == 3


@pytest.mark.parametrize("thickness", [2, 3, 4, 5])
def test_the_profile_of_a_slice_is_as_wide_as_the_slice(thickness: int) -> None:
    """Half the weight of the centre lies half a thickness from it, on both sides."""
    size = 16 * thickness
    degradation = Degradation("slices", (thickness, 1, 1))
    weights = degradation.apply(np.eye(size, dtype=np.float32).reshape(size, size, 1))[8, :, 0]
    centre = degradation.origin[0] + 8 * thickness
    position = np.arange(size) - centre
    inside = weights > 1e-6
    # the logarithm of a Gaussian is a parabola: its curvature is exact, where the values are only samples
    curvature, slope, _ = np.polyfit(position[inside], np.log(weights[inside].astype(np.float64)), 2)
    assert 2 * np.sqrt(np.log(2) / -curvature) == pytest.approx(thickness, rel=1e-3)
    assert slope == pytest.approx(0, abs=1e-4) and weights.sum() == pytest.approx(1, abs=1e-6)
    assert profile_sd(thickness) == pytest.approx(np.sqrt(-1 / (2 * curvature)), rel=1e-3)


@pytest.mark.parametrize("factors", [(2, 2, 2), (1, 4, 4), (3, 1, 2)])
def test_blur_is_scipys_gaussian_then_every_nth_voxel(factors: tuple[int, int, int]) -> None:
    volume = np.random.default_rng(0).random((24, 40, 32), np.float32)
    expected = gaussian_filter(volume, [float(f > 1) for f in factors], mode="nearest", truncate=6)
    z, y, x = factors
    np.testing.assert_allclose(Degradation("blur", factors).apply(volume), expected[::z, ::y, ::x], atol=1e-6)


def test_odd_thick_slices_are_scipys_gaussian_at_their_middle_voxels() -> None:
    volume = np.random.default_rng(0).random((24, 9, 7), np.float32)
    expected = gaussian_filter1d(volume, profile_sd(3), axis=0, mode="nearest", truncate=6)[1::3]
    np.testing.assert_allclose(Degradation("slices", (3, 1, 1)).apply(volume), expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(24, 40, 32), (9, 21, 15), (1, 18, 30), (6, 6, 6)])
@pytest.mark.parametrize("factors", [(1, 2, 2), (1, 3, 3), (3, 3, 3), (2, 2, 2)])
def test_zero_fill_undoes_truncation_of_what_is_band_limited(shape, factors: tuple[int, int, int]) -> None:
    """Odd and even sizes, before and after: 9/3, 15/3, 18/2 and 6/2 are odd, 24/2 and 18/3 even."""
    if any(n % f for n, f in zip(shape, factors, strict=True)):
        with pytest.raises(ValueError, match="cannot be divided"):
            Degradation("truncation", factors).apply(np.zeros(shape, np.float32))
        return
    volume = band_limited(shape, factors)
    low = Degradation("truncation", factors).apply(volume)
    np.testing.assert_allclose(zero_fill(low, shape), volume, atol=1e-5)
    z, y, x = factors
    np.testing.assert_allclose(low, volume[::z, ::y, ::x], atol=1e-5)  # nothing aliases, so the voxels are samples


@each_degradation
def test_a_constant_stays_and_truncation_keeps_the_mean(degradation: Degradation) -> None:
    flat = np.full((24, 48, 36), 0.7, np.float32)
    np.testing.assert_allclose(degradation.apply(flat), 0.7, atol=1e-6)
    if degradation.kind == "truncation":
        volume = np.random.default_rng(0).random((24, 48, 36), np.float32)
        assert degradation.apply(volume).mean() == pytest.approx(volume.mean(dtype=np.float64), rel=1e-5)


@pytest.mark.parametrize("kind", ["truncation", "blur", "slices"])
def test_factors_that_do_not_divide_are_refused(kind) -> None:
    degradation = Degradation(kind, (1, 2, 4))
    for shape in ((5, 7, 8), (5, 8, 10)):
        with pytest.raises(ValueError, match=r"cannot be divided by \(1, 2, 4\)"):
            degradation.apply(np.zeros(shape, np.float32))
    assert degradation.low_shape((5, 8, 12)) == (5, 4, 3) and degradation.high_shape((5, 4, 3)) == (5, 8, 12)
    with pytest.raises(ValueError):
        degradation.low_shape((8, 12))


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(["truncation", "blur", "slices"]),
    factors=st.tuples(*[st.integers(1, 4)] * 3),
    low=st.tuples(*[st.integers(1, 7)] * 3),
    seed=st.integers(0, 99),
)
def test_adjoint_is_the_transpose_of_apply(kind, factors, low, seed: int) -> None:
    """Borders included; for a truncation with complex low resolution, in the real part."""
    degradation, rng = Degradation(kind, factors), np.random.default_rng(seed)
    x = rng.standard_normal(degradation.high_shape(low)).astype(np.float32)
    y = rng.standard_normal(low).astype(np.float32)
    if kind == "truncation":
        y = (y + 1j * rng.standard_normal(low)).astype(np.complex64)
    back = degradation.adjoint(y)
    assert back.shape == x.shape and back.dtype == np.float32
    ours = np.vdot(degradation.apply(x), y).real
    assert abs(ours - np.vdot(x, back)) < 1e-5 * max(1, np.linalg.norm(x) * np.linalg.norm(y))


@each_degradation
def test_gain_is_the_largest_squared_singular_value(degradation: Degradation) -> None:
    """By power iteration; a real volume, as every method asks for."""
    shape = tuple(5 * f for f in degradation.factors)
    x = np.random.default_rng(0).random(shape, np.float32)
    for _ in range(100):
        x = degradation.adjoint(degradation.apply(x).real)
        norm = np.linalg.norm(x)
        x /= norm
    assert norm == pytest.approx(degradation.gain(shape), rel=1e-3)
