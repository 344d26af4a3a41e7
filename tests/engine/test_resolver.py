"""Methods of others never reach the process that loads references, ranks and reports."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.plugins.test_outside_the_repository import DATASET, METHODS, TASK

from mrbench import api
from mrbench.core.binding import bind
from mrbench.core.candidate import candidates
from mrbench.core.errors import RequestError
from mrbench.core.registry import is_foreign
from mrbench.engine.plan import Options
from mrbench.engine.resolver import resolved
from mrbench.engine.run import run_board

PATCHES = """
import mrbench.stats.leaderboard, mrbench.stats.scores, mrbench.report.report
mrbench.stats.leaderboard.scores = mrbench.stats.scores.scores = lambda *any: 1 / 0
mrbench.report.report.leaderboard = lambda *any: 1 / 0
"""


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    for name, text in {"rings.py": DATASET, "task.py": TASK, "methods.py": METHODS}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.slow
def test_a_file_of_methods_is_never_imported_where_references_are_loaded(outside: Path) -> None:
    """a method's file patches the harness when it is imported -> the board stands, and the file was never imported
    where references are loaded and boards are made"""
    path = outside / "methods.py"
    path.write_text(PATCHES + METHODS)
    board = api.run(
        f"{outside}/task.py:Counting", dataset=f"{outside}/rings.py:Rings", methods=[f"{path}:threshold"], out=outside
    )
    assert {row.status for row in board.rows} == {"ok"} and len(board.leaderboard.summary) == 1
    assert str(path) not in {getattr(module, "__file__", None) for module in list(sys.modules.values())}


def test_what_is_resolved_elsewhere_is_what_would_be_resolved_here(outside: Path) -> None:
    setting = bind(f"{outside}/task.py:Counting", f"{outside}/rings.py:Rings")
    specs = [f"A b={outside}/methods.py:threshold[level=0.25]", f"{outside}/methods.py:nothing"]
    here, there = candidates(setting, specs), resolved(setting, specs)
    assert here == there
    assert [one.row_key(setting.cases()[0]) for one in here] == [one.row_key(setting.cases()[0]) for one in there]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import os; os._exit(3)", "ended \\(exit code 3\\)"),
        ("raise SystemExit(2)", "cannot be imported: SystemExit: 2"),
        ("1 / 0", "cannot be imported: ZeroDivisionError"),
        ("raise type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})()", "cannot be imported: Odd"),
        ("", "holds no method; `mrbench new method my_name` writes one"),
    ],
)
def test_a_file_that_cannot_be_imported_is_one_sentence(outside: Path, text: str, said: str) -> None:
    (outside / "methods.py").write_text(text)
    setting = bind(f"{outside}/task.py:Counting", f"{outside}/rings.py:Rings")
    with pytest.raises(RequestError, match=said) as caught:
        resolved(setting, [f"{outside}/methods.py:threshold"])
    assert "\n" not in str(caught.value)


def test_an_import_that_does_not_end_is_one_sentence(outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """importing a method's file does not end -> one sentence, after a while"""
    monkeypatch.setattr("mrbench.engine.resolver.LONGEST_IMPORT", 1.0)
    (outside / "methods.py").write_text("import time; time.sleep(60)")
    setting = bind(f"{outside}/task.py:Counting", f"{outside}/rings.py:Rings")
    with pytest.raises(RequestError, match="took longer than 1 s"):
        resolved(setting, [f"{outside}/methods.py:threshold"])


def test_only_code_of_others_needs_a_process_of_its_own() -> None:
    foreign = {name: is_foreign(name, "registration") for name in ("elastix", "mine.py:f", "cmd:x {output}", "nothing")}
    assert [name for name, is_one in foreign.items() if is_one] == ["mine.py:f"]


HANGS = """
    def load(self, setting, case):
        if case.id == "r4": time.sleep(60)
        return self._load(setting, case)

    def check(self, case, prediction):
        if case.id == "r5": time.sleep(60)
        return self._check(case, prediction)
"""


@pytest.mark.slow
def test_a_read_or_a_score_that_never_ends_is_a_row_and_is_tried_again(outside: Path) -> None:
    """reading a case or scoring it never ends -> a row that says so, the next case runs, and a later run tries again"""
    path, held = outside / "task.py", "import time\n" + TASK
    hanging = held.replace("def load", "def _load").replace("def check", "def _check") + HANGS
    path.write_text(hanging)
    setting = bind(f"{path}:Counting", f"{outside}/rings.py:Rings")
    wanted = resolved(setting, [f"{outside}/methods.py:nothing"])
    rows = run_board(setting, wanted, folder=outside / "out", options=Options(scoring_timeout=2.0))
    said = {row.case: (row.status, row.outside, row.message[:24]) for row in rows}
    assert said["r3"] == ("ok", False, "")
    assert said["r4"] == ("error", True, "the case was not read wi")
    assert said["r5"] == ("error", True, "the case was not scored ")
    path.write_text(held.replace("def load", "def _load").replace("def check", "def _check") + HANGS.replace("60", "0"))
    again = run_board(setting, wanted, folder=outside / "out")
    assert [row.status for row in again] == ["ok"] * 3
