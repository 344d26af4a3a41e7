"""Names that collide are refused, and the cost of a case does not grow with their number."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from tests.plugins.test_outside_the_repository import DATASET, METHODS, TASK

from mrbench.core.binding import bind
from mrbench.core.candidate import candidates
from mrbench.core.case import CaseId
from mrbench.core.errors import RequestError
from mrbench.core.task import Setting
from mrbench.engine.plan import Options, missing
from mrbench.engine.run import run_board

CASES = 300


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    many = DATASET.replace('["r3", "r4", "r5"]', f'[f"r{{n}}" for n in range(3, {CASES + 3})]')
    for name, text in {"rings.py": many, "task.py": TASK, "methods.py": METHODS}.items():
        (tmp_path / name).write_text(text)
    return bind(f"{tmp_path}/task.py:Counting", f"{tmp_path}/rings.py:Rings")


@pytest.mark.parametrize("names", [("a", "a"), ("a", "\udcff"), ("\ud800",)])
def test_cases_that_cannot_be_told_apart_or_written_are_refused(
    setting: Setting, tmp_path: Path, names: tuple[str, ...]
) -> None:
    object.__setattr__(setting, "cases", lambda limit=None: [CaseId(name, ("r3",)) for name in names])
    with pytest.raises(RequestError, match=r"two cases of rings are called 'a'|no text that UTF-8 can hold"):
        run_board(setting, candidates(setting, [f"{tmp_path}/methods.py:nothing"]), folder=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_content_of_a_subject_is_hashed_once_a_method(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: Counter[str] = Counter()
    content_key = setting.dataset.content_key

    def counted(subject: str) -> str:
        asked[subject] += 1
        return content_key(subject)

    monkeypatch.setattr(setting.dataset, "content_key", counted)
    candidate = candidates(setting, [f"{tmp_path}/methods.py:nothing"])[0]
    cases = setting.cases()
    for _ in range(3):
        assert len(missing(candidate, cases, {}, Options())) == CASES
    assert set(asked) == {case.id for case in cases} and set(asked.values()) == {1}
    assert len({candidate.row_key(case) for case in cases}) == CASES
