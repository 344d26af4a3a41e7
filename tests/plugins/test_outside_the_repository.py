"""A stranger's dataset, task and method, in one file each outside the repository, run through the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from mrbench import testing
from mrbench.cli import app

DATASET = '''
import numpy as np
from mrbench.datasets.dataset import Dataset, Subject


class Rings(Dataset):
    """Rings of several sizes in noise."""

    name, title, citation, licence, preparation = "rings", "rings in noise", "nobody", "CC0", 1
    simulated = True
    splits = {"train": ["r0", "r1"], "validation": ["r2"], "test": ["r3", "r4", "r5"]}

    def make(self, subject):
        rng = np.random.default_rng(int(subject[1:]))
        z, y, x = np.indices((8, 16, 16)) - np.array([4, 8, 8])[:, None, None, None]
        ring = (abs(np.hypot(y, x) - rng.uniform(3, 6)) < 1) * 1.0
        image = np.clip(ring + 0.05 * rng.standard_normal(ring.shape), 0, 1).astype(np.float32)
        return Subject(subject, {"T1": image}, ring > 0, ring.astype(np.int16), (1.0, 1.0, 1.0))
'''

TASK = '''
import numpy as np
from mrbench.core.case import Case, CaseId
from mrbench.core.metric import Metric
from mrbench.core.prediction import finite_array
from mrbench.core.protocol import Protocol
from mrbench.core.task import Picture, Task
from mrbench.core.track import Track, tracks_by_name


class Counting(Task):
    """How much of a volume is ring: one number."""

    name = "ring-volume"
    tracks = tracks_by_name(Track("plain", "as it is", {"gain": 1.0}), Track("dim", "half as bright", {"gain": 0.5}))
    metrics = (
        Metric("error_ml", "error", "ml", False, (0, float("inf")), 2, "Absolute error of the volume.",
               compute=lambda e: abs(float(e.prediction[0]) - e.reference)),
    )

    def cases(self, setting):
        return [CaseId(subject, (subject,)) for subject in setting.dataset.subjects(setting.split)]

    def load(self, setting, case):
        subject = setting.dataset.load(case.subjects[0])
        image = subject.images["T1"] * setting.track.settings["gain"]
        return Case(case.id, case.subjects, image, float(subject.mask.sum()) / 1000, subject.spacing)

    def protocol(self, setting):
        return Protocol(f"ring-volume/{setting.track.name}", 1, {"dataset": setting.dataset.name})

    def check(self, case, prediction):
        return finite_array(prediction, (1,), what="the volume", axes="(1,)")

    def picture(self, case, prediction):
        image = case.inputs[4]
        return Picture(image, image, image, image * 0)
'''

METHODS = '''
import numpy as np
from mrbench import method


@method(task="ring-volume")
def threshold(inputs, level=0.5):
    """Voxels above a share of the maximum."""
    return np.array([(inputs > level * inputs.max()).sum() / 1000], np.float32)


@method(task="ring-volume")
def nothing(inputs):
    """Zero."""
    return np.zeros(1, np.float32)
'''


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    for name, text in {"rings.py": DATASET, "task.py": TASK, "methods.py": METHODS}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_they_run_through_the_command_line(outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(outside)
    arguments = ["run", "--task", "task.py:Counting", "--dataset", "rings.py:Rings", "--track", "dim"]
    arguments += ["-m", "Ours=methods.py:threshold", "-m", "methods.py:nothing"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    board = outside / "mrbench-results/ring-volume/dim/rings"
    assert "Ours" in done.output and (board / "report.html").is_file()
    assert len((board / "rows.jsonl").read_text().splitlines()) == 6
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code == 0 and len((board / "rows.jsonl").read_text().splitlines()) == 6


def test_they_keep_the_contract(outside: Path) -> None:
    setting = testing.setting(f"{outside}/task.py:Counting", f"{outside}/rings.py:Rings")
    given = [{"dataset": setting.dataset}, {"setting": setting}]
    given += [{"setting": setting, "method": f"{outside}/methods.py:{name}"} for name in ("threshold", "nothing")]
    for one in given:
        for check in testing.checks(**one).values():
            check()


@pytest.mark.parametrize(
    ("name", "old", "new", "broken"),
    [
        ("methods.py:threshold", "return np.array([(", "inputs -= 1\n    return np.array([(", "changes its inputs"),
        ("methods.py:nothing", "np.zeros(1", "np.random.default_rng().random(1", "does not repeat itself"),
    ],
)
def test_a_broken_contract_is_named(outside: Path, name: str, old: str, new: str, broken: str) -> None:
    path = outside / "methods.py"
    path.write_text(METHODS.replace(old, new, 1))
    setting = testing.setting(f"{outside}/task.py:Counting", f"{outside}/rings.py:Rings")
    with pytest.raises(AssertionError, match=broken):
        for check in testing.checks(setting=setting, method=f"{outside}/{name}").values():
            check()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "task.py:Missing", "--dataset", "rings.py:Rings"], "unknown task in task.py"),
        (["--task", "nowhere.py:Task"], "is not there; check the path"),
        (["--task", "task.py", "--dataset", "icbm_sim"], "did you mean 'icbm-sim'"),
        (["--task", "reconstruction", "--dataset", "rings.py:Rings"], "gives images, but the task works on k-space"),
    ],
)
def test_refusals(outside: Path, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(outside)
    done = CliRunner().invoke(app, ["run", *arguments])
    assert message in str(done.exception) and not (outside / "mrbench-results").exists()
