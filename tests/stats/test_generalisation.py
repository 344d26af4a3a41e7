"""Train on / test on: who is at home where, and what a stranger loses on the same cases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.rows import row_of

from mrbench.core.metric import Metric
from mrbench.core.row import Row
from mrbench.report.generalisation import csv, sheet, write_generalisation
from mrbench.stats.frame import frame
from mrbench.stats.generalisation import Transfers, transfers
from mrbench.stats.leaderboard import leaderboard
from mrbench.stats.training import Training

PSNR = Metric("psnr_db", "PSNR", "dB", True, decimals=2)
SIMULATIONS = {"sim": "simulated k-space"}
TRAININGS = {"a": Training("heads", ("4x",)), "b": Training("heads", ("8x",)), "c": Training("sim", ("4x", "8x"))}


def row(method: str, weights: str | None, track: str, case: int, value: float, dataset: str = "heads") -> Row:
    return row_of(
        method,
        case,
        {"psnr_db": value},
        key=f"{method}{track}{case}",
        task="reconstruction",
        track=track,
        dataset=dataset,
        simulated=dataset != "heads",
        protocol=track,
        kind="learned",
        weights=weights,
        case=f"s{case // 3}_mask{case % 3}",
        subjects=[f"s{case // 3}"],
    )


@pytest.fixture
def rows() -> list[Row]:
    rows = []
    for case in range(9):
        rows.append(row("net", "a", "4x", case, 32 + case / 10))
        rows.append(row("net[weights=sim.4x+8x]", "c", "4x", case, 30 + case / 10))
        rows.append(row("net", "b", "8x", case, 28.0))
        rows.append(row("classical", None, "4x", case, 20.0))
        if case < 4:
            rows.append(row("net[weights=heads.4x]", "a", "8x", case, 27.0))
    rows.append(row("net[weights=mine.safetensors]", "unknown", "4x", 0, 50.0))
    return rows


def of(rows: list[Row], trainings: dict[str, Training] = TRAININGS) -> Transfers:
    return transfers(frame(rows), trainings, PSNR, SIMULATIONS)


def lines(result: Transfers) -> dict[tuple[str, str], Any]:
    return {(line.tested_on, line.trained_on): line for line in result.table.itertuples()}


def test_losses_are_paired_and_homes_are_known(rows: list[Row]) -> None:
    by_place = lines(of(rows))
    assert set(by_place) == {
        ("heads, 4x", "heads, 4x"),
        ("heads, 4x", "sim, 4x + 8x"),
        ("heads, 8x", "heads, 8x"),
        ("heads, 8x", "heads, 4x"),
    }
    home, away = by_place["heads, 4x", "heads, 4x"], by_place["heads, 4x", "sim, 4x + 8x"]
    assert home.home and np.isnan(home.loss) and home.mean == pytest.approx(32.4)
    assert not away.home and away.loss == pytest.approx(2)
    short = by_place["heads, 8x", "heads, 4x"]
    assert short.n_cases == 4 and short.loss == pytest.approx(1)


def test_files_say_the_same(rows: list[Row], tmp_path) -> None:
    result = of(rows)
    text = sheet("reconstruction", PSNR, result).markdown
    assert "| `net` | heads, 4x | **heads, 4x** | 9 | 32.40" in text and "| sim, 4x + 8x | 9 | 30.40" in text
    assert len(csv(PSNR, result.table).splitlines()) == 1 + len(result.table)
    write_generalisation(tmp_path, "reconstruction", PSNR, result)
    assert {p.name for p in tmp_path.iterdir()} >= {"generalisation.md", "generalisation.csv", "generalisation_net.pdf"}


def test_failures_count_and_simulated_boards_are_named(rows: list[Row]) -> None:
    """Weights that fail on the hardest cases must not rise in the table."""
    failed = [
        replace(r, status="error", metrics={}) if r.weights == "c" and r.case.startswith("s0") else r for r in rows
    ]
    away = lines(of(failed))["heads, 4x", "sim, 4x + 8x"]
    assert (away.n_cases, away.n_failed) == (9, 3)
    assert away.mean < 30.4 and away.loss > 2, "as the worst that any method reached there, 20 dB"
    assert "9 (3 failed)" in sheet("reconstruction", PSNR, of(failed)).markdown
    (simulated,) = of([row("net", "c", "4x", n, 30.0, dataset="sim") for n in range(3)]).table.itertuples()
    assert simulated.tested_on == "sim (simulated k-space), 4x" and simulated.home


def test_one_subject_has_no_interval() -> None:
    text = sheet("reconstruction", PSNR, of([row("net", "a", "4x", 0, 32.0)])).markdown
    assert "| 1 | 32.00 |" in text


def test_weights_that_descend_from_the_test_data_are_refused(rows: list[Row]) -> None:
    """Weights fine-tuned on simulated data after real heads are no strangers to real heads."""
    descended = {**TRAININGS, "c": Training("sim", ("4x", "8x"), ("sim", "heads"))}
    result = of(rows, descended)
    assert ("heads, 4x", "sim, 4x + 8x") not in lines(result) and ("heads, 4x", "heads, 4x") in lines(result)
    refused, said = result.refused.iloc[-1], sheet("reconstruction", PSNR, result).text
    assert (refused.method, refused.trained_on, refused.tested_on) == ("net", "sim, 4x + 8x", "heads, 4x")
    assert refused.reason == "descends from weights trained on subjects of heads"
    assert f"Left out on heads, 4x: net, trained on sim, 4x + 8x: it {refused.reason}." in said
    strangers = {**TRAININGS, "c": Training("sim", ("4x", "8x"), ("sim", "cine"))}
    assert not of(rows, strangers).refused["trained_on"].any()


def test_weights_that_nobody_here_knows_are_refused(rows: list[Row]) -> None:
    (refused,) = of(rows).refused.itertuples()
    reason = "has weights that are not installed here, so that nobody knows what they were trained on"
    assert (refused.method, refused.reason) == ("net[weights=mine.safetensors]", reason)
    said = sheet("reconstruction", PSNR, of(rows)).text
    assert f"Left out on heads, 4x: net[weights=mine.safetensors]: it {reason}." in said


def test_boards_without_known_weights_give_an_empty_table(rows: list[Row]) -> None:
    result = of([r for r in rows if r.weights is None])
    assert result.table.empty and result.refused.empty and list(result.table) == list(of(rows).table)


def test_masks_of_one_head_are_not_more_heads() -> None:
    """Two heads with five masks each cannot tell methods apart; ten heads can."""
    few = [row(m, None, "4x", c, v + c / 100) for c in range(6) for m, v in (("good", 30.0), ("poor", 20.0))]
    assert not leaderboard(frame(few), [PSNR]).cells["psnr_db"]["best"].any()
    many = [row(m, None, "4x", c, v + c / 100) for c in range(24) for m, v in (("good", 30.0), ("poor", 20.0))]
    board = leaderboard(frame(many), [PSNR])
    assert dict(board.cells["psnr_db"]["best"]) == {"good": True, "poor": False}
    assert list(board.comparisons["n"]) == [8]  # subjects, not masks


def test_weights_of_a_dataset_with_the_same_files_are_no_strangers() -> None:
    rows = [row("net", weights, "4x", case, 30.0, "open-ms") for weights in ("e", "f") for case in range(9)]
    twins = {name: Training("open-ms-07", ("4x",), (home,)) for name, home in (("e", "open-ms-07"), ("f", "sri24"))}
    assert [line.reason for line in of(rows[:9], twins).refused.itertuples()] == [
        "descends from weights trained on subjects of open-ms"
    ]
    assert of(rows[9:], twins).refused.empty


@pytest.mark.parametrize(
    ("trained_on", "tested_on", "subject"), [("heads", "heads", "s0"), ("open-ms", "sri24", "sri24")]
)
def test_weights_that_saw_a_subject_of_the_board_are_refused(trained_on: str, tested_on: str, subject: str) -> None:
    rows = [replace(row("net", "w", "4x", case, 30.0, tested_on), subjects=[subject]) for case in range(3)]
    saw = Training(trained_on, ("4x",), (trained_on,), seen={trained_on: frozenset({subject, "another"})})
    result = of(rows, {"w": saw})
    assert result.table.empty and list(result.refused["reason"]) == [f"has seen {subject} of this board"]
