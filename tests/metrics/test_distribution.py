"""Distances between sets: against independent formulas, and what each must and must not notice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from scipy.ndimage import gaussian_filter

from mrbench.metrics.distribution import (
    copy_margins,
    frechet_distance,
    kernel_mmd,
    nearest_correlations,
    pair_ms_ssim,
    precision_recall,
)


def features(seed: int, count: int = 60, shift: float = 0.0, scale: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).standard_normal((5, 5))
    return scale * rng.standard_normal((count, 5)) @ mixing + shift


def slices(seed: int, count: int = 12) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((count, 68, 64))
    return gaussian_filter(noise, (0, 4, 4)).astype(np.float32) * 3 + 0.5


def test_frechet_distance_is_that_of_the_matrix_square_root() -> None:
    real, generated = features(0), features(1, shift=0.3, scale=1.4)
    first, second = np.cov(real, rowvar=False), np.cov(generated, rowvar=False)
    root = sqrtm(first @ second).real
    expected = ((real.mean(0) - generated.mean(0)) ** 2).sum() + np.trace(first + second - 2 * root)
    assert frechet_distance(real, generated) == pytest.approx(expected, abs=1e-6)


@given(st.floats(-5, 5), st.integers(0, 100))
def test_frechet_distance_of_a_moved_set_is_the_square_of_the_way(shift: float, seed: int) -> None:
    real = features(seed)
    assert frechet_distance(real, real + shift) == pytest.approx(5 * shift**2, abs=1e-5)
    generated = features(seed + 1, shift=shift)
    assert frechet_distance(real, generated) == pytest.approx(frechet_distance(generated, real), rel=1e-6, abs=1e-6)


def test_frechet_distance_of_fewer_samples_than_features_is_finite() -> None:
    assert 0 <= frechet_distance(features(0, count=4), features(1, count=4)) < np.inf


def test_mmd_is_the_sum_over_pairs_and_unbiased() -> None:
    real, generated = features(0, count=9), features(1, count=7, shift=0.5)

    def mean(a: np.ndarray, b: np.ndarray, same: bool) -> float:
        kernel = [(x @ y / 5 + 1) ** 3 for i, x in enumerate(a) for j, y in enumerate(b) if not (same and i == j)]
        return float(np.mean(kernel))

    expected = mean(real, real, True) + mean(generated, generated, True) - 2 * mean(real, generated, False)
    assert kernel_mmd(real, generated) == pytest.approx(expected, rel=1e-6)
    draws = [kernel_mmd(*np.random.default_rng(seed).standard_normal((2, 20, 3))) for seed in range(400)]
    assert abs(np.mean(draws)) < 3 * np.std(draws) / np.sqrt(len(draws)), "equal distributions: 0 on average"


def test_precision_and_recall_tell_faults_apart() -> None:
    real = features(0, count=200)
    assert precision_recall(real, real) == (1, 1)
    assert precision_recall(real, features(1, shift=100)) == (0, 0)
    precision, recall = precision_recall(real, real[:1] + 0.01 * features(1, count=200))
    assert precision == 1 and recall < 0.05, "a generator of one good sample is precise and has no recall"
    precision, recall = precision_recall(real[:20], features(2, count=400, scale=3))
    assert precision < 0.5 and recall > 0.8, "a generator of everything recalls and is not precise"


def test_ms_ssim_of_pairs_falls_with_variety() -> None:
    images = slices(0)
    order = np.roll(np.arange(len(images)), 1)
    alike = images[:1] + 0.02 * (images - images[:1])
    assert pair_ms_ssim(np.repeat(images[:1], 4, 0), np.array([1, 2, 3, 0]), data_range=1) == pytest.approx(1, abs=1e-5)
    assert pair_ms_ssim(images, order, data_range=1) < 0.5 < pair_ms_ssim(alike, order, data_range=1)


def test_the_nearest_is_found_whatever_its_brightness() -> None:
    training = slices(0)
    indices, correlations = nearest_correlations(0.3 * training[[7, 2]] + 0.1, training)
    assert indices[:, 0].tolist() == [7, 2] and correlations[:, 0] == pytest.approx(1)
    own = slices(1, 3)
    indices, correlations = nearest_correlations(own, training, nearest=2)
    for image, which, values in zip(own, indices, correlations, strict=True):
        every = [np.corrcoef(image.ravel(), other.ravel())[0, 1] for other in training]
        assert values == pytest.approx(np.sort(every)[::-1][:2], abs=1e-6)
        assert every[which[0]] == max(every)


def test_a_copy_is_near_to_one_person_alone() -> None:
    training = slices(0)
    people = np.arange(len(training)) // 2
    mean = training.mean(0, keepdims=True)
    made = np.concatenate([training[[3]], training[[3], :, ::-1], mean])
    highest, margins = copy_margins(made, training, people)
    assert highest[:2] == pytest.approx(1) and margins[0] == pytest.approx(margins[1])
    both = np.concatenate([training, training[..., ::-1]])
    every = np.array([[np.corrcoef(image.ravel(), other.ravel())[0, 1] for other in both] for image in made])
    others = np.where(np.tile(people, 2) == people[3], -1, every[:2]).max(axis=1)
    assert margins[:2] == pytest.approx(1 - others) and margins[2] < margins[0]
    with pytest.raises(ValueError, match="name one of each"):
        copy_margins(made, training, people[:-1])


def test_a_constant_image_correlates_with_nothing() -> None:
    assert nearest_correlations(np.full((1, 68, 64), 0.5, np.float32), slices(0))[1].max() == 0
