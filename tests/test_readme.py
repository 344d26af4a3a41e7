"""The README tells the truth: its table is the one in results/, its method runs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from mrbench.core.case import Case
from mrbench.core.registry import find_method
from mrbench.core.row import Row
from mrbench.stats.leaderboard import leaderboard
from mrbench.tasks.registration import Registration

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BOARDS = ROOT / "results/registration/inter-subject"


def test_the_board_in_the_readme_is_the_one_in_results() -> None:
    shown = re.search(r"<!-- board:ixi-hh-2mm -->\n(.*?)<!-- /board -->", README, re.DOTALL)
    assert shown is not None
    table = (BOARDS / "ixi-hh-2mm/leaderboard.md").read_text().partition("\n\n")[2]
    assert shown[1].strip() == table.strip()


def test_boards_in_results_follow_from_their_rows() -> None:
    import csv

    for folder in ("ixi-hh-2mm", "icbm-sim"):
        rows = [Row.from_json(line) for line in (BOARDS / folder / "rows.jsonl").read_text().splitlines()]
        table = {line.method: line for line in leaderboard(rows, Registration().metrics).lines}
        with (BOARDS / folder / "leaderboard.csv").open(newline="") as file:
            written = {line["method"]: line for line in csv.DictReader(file)}
        assert set(written) == set(table)
        for name, line in table.items():
            np.testing.assert_allclose(float(written[name]["dice"]), line.cells["dice"].mean, rtol=1e-5)


def test_the_method_of_the_readme_runs(tmp_path: Path, case: Case, task: Registration) -> None:
    code = next(block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "@method" in block)
    (tmp_path / "mine.py").write_text(code)
    made = find_method(f"{tmp_path}/mine.py:shift", "registration").build()
    field = task.check(case, made.predict(case.inputs))
    still = task.score(case, np.zeros_like(field)).metrics["dice"]
    assert task.score(case, field).metrics["dice"] > still
    assert len(code.strip().splitlines()) <= 20


def test_no_simulated_board_hides_that_it_is() -> None:
    for name in ("leaderboard.md", "leaderboard.tex", "report.html"):
        assert "simulated" in (BOARDS / "icbm-sim" / name).read_text()
