"""Tuning: a search that leaves its grid when it must, and manifests that a spec can point to."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from tests.marks import slow
from tests.settings import setting_of

from mrbench import api
from mrbench.core import tuned
from mrbench.core.binding import bind
from mrbench.core.candidate import Candidate, candidates
from mrbench.core.errors import MethodSkipped, RequestError
from mrbench.core.registry import find_dataset, find_task
from mrbench.core.specification import parse_spec
from mrbench.core.task import Setting
from mrbench.core.tuned import manifest_name, tuned_parameters
from mrbench.datasets.folder import Folder
from mrbench.engine.plan import Options
from mrbench.engine.resolver import resolved
from mrbench.engine.tune import search, tune
from mrbench.tasks.registration import Registration

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


def wanted(setting: Setting, text: str) -> Candidate:
    (candidate,) = resolved(setting, [text])
    return candidate


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
    setting = setting_of(task, dataset, "inter-subject")
    candidate = candidates(setting, [f"{shift}[axis=z,amount=tuned]"])[0]
    assert "not tuned for blobs, inter-subject" in str(candidate.skipped)
    monkeypatch.setattr(tuned, "manifest_name", lambda *_: "shift.json")
    monkeypatch.setattr("mrbench.engine.tune.manifest_name", lambda *_: "shift.json")
    scores = []
    path = tune(
        wanted(setting_of(task, dataset, split="validation"), f"{shift}[axis=z]"),
        out=tmp_path / "tuned",
        report=lambda parameters, score: scores.append(score),
    )
    manifest = json.loads(path.read_text())
    assert manifest["split"] == "validation" and len(manifest["tried"]) == len(scores)
    best = max(manifest["tried"], key=lambda entry: entry["dice"])
    assert manifest["chosen"] == {"amount": best["amount"]} and best["dice"] == max(scores)
    candidate = candidates(setting, [f"{shift}[axis=z,amount=tuned]"])[0]
    assert candidate.skipped is None
    assert candidate.resolved.parameters == {"axis": "z", "amount": best["amount"]}
    assert str(candidate.spec).endswith("[axis=z,amount=tuned]")
    same = candidates(setting, [f"{shift}[axis=z,amount={best['amount']}]", f"{shift}[axis=z,amount=tuned]"])
    assert len(same) == 1  # tuning may find the default: one row, and no error


def test_a_manifest_of_ones_own_is_named_by_its_file(
    shift: str, dataset: Folder, task: Registration, tmp_path: Path
) -> None:
    """`mrbench tune` writes where the user is, not beside a method that is installed"""
    own = tmp_path / "elsewhere"
    path = tune(wanted(setting_of(task, dataset, split="validation"), f"{shift}[axis=z]"), out=own)
    setting, named = setting_of(task, dataset, "inter-subject"), f"{shift}[axis=%s,amount='tuned:{path}']"
    (candidate,) = candidates(setting, [named % "z"])
    assert candidate.skipped is None
    assert candidate.resolved.parameters["amount"] == json.loads(path.read_text())["chosen"]["amount"]
    with pytest.raises(RequestError, match=r"tells what was tuned of .*axis=z\]'; tune this method itself"):
        candidates(setting, [named % "y"])
    with pytest.raises(RequestError, match=r"there is no nowhere\.json"):
        candidates(setting, [f"{shift}[amount='tuned:nowhere.json']"])
    manifest = json.loads(path.read_text())
    with pytest.raises(RequestError, match=r"was tuned by another command \(mrbench tune .*\); give another --out"):
        tune(wanted(setting_of(task, dataset, split="validation"), f"{shift}[axis=z]"), out=own, limit=1)
    path.write_text(json.dumps(manifest | {"split": "test"}))
    with pytest.raises(RequestError, match="was tuned on the test split"):
        candidates(setting, [named % "z"])
    tested = [case.id for case in setting.all_cases]
    path.write_text(json.dumps(manifest | {"cases": [*manifest["cases"], tested[-1]]}))
    with pytest.raises(RequestError, match=f"was tuned on {tested[-1]} of this test split"):
        candidates(setting, [named % "z"])
    for text in ("{}", "[]", '{"method": 3, "split": "validation"}', "\xff"):
        path.write_text(text)
        with pytest.raises(RequestError, match=r"is no manifest of `mrbench tune`"):
            candidates(setting, [named % "z"])


def test_another_metric_may_decide_and_every_mean_is_kept(
    shift: str, dataset: Folder, task: Registration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mrbench.engine.tune.manifest_name", lambda *_: "shift.json")
    (decisive,) = [metric for metric in task.metrics if metric.name == "hd95_mm"]
    path = tune(wanted(setting_of(task, dataset, split="validation"), shift), out=tmp_path, limit=1, metric=decisive)
    manifest = json.loads(path.read_text())
    assert manifest["metric"] == "hd95_mm" and manifest["command"].endswith("--metric hd95_mm --limit 1")
    best = min(manifest["tried"], key=lambda entry: entry["hd95_mm"])  # lower is better
    assert manifest["chosen"] == {"amount": best["amount"]} and {"dice", "sdlogj"} < set(best)


@pytest.mark.parametrize("name", ["psnr", "seconds"])
def test_a_metric_that_the_task_does_not_rank_by_is_refused(name: str) -> None:
    """`mrbench tune --metric` of another task -> one sentence before anything runs"""
    with pytest.raises(RequestError, match=f"unknown metric of registration to tune by '{name}'"):
        api.tune("registration", "demons", metric=name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"chosen": {}}',
        '{"chosen": 3}',
        "\\xff",
        '{"chosen": {"amount": "much"}}',
        '{"chosen": {"amount": NaN}}',
    ],
)
def test_a_damaged_manifest_of_tuning_is_one_sentence(
    shift: str, dataset: Folder, task: Registration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """what `mrbench tune` wrote is damaged -> refused in one sentence before anything runs"""
    monkeypatch.setattr(tuned, "manifest_name", lambda *_: "shift.json")
    (tmp_path / "tuned").mkdir()
    (tmp_path / "tuned" / "shift.json").write_text(text)
    with pytest.raises(RequestError, match=r"shift\.json is no manifest that tells amount; tune") as caught:
        candidates(setting_of(task, dataset, "inter-subject"), [f"{shift}[amount=tuned]"])
    assert "\n" not in str(caught.value)


def test_manifest_names_and_refusals(dataset: Folder, task: Registration) -> None:
    from mrbench_baselines.reconstruction.bart import BartPics

    spec = parse_spec("bart[regulariser=tv,strength=tuned]")
    assert manifest_name(BartPics.tunable, spec, "ixi", "singlecoil-4x") == "bart-tv.ixi.singlecoil-4x.json"
    with pytest.raises(RequestError, match="regulariser cannot be tuned; choose strength"):
        tuned_parameters(BartPics, parse_spec("bart[regulariser=tuned]"), "ixi", "singlecoil-4x")
    with pytest.raises(MethodSkipped, match="not tuned for nowhere"):
        tuned_parameters(BartPics, spec, "nowhere", "singlecoil-4x")
    with pytest.raises(RequestError, match="strength is what is tuned; leave it out"):
        tune(wanted(bind("denoising", "icbm-sim", None, "validation"), "total-variation[strength=1]"), out=Path())
    with pytest.raises(RequestError, match="nothing to tune"):
        tune(wanted(setting_of(task, dataset, split="validation"), "identity"), out=Path())


FAILS = METHOD.replace("field = ", "if self.amount > 0.75: FAIL\n        field = ")


@pytest.mark.parametrize(
    "fault", [slow("raise SystemExit(3)"), "__import__('os')._exit(0)", slow("__import__('time').sleep(60)")]
)
def test_a_candidate_that_fails_is_the_worst_and_the_search_goes_on(
    fault: str, dataset: Folder, task: Registration, tmp_path: Path
) -> None:
    """a candidate of `mrbench tune` raises, exits or hangs -> it is the worst, and the search goes on"""
    (tmp_path / "fails.py").write_text(FAILS.replace("FAIL", fault))
    setting, out = setting_of(task, dataset, split="validation"), tmp_path / "tuned"
    options = Options(timeout=2.0 if "sleep" in fault else None)
    path = tune(wanted(setting, f"{tmp_path / 'fails.py'}:Shift"), out=out, limit=1, options=options)
    manifest = json.loads(path.read_text())
    assert manifest["chosen"]["amount"] < 0.75 and {"amount": 1.0, "dice": None} in manifest["tried"]
    assert path.parent == out and path.name == "fails.py:Shift.blobs.inter-subject.json"


@pytest.mark.slow
def test_a_method_that_always_fails_is_not_tuned(dataset: Folder, task: Registration, tmp_path: Path) -> None:
    (tmp_path / "always.py").write_text(FAILS.replace("> 0.75", "> 0").replace("FAIL", "return None"))
    setting = setting_of(task, dataset, split="validation")
    with pytest.raises(RequestError, match="fails with every parameter that was tried: "):
        tune(wanted(setting, f"{tmp_path / 'always.py'}:Shift"), out=tmp_path / "tuned", limit=1)
    assert not list(tmp_path.glob("tuned/*.json"))


@pytest.mark.slow
def test_a_method_that_patches_the_harness_changes_no_score_of_its_tuning(
    dataset: Folder, task: Registration, tmp_path: Path
) -> None:
    """a method's file patches a metric and closes stderr -> `mrbench tune` scores what it predicts all the same"""
    patches = (
        "import os, sys, mrbench.tasks.registration as r\nr.Registration.score = lambda *any: 1 / 0\nos.close(2)\n"
    )
    scores: dict[str, list[float]] = {"plain": [], "patching": []}
    for name, text in {"plain": METHOD, "patching": patches + METHOD}.items():
        (tmp_path / f"{name}.py").write_text(text)
        setting = setting_of(task, dataset, split="validation")
        method = wanted(setting, f"{tmp_path / name}.py:Shift")
        tune(method, out=tmp_path, limit=1, report=lambda values, score, heard=scores[name]: heard.append(score))
    assert scores["plain"] == scores["patching"] != []
    assert not [m for m in list(sys.modules.values()) if str(tmp_path) in str(getattr(m, "__file__", ""))]


