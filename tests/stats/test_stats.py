"""Intervals that cover, tests that pair, and a table in which failures count."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mrbench.core.errors import RequestError
from mrbench.core.metric import Metric
from mrbench.core.row import Row
from mrbench.stats.comparison import against_best, holm, signed_rank_p
from mrbench.stats.intervals import mean_interval, subject_weights
from mrbench.stats.leaderboard import leaderboard

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


def test_holm_by_hand() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "c": 0.06, "b": 0.06})


def test_pairing_sees_what_an_unpaired_test_misses() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(0.7, 0.1, 15)
    compared = against_best({"good": base + 0.01, "bad": base}, "good", higher_is_better=True)["bad"]
    assert compared.separable and compared.wins == 15 and compared.difference == pytest.approx(0.01)


def test_equal_methods_are_inseparable() -> None:
    assert signed_rank_p(np.zeros(10)) == 1
    assert signed_rank_p(np.array([])) == 1


METRICS = (
    Metric("dice", "Dice", "", True, (0, 1)),
    Metric("hd95_mm", "HD95", "mm", False, (0, np.inf)),
)


def row(method: str, case: int, dice: float | None, **changes) -> Row:
    metrics = {} if dice is None else {"dice": dice, "hd95_mm": 10 * (1 - dice)}
    made = Row(
        key=f"{method}{case}", task="registration", track="t", dataset="d", simulated=False, fingerprint="f",
        split="test", protocol="p", method=method, kind="classical", source="s", weights=None, seed=0, case=f"c{case}",
        subjects=[f"s{case}", f"s{case + 1}"], status="ok" if dice is not None else "error", run="r", device="cpu",
        threads=1, metrics=metrics, seconds=1.0 + case, cpu_seconds=1.0,
    )  # fmt: skip
    return replace(made, **changes)


def test_table_ranks_by_the_first_metric() -> None:
    rows = [row(m, c, base + 0.001 * c) for m, base in {"low": 0.5, "high": 0.8}.items() for c in range(10)]
    table = leaderboard(rows, METRICS)
    assert [line.method for line in table.lines] == ["high", "low"]
    assert [line.rank for line in table.lines] == [1, 2]
    high, low = (line.cells["dice"] for line in table.lines)
    assert high.best and not low.best and high.low <= high.mean <= high.high
    assert table.lines[0].seconds_median == 5.5 and table.lines[0].seconds_iqr == 4.5


def test_bold_is_the_group_that_no_test_separates() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.02, (2, 12))
    rows = [row("a", c, 0.8 + noise[0, c]) for c in range(12)] + [row("b", c, 0.8 + noise[1, c]) for c in range(12)]
    assert all(line.cells["dice"].best for line in leaderboard(rows, METRICS).lines)


def test_too_few_cases_name_no_best() -> None:
    rows = [row(m, c, base + 0.001 * c) for m, base in {"low": 0.5, "high": 0.8}.items() for c in range(5)]
    assert not any(line.cells["dice"].best for line in leaderboard(rows, METRICS).lines)


@pytest.mark.parametrize(("cases", "named"), [(9, False), (10, True)])
def test_so_many_methods_need_more_cases(cases: int, named: bool) -> None:
    """After Holm's correction over 13 comparisons, 9 cases reach 0.0508 at the best: all 14 would be bold."""
    rows = [row(f"m{m}", c, 0.3 + 0.05 * m + 0.001 * c) for m in range(14) for c in range(cases)]
    bold = [line.method for line in leaderboard(rows, METRICS).lines if line.cells["dice"].best]
    assert bold == (["m13"] if named else [])


def test_methods_with_failures_make_no_test_stricter() -> None:
    sound = [row(m, c, base + 0.001 * c) for m, base in {"low": 0.5, "high": 0.8}.items() for c in range(6)]
    failed = [row(f"f{n}", c, 0.1 if c else None) for n in range(8) for c in range(6)]
    bold = [line.method for line in leaderboard(sound + failed, METRICS).lines if line.cells["dice"].best]
    assert bold == ["high"]


def test_a_line_tells_every_device_and_number_of_threads() -> None:
    rows = [row("a", c, 0.5, device="cuda" if c else "cpu", threads=1 + c % 2) for c in range(3)]
    (line,) = leaderboard(rows, METRICS).lines
    assert line.device == "cpu + cuda" and line.threads == (1, 2)


def test_a_failure_counts_and_ranks_last() -> None:
    rows = (
        [row("steady", c, 0.5) for c in range(4)] + [row("flaky", c, 0.9) for c in range(3)] + [row("flaky", 3, None)]
    )
    table = leaderboard(rows, METRICS)
    steady, flaky = table.lines
    assert (steady.method, flaky.method, flaky.n_failed, flaky.n_cases) == ("steady", "flaky", 1, 4)
    assert flaky.cells["dice"].mean == pytest.approx(0.9 * 3 / 4)  # the failure is a Dice of 0
    assert flaky.cells["hd95_mm"].mean == pytest.approx((1 + 1 + 1 + 5) / 4)  # no bound: the worst on that case
    assert not flaky.cells["dice"].best


def test_a_method_on_fewer_cases_has_no_rank() -> None:
    rows = [row("whole", c, 0.5) for c in range(6)] + [row("part", c, 0.9) for c in range(5)]
    whole, part = leaderboard(rows, METRICS).lines
    assert (whole.method, whole.rank, part.rank) == ("whole", 1, None)
    assert whole.cells["dice"].best and not part.cells["dice"].best


def test_a_failure_on_a_case_that_nobody_did_is_the_worst_of_the_board() -> None:
    table = leaderboard([row("alone", c, 0.9) for c in range(3)] + [row("alone", 3, None)], METRICS)
    assert table.lines[0].cells["hd95_mm"].mean == pytest.approx(1)


def test_two_rows_for_one_case_are_refused() -> None:
    with pytest.raises(RequestError, match="two rows"):
        leaderboard([row("a", 0, 0.5), row("a", 0, 0.6)], METRICS)


def test_a_metric_that_failed_everywhere_is_no_number() -> None:
    table = leaderboard([row("a", 0, None)], METRICS)
    assert table.metrics == () and table.lines[0].n_failed == 1


def test_skipped_methods_stand_beside_the_table() -> None:
    rows = [row("here", 0, 0.5), row("absent", 0, None, status="skipped", message="pip install x")]
    table = leaderboard(rows, METRICS)
    assert table.skipped == {"absent": "pip install x"} and len(table.lines) == 1


@pytest.mark.parametrize("attribute", ["protocol", "fingerprint", "split"])
def test_rows_that_do_not_compare_share_no_table(attribute: str) -> None:
    with pytest.raises(RequestError, match=f"different {attribute}"):
        leaderboard([row("a", 0, 0.5), row("b", 0, 0.6, **{attribute: "other"})], METRICS)
