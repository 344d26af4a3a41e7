"""Two boards side by side: what is the boards, what is the method, and which subjects are on them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.rows import row_of

from mrbench.core.errors import RequestError
from mrbench.core.metric import Metric
from mrbench.core.row import Row
from mrbench.stats.design import Design
from mrbench.stats.frame import frame
from mrbench.stats.intervals import interval
from mrbench.stats.leaderboard import leaderboard
from mrbench.stats.side_by_side import SideBySide, side_by_side

PSNR = Metric("psnr_db", "PSNR", "dB", True, (0, np.inf), decimals=2)


def row(method: str, subject: int, value: float | None, **changes) -> Row:
    net = method.startswith("net")
    own = {
        "task": "denoising",
        "simulated": True,
        "kind": "learned" if net else "classical",
        "weights": "w" if net else None,
    }
    return row_of(method, subject, None if value is None else {"psnr_db": value}, **{**own, **changes})


def board(means: dict[str, float], subjects: range, spread: float = 1.0, **changes) -> list[Row]:
    """Every method has its mean, and each subject is easy or hard for all methods alike."""
    own = np.random.default_rng(subjects.start).normal(0, spread, len(subjects))
    own -= own.mean()
    return [
        row(method, subject, mean + ease, **changes)
        for method, mean in means.items()
        for subject, ease in zip(subjects, own, strict=True)
    ]


TEST = board({"mean": 28.0, "median": 30.0, "net": 33.0}, range(12))
TRAIN = board({"mean": 29.0, "median": 30.5, "net": 35.0, "only-here": 20.0}, range(100, 130), split="train")


def compare(first: list[Row], second: list[Row]) -> SideBySide:
    return side_by_side(frame(first), frame(second), PSNR)


def pairs(first: list[Row], second: list[Row]) -> dict[str, Any]:
    return {line.Index: line for line in compare(first, second).table.itertuples()}


def test_the_excess_is_what_the_classical_methods_do_not_gain() -> None:
    comparison = compare(TEST, TRAIN)
    assert list(comparison.table.index) == ["net", "median", "mean"]
    assert comparison.cases == (12, 30) and not comparison.same_subjects
    assert sorted(comparison.classical) == pytest.approx([0.5, 1.0])
    net = pairs(TEST, TRAIN)["net"]
    assert net.difference == pytest.approx(2.0) and net.excess == pytest.approx(2.0 - 0.75)
    assert all(np.isnan(pair.excess) for name, pair in pairs(TEST, TRAIN).items() if name != "net")


def test_subjects_who_are_easy_for_everyone_cancel_in_the_excess() -> None:
    net = pairs(TEST, TRAIN)["net"]
    assert net.difference_low < net.difference < net.difference_high
    assert net.excess_high - net.excess_low < 1e-6 < 0.5 < net.difference_high - net.difference_low


def test_either_side_is_the_line_of_its_leaderboard() -> None:
    expected = leaderboard(frame(TEST), [PSNR]).cells["psnr_db"]
    table = compare(TEST, TRAIN).table
    for column in ("mean", "low", "high"):
        np.testing.assert_array_equal(table[f"{column}_first"], expected.loc[table.index, column])


def test_other_subjects_are_apart_and_the_same_subjects_are_paired() -> None:
    means = {"mean": 28.0, "net": 33.0}
    here, there = board(means, range(12), 3.0), board(means, range(12), 3.0, track="u")
    same = compare(here, there)
    assert same.same_subjects
    assert same.table["difference_low"].iloc[0] == pytest.approx(0)
    assert same.table["difference_high"].iloc[0] == pytest.approx(0)
    namesakes = [replace(row, dataset="e") for row in there]
    apart = compare(here, namesakes)
    assert not apart.same_subjects
    assert (apart.table["difference_high"] - apart.table["difference_low"] > 2).all()


def test_what_one_board_lacks_is_no_difference() -> None:
    """one board lacks a hard case of a method, or of all -> the others are compared with themselves"""
    means = {"mean": 28.0, "net": 33.0}
    here, there = board(means, range(12), 3.0), board(means, range(12), 3.0, track="u")
    same = compare(here, there).table
    hardest = min(there, key=lambda row: row.metrics["psnr_db"])
    for gone, methods in ((there.index(hardest), {"mean"}), (None, {"mean", "net"})):
        rest = [r for i, r in enumerate(there) if (r.case != hardest.case if gone is None else i != gone)]
        result = compare(here, rest)
        assert result.same_subjects and dict(result.table["left_out"]) == {n: int(n in methods) for n in means}
        np.testing.assert_allclose(result.table[["difference", "difference_low", "difference_high"]], 0, atol=1e-9)
        np.testing.assert_allclose(result.table["excess"], same["excess"], atol=1e-9)
    few = compare(board(means, range(3)), board(means, range(3), track="u")[1:]).table
    np.testing.assert_allclose(few["difference"], 0, atol=1e-9)


def test_the_unpaired_interval_covers_the_truth() -> None:
    """One column a simulated pair of boards: 15 subjects against 25 of half the spread."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(30, 2, (15, 4000)), rng.normal(31, 1, (25, 4000))
    designs = [Design([(f"s{i}",) for i in range(n)]) for n in (15, 25)]
    low, high = interval(designs[1].moments(second) - designs[0].moments(first))
    assert 0.94 <= ((low <= 1) & (high >= 1)).mean() <= 0.96


