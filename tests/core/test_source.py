"""What counts as a change of a method's code: all that it reaches, and nothing else."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from importlib.metadata import EntryPoint, distributions, entry_points
from pathlib import Path

import pytest

from mrbench.core import source
from mrbench.core.registry import METHODS, TASKS, find_method
from mrbench.core.source import source_hash

METHOD = """
import numpy as np
from mrbench import method

SIZE = 3

def unused(x):
    return x

@method(task="registration")
def still(inputs, gain=1.0):
    \"""Docstring.\"""
    return np.zeros((SIZE, *inputs.fixed.shape), np.float32) * gain
"""


def hash_of(path: Path, text: str) -> str:
    path.write_text(text)
    return source_hash(find_method(f"{path}:still", "registration"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("import numpy", "# why\nimport numpy"),
        ("Docstring", "Other words"),
        ("gain=1.0", "gain = 1.0"),
        ("import numpy as np", "import os\nimport numpy as np"),
        ("def still(inputs, gain=1.0)", "def still(inputs: object, gain: float = 1.0) -> np.ndarray"),
        ("return x", "return 2 * x"),
    ],
)
def test_what_changes_nothing_runs_nothing_again(tmp_path: Path, old: str, new: str) -> None:
    assert hash_of(tmp_path / "a.py", METHOD) == hash_of(tmp_path / "b.py", METHOD.replace(old, new))


@pytest.mark.parametrize(("old", "new"), [("zeros", "ones"), ("SIZE = 3", "SIZE = 4"), ("gain=1.0", "gain=2.0")])
def test_code_constants_and_defaults_count(tmp_path: Path, old: str, new: str) -> None:
    assert hash_of(tmp_path / "a.py", METHOD) != hash_of(tmp_path / "b.py", METHOD.replace(old, new))


LEARNED = """
from mrbench.core.method import LearnedMethod

def loss(a): return a
def warped(a): return a + 1

class Net(LearnedMethod):
    task = "registration"
    network = weights_path = ""
    def predict(self, inputs): return warped(inputs)
    def training_recipe(self, subjects, *, seed): return loss(subjects)
"""


def test_another_track_of_a_task_runs_no_network_again(tmp_path: Path) -> None:
    """what a class leaves to its weights may be a value, too; its tracks were one, and a new one made all rows older"""

    def hashed(name: str, tracks: str, own: str) -> str:
        text = LEARNED.replace('task = "registration"', f'task = "registration"\n    settings = TRACKS\n    {own}')
        (tmp_path / f"{name}.py").write_text(text.replace("def loss", f"TRACKS = {tracks}\n\ndef loss"))
        return source_hash(find_method(f"{tmp_path}/{name}.py:Net", "registration"))

    left_out = 'training_only = LearnedMethod.training_only | {"settings"}'
    assert hashed("a", "('x',)", left_out) == hashed("b", "('x', 'y')", left_out)
    assert hashed("c", "('x',)", "") != hashed("d", "('x', 'y')", "")


def test_an_edit_of_the_training_runs_no_learned_method_again(tmp_path: Path) -> None:
    """the digest of the weights is in the key already; what predicts counts, and so does a recipe of other methods"""

    def hashed(name: str, old: str = "", new: str = "", kind: str = "Learned") -> str:
        text = LEARNED.replace("LearnedMethod", f"{kind}Method").replace(old, new) if old else LEARNED
        (tmp_path / f"{name}.py").write_text(text.replace("LearnedMethod", f"{kind}Method"))
        return source_hash(find_method(f"{tmp_path}/{name}.py:Net", "registration"))

    before = hashed("a")
    assert hashed("b", "return loss(subjects)", "return loss(subjects) * 2") == before
    assert hashed("c", "def loss(a): return a", "def loss(a): return -a") == before
    assert hashed("d", "a + 1", "a + 2") != before
    assert hashed("e", "return a\n", "return -a\n", "Fitted") != hashed("f", kind="Fitted")


PACKAGE = (
    "{how}\n\nfrom mrbench import Method\n\n\nclass Mine(Method):\n    def predict(self, inputs):\n        {use}\n"
)


