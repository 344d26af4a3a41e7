"""Train on / test on: who is at home where, and what a stranger loses on the same cases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mrbench.core.metric import Metric
from mrbench.core.row import Row
from mrbench.report.generalisation import markdown, table, write_generalisation
from mrbench.stats.generalisation import Training, transfers
from mrbench.stats.leaderboard import leaderboard

PSNR = Metric("psnr_db", "PSNR", "dB", True, decimals=2)
SIMULATIONS = {"sim": "simulated k-space"}
TRAININGS = {"a": Training("heads", ("4x",)), "b": Training("heads", ("8x",)), "c": Training("sim", ("4x", "8x"))}


def row(method: str, weights: str | None, track: str, case: int, value: float, dataset: str = "heads") -> Row:
    return Row(
        key=f"{method}{track}{case}", task="reconstruction", track=track, dataset=dataset, simulated=dataset != "heads",
        fingerprint="f", split="test", protocol=track, method=method, kind="learned", source="s", weights=weights,
        seed=0,
        case=f"s{case // 3}_mask{case % 3}", subjects=[f"s{case // 3}"], status="ok", run="r", device="cpu", threads=1,
        metrics={"psnr_db": value},
    )  # fmt: skip


@pytest.fixture
def rows() -> list[Row]:
    made = []
    for case in range(9):
        made.append(row("net", "a", "4x", case, 32 + case / 10))
        made.append(row("net[weights=sim.4x+8x]", "c", "4x", case, 30 + case / 10))
        made.append(row("net", "b", "8x", case, 28.0))
        made.append(row("classical", None, "4x", case, 20.0))
        if case < 4:
            made.append(row("net[weights=heads.4x]", "a", "8x", case, 27.0))
    made.append(row("net[weights=mine.safetensors]", "unknown", "4x", 0, 50.0))
    return made


def test_losses_are_paired_and_homes_are_known(rows: list[Row]) -> None:
    found = {(t.tested_on, t.trained_on): t for t in transfers(rows, TRAININGS, PSNR, SIMULATIONS)}
    assert set(found) == {
        ("heads, 4x", "heads, 4x"), ("heads, 4x", "sim, 4x + 8x"),
        ("heads, 8x", "heads, 8x"), ("heads, 8x", "heads, 4x"),
    }  # fmt: skip
    home, away = found["heads, 4x", "heads, 4x"], found["heads, 4x", "sim, 4x + 8x"]
    assert home.home and np.isnan(home.loss) and home.mean == pytest.approx(32.4)
    assert not away.home and away.loss == pytest.approx(2)
    short = found["heads, 8x", "heads, 4x"]
    assert short.n_cases == 4 and short.loss == pytest.approx(1)


def test_files_say_the_same(rows: list[Row], tmp_path) -> None:
    found = transfers(rows, TRAININGS, PSNR, SIMULATIONS)
    text = markdown("reconstruction", PSNR, found)
    assert "| `net` | heads, 4x | **heads, 4x** | 9 | 32.40" in text and "| sim, 4x + 8x | 9 | 30.40" in text
    assert len(table(PSNR, found).splitlines()) == 1 + len(found)
    write_generalisation(tmp_path, "reconstruction", PSNR, found)
    assert {p.name for p in tmp_path.iterdir()} >= {"generalisation.md", "generalisation.csv", "generalisation_net.png"}


def test_failures_count_and_simulated_boards_are_named(rows: list[Row]) -> None:
    """Weights that fail on the hardest cases must not rise in the table."""
    failed = [
        replace(r, status="error", metrics={}) if r.weights == "c" and r.case.startswith("s0") else r for r in rows
    ]
    away = next(t for t in transfers(failed, TRAININGS, PSNR, SIMULATIONS) if t.trained_on == "sim, 4x + 8x")
    assert (away.n_cases, away.n_failed) == (9, 3)
    assert away.mean < 30.4 and away.loss > 2, "as the worst that any method reached there, 20 dB"
    assert "9 (3 failed)" in markdown("reconstruction", PSNR, [away])
    (simulated,) = transfers(
        [row("net", "c", "4x", n, 30.0, dataset="sim") for n in range(3)], TRAININGS, PSNR, SIMULATIONS
    )
    assert simulated.tested_on == "sim (simulated k-space), 4x" and simulated.home


def test_one_person_has_no_interval() -> None:
    text = markdown("reconstruction", PSNR, transfers([row("net", "a", "4x", 0, 32.0)], TRAININGS, PSNR, SIMULATIONS))
    assert "| 1 | 32.00 |" in text


def test_masks_of_one_head_are_not_more_heads() -> None:
    """Two heads with five masks each cannot tell methods apart; ten heads can."""
    few = [row(m, None, "4x", c, v + c / 100) for c in range(6) for m, v in (("good", 30.0), ("poor", 20.0))]
    assert not any(line.cells["psnr_db"].best for line in leaderboard(few, [PSNR]).lines)
    many = [row(m, None, "4x", c, v + c / 100) for c in range(24) for m, v in (("good", 30.0), ("poor", 20.0))]
    lines = {line.method: line for line in leaderboard(many, [PSNR]).lines}
    assert lines["good"].cells["psnr_db"].best and not lines["poor"].cells["psnr_db"].best
    assert lines["poor"].cells["psnr_db"].comparison.cases == 8  # subjects, not masks
