"""What helps with methods of one's own: templates that work, a doctor that finds faults, citations."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tests.marks import slow
from typer.testing import CliRunner

from mrbench import api
from mrbench.api.checkup import _conventions
from mrbench.api.citing import _entry
from mrbench.api.plugins import KINDS, TEMPLATES
from mrbench.cli import app
from mrbench.core.errors import RequestError
from mrbench.core.row import Row
from mrbench.core.task import Task
from mrbench.engine.store import RowStore
from mrbench.tasks.registration import Registration

pytestmark = pytest.mark.filterwarnings("default")


def run_tests_of(path: Path, tmp_path: Path) -> int:
    """Run the tests of a file as pytest would, without another process; returns how many there were."""
    scope: dict = {"__file__": str(path), "__name__": path.stem}
    exec(compile(path.read_text(), str(path), "exec"), scope)
    count = 0
    for test in [value for name, value in scope.items() if name.startswith("test_")]:
        marks = getattr(test, "pytestmark", [])
        for parameter in marks[0].args[1] if marks else [None]:
            test(*parameter.values) if parameter is not None else test(tmp_path)
            count += 1
    return count


@pytest.mark.parametrize("kind", [slow(kind) if kind == "learned-method" else kind for kind in KINDS])
def test_a_plug_in_works_with_its_test(kind: str, cohort: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["new", kind, "my_own", "--dataset", f"folder:{cohort}"])
    assert done.exit_code == 0 and done.output.count("wrote") == 2
    assert run_tests_of(tmp_path / "test_my_own.py", tmp_path) >= 1


@pytest.mark.parametrize("kind", KINDS)
def test_templates_are_short(kind: str) -> None:
    lines = [line for line in (TEMPLATES / f"{kind}.py.j2").read_text().splitlines() if line.strip()]
    assert len(lines) <= 40


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("methods", "mine"), "did you mean 'method'"),
        (("method", "my-own"), "cannot be the name of a Python file"),
        (("method", "class"), "cannot be the name of a Python file"),
        (("method", "there"), "is there already"),
    ],
)
def test_bad_names_write_nothing(arguments, message: str, tmp_path: Path) -> None:
    (tmp_path / "test_there.py").write_text("")
    with pytest.raises(RequestError, match=message):
        api.new(*arguments, folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


FAULTY = """
import numpy as np
from mrbench import method

@method(task="registration")
def right(inputs):
    "Zero."
    return np.zeros((3, *inputs.fixed.shape), np.float32)

@method(task="registration")
def last(inputs):
    "Components last."
    return np.zeros((*inputs.fixed.shape, 3), np.float32)

@method(task="registration")
def spoils(inputs):
    "Writes into its inputs."
    inputs.fixed[:] = 0
    return np.zeros((3, *inputs.fixed.shape), np.float32)

@method(task="registration")
def raises(inputs):
    "Fails."
    raise ValueError("no luck")

@method(task="registration")
def undescribed(inputs):
    return np.zeros((3, *inputs.fixed.shape), np.float32)

CALLS = []

@method(task="registration")
def wavers(inputs):
    "Another field at every call, and none that can be scored: NaN stays NaN."
    CALLS.append(1)
    field = np.full((3, *inputs.fixed.shape), len(CALLS), np.float32)
    field[0] = np.nan
    return field
"""


@pytest.mark.parametrize(
    ("name", "fault", "message"),
    [
        slow("right", None, ""),
        slow("last", "prediction is accepted", "axes (component, z, y, x)"),
        slow("spoils", "inputs are not changed", "work on a copy"),
        ("raises", "prediction is accepted", "ValueError: no luck"),
        slow("undescribed", "is described", "has no docstring"),
        slow("wavers", "is deterministic", "1 apart; seed its randomness"),
    ],
)
def test_the_doctor_finds_what_is_wrong(
    name: str, fault: str | None, message: str, cohort: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(FAULTY)
    findings = {
        f.name: f for f in api.doctor(f"{tmp_path}/mine.py:{name}", task="registration", dataset=f"folder:{cohort}")
    }
    if fault is None:
        assert all(finding.passed for finding in findings.values())
        assert "on one thread" in findings["time"].message
        conventions = findings["units and axes: conventions"]  # of a field of zeros nobody can tell
        assert not conventions.made and conventions.message == "no reading of the field brings labels together."
    else:
        assert not findings[fault].passed and message in findings[fault].message
        accepted = findings["prediction is accepted"].passed
        assert ("time" in findings) == accepted == ("all else" not in findings)
        assert accepted or findings["all else"].message == "there is no prediction to look at."


@pytest.mark.parametrize(
    ("diagnosed", "made", "message"),
    [(None, False, "the task size looks for no mix-ups."), ("", True, ""), ("metres", True, "metres")],
)
def test_the_doctor_on_a_task_that_looks_for_little(diagnosed: str | None, made: bool, message: str) -> None:
    """One of one's own that does not say what it looked for: with a warning of its own, or with nothing."""

    class Size(Registration):
        name = "size"
        looks = Task.looks
        diagnose = Task.diagnose if diagnosed is None else lambda *_: diagnosed or None

    test = SimpleNamespace(predict=lambda ready: np.zeros(1), ready=lambda: None)
    (finding,) = _conventions(Size(), None, test)  # type: ignore[arg-type]
    assert (finding.made, finding.passed, finding.message) == (made, not diagnosed, message)


