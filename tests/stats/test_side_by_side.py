"""Two boards side by side: what is the boards, what is the method, and who is on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mrbench.core.errors import RequestError
from mrbench.core.metric import Metric
from mrbench.core.row import Row
from mrbench.stats.leaderboard import leaderboard
from mrbench.stats.side_by_side import Pairing, side_by_side

PSNR = Metric("psnr_db", "PSNR", "dB", True, (0, np.inf), decimals=2)


def row(method: str, person: int, value: float | None, **changes) -> Row:
    made = Row(
        key=f"{method}{person}", task="denoising", track="t", dataset="d", simulated=True, fingerprint="f",
        split="test", protocol="p", method=method, kind="learned" if method.startswith("net") else "classical",
        source="s", weights="w" if method.startswith("net") else None, seed=0, case=f"c{person}",
        subjects=[f"s{person}"], status="ok" if value is not None else "error", run="r", device="cpu", threads=1,
        metrics={} if value is None else {"psnr_db": value},
    )  # fmt: skip
    return replace(made, **changes)


def board(means: dict[str, float], people: range, spread: float = 1.0, **changes) -> list[Row]:
    """Every method has its mean, and each person is easy or hard for all methods alike."""
    own = np.random.default_rng(people.start).normal(0, spread, len(people))
    own -= own.mean()
    return [
        row(method, person, mean + ease, **changes)
        for method, mean in means.items()
        for person, ease in zip(people, own, strict=True)
    ]


TEST = board({"mean": 28.0, "median": 30.0, "net": 33.0}, range(12))
TRAIN = board({"mean": 29.0, "median": 30.5, "net": 35.0, "only-here": 20.0}, range(100, 130), split="train")


def pairs(first: list[Row], second: list[Row]) -> dict[str, Pairing]:
    return {pair.method: pair for pair in side_by_side(first, second, PSNR).pairings}


def test_the_excess_is_what_the_classical_methods_do_not_gain() -> None:
    found = side_by_side(TEST, TRAIN, PSNR)
    assert [pair.method for pair in found.pairings] == ["net", "median", "mean"]
    assert found.cases == (12, 30) and not found.same_people
    assert sorted(found.classical) == pytest.approx([0.5, 1.0])
    net = pairs(TEST, TRAIN)["net"]
    assert net.difference == pytest.approx(2.0) and net.excess == pytest.approx(2.0 - 0.75)
    assert all(np.isnan(pair.excess) for name, pair in pairs(TEST, TRAIN).items() if name != "net")


def test_people_who_are_easy_for_everyone_cancel_in_the_excess() -> None:
    net = pairs(TEST, TRAIN)["net"]
    assert net.low < net.difference < net.high
    assert net.excess_high - net.excess_low < 1e-6 < 0.5 < net.high - net.low


def test_either_side_is_the_line_of_its_leaderboard() -> None:
    expected = {line.method: line for line in leaderboard(TEST, [PSNR]).lines}
    for pair in side_by_side(TEST, TRAIN, PSNR).pairings:
        assert pair.first.cells["psnr_db"] == expected[pair.method].cells["psnr_db"]


def test_other_people_are_drawn_apart_and_the_same_people_together() -> None:
    means = {"mean": 28.0, "net": 33.0}
    here, there = board(means, range(12), 3.0), board(means, range(12), 3.0, track="u")
    same = side_by_side(here, there, PSNR)
    assert same.same_people
    assert same.pairings[0].low == pytest.approx(0) and same.pairings[0].high == pytest.approx(0)
    namesakes = [replace(row, dataset="e") for row in there]
    apart = side_by_side(here, namesakes, PSNR)
    assert not apart.same_people
    assert apart.pairings[0].high - apart.pairings[0].low > 2


def test_the_unpaired_interval_covers_the_truth() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(100):
        first = [row("mean", person, value) for person, value in enumerate(rng.normal(30, 2, 15))]
        second = [row("mean", 50 + person, value) for person, value in enumerate(rng.normal(31, 1, 25))]
        pair = pairs(first, second)["mean"]
        hits += pair.low <= 1 <= pair.high
    assert 87 <= hits <= 99


def test_a_failure_does_not_vanish_from_a_mean() -> None:
    failing = [replace(r, status="error", metrics={}) if (r.method, r.case) == ("net", "c0") else r for r in TEST]
    sound, hurt = pairs(TEST, TRAIN)["net"], pairs(failing, TRAIN)["net"]
    assert hurt.first.n_failed == 1 and hurt.first.n_cases == 12
    assert hurt.first.cells["psnr_db"].mean < sound.first.cells["psnr_db"].mean
    assert hurt.difference > sound.difference


def test_other_weights_on_the_second_board_are_said() -> None:
    other = [replace(row, weights="v") if row.weights else row for row in TRAIN]
    assert {name for name, pair in pairs(TEST, other).items() if pair.own_weights} == {"net"}
    assert not any(pair.own_weights for pair in pairs(TEST, TRAIN).values())


def test_without_classical_methods_there_is_no_excess() -> None:
    nets = [[row for row in rows if row.kind == "learned"] for rows in (TEST, TRAIN)]
    found = side_by_side(*nets, PSNR)
    assert found.classical == [] and np.isnan(found.pairings[0].excess)


def test_one_case_gives_no_interval() -> None:
    found = pairs(board({"mean": 28.0, "net": 30.0}, range(1)), TRAIN)
    assert found["net"].difference == pytest.approx(5) and np.isnan(found["net"].low)
    assert found["net"].excess == pytest.approx(4) and np.isnan(found["net"].excess_low)


def test_boards_that_share_nothing_are_refused() -> None:
    with pytest.raises(RequestError, match="share no method"):
        side_by_side(TEST, board({"other": 3.0}, range(5)), PSNR)
    with pytest.raises(RequestError, match=r"no row of d, t, train has psnr_db"):
        side_by_side(TEST, [replace(row, metrics={"ssim": 0.5}) for row in TRAIN], PSNR)
    with pytest.raises(RequestError, match="no row of d, t, test has psnr_db"):
        side_by_side([replace(row, status="skipped", metrics={}) for row in TEST], TRAIN, PSNR)


def test_costs_are_medians_by_megavoxel() -> None:
    details = [{"megavoxels": 2.0}, {"megavoxels": 4.0}, {"megavoxels": 1.0}, {}]
    costs = [(4.0, 100.0), (4.0, None), (9.0, 30.0), (1e6, 1e6)]
    rows = [
        row("mean", person, 30.0, details=detail, cpu_seconds=cpu, memory_mib=memory)
        for person, (detail, (cpu, memory)) in enumerate(zip(details, costs, strict=True))
    ]
    rows.append(row("mean", 9, None, details={"megavoxels": 1.0}, cpu_seconds=1e6, memory_mib=1e6))
    line = leaderboard(rows, [PSNR]).lines[0]
    assert line.cpu_seconds_per_megavoxel == 2.0  # of 2, 1 and 9; a failure and a case of unknown size do not count
    assert line.memory_mib_per_megavoxel == 40.0  # of 50 and 30
    plain = leaderboard([row("mean", 0, 30.0, cpu_seconds=1.0, memory_mib=1.0)], [PSNR]).lines[0]
    assert np.isnan(plain.cpu_seconds_per_megavoxel) and np.isnan(plain.memory_mib_per_megavoxel)
