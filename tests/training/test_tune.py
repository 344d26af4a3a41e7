"""Tuning: a search that leaves its grid when it must, and manifests that a spec can point to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.settings import setting_of

from mrbench.core import tuned
from mrbench.core.candidate import candidates
from mrbench.core.errors import MethodSkipped, RequestError
from mrbench.core.method import Method
from mrbench.core.specification import parse_spec
from mrbench.core.tuned import manifest_name, tuned_parameters
from mrbench.datasets.folder import Folder
from mrbench.tasks.registration import Registration
from mrbench.training.tune import search, tune

METHOD = """
import numpy as np
from mrbench import Method

class Shift(Method):
    task = "registration"
    tunable = {"amount": (0.5, 1.0)}

    def __init__(self, *, amount=0.25, axis="y"):
        self.amount = float(amount)
        self.axis = axis

    def predict(self, inputs):
        field = np.zeros((3, *inputs.fixed.shape), np.float32)
        field[1] = self.amount - 4
        return field
"""


def test_search_grows_its_grid_to_the_maximum() -> None:
    tried = []

    def score(values: tuple[float, ...]) -> float:
        tried.append(values)
        return -((values[0] - 16) ** 2) - (values[1] - 0.1) ** 2

    assert search(score, [(1.0, 2.0), (0.1, 1.0)]) == (16.0, 0.1)
    assert max(values[0] for values in tried) == 32  # the neighbour beyond was looked at, too


def test_a_parameter_that_changes_nothing_stays_where_it_is() -> None:
    tried = set()

    def score(values: tuple[float, ...]) -> float:
        tried.add(values)
        return -((values[0] - 2) ** 2)

    assert search(score, [(1.0, 2.0, 4.0), (0.1, 1.0, 10.0)]) == (2.0, 1.0)
    assert {values[1] for values in tried} == {0.1, 1.0, 10.0}
    assert len({search(lambda values: 0.0, [(1.0, 3.0)])}) == 1


def test_search_does_not_chase_a_gain_that_costs_more_than_it_is_worth() -> None:
    """More trees are always a little better: the grid grows while a doubling is worth a thousandth of the score."""
    assert search(lambda values: 20 - 8 / values[0], [(100.0, 200.0)]) == (800.0,)


def test_search_gives_up_where_less_is_always_better() -> None:
    tried = set()

    def score(values: tuple[float, ...]) -> float:
        tried.add(values)
        return -values[0]

    search(score, [(1.0, 3.0)])
    assert len(tried) <= 2 + 6


@pytest.fixture
def shift(tmp_path: Path) -> str:
    (tmp_path / "mine.py").write_text(METHOD)
    return f"{tmp_path / 'mine.py'}:Shift"


def test_tuned_means_what_the_manifest_says(
    shift: str, dataset: Folder, task: Registration, tmp_path, monkeypatch
) -> None:
    board = setting_of(task, dataset, "inter-subject")
    spec = parse_spec(f"{shift}[axis=z]")
    found = candidates(board, [f"{shift}[axis=z,amount=tuned]"])[0]
    assert "not tuned for blobs, inter-subject" in str(found.skipped)
    from mrbench.core.registry import find_method

    method: type[Method] = find_method(spec.name, "registration")
    monkeypatch.setattr(tuned, "manifest_name", lambda *_: "shift.json")
    monkeypatch.setattr("mrbench.training.tune.manifest_name", lambda *_: "shift.json")
    scores = []
    path = tune(
        method,
        spec,
        setting_of(task, dataset, split="validation"),
        out=tmp_path / "tuned",
        report=lambda parameters, score: scores.append(score),
    )
    manifest = json.loads(path.read_text())
    assert manifest["split"] == "validation" and len(manifest["tried"]) == len(scores)
    best = max(manifest["tried"], key=lambda entry: entry["dice"])
    assert manifest["chosen"] == {"amount": best["amount"]} and best["dice"] == max(scores)
    found = candidates(board, [f"{shift}[axis=z,amount=tuned]"])[0]
    assert found.skipped is None
    assert found.resolved.parameters == {"axis": "z", "amount": best["amount"]}
    assert str(found.spec).endswith("[axis=z,amount=tuned]")
    same = candidates(board, [f"{shift}[axis=z,amount={best['amount']}]", f"{shift}[axis=z,amount=tuned]"])
    assert len(same) == 1  # tuning may find the default: one row, and no error


def test_manifest_names_and_refusals(shift: str, dataset: Folder, task: Registration) -> None:
    from mrbench.core.registry import find_method
    from mrbench_baselines.reconstruction.bart import BartPics

    spec = parse_spec("bart[regulariser=tv,strength=tuned]")
    assert manifest_name(BartPics, spec, "ixi", "singlecoil-4x") == "bart-tv.ixi.singlecoil-4x.json"
    with pytest.raises(RequestError, match="regulariser cannot be tuned; choose strength"):
        tuned_parameters(BartPics, parse_spec("bart[regulariser=tuned]"), "ixi", "singlecoil-4x")
    with pytest.raises(MethodSkipped, match="not tuned for nowhere"):
        tuned_parameters(BartPics, spec, "nowhere", "singlecoil-4x")
    identity = find_method("identity", "registration")
    with pytest.raises(RequestError, match="nothing to tune"):
        tune(identity, parse_spec("identity"), setting_of(task, dataset, split="validation"), out=Path())


FAILS = METHOD.replace("field = ", "if self.amount > 0.75: FAIL\n        field = ")


@pytest.mark.parametrize("fault", ["raise ValueError('no')", "raise SystemExit(3)", "1 / 0"])
def test_a_candidate_that_fails_is_the_worst_and_the_search_goes_on(
    fault: str, dataset: Folder, task: Registration, tmp_path: Path
) -> None:
    from mrbench.core.registry import find_method

    spec = parse_spec(f"{tmp_path / 'fails.py'}:Shift")
    (tmp_path / "fails.py").write_text(FAILS.replace("FAIL", fault))
    setting, out = setting_of(task, dataset, split="validation"), tmp_path / "tuned"
    path = tune(find_method(spec.name, "registration"), spec, setting, out=out, limit=1)
    manifest = json.loads(path.read_text())
    assert manifest["chosen"]["amount"] < 0.75 and {"amount": 1.0, "dice": None} in manifest["tried"]
    assert path.parent == out and path.name == "fails.py:Shift.blobs.inter-subject.json"
    (tmp_path / "always.py").write_text(FAILS.replace("> 0.75", "> 0").replace("FAIL", fault))
    always = parse_spec(f"{tmp_path / 'always.py'}:Shift")
    with pytest.raises(RequestError, match="fails with every parameter that was tried: "):
        tune(find_method(always.name, "registration"), always, setting, out=out, limit=1)


@pytest.mark.parametrize("name", ["/a/b/mine.py:f", "../../mine.py:f", "mine.py:f[note='../../../x']"])
def test_a_manifest_lies_in_the_folder_that_was_asked_for(name: str) -> None:
    from mrbench_baselines.reconstruction.bart import BartPics

    written = manifest_name(BartPics, parse_spec(name), "d", "t")
    assert "/" not in written and written.startswith("mine.py:f") and written.endswith(".d.t.json")