@pytest.mark.parametrize("grid", ["(1.0,)", "(0.0, 1.0)", "('a', 'b')", "(1.0, float('1e999'))"])
def test_a_grid_that_cannot_be_searched_is_refused(
    grid: str, dataset: Folder, task: Registration, tmp_path: Path
) -> None:
    """a method names a grid to tune that cannot be searched -> one sentence"""
    (tmp_path / "mine.py").write_text(METHOD.replace("(0.5, 1.0)", grid))
    with pytest.raises(RequestError, match=r"two or more positive numbers|cannot be read"):
        tune(wanted(setting_of(task, dataset, split="validation"), f"{tmp_path / 'mine.py'}:Shift"), out=tmp_path)


@pytest.mark.parametrize("name", ["/a/b/mine.py:f", "../../mine.py:f", "mine.py:f[note='../../../x']"])
def test_a_manifest_lies_in_the_folder_that_was_asked_for(name: str) -> None:
    from mrbench_baselines.reconstruction.bart import BartPics

    written = manifest_name(BartPics.tunable, parse_spec(name), "d", "t")
    assert "/" not in written and written.startswith("mine.py:f") and written.endswith(".d.t.json")


def test_values_that_were_chosen_with_another_datasets_subject_are_refused_on_it() -> None:
    """`sri24` validates `open-ms`."""
    setting = setting_of(find_task("synthesis"), find_dataset("sri24", "contrasts"), "t1-to-t2")
    with pytest.raises(RequestError, match="was tuned on sri24 of this test split"):
        candidates(setting, ["patch-regression[trees='tuned:open-ms.t1-to-t2']"])
