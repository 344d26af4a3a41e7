"""Intervals that cover."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mrbench.stats.intervals import mean_interval, subject_weights

RING = [(f"s{i}", f"s{(i + 1) % 15}") for i in range(15)]
SINGLE = [(f"s{i}",) for i in range(15)]


def coverage(subjects: list, effects: float, noise: float, trials: int = 300) -> float:
    """How often the interval of a mean contains the truth, 0."""
    rng = np.random.default_rng(0)
    weights = subject_weights(subjects, resamples=600)
    names = sorted({person for case in subjects for person in case})
    hits = 0
    for _ in range(trials):
        person = dict(zip(names, rng.normal(0, effects, len(names)), strict=True))
        values = np.array([sum(person[p] for p in case) for case in subjects]) + rng.normal(0, noise, len(subjects))
        _, low, high = mean_interval(values, weights)
        hits += low <= 0 <= high
    return hits / trials


@pytest.mark.parametrize(("effects", "noise"), [(1, 0.3), (0, 1), (1, 1)])
def test_interval_of_pairs_covers_the_truth(effects: float, noise: float) -> None:
    """Pairs in a ring share subjects: resampling the cases would cover 77 % where subjects matter."""
    assert coverage(RING, effects, noise) >= 0.93


def test_interval_of_single_subjects_is_the_ordinary_bootstrap() -> None:
    assert 0.88 <= coverage(SINGLE, 0, 1) <= 0.97
    assert (subject_weights(SINGLE, resamples=50).sum(axis=1) == 15).all()


@given(arrays(float, 15, elements=st.floats(-10, 10)))
def test_interval_contains_its_mean_and_follows_a_shift(values: np.ndarray) -> None:
    weights = subject_weights(RING, resamples=200)
    mean, low, high = mean_interval(values, weights)
    assert low <= high
    shifted = mean_interval(values + 3, weights)
    np.testing.assert_allclose(shifted, np.add((mean, low, high), 3), atol=1e-9)


def test_too_few_cases_give_no_interval() -> None:
    mean, low, high = mean_interval(np.array([1.0, 3.0]), np.ones((10, 2)))
    assert mean == 2 and np.isnan(low) and np.isnan(high)
    masks_of_one_head = mean_interval(np.array([1.0, 3.0, 5.0]), subject_weights([["a"]] * 3))
    assert masks_of_one_head[0] == 3 and np.isnan(masks_of_one_head[1])
    assert np.isnan(mean_interval(np.array([np.nan]), np.ones((10, 1)))[0])
