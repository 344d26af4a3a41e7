"""Sharpness, against the published algorithms written out pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity

from mrbench.metrics.image import ssim_3d
from mrbench.metrics.sharpness import gmsd, hfen, sharpness_ratio


def stack(shape: tuple[int, int, int] = (3, 17, 20), seed: int = 0) -> np.ndarray:
    """Smooth texture on a slope, float32."""
    texture = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), (0, 1.2, 1.2))
    return (0.4 + texture + 0.02 * np.arange(shape[2])).astype(np.float32)


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    target = stack()
    noise = 0.05 * np.random.default_rng(1).standard_normal(target.shape)
    return target, (gaussian_filter(target, (0, 0.7, 0.7)) + noise).astype(np.float32)


def laplacian_of_gaussian() -> np.ndarray:
    """MATLAB's fspecial('log', 15, 1.5)."""
    gauss, kernel = np.zeros((15, 15)), np.zeros((15, 15))
    for y in range(-7, 8):
        for x in range(-7, 8):
            gauss[y + 7, x + 7] = np.exp(-(x * x + y * y) / (2 * 1.5**2))
    gauss /= gauss.sum()
    for y in range(-7, 8):
        for x in range(-7, 8):
            kernel[y + 7, x + 7] = gauss[y + 7, x + 7] * (x * x + y * y - 2 * 1.5**2) / 1.5**4
    return kernel - kernel.mean()


def slow_log(image: np.ndarray) -> np.ndarray:
    kernel, out = laplacian_of_gaussian(), np.zeros(image.shape)
    for number, plane in enumerate(image.astype(np.float64)):
        wide = np.pad(plane, 7, mode="symmetric")
        for y in range(plane.shape[0]):
            for x in range(plane.shape[1]):
                out[number, y, x] = (wide[y : y + 15, x : x + 15] * kernel).sum()
    return out


def slow_gmsd(target: np.ndarray, prediction: np.ndarray) -> float:
    """GMSD.m of Xue et al. on images of 0 to 1, with MATLAB's conv2(.., 'same') and std2 spelled out."""

    def at(plane: np.ndarray, y: int, x: int) -> float:
        return plane[y, x] if 0 <= y < plane.shape[0] and 0 <= x < plane.shape[1] else 0.0

    def gradient(plane: np.ndarray) -> np.ndarray:
        rows, columns = plane.shape
        half = [
            [sum(at(plane, y + a, x + b) for a in (0, 1) for b in (0, 1)) / 4 for x in range(0, columns, 2)]
            for y in range(0, rows, 2)
        ]
        small = np.array(half)
        out = np.zeros(small.shape)
        for y in range(small.shape[0]):
            for x in range(small.shape[1]):
                across = sum(at(small, y + a, x + 1) - at(small, y + a, x - 1) for a in (-1, 0, 1)) / 3
                down = sum(at(small, y + 1, x + a) - at(small, y - 1, x + a) for a in (-1, 0, 1)) / 3
                out[y, x] = (across**2 + down**2) ** 0.5
        return out

    values = []
    for a, b in zip(target.astype(np.float64), prediction.astype(np.float64), strict=True):
        first, second = gradient(255 * a), gradient(255 * b)
        quality = ((2 * first * second + 170) / (first**2 + second**2 + 170)).ravel()
        mean = quality.sum() / len(quality)
        values.append((((quality - mean) ** 2).sum() / (len(quality) - 1)) ** 0.5)
    return sum(values) / len(values)


def test_hfen_is_the_published_kernel(pair) -> None:
    target, prediction = pair
    truth, changed = slow_log(target), slow_log(prediction)
    expected = np.sqrt(((changed - truth) ** 2).sum()) / np.sqrt((truth**2).sum())
    assert hfen(target, prediction) == pytest.approx(expected, abs=1e-6)
    mask = target > 0.5
    inside = np.sqrt(((changed - truth)[mask] ** 2).sum() / (truth[mask] ** 2).sum())
    assert hfen(target, prediction, mask=mask) == pytest.approx(inside, abs=1e-6)


@pytest.mark.parametrize("shape", [(2, 16, 20), (2, 17, 20), (2, 16, 21), (1, 7, 9)])
def test_gmsd_is_the_published_code_on_even_and_odd_sizes(shape: tuple[int, int, int]) -> None:
    target = stack(shape)
    prediction = target + 0.1 * stack(shape, seed=3)
    assert gmsd(target, prediction, data_range=1) == pytest.approx(slow_gmsd(target, prediction), abs=1e-6)


def test_sharpness_ratio_is_of_central_differences(pair) -> None:
    target, prediction = pair

    def mean_gradient(image: np.ndarray, mask: np.ndarray) -> float:
        image, values = image.astype(np.float64), []
        for s, y, x in np.argwhere(mask):
            steps = []
            for place, size, line in ((y, image.shape[1], image[s, :, x]), (x, image.shape[2], image[s, y, :])):
                low, high = max(place - 1, 0), min(place + 1, size - 1)
                steps.append((line[high] - line[low]) / (high - low))
            values.append((steps[0] ** 2 + steps[1] ** 2) ** 0.5)
        return sum(values) / len(values)

    for mask in (np.ones(target.shape, bool), target > 0.5):
        expected = mean_gradient(prediction, mask) / mean_gradient(target, mask)
        assert sharpness_ratio(target, prediction, mask=mask) == pytest.approx(expected, abs=1e-6)
    assert sharpness_ratio(target, prediction) == pytest.approx(
        sharpness_ratio(target, prediction, mask=np.ones(target.shape, bool)), abs=1e-12
    )


