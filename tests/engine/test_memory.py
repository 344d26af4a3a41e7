"""The memory of a prediction: what it needed, case after case, and never a wrong number."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.settings import setting_of

from mrbench.core.candidate import candidates
from mrbench.core.row import Row
from mrbench.core.task import Setting
from mrbench.datasets.folder import Folder
from mrbench.engine import timing
from mrbench.engine.plan import Options
from mrbench.engine.run import run_board
from mrbench.engine.timing import PeakMemory
from mrbench.tasks.registration import Registration

linux = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the high-water mark is Linux's")

KILLED = """
import os, signal, socket, sys
from mrbench.engine import guard
from mrbench.engine.request import Request
counts = [int(count) for count in sys.argv[2:]]
guard._killed_for_memory = lambda: counts.pop(0)
lifeline, other = socket.socketpair()
reading, writing = os.pipe()
pid = os.fork()
if pid == 0:
    os.kill(os.getpid(), int(sys.argv[1]))
print(guard._watch(pid, lifeline.fileno(), reading, Request("worker", {}, (), "/", (), (), (), None, None)))
"""


@linux
@pytest.mark.parametrize(
    ("signal", "before", "after", "full"), [(9, 3, 4, True), (9, 3, 3, False), (9, 0, 0, False), (11, 3, 4, False)]
)
def test_a_killed_process_is_out_of_memory_only_where_the_kernel_says_so(
    signal: int, before: int, after: int, full: bool
) -> None:
    """something ends a method's process -> out of memory only if the kernel says so, else an error"""
    command = [sys.executable, "-c", KILLED, str(signal), str(before), str(after)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.strip() == f"Ending(exit_code={-signal}, memory=False, machine_full={full})"


METHODS = """
import numpy as np
from mrbench import method

def zeros(inputs): return np.zeros((3, *inputs.fixed.shape), np.float32)

@method(task="registration")
def small(inputs): return zeros(inputs)

@method(task="registration")
def blocks(inputs):
    held = [np.ones(2**13) for _ in range(2**10)]
    return zeros(inputs) * held[-1][0]

@method(task="registration")
def whole(inputs): return zeros(inputs) * np.ones(2**23)[-1]
"""

MIB_OF_ONES = 2**17
"""Numbers of eight bytes to the MiB."""


@pytest.fixture
def setting(dataset: Folder) -> Setting:
    return setting_of(Registration(), dataset, "inter-subject")


def run(setting: Setting, tmp_path: Path, names: list[str]) -> dict[str, list[Row]]:
    path = tmp_path / "mine.py"
    path.write_text(METHODS)
    wanted = candidates(setting, [f"{path}:{name}" for name in names])
    rows = run_board(setting, wanted, folder=tmp_path / "out", limit=2, options=Options())
    return {name: [row for row in rows if row.method.endswith(f":{name}")] for name in names}


@pytest.mark.slow
@linux
def test_each_case_reports_what_it_needed(setting: Setting, tmp_path: Path) -> None:
    outcomes = run(setting, tmp_path, ["blocks", "whole", "small"])
    memory = {name: [row.memory_mib for row in rows] for name, rows in outcomes.items()}
    assert all(row.status == "ok" for rows in outcomes.values() for row in rows)
    assert all(60 < mib < 120 for mib in [*memory["blocks"], *memory["whole"]]), memory
    assert len(memory["small"]) == 2 and all(0 <= mib < 30 for mib in memory["small"]), memory


@pytest.mark.slow
@linux
def test_a_new_score_of_a_cached_prediction_keeps_its_memory(cohort: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(cohort, tmp_path / "blobs"))
    first = run(setting_of(Registration(), Folder(copy)), tmp_path, ["small"])["small"]
    (copy / "labels.csv").write_text("label,name\n2,only\n")
    second = run(setting_of(Registration(), Folder(copy)), tmp_path, ["small"])["small"]
    assert [row.protocol for row in first] != [row.protocol for row in second]
    assert [row.memory_mib for row in first] == [row.memory_mib for row in second] != [None] * 2


@linux
def test_an_earlier_peak_is_not_this_ones() -> None:
    np.ones(200 * MIB_OF_ONES)
    with PeakMemory() as memory:
        np.ones(8 * MIB_OF_ONES)
    assert memory.mib is not None and 4 < memory.mib < 30


@linux
@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="only glibc gives freed memory back")
def test_what_was_freed_but_not_returned_hides_no_need() -> None:
    """Small pieces below one that is kept stay with the process when they are freed."""
    kept, measured = [], []
    for _ in range(4):
        with PeakMemory() as memory:
            held = [np.ones(2**13) for _ in range(2**10)]
            kept.append(np.ones(2**12))
            del held
        measured.append(memory.mib)
    assert all(mib is not None and 60 < mib < 120 for mib in measured), measured


@linux
def test_memory_is_measured_though_the_body_fails() -> None:
    memory = PeakMemory()
    with pytest.raises(ValueError, match="no"), memory:
        np.ones(64 * MIB_OF_ONES)
        raise ValueError("no")
    assert memory.mib is not None and memory.mib > 60


def _nowhere(folder: Path) -> dict[str, Path]:
    return {"_CLEAR_REFS": folder / "no" / "clear_refs", "_STATUS": folder / "no" / "status"}


def _ignored_reset(folder: Path) -> dict[str, Path]:
    status = folder / "status"
    status.write_text("Name:\tx\nVmHWM:\t  409600 kB\nVmRSS:\t  102400 kB\nThreads:\t1\n")
    return {"_CLEAR_REFS": folder / "clear_refs", "_STATUS": status}


def _no_sizes(folder: Path) -> dict[str, Path]:
    status = folder / "status"
    status.write_text("Name:\tkernel thread\n\nThreads:\t1\n")
    return {"_CLEAR_REFS": folder / "clear_refs", "_STATUS": status}


@pytest.mark.parametrize("system", [_nowhere, _ignored_reset, _no_sizes])
def test_where_it_cannot_be_measured_it_is_unknown(system, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, path in system(tmp_path).items():
        monkeypatch.setattr(timing, name, path)
    with PeakMemory() as memory:
        np.ones(8 * MIB_OF_ONES)
    assert memory.mib is None


def test_the_mark_and_what_is_held_are_read_from_the_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status = tmp_path / "status"
    monkeypatch.setattr(timing, "_CLEAR_REFS", tmp_path / "clear_refs")
    monkeypatch.setattr(timing, "_STATUS", status)
    status.write_text("VmHWM:\t  102400 kB\nVmRSS:\t  102400 kB\n")
    with PeakMemory() as memory:
        status.write_text("VmHWM:\t  112640 kB\nVmRSS:\t  103424 kB\n")
    assert memory.mib == 10
    assert (tmp_path / "clear_refs").read_text() == "5"
