"""Comparison of all pairs of methods: equal to scipy and statsmodels, exact where it can be."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from tests.stats.rows import DICE, HD95

from mrbench.core.metric import Metric
from mrbench.stats.comparison import ALL_FLIPS, COLUMNS, compare_all, detectable, fewest_units, holm, sign_flip_p
from mrbench.stats.design import Design


def plain(n: int) -> Design:
    return Design([(f"s{i}",) for i in range(n)])


def table(values: dict[str, np.ndarray], metric: Metric = DICE, design: Design | None = None) -> pd.DataFrame:
    frame = pd.DataFrame(values)
    return compare_all(frame, metric, design or plain(len(frame)), set(values)).set_index(["first", "second"])


@pytest.mark.parametrize("seed", range(3))
def test_holm_is_that_of_statsmodels(seed: int) -> None:
    """Ties, zeros and ones among them; a few calls only, because each of theirs collects garbage."""
    p_values = np.random.default_rng(seed).choice([0.0, 0.01, 0.01, 0.02, 0.049, 0.3, 1.0], size=40)
    np.testing.assert_allclose(holm(p_values), multipletests(p_values, method="holm")[1])


def test_holm_over_all_pairs_is_that_of_scikit_posthocs() -> None:
    import scikit_posthocs

    values = np.random.default_rng(1).normal([0.5, 0.55, 0.6, 0.62], 0.05, (12, 4))
    adjusted = scikit_posthocs.posthoc_wilcoxon(list(values.T), p_adjust="holm").to_numpy()
    pairs = np.triu_indices(4, 1)
    plain_p = [stats.wilcoxon(values[:, i], values[:, j]).pvalue for i, j in zip(*pairs, strict=True)]
    np.testing.assert_allclose(holm(np.array(plain_p)), adjusted[pairs])


def test_holm_leaves_what_is_not_known() -> None:
    np.testing.assert_array_equal(holm(np.array([np.nan, 0.5])), [np.nan, 0.5])


@pytest.mark.parametrize("n", [5, 8, 10])
def test_the_exact_test_is_that_of_scipy(n: int) -> None:
    units = np.random.default_rng(n).normal(0.4, 1, (n, 5))
    for column, p in zip(units.T, sign_flip_p(units), strict=True):
        expected = stats.permutation_test((column,), np.mean, permutation_type="samples", n_resamples=np.inf)
        assert p == pytest.approx(expected.pvalue, abs=1e-12)


def test_the_exact_test_by_hand() -> None:
    sums = [abs(sum(s * v for s, v in zip(signs, (1, 2, 4), strict=True))) for signs in product((1, -1), repeat=3)]
    assert sign_flip_p(np.array([[1.0], [2.0], [4.0]]))[0] == np.mean([total >= 7 for total in sums])
    assert sign_flip_p(np.array([[1.0], [-2.0], [4.0]]))[0] == np.mean([total >= 3 for total in sums])


def test_beyond_all_flips_the_test_is_students() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(0.6, 0.1, (2, ALL_FLIPS + 4))
    comparisons = table({"a": first, "b": second})
    assert comparisons["p"].iloc[0] == pytest.approx(stats.ttest_rel(first, second).pvalue)


def test_pairing_sees_what_an_unpaired_test_misses() -> None:
    base = np.random.default_rng(0).normal(0.7, 0.1, 15)
    line = table({"bad": base, "good": base + 0.01 + np.arange(15) * 1e-5}).loc[("good", "bad")]
    assert line["wins"] == 15 and line["n"] == 15 and line["separable"] and line["difference"] == pytest.approx(0.01007)
    assert line["p"] == 2 / 2**15
    assert stats.ttest_ind(base, base + 0.01).pvalue > 0.5


def test_equal_methods_are_inseparable() -> None:
    line = table({"a": np.full(10, 0.5), "b": np.full(10, 0.5)}).iloc[0]
    assert line["p"] == 1 and not line["separable"] and line["wins"] == 0 and line["low"] == line["high"] == 0
    assert table({"a": np.full(20, 0.5), "b": np.full(20, 0.5)}).iloc[0]["p"] == 1


def test_every_pair_is_there_and_the_better_one_first_whichever_way_is_better() -> None:
    rng = np.random.default_rng(0)
    values = {name: rng.normal(mean, 0.01, 12) for name, mean in {"low": 0.2, "high": 0.8, "middle": 0.5}.items()}
    assert list(table(values).index) == [("high", "middle"), ("high", "low"), ("middle", "low")]
    comparisons = table(values, HD95)
    assert list(comparisons.index) == [("low", "middle"), ("low", "high"), ("middle", "high")]
    assert (
        (comparisons["difference"] < 0).all()
        and (comparisons["wins"] == 12).all()
        and (comparisons["effect_size"] > 0).all()
    )
    assert set(comparisons.columns) | {"first", "second"} == set(COLUMNS)


def test_under_five_subjects_there_is_a_difference_and_no_test() -> None:
    line = table({"a": np.array([0.5, 0.6, 0.7]), "b": np.array([0.1, 0.7, 0.2])}).iloc[0]
    assert line["difference"] == pytest.approx(0.8 / 3) and (line["wins"], line["n"]) == (2, 3)
    assert np.isnan([line["p"], line["p_holm"], line["low"], line["effect_size"], line["detectable"]]).all()
    assert not line["separable"]


def test_missing_values_leave_the_pair_the_cases_that_both_have() -> None:
    """Of the cases that both have, the one with the lower mean of its own is better, so it comes first."""
    rng = np.random.default_rng(0)
    easy = np.r_[rng.normal(0.9, 0.01, 6), rng.normal(0.3, 0.01, 6)]
    half = np.r_[np.full(6, np.nan), rng.normal(0.4, 0.01, 6)]
    comparisons = table({"easy": easy, "half": half})
    assert list(comparisons.index) == [("half", "easy")]
    line = comparisons.iloc[0]
    assert (line["n"], line["wins"]) == (6, 6) and line["difference"] == pytest.approx(0.1, abs=0.02)
    assert line["low"] < line["difference"] < line["high"] and line["p"] == 2 / 2**6


def test_methods_with_failures_are_corrected_apart() -> None:
    rng = np.random.default_rng(0)
    values = pd.DataFrame({f"m{i}": rng.normal(0.5 + 0.02 * i, 0.02, 12) for i in range(6)})
    alone = compare_all(values[["m0", "m1"]], DICE, plain(12), {"m0", "m1"})
    among = compare_all(values, DICE, plain(12), {"m0", "m1"})
    own = among[(among["first"] == "m1") & (among["second"] == "m0")]
    assert own["p_holm"].iloc[0] == alone["p_holm"].iloc[0] == alone["p"].iloc[0]
    rest = among.drop(own.index)
    np.testing.assert_allclose(rest["p_holm"], holm(among["p"].to_numpy())[rest.index])


def test_all_pairs_are_corrected_and_not_those_with_the_winner_alone() -> None:
    rng = np.random.default_rng(1)
    values = {f"m{i}": rng.normal(0.5 + 0.01 * i, 0.02, 14) for i in range(5)}
    comparisons = table(values)
    np.testing.assert_allclose(comparisons["p_holm"], multipletests(comparisons["p"], method="holm")[1])
    assert len(comparisons) == 10


@pytest.mark.parametrize("n", [10, 20, 40])
def test_the_detectable_difference_has_the_power_that_it_claims(n: int) -> None:
    units = np.random.default_rng(0).normal(size=(n, 1))
    size = detectable(plain(n).moments(units))[0] / units.std(ddof=1)
    assert TTestPower().power(size, n, 0.05) == pytest.approx(0.8, abs=0.02)


def test_the_effect_size_is_cohens_of_pairs() -> None:
    first, second = np.random.default_rng(0).normal(0.5, 0.1, (2, 12))
    expected = abs((first - second).mean()) / (first - second).std(ddof=1)
    assert table({"a": first, "b": second})["effect_size"].iloc[0] == pytest.approx(expected)


def test_shared_subjects_make_a_test_stricter() -> None:
    """A ring of pairs has fewer degrees of freedom than as many independent subjects."""
    rng = np.random.default_rng(3)
    effect = rng.normal(0.012, 0.012, 15)
    base = rng.normal(0.7, 0.05, 15)
    values = {"a": base + effect + np.roll(effect, -1), "b": base}
    ring = Design([(f"s{i}", f"s{(i + 1) % 15}") for i in range(15)])
    assert table(values, design=ring)["p"].iloc[0] > 3 * table(values)["p"].iloc[0] > 0


@pytest.mark.parametrize(("methods", "units"), [(1, 6), (2, 6), (3, 7), (14, 12), (17, 13), (1000, 17)])
def test_so_many_subjects_it_takes(methods: int, units: int) -> None:
    """The exact test has a smallest p; Student's, which takes over beyond 16 subjects, has none."""
    assert fewest_units(methods) == units
    pairs = max(methods * (methods - 1) // 2, 1)
    assert pairs * 2 / 2 ** (units - 1) >= 0.05