@pytest.mark.parametrize(
    ("how", "use"),
    [
        ("from .parts import f", "return f(1)"),
        ("from .parts import f as g", "return g(1)"),
        ("from . import parts", "return parts.f(1)"),
        ("import plugged_in.parts", "return plugged_in.parts.f(1)"),
        ("from plugged_in import handed_on", "return handed_on(1)"),
        ("", "from plugged_in.parts import f; return f(1)"),
    ],
)
def test_every_form_of_import_is_followed(how: str, use: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "plugged_in"
    package.mkdir()
    (package / "__init__.py").write_text("from plugged_in.parts import f as handed_on\n")
    (package / "parts.py").write_text("def g(x):\n    return x\n\ndef f(x):\n    return g(x)\n")
    (package / "main.py").write_text(PACKAGE.format(how=how, use=use))
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("plugged_in", "plugged_in.parts", "plugged_in.main"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    source._folders.cache_clear()
    source._followed.cache_clear()
    method = importlib.import_module("plugged_in.main").Mine
    before = source_hash(method)
    (package / "parts.py").write_text("def g(x):\n    return 2 * x\n\ndef f(x):\n    return g(x)\n")
    assert source_hash(method) != before


def test_a_module_that_moves_runs_nothing_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    hashes = []
    for name in ("room_one", "room_two"):
        (tmp_path / f"{name}.py").write_text("def f(x):\n    return x + 1\n")
        use = f"from {name} import f\nfrom mrbench import method\n\n"
        hashes.append(
            hash_of(tmp_path / f"of_{name}.py", f"{use}@method(task='registration')\ndef still(i):\n    return f(i)\n")
        )
    assert hashes[0] == hashes[1]


def test_a_definition_that_moves_to_another_module_runs_nothing_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    f, g = "def f(x):\n    return g(x) + 1\n\n", "def g(x):\n    return 2 * x\n\n"
    (tmp_path / "whole.py").write_text(f + g)
    (tmp_path / "first_half.py").write_text(f"from second_half import g\n\n{f}")
    (tmp_path / "second_half.py").write_text(g)
    method = (
        "from {} import f\nfrom mrbench import method\n\n@method(task='registration')\ndef still(i):\n    return f(i)\n"
    )
    one, two = (hash_of(tmp_path / f"of_{name}.py", method.format(name)) for name in ("whole", "first_half"))
    assert one == two


def test_versions_of_packages_that_are_used_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = hash_of(tmp_path / "a.py", METHOD)
    monkeypatch.setattr(source, "_named", lambda distribution: f"{distribution.name} 99")
    source._versioned.cache_clear()
    assert hash_of(tmp_path / "a.py", METHOD) != before
    source._versioned.cache_clear()
    assert source._versioned("os") == ""


CANONICAL = """
import ast, pathlib, sys
exec(compile(pathlib.Path(sys.argv[1]).read_text(), "source", "exec"))
print(_canonical(ast.parse(pathlib.Path(sys.argv[2]).read_text())))
"""


@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_python_versions_agree(version: str, tmp_path: Path) -> None:
    """Definitions are written out alike, so that 3.11, 3.12 and 3.13 share rows."""
    python = shutil.which(f"python{version}")
    if python is None or subprocess.run([python, "-c", ""], capture_output=True).returncode:
        pytest.skip(f"there is no Python {version} here")
    file = tmp_path / "method.py"
    file.write_text(METHOD + "\\nWORDS = [f'{x!r:>{3}}' for x in (1, 2) if x > 1]\\n")
    environment = {**os.environ, "PYTHONPATH": ""}
    texts = {
        subprocess.run(
            [name, "-c", CANONICAL, source.__file__, str(file)],
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        ).stdout
        for name in (sys.executable, python)
    }
    assert len(texts) == 1 and next(iter(texts))


@pytest.mark.parametrize("entry", entry_points(group=METHODS), ids=lambda entry: entry.name)
def test_no_method_depends_on_how_it_is_scored(entry: EntryPoint) -> None:
    """A method that takes its tracks from a task's class would be run again for every edit of a metric's sentence."""
    reached = source._Reached(entry.load())
    reached.follow(entry.module, entry.attr)
    tasks = {(task.module, task.attr) for task in entry_points(group=TASKS)}
    assert not tasks & set(reached.definitions)


def test_a_distribution_is_named_as_importlib_names_it() -> None:
    """Hashes of methods hold these names; they must not move because they are read faster."""
    installed = list(distributions())
    assert len(installed) > 20
    assert [source._named(one) for one in installed] == [f"{one.name} {one.version}" for one in installed]
