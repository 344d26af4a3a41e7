"""fastMRI's metrics, against skimage and against implementations written from the formulas alone."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import uniform_filter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from mrbench.metrics import HIGHEST_PSNR, image_scores, nmse, psnr, ssim
from mrbench_methods.reconstruction.ssim_loss import ssim as ssim_of_tensors


@pytest.fixture
def volume() -> tuple[np.ndarray, np.ndarray]:
    """A stack like a knee's: bright in the middle, dim at its ends, noisy reconstruction."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[-1:1:40j, -1:1:36j]
    shape = np.exp(-4 * (y**2 + x**2)) * (1 + 0.3 * np.cos(9 * x) * np.cos(7 * y))
    target = shape * np.array([0.15, 0.6, 1.0, 0.5, 0.1])[:, None, None]
    return target.astype(np.float32), np.abs(target + 0.02 * rng.standard_normal(target.shape)).astype(np.float32)


def ssim_from_the_formula(target: np.ndarray, prediction: np.ndarray, data_range: float) -> np.ndarray:
    x, y = target.astype(np.float64), prediction.astype(np.float64)

    def mean(a: np.ndarray) -> np.ndarray:
        return uniform_filter(a, (0, 7, 7))

    factor = 49 / 48  # sample covariance
    mx, my = mean(x), mean(y)
    vx, vy, vxy = factor * (mean(x * x) - mx**2), factor * (mean(y * y) - my**2), factor * (mean(x * y) - mx * my)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    return ((2 * mx * my + c1) * (2 * vxy + c2)) / ((mx**2 + my**2 + c1) * (vx + vy + c2))


def test_as_fastmri_evaluate_with_the_maximum_of_the_volume(volume) -> None:
    target, prediction = volume
    top = float(target.max())
    expected = np.mean([structural_similarity(a, b, data_range=top) for a, b in zip(target, prediction, strict=True)])
    assert ssim(target, prediction, data_range=top) == pytest.approx(expected, abs=1e-6)
    by_formula = ssim_from_the_formula(target, prediction, top)[:, 3:-3, 3:-3].mean()
    assert ssim(target, prediction, data_range=top) == pytest.approx(by_formula, abs=1e-6)
    assert psnr(target, prediction, data_range=top) == pytest.approx(
        peak_signal_noise_ratio(target.astype(float), prediction.astype(float), data_range=top), abs=1e-6
    )
    error = np.linalg.norm(target.astype(float) - prediction) ** 2 / np.linalg.norm(target.astype(float)) ** 2
    assert nmse(target, prediction) == pytest.approx(error, rel=1e-6)


def test_the_two_conventions_differ_by_decibels(volume) -> None:
    """Golden: one and the same reconstruction, by the volume's maximum and by each slice's."""
    target, prediction = volume
    top = float(target.max())
    slices = image_scores(target, prediction, data_range=top, by_slice=True)
    assert psnr(target, prediction, data_range=top) == pytest.approx(36.7507, abs=1e-3)
    assert slices["psnr_slice_db"] == pytest.approx(27.3698, abs=1e-3)
    assert ssim(target, prediction, data_range=top) - slices["ssim_slice"] > 0.15
    assert slices["nmse_slice"] > 5 * nmse(target, prediction)


def test_foreground_counts_only_the_mask(volume) -> None:
    target, prediction = volume
    mask = target > 0.3
    spoiled = np.where(mask, prediction, 5)
    far = mask & np.stack([uniform_filter(m.astype(float), 7) > 0.999 for m in mask])
    top = float(target.max())
    assert psnr(target, spoiled, data_range=top, mask=mask) == psnr(target, prediction, data_range=top, mask=mask)
    inside = [ssim(target, image, data_range=top, mask=far) for image in (prediction, spoiled)]
    assert inside[0] == pytest.approx(inside[1], abs=1e-9)
    by_formula = ssim_from_the_formula(target, prediction, top)[mask].mean()
    assert ssim(target, prediction, data_range=top, mask=mask) == pytest.approx(by_formula, abs=1e-6)


@given(st.floats(0.1, 1e4), st.integers(0, 50))
@settings(max_examples=20, deadline=None)
def test_units_do_not_matter(scale: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.random((2, 9, 11)), rng.random((2, 9, 11))
    one = (psnr(a, b, data_range=1), ssim(a, b, data_range=1), nmse(a, b))
    other = (
        psnr(scale * a, scale * b, data_range=scale),
        ssim(scale * a, scale * b, data_range=scale),
        nmse(scale * a, scale * b),
    )
    assert one == pytest.approx(other, rel=1e-6)


def test_perfect_images() -> None:
    image = np.random.default_rng(0).random((2, 9, 9))
    assert psnr(image, image, data_range=1) == HIGHEST_PSNR == pytest.approx(144.494, abs=1e-3)
    assert ssim(image, image, data_range=1) == pytest.approx(1)
    assert nmse(image, image) == 0


def test_the_training_loss_is_the_metric(volume) -> None:
    target, prediction = (torch.from_numpy(a) for a in volume)
    assert ssim_of_tensors(prediction, target, data_range=float(target.max())).item() == pytest.approx(
        ssim(*volume, data_range=float(volume[0].max())), abs=1e-5
    )