def test_a_failure_does_not_vanish_from_a_mean() -> None:
    failing = [replace(r, status="error", metrics={}) if (r.method, r.case) == ("net", "c0") else r for r in TEST]
    sound, hurt = pairs(TEST, TRAIN)["net"], pairs(failing, TRAIN)["net"]
    assert hurt.n_failed_first == 1 and hurt.n_cases_first == 12
    assert hurt.mean_first < sound.mean_first
    assert hurt.difference > sound.difference


def test_other_weights_on_the_second_board_are_said() -> None:
    other = [replace(row, weights="v") if row.weights else row for row in TRAIN]
    assert {name for name, pair in pairs(TEST, other).items() if pair.other_weights} == {"net"}
    assert not any(pair.other_weights for pair in pairs(TEST, TRAIN).values())


def test_without_classical_methods_there_is_no_excess() -> None:
    nets = [[row for row in rows if row.kind == "learned"] for rows in (TEST, TRAIN)]
    comparison = compare(*nets)
    assert comparison.classical.empty and comparison.table["excess"].isna().all()


def test_one_case_gives_no_interval() -> None:
    shown = pairs(board({"mean": 28.0, "net": 30.0}, range(1)), TRAIN)
    assert shown["net"].difference == pytest.approx(5) and np.isnan(shown["net"].difference_low)
    assert shown["net"].excess == pytest.approx(4) and np.isnan(shown["net"].excess_low)


def test_boards_that_share_nothing_are_refused() -> None:
    with pytest.raises(RequestError, match="share no method"):
        compare(TEST, board({"other": 3.0}, range(5)))
    with pytest.raises(RequestError, match=r"no row of d, t, train has psnr_db"):
        compare(TEST, [replace(row, metrics={"ssim": 0.5}) for row in TRAIN])
    with pytest.raises(RequestError, match="no row of d, t, test has psnr_db"):
        compare([replace(row, status="skipped", metrics={}) for row in TEST], TRAIN)


def test_learned_methods_are_the_same_whatever_their_weights_are_called() -> None:
    """By name, then by name and weights, then by name where one is left; the rest is named with its reason."""
    first = board(
        {"mean": 28.0, "net[weights=here.4x]": 33.0, "twin[weights=a]": 30.0, "twin[weights=b]": 31.0}, range(6)
    )
    second = board({"mean": 28.0, "net[weights=there]": 32.0, "twin": 30.5, "fresh": 20.0}, range(9))
    sha = {"net[weights=here.4x]": "x", "net[weights=there]": "y", "twin[weights=a]": "a", "twin[weights=b]": "b"}
    weights = [[replace(r, weights=sha.get(r.method, "c")) for r in rows] for rows in (first, second)]
    comparison = compare(*weights)
    assert dict(comparison.table["name_first"]) == {"net[weights=there]": "net[weights=here.4x]", "mean": "mean"}
    assert comparison.table.loc["net[weights=there]", "other_weights"]
    reasons = {(line.board, line.method): line.reason for line in comparison.unmatched.itertuples()}
    assert reasons["second", "fresh"] == "not on the other board"
    assert reasons["second", "twin"] == "more than one could be it: twin[weights=b], twin[weights=a]"
    assert reasons["first", "twin[weights=a]"] == "more than one could be it: twin"
    sha["twin"] = "b"
    weights = [[replace(r, weights=sha.get(r.method, "c")) for r in rows] for rows in (first, second)]
    assert compare(*weights).table.loc["twin", "name_first"] == "twin[weights=b]"


def test_the_rank_correlation_is_that_of_the_shared_methods() -> None:
    first = board({"a": 1.0, "b": 2.0, "c": 3.0, "only": 9.0}, range(5))
    second = board({"a": 1.0, "b": 3.0, "c": 2.0}, range(5), track="u")
    assert compare(first, second).rank_correlation == pytest.approx(1 / 3)
    assert np.isnan(compare(board({"a": 1.0}, range(5)), second).rank_correlation)
