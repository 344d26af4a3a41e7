"""Three rules of ranking and how far they hold: by hand, against scipy, and where nothing separates the methods."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from tests.stats.rows import DICE, HD95

from mrbench.core.metric import Metric
from mrbench.stats.design import Design
from mrbench.stats.ranking import RULES, Ranking, Scored, _ranks, kendall_tau, ranking

PLAIN = Design([(f"s{i}",) for i in range(12)])


def rank(
    values: dict[str, object], metric: Metric = DICE, design: Design = PLAIN, failed: tuple[str, ...] = ()
) -> Ranking:
    frame = pd.DataFrame(values)
    return ranking(frame, metric, design, pd.Series({name: name in failed for name in frame}))


def spread(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.01, 12)


def test_clear_methods_have_one_rank_by_every_rule_in_every_cohort() -> None:
    ranking = rank({"b": 0.5 + spread(1), "a": 0.9 + spread(2), "c": 0.1 + spread(3)})
    for rule in RULES:
        assert dict(ranking.ranks[rule]) == {"a": 1, "b": 2, "c": 3}
    assert list(ranking.ranks.loc["a", ["rank_low", "rank_high", "p_best"]]) == [1, 1, 1]
    assert (ranking.rules[["tau", "tau_low", "tau_high", *RULES]] == 1).all(axis=None)
    np.testing.assert_array_equal(ranking.shares.loc[["a", "b", "c"]], np.eye(3))


def test_mean_ranks_are_those_of_scikit_posthocs() -> None:
    """Nemenyi's p-values are a function of the mean ranks alone."""
    import scikit_posthocs

    values = np.random.default_rng(4).normal([0.5, 0.52, 0.55, 0.6], 0.05, (12, 4))
    ranks = Scored(values, PLAIN).case_ranks.mean(axis=0)
    expected = scikit_posthocs.posthoc_nemenyi_friedman(values).to_numpy()
    apart = np.abs(ranks[:, None] - ranks[None]) / np.sqrt(4 * 5 / (6 * 12))
    own = stats.studentized_range.sf(apart * np.sqrt(2), 4, np.inf)
    np.testing.assert_allclose(own[np.triu_indices(4, 1)], expected[np.triu_indices(4, 1)], atol=1e-3)


def test_lower_is_better_turns_the_ranks() -> None:
    ranking = rank({"b": 0.5 + spread(1), "a": 0.9 + spread(2)}, HD95)
    assert dict(ranking.ranks["mean_then_rank"]) == {"b": 1, "a": 2} and dict(ranking.ranks["rank_then_mean"]) == {
        "b": 1,
        "a": 2,
    }


def test_rules_can_disagree_and_it_is_said() -> None:
    """One method wins eleven cases by little and loses one by much: its mean is behind, its ranks ahead."""
    steady = 0.6 + 0.1 * spread(1)
    ranking = rank({"often": np.r_[steady[:11] + 0.05, 0.0], "steady": steady})
    assert dict(ranking.ranks["rank_then_mean"]) == {"often": 1, "steady": 2}
    assert ranking.ranks.loc["often", "mean_then_rank"] == 2 or ranking.ranks.loc["often", "mean_then_rank"] == 1
    worse = rank({"often": np.r_[steady[:11] + 0.02, 0.0], "steady": steady})
    assert dict(worse.ranks["mean_then_rank"]) == {"often": 2, "steady": 1}
    assert worse.rules.loc["mean_then_rank", "rank_then_mean"] == -1
    assert set(worse.ranks["test_then_rank"]) == {1}, "no test separates them"


def test_equal_means_share_a_rank_whatever_the_order_of_sums() -> None:
    ranking = rank({"a": [0.1, 0.2, 0.7] * 4, "b": [0.7, 0.1, 0.2] * 4, "c": [0.3] * 12})
    assert list(ranking.ranks["mean_then_rank"]) == [1, 1, 3]