def test_only_what_lies_within_slices_counts(pair) -> None:
    """Slices are images of their own: their order is of no matter, unlike a swap of slices with rows."""
    target, prediction = pair
    order = [2, 0, 1]
    for measure in (hfen, lambda a, b: gmsd(a, b, data_range=1), sharpness_ratio):
        own = measure(target, prediction)
        assert measure(target[order], prediction[order]) == pytest.approx(own, abs=1e-12)
        swapped = [np.ascontiguousarray(image.swapaxes(0, 1)) for image in pair]
        assert measure(*swapped) != pytest.approx(own, abs=1e-3)


@given(st.floats(0.1, 1e3), st.floats(-2, 2), st.integers(0, 50))
@settings(max_examples=20, deadline=None)
def test_units_and_a_constant(scale: float, offset: float, seed: int) -> None:
    a, b = np.random.default_rng(seed).random((2, 2, 9, 11))
    assert hfen(scale * a + offset, scale * b + offset) == pytest.approx(hfen(a, b), abs=1e-6)
    assert hfen(a, b + offset) == pytest.approx(hfen(a, b), abs=1e-6)  # high frequencies alone
    assert gmsd(scale * a, scale * b, data_range=scale) == pytest.approx(gmsd(a, b, data_range=1), abs=1e-6)
    assert sharpness_ratio(scale * a + offset, scale * b) == pytest.approx(sharpness_ratio(a, b), rel=1e-6)
    assert sharpness_ratio(a, scale * b) == pytest.approx(scale * sharpness_ratio(a, b), rel=1e-6)


@given(st.integers(0, 50), st.integers(7, 12), st.integers(7, 12))
@settings(max_examples=20, deadline=None)
def test_equal_images_and_symmetry(seed: int, rows: int, columns: int) -> None:
    a, b = np.random.default_rng(seed).random((2, 2, rows, columns))
    assert hfen(a, a) == 0 and gmsd(a, a, data_range=1) == 0 and sharpness_ratio(a, a) == 1
    assert gmsd(a, b, data_range=1) == pytest.approx(gmsd(b, a, data_range=1), abs=1e-12)
    turned = [image.swapaxes(1, 2) for image in (a, b)]
    assert hfen(*turned) == pytest.approx(hfen(a, b), abs=1e-9)
    assert gmsd(*turned, data_range=1) == pytest.approx(gmsd(a, b, data_range=1), abs=1e-9)


def test_gmsd_depends_on_the_data_range(pair) -> None:
    assert gmsd(*pair, data_range=1) != pytest.approx(gmsd(*pair, data_range=2), rel=1e-2)


@pytest.mark.parametrize("sd", [0.5, 1.0, 2.0])
def test_blur_lowers_sharpness_and_noise_raises_it(sd: float) -> None:
    target = stack((3, 40, 44))
    blurred = gaussian_filter(target, (0, sd, sd))
    noisy = target + 0.1 * sd * np.random.default_rng(2).standard_normal(target.shape).astype(np.float32)
    assert sharpness_ratio(target, blurred) < 1 < sharpness_ratio(target, noisy)
    more = gaussian_filter(target, (0, 2 * sd, 2 * sd))
    assert sharpness_ratio(target, more) < sharpness_ratio(target, blurred)
    assert 0 < hfen(target, blurred) < hfen(target, more) < 1
    assert 0 < gmsd(target, blurred, data_range=1) < gmsd(target, more, data_range=1)


@pytest.mark.parametrize("value", [0, 0.1, 0.5, 1000])
def test_a_flat_target_has_no_sharpness(value: float) -> None:
    """0.1 is not exact in float32 nor float64: what rounding leaves is no edge to divide by."""
    flat, other = np.full((2, 20, 18), value, np.float32), stack((2, 20, 18))
    assert np.isnan(hfen(flat, other)) and np.isnan(sharpness_ratio(flat, other))
    mask = np.zeros(other.shape, bool)
    mask[:, :3, :3] = True
    part = other.copy()
    part[:, :12, :12] = value
    assert np.isnan(hfen(part, other, mask=mask)) and np.isnan(sharpness_ratio(part, other, mask=mask))


def test_ssim_3d_is_that_of_skimage() -> None:
    target = stack((9, 12, 11))
    prediction = target + 0.1 * stack((9, 12, 11), seed=1)
    for data_range in (1, 2.5):
        expected = structural_similarity(target.astype(float), prediction.astype(float), data_range=data_range)
        assert ssim_3d(target, prediction, data_range=data_range) == pytest.approx(expected, abs=1e-6)
    assert ssim_3d(target, target, data_range=1) == pytest.approx(1)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_ssim_3d_of_a_thin_volume_is_none(axis: int) -> None:
    shape = [8, 8, 8]
    shape[axis] = 6
    thin = stack(tuple(shape))
    assert np.isnan(ssim_3d(thin, thin, data_range=1))
    shape[axis] = 7
    just = stack(tuple(shape))
    assert ssim_3d(just, just, data_range=1) == pytest.approx(1)
