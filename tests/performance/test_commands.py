"""What the harness itself costs: its share of a run, a rerun with nothing to do, and the help."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.performance.conftest import keep

METHOD = """
import numpy as np
from mrbench import method

@method(task="registration")
def still(inputs):
    return np.zeros((3, *inputs.fixed.shape), np.float32)
"""


def wall(command: list[str], cwd: Path) -> float:
    start = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    return time.perf_counter() - start


def test_run_and_rerun(benchmark, cohort: Path, tmp_path: Path) -> None:
    """A run of three cases by a method that does nothing: all of its time is the harness's; then one with no work."""
    (tmp_path / "mine.py").write_text(METHOD)
    run = [sys.executable, "-m", "mrbench", "run", "-t", "registration", "-d", f"folder:{cohort}"]
    run += ["-m", "mine.py:still", "--out", "out"]
    benchmark.extra_info["run_seconds"] = round(wall(run, tmp_path), 2)
    benchmark.pedantic(wall, args=(run, tmp_path), rounds=1)
    files = (tmp_path / "out").rglob("rows.jsonl")
    rows = [json.loads(line) for path in files for line in path.read_text().splitlines()]
    assert [row["status"] for row in rows] == ["ok"] * 3, "the second run had nothing to do"


def cpu(command: list[str], cwd: Path) -> float:
    """CPU seconds of a command that ends well, user and system."""
    before = os.times()
    wall(command, cwd)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def compared(benchmark, own: list[str], peer: list[str], cwd: Path, name: str, goal: float) -> None:
    """Keep the ratio of the shortest CPU times of two commands."""
    times = [(cpu(own, cwd), cpu(peer, cwd)) for _ in range(5)]
    ours, theirs = (min(column) for column in zip(*times, strict=True))
    benchmark.pedantic(wall, args=(own, cwd), rounds=1)
    keep(benchmark, ours, theirs, name, goal)


TYPER = """
import typer
app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
@app.command()
def other() -> None: pass
@app.command()
def verb(task: str = typer.Option("a")) -> None: print(task)
app()
"""


def test_help_against_a_bare_typer_app(benchmark, tmp_path: Path) -> None:
    (tmp_path / "bare.py").write_text(TYPER)
    peer = [sys.executable, "bare.py", "--help"]
    compared(benchmark, [sys.executable, "-m", "mrbench", "--help"], peer, tmp_path, "typer with two verbs", 0.5)


def test_list_against_a_bare_typer_app(benchmark, tmp_path: Path) -> None:
    """The peer reads one option and prints it, without numpy, whose import is a quarter of ours: .4 was hoped for."""
    (tmp_path / "bare.py").write_text(TYPER)
    peer = [sys.executable, "bare.py", "verb", "--task", "registration"]
    own = [sys.executable, "-m", "mrbench", "list", "methods", "--task", "registration"]
    compared(benchmark, own, peer, tmp_path, "typer with one option", 0.15)
