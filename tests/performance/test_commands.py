"""What the harness itself costs: its share of a run, a rerun with nothing to do, and the help."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

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


def test_help_against_importing_typer_and_rich(benchmark, tmp_path: Path) -> None:
    peer = min(wall([sys.executable, "-c", "import typer, rich.console"], tmp_path) for _ in range(3))
    own = benchmark.pedantic(wall, args=([sys.executable, "-m", "mrbench", "--help"], tmp_path), rounds=5)
    benchmark.extra_info["times_importing_typer_and_rich"] = round(own / peer, 2)
