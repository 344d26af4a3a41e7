"""What the harness itself costs: its share of a run, a rerun with nothing to do, and the help."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

METHOD = """
import time
import numpy as np
from mrbench import method

@method(task="registration")
def work(inputs, seconds=20.0):
    time.sleep(seconds)
    return np.zeros((3, *inputs.fixed.shape), np.float32)
"""


def wall(command: list[str], cwd: Path) -> float:
    start = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    return time.perf_counter() - start


def test_share_of_the_harness_and_rerun(benchmark, cohort: Path, tmp_path: Path) -> None:
    """A run of one minute of methods; everything outside methods, set-up, data and scoring is the harness's."""
    (tmp_path / "mine.py").write_text(METHOD)
    run = [sys.executable, "-m", "mrbench", "run", "-t", "registration", "-d", f"folder:{cohort}", "-m", "mine.py:work"]
    whole = wall(run, tmp_path)
    rerun = benchmark.pedantic(wall, args=(run, tmp_path), rounds=2)
    recorded = json.loads((tmp_path / "mrbench-results/registration/inter-subject/blobs/run.json").read_text())["runs"]
    spent = next(iter(recorded.values()))["seconds"]
    benchmark.extra_info["harness_percent_of_run"] = round(100 * spent["harness"] / spent["total"], 2)
    benchmark.extra_info["rerun_percent_of_run"] = round(100 * rerun / whole, 2)


def test_help_against_importing_typer_and_rich(benchmark, tmp_path: Path) -> None:
    peer = min(wall([sys.executable, "-c", "import typer, rich.console"], tmp_path) for _ in range(3))
    own = benchmark.pedantic(wall, args=([sys.executable, "-m", "mrbench", "--help"], tmp_path), rounds=5)
    benchmark.extra_info["ratio_to_importing_typer_and_rich"] = round(own / peer, 2)