def test_a_shared_first_rank_counts_in_part() -> None:
    ranking = rank({"a": [0.5] * 12, "b": [0.5] * 12})
    assert list(ranking.ranks["p_best"]) == [0.5, 0.5] and np.isnan(ranking.rules["tau"]).all()


def test_equal_methods_are_first_equally_often() -> None:
    rng = np.random.default_rng(0)
    draws = [rank({name: rng.normal(size=12) for name in "abcd"}).ranks["p_best"] for _ in range(20)]
    assert (abs(np.mean(draws, axis=0) - 0.25) < 0.2).all() and np.sum(draws[0]) == pytest.approx(1)


def test_methods_with_failures_rank_behind_by_every_rule() -> None:
    ranking = rank({"flaky": 0.9 + spread(1), "sound": 0.5 + spread(2)}, failed=("flaky",))
    assert (ranking.ranks.loc["sound", list(RULES)] == 1).all() and ranking.ranks.loc["sound", "p_best"] == 1


def test_masks_of_one_head_are_drawn_together() -> None:
    """Two of four heads decide who is ahead, each with three masks: as uncertain as with one mask each."""
    masks = Design([(f"s{i}",) for i in range(6) for _ in range(3)])
    once = Design([(f"s{i}",) for i in range(6)])
    means = np.array([0.9, 0.1, 0.1, 0.9, 0.1, 0.1])
    other = np.full(6, 0.4)
    repeated = rank({"a": np.repeat(means, 3), "b": np.repeat(other, 3)}, design=masks).ranks["p_best"]
    np.testing.assert_allclose(repeated, rank({"a": means, "b": other}, design=once).ranks["p_best"])


def test_pairs_are_drawn_by_their_subjects() -> None:
    ring = Design([(f"s{i}", f"s{(i + 1) % 12}") for i in range(12)])
    drawn = np.concatenate(list(ring.resampled(np.random.default_rng(0), 4000)))
    assert drawn.shape[1] == 12 and len(drawn) > 3990
    # a pair is there when both are: (1 - 1/n)^n twice, a little less for drawing without each other
    assert (drawn > 0).mean() == pytest.approx((1 - (11 / 12) ** 12) ** 2, abs=0.03)
    assert ring.inflation == pytest.approx(np.sqrt(2)) and PLAIN.inflation == pytest.approx(1)


def test_gaps_are_left_out() -> None:
    values = {"a": np.r_[np.nan, 0.9 + spread(1)[1:]], "b": 0.5 + spread(2), "c": np.full(12, np.nan)}
    ranking = rank(values)
    assert ranking.ranks.loc["a", "mean_then_rank"] == 1 and ranking.ranks.loc["c", "mean_then_rank"] == 3


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=2, max_size=8))
def test_kendalls_tau_is_that_of_scipy(ranks: list[tuple[int, int]]) -> None:
    first, second = np.array(ranks).T
    np.testing.assert_allclose(
        kendall_tau(first[None], second)[0], stats.kendalltau(first, second).statistic, atol=1e-12
    )


def test_the_same_subjects_give_the_same_draws() -> None:
    values = {name: np.random.default_rng(ord(name)).normal(size=12) for name in "abc"}
    pd.testing.assert_frame_equal(rank(values).ranks, rank(values).ranks)


def test_ranks_are_those_of_scipy() -> None:
    rng = np.random.default_rng(0)
    badness = rng.integers(-3, 4, (200, 7)).astype(float)
    badness[rng.random(badness.shape) < 0.1] = np.nan
    behind = rng.random((200, 7)) < 0.2
    size = np.nanmax(np.abs(badness))
    expected = stats.rankdata(np.where(np.isnan(badness), 2, badness / size) + 4 * behind, method="min", axis=1)
    np.testing.assert_array_equal(_ranks(badness, behind), expected)
    assert _ranks(np.full((2, 1), np.nan), np.zeros((2, 1), bool)).tolist() == [[1], [1]]