@pytest.mark.slow
def test_the_doctor_on_the_command_line(cohort: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(FAULTY)
    done = CliRunner().invoke(
        app, ["doctor", f"{tmp_path}/mine.py:last", "-t", "registration", "-d", f"folder:{cohort}"]
    )
    assert done.exit_code == 1 and "fault" in done.output and "axes (component, z, y, x)" in done.output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("__import__('os')._exit(0)", "it ended its process (exit code 0)"),
        ("__import__('time').sleep(60)", "no end within 3 s"),
        ("raise type('Odd', (BaseException,), {'__str__': lambda self: 1 / 0})()", "its message cannot be read"),
    ],
)
def test_whatever_a_method_does_to_the_doctor_is_a_finding(
    body: str, message: str, cohort: Path, tmp_path: Path
) -> None:
    """a method exits, hangs or raises under `mrbench doctor` -> a finding that says so"""
    (tmp_path / "mine.py").write_text(f"{FAULTY}\n@method(task='registration')\ndef f(inputs):\n    'x'\n    {body}\n")
    limit = 3.0 if "sleep" in body else 600.0
    findings = api.doctor(f"{tmp_path}/mine.py:f", task="registration", dataset=f"folder:{cohort}", timeout=limit)
    assert any(message in finding.message for finding in findings if not finding.passed), findings


@pytest.mark.slow
def test_a_method_that_patches_the_harness_is_judged_all_the_same(cohort: Path, tmp_path: Path) -> None:
    """a method's file patches a check, closes stderr and is imported by `mrbench doctor` -> it is judged by our own"""
    patches = (
        "import os, mrbench.tasks.registration as r, mrbench.testing as t\n"
        "r.Registration.check = lambda *any: None\nt.check_prediction_is_accepted = print\nos.close(2)\n"
    )
    (tmp_path / "mine.py").write_text(patches + FAULTY)
    findings = api.doctor(f"{tmp_path}/mine.py:last", task="registration", dataset=f"folder:{cohort}")
    fault = next(finding for finding in findings if finding.name == "prediction is accepted")
    assert not fault.passed and "axes (component, z, y, x)" in fault.message


def board_of(folder: Path, *methods: tuple[str, str]) -> Path:
    needed = {name for name, p in inspect.signature(Row).parameters.items() if p.default is inspect.Parameter.empty}
    common = dict.fromkeys(needed, "x") | {
        "task": "registration",
        "simulated": False,
        "weights": None,
        "seed": 0,
        "subjects": ["a"],
        "status": "ok",
        "threads": 1,
    }
    store = RowStore(folder / "rows.jsonl")
    for method, kind in methods:
        store.append(Row(**{**common, "method": method, "kind": kind, "case": method, "key": method}))
    return folder


def test_a_board_is_cited(tmp_path: Path) -> None:
    folder = board_of(
        tmp_path,
        ("elastix[recipe=par0035]", "classical"),
        ("elastix", "classical"),
        ("Theirs", "external"),
        ("/somewhere/evil.py:run", "classical"),
    )
    text = api.cite(folder)
    assert text.count("@misc{klein2010,") == 1
    assert "% method elastix[recipe=par0035], method elastix\n" in text
    assert "author = {Klein and others}" in text and "title = {elastix}" in text and "year = {2010}" in text
    assert "howpublished = {IEEE TMI}" in text
    assert "% Theirs: no citation" in text and "% /somewhere/evil.py:run: no citation" in text
    assert CliRunner().invoke(app, ["cite", str(folder)]).output == text


def test_a_work_is_cited_once_whatever_part_of_it_is_meant(tmp_path: Path) -> None:
    """VoxelMorph had two keys, and an author called "diffeomorphic form: Dalca"."""
    folder = board_of(
        tmp_path,
        *((name, "learned") for name in ("voxelmorph", "instance-optimisation")),
        ("identity", "classical"),
        ("a\nb", "external"),
    )
    text = api.cite(folder)
    assert "% method voxelmorph, method instance-optimisation\n@misc{balakrishnan2019," in text
    assert text.count("balakrishnan2019") == 1 and "@misc{dalca2019,\n  author = {Dalca and others}" in text
    assert "% method identity: " in text and "% dataset x: not stated" in text and "% metrics Dice; " in text
    assert all(line[:1] in "%@ }" for line in text.splitlines())


def test_bibtex_is_escaped() -> None:
    entry = _entry("a2001", "A & B, On 5% of {it}, J_Med 2001", ["method x"])
    assert r"A \& B" in entry and r"On 5\% of it" in entry and r"J\_Med" in entry
