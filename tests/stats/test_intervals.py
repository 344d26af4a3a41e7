"""Intervals and the moments behind them: equal to scipy's where subjects are independent, and honest elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from mrbench.stats.design import Design
from mrbench.stats.intervals import interval, mean_intervals
from mrbench.stats.variance import DENSE, form

PLAIN = [(f"s{i}",) for i in range(12)]
RING = [(f"s{i}", f"s{(i + 1) % 12}") for i in range(12)]
VALUES = np.random.default_rng(0).gamma(2, size=(12, 3))

numbers = arrays(float, 12, elements=st.floats(-10, 10).map(lambda value: round(value, 6)))


def of(values: np.ndarray, subjects: list[tuple[str, ...]]) -> np.ndarray:
    return mean_intervals(values.reshape(len(values), -1), Design(subjects))


def test_moments_of_independent_subjects_are_those_of_scipy() -> None:
    moments = Design(PLAIN).moments(VALUES)
    expected = stats.ttest_1samp(VALUES, 0)
    np.testing.assert_allclose(moments.mean / np.sqrt(moments.variance), expected.statistic)
    np.testing.assert_allclose(moments.skewness * np.sqrt(12), stats.skew(VALUES, bias=False))
    np.testing.assert_allclose(moments.df, expected.df)


def test_without_skewness_the_interval_is_students() -> None:
    values = np.arange(12.0)
    low, high = stats.ttest_1samp(values, 0).confidence_interval()
    np.testing.assert_allclose(of(values, PLAIN), [[5.5, low, high]])


def test_the_side_of_the_long_tail_is_the_longer_one() -> None:
    for mean, low, high in of(VALUES, PLAIN):
        assert high - mean > mean - low


def test_repeated_masks_of_a_subject_are_one_value() -> None:
    """Each subject with three masks: as the subjects' means, whatever the masks add within a subject."""
    within = np.array([-1.0, 0.0, 1.0])
    repeated = (VALUES[:, :1] + within).reshape(-1)
    np.testing.assert_allclose(of(repeated, [who for who in PLAIN for _ in range(3)]), of(VALUES[:, 0], PLAIN))


def test_an_atlas_in_every_case_is_no_sample() -> None:
    np.testing.assert_allclose(of(VALUES, [("atlas", *who) for who in PLAIN]), of(VALUES, PLAIN))


def test_pairs_without_a_common_subject_are_independent() -> None:
    apart = [(f"a{i}", f"b{i}") for i in range(12)]
    np.testing.assert_allclose(of(VALUES, apart), of(VALUES, PLAIN))


def test_a_ring_is_wider_than_as_many_independent_subjects_where_subjects_matter() -> None:
    effect = np.random.default_rng(1).normal(size=12)
    values = effect + np.roll(effect, -1)
    (_, low, high), (_, narrow_low, narrow_high) = of(values, RING)[0], of(values, PLAIN)[0]
    assert high - low > 1.3 * (narrow_high - narrow_low)


@pytest.mark.parametrize("subjects", [PLAIN[:4], RING[:3], [("a",)] * 9, [("a", "b"), ("c", "d"), ("e", "f")]])
def test_under_five_subjects_there_is_no_interval(subjects: list[tuple[str, ...]]) -> None:
    ((mean, low, high),) = of(np.arange(len(subjects), dtype=float), subjects)
    assert mean == (len(subjects) - 1) / 2 and np.isnan(low) and np.isnan(high)


def test_equal_values_have_an_interval_without_width() -> None:
    np.testing.assert_allclose(of(np.full(12, 0.1), PLAIN), [[0.1, 0.1, 0.1]], rtol=1e-12)
    np.testing.assert_allclose(of(np.full(12, 0.1), RING), [[0.1, 0.1, 0.1]], rtol=1e-12)


def test_a_missing_value_is_left_out_of_its_column_alone() -> None:
    gap = VALUES.copy()
    gap[3, 1] = np.nan
    np.testing.assert_allclose(of(gap, PLAIN)[[0, 2]], of(VALUES, PLAIN)[[0, 2]])
    np.testing.assert_allclose(of(gap, PLAIN)[1], of(np.delete(gap[:, 1], 3), PLAIN[:11])[0])
    assert np.isnan(of(np.full(12, np.nan), PLAIN)).all()


@given(numbers, st.floats(-5, 5), st.floats(0.1, 10))
def test_an_interval_holds_its_mean_and_follows_shift_scale_and_mirror(
    values: np.ndarray, shift: float, scale: float
) -> None:
    for subjects in (PLAIN, RING):
        ((mean, low, high),) = of(values, subjects)
        assert low <= mean + 1e-9 and mean <= high + 1e-9
        np.testing.assert_allclose(
            of(scale * values + shift, subjects)[0], scale * np.array([mean, low, high]) + shift, atol=1e-6
        )
        np.testing.assert_allclose(of(-values, subjects)[0], [-mean, -high, -low], atol=1e-6)


@given(st.permutations(range(12)))
def test_the_order_of_cases_does_not_matter(order: list[int]) -> None:
    for subjects in (PLAIN, RING):
        shuffled = of(VALUES[order], [subjects[i] for i in order])
        np.testing.assert_allclose(shuffled, of(VALUES, subjects), rtol=1e-9)


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 7), min_size=1, max_size=3), min_size=1, max_size=20))
def test_any_design_gives_a_variance_that_is_none_or_positive(cases: list[list[int]]) -> None:
    design = Design([[str(who) for who in case] for case in cases])
    values = np.random.default_rng(len(cases)).normal(size=(len(cases), 2))
    if design.enough:
        moments = design.moments(design.by_unit(values))
        assert (moments.variance > 0).all() and (moments.df > 0).all() and np.isfinite(moments.skewness).all()
        low, high = interval(moments)
        assert (low < moments.mean).all() and (moments.mean < high).all()
        np.testing.assert_allclose(moments.mean, values.mean(axis=0))


def test_the_sandwich_of_many_pairs_meets_the_exact_form() -> None:
    ring = Design([(f"s{i}", f"s{(i + 1) % 400}") for i in range(400)])
    rng = np.random.default_rng(0)
    effects = rng.normal(size=(400, 200))
    values = effects + np.roll(effects, -1, axis=0) + rng.normal(size=(400, 200))
    exact = ring.moments(values)
    many = form(ring.incidence, np.full(400, 1 / 400), dense=399)
    assert many.sharing is not None and DENSE >= 400
    np.testing.assert_allclose(many.estimate(values)[1].mean(), exact.variance.mean(), rtol=0.06)
    np.testing.assert_allclose(exact.variance.mean(), (4 + 1) / 400, rtol=0.06)


def test_other_subjects_add_their_variances_as_welch_has_it() -> None:
    first, second = VALUES[:7, 0], VALUES[:, 1]
    apart = Design(PLAIN).moments(second[:, None]) - Design(PLAIN[:7]).moments(first[:, None])
    expected = stats.ttest_ind(second, first, equal_var=False)
    np.testing.assert_allclose(apart.mean / np.sqrt(apart.variance), expected.statistic)
    np.testing.assert_allclose(apart.df, expected.df)
