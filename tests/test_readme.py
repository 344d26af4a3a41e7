"""The README tells the truth: its table is the one in results/, its method runs."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest

from mrbench.core.case import Case
from mrbench.core.registry import find_method, find_task
from mrbench.engine.store import RowStore
from mrbench.stats.frame import frame
from mrbench.stats.leaderboard import leaderboard
from mrbench.tasks.registration import Registration

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
RESULTS = ROOT / "results"
BOARDS = sorted(path.parent for path in RESULTS.glob("*/*/*/rows.jsonl"))


def test_the_boards_in_the_readme_are_those_in_results() -> None:
    shown = re.findall(r"<!-- board:(\S+) -->\n(.*?)<!-- /board -->", README, re.DOTALL)
    assert {name.partition("/")[0] for name, _ in shown} == {
        "denoising",
        "generation",
        "reconstruction",
        "registration",
        "segmentation",
        "super-resolution",
        "synthesis",
    }
    for name, block in shown:
        table = (RESULTS / name / "leaderboard.md").read_text().partition("\n\n")[2]
        assert block.strip() == table.strip()


@pytest.mark.parametrize("board", BOARDS, ids=lambda path: str(path.relative_to(RESULTS)))
def test_boards_in_results_follow_from_their_rows(board: Path) -> None:
    rows = RowStore(board / "rows.jsonl").read()
    metrics = find_task(rows[0].task).metrics
    means = leaderboard(frame(rows), metrics).cells[metrics[0].name]["mean"]
    with (board / "leaderboard.csv").open(newline="") as file:
        written = {line["method"]: line for line in csv.DictReader(file)}
    assert set(written) == set(means.index)
    for name, mean in means.items():
        np.testing.assert_allclose(float(written[name][metrics[0].name]), mean, rtol=1e-5)


def test_the_method_of_the_readme_runs(tmp_path: Path, case: Case, task: Registration) -> None:
    code = next(block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "@method" in block)
    (tmp_path / "mine.py").write_text(code)
    made = find_method(f"{tmp_path}/mine.py:shift", "registration").build()
    field = task.check(case, made.predict(case.inputs))
    still = task.score(case, np.zeros_like(field)).metrics["dice"]
    assert task.score(case, field).metrics["dice"] > still
    assert len(code.strip().splitlines()) <= 20


@pytest.mark.parametrize("board", BOARDS, ids=lambda path: str(path.relative_to(RESULTS)))
def test_no_simulated_board_hides_that_it_is(board: Path) -> None:
    if RowStore(board / "rows.jsonl").read()[0].simulated:
        for name in ("leaderboard.md", "leaderboard.tex", "report.html"):
            assert "simulated" in (board / name).read_text()
