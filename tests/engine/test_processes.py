"""What a method may do to processes, and what is left of it afterwards: a row, and nothing that runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from tests.settings import setting_of

from mrbench.core.candidate import candidates
from mrbench.core.row import Row
from mrbench.core.task import Setting
from mrbench.datasets.folder import Folder
from mrbench.engine.plan import Options
from mrbench.engine.run import run_board
from mrbench.engine.slot import log_name
from mrbench.engine.timing import Stopwatch
from mrbench.tasks.registration import Registration

HEAD = """
import asyncio, ctypes, glob, os, signal, subprocess, sys, threading, time
import numpy as np
from mrbench import method

def zeros(inputs): return np.zeros((3, *inputs.fixed.shape), np.float32)

def sizes():
    # of the files that the scorer shares: the copy that a fork makes must write nothing there
    return [os.path.getsize(path) for path in glob.glob("/proc/self/fd/*") if "memfd" in os.path.realpath(path)]

"""

WHAT = {
    "exits": "os._exit(0)",
    "raises_a_data_error": "from mrbench.core.errors import DataError; raise DataError('mine')",
    "raises_a_request_error": "from mrbench.core.errors import RequestError; raise RequestError('mine')",
    "cancels": "raise asyncio.CancelledError",
    "raises_generator_exit": "raise GeneratorExit",
    "raises_a_base_exception": "raise BaseException('base')",
    "raises_what_has_no_text": "raise type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})()",
    "raises_a_surrogate": "raise ValueError('\\ud800 \\x1b[31m')",
    "closes_its_streams": "sys.stderr.close(); sys.stdout.close(); os.close(1); os.close(2); raise ValueError('quiet')",
    "closes_everything": "os.closerange(0, 1000)",
    "kills_its_group": "os.kill(0, 9)",
    "kills_its_parent": "os.kill(os.getppid(), 9); time.sleep(60)",
    "stops_itself": "os.kill(os.getpid(), signal.SIGSTOP)",
    "interrupts_itself": "os.kill(os.getpid(), signal.SIGINT); time.sleep(60)",
    "crashes": "ctypes.string_at(0)",
    "recurses": "(lambda f: f(f))(lambda f: f(f))",
    "returns_objects": "return np.array([object()])",
    "returns_code": "return type('Evil', (), {'__reduce__': lambda self: (os._exit, (3,))})()",
    "returns_nothing": "return None",
}
"""Ways to fail, none of which may touch the next method."""

KEEPS = {
    "forks_and_returns_twice": "os.fork(); return zeros(inputs)",
    "forks_and_waits": "was = sizes(); assert os.fork() == 0 or os.wait() and sizes() == was; return zeros(inputs)",
    "leaks_files": "globals().setdefault('held', []).extend(os.dup(0) for _ in range(300)); return zeros(inputs)",
    "prints_much": "print('x' * 2**24); return zeros(inputs)",
    "leaves_a_thread": "threading.Thread(target=time.sleep, args=(60,)).start(); return zeros(inputs)",
    "ignores_signals": "signal.signal(signal.SIGTERM, signal.SIG_IGN); return zeros(inputs)",
}
"""Odd ways to succeed."""


WHAT_IS_LOGGED = """
@method(task="registration")
def speaks(inputs):
    print("heard")
    return zeros(inputs)
"""


def source() -> str:
    functions = {**WHAT, **KEEPS, "good": "return zeros(inputs)"}
    return HEAD + "".join(
        f"@method(task='registration')\ndef {name}(inputs):\n    {body}\n\n" for name, body in functions.items()
    )


@pytest.fixture
def setting(dataset: Folder) -> Setting:
    return setting_of(Registration(), dataset, "inter-subject")


def run(setting: Setting, text: str, names: list[str], folder: Path, limit: int = 1, **options) -> list[Row]:
    path = folder / "mine.py"
    path.write_text(text)
    wanted = candidates(setting, [f"{path}:{name}" for name in names])
    return run_board(setting, wanted, folder=folder / "out", limit=limit, options=Options(**options))


def alive(mark: Path) -> list[psutil.Process]:
    """The processes whose ids a method wrote to a file."""
    pids = [int(line) for line in mark.read_text().split()]
    return [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]


@pytest.mark.slow
def test_a_log_lies_in_the_folder_of_its_run(setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook changes its working directory between two runs -> the logs of the second do not go to the first."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        (row,) = run(setting, HEAD + WHAT_IS_LOGGED, ["speaks"], Path())
        assert row.status == "ok"
        assert "heard" in next((tmp_path / name / "out" / "logs").iterdir()).read_text()


@pytest.mark.slow
def test_whatever_a_method_does_is_its_row_and_the_next_one_runs(setting: Setting, tmp_path: Path) -> None:
    order = [*WHAT, "good"]
    rows = run(setting, source(), order, tmp_path, timeout=3.0)
    status = {row.method.rpartition(":")[2]: row.status for row in rows}
    assert len(rows) == len(order) and status.pop("good") == "ok"
    assert set(status.values()) <= {"error", "timeout", "out-of-memory", "invalid"}, status
    assert status["stops_itself"] == "timeout" and status["kills_its_group"] == "error"
    assert [status[f"returns_{what}"] for what in ("objects", "code", "nothing")] == ["invalid"] * 3
    for row in rows:
        row.message.encode()
        assert "\n" not in row.message and len(row.message) < 500


@pytest.mark.slow
@pytest.mark.parametrize("line", ["kill 0", "(setsid sleep 300 &); kill -9 0", "kill -9 $PPID; sleep 300"])
def test_a_shell_tool_that_ends_its_group_is_a_row(setting: Setting, tmp_path: Path, line: str) -> None:
    """a shell tool ends its process group or its parent -> a row, the next method runs, and nothing is left"""
    tool, pid = tmp_path / "tool.sh", tmp_path / "pid"
    tool.write_text(f"#!/bin/sh\necho $$ > {pid}\n{line}\n")
    tool.chmod(0o755)
    wanted = candidates(setting, [f"cmd:{tool} {{fixed}} {{output}}", "identity"])
    first, second = run_board(setting, wanted, folder=tmp_path / "out", limit=1, options=Options(timeout=20.0))
    assert (first.status, second.status) == ("error", "ok") and "process died" in first.message
    assert not alive(pid)


@pytest.mark.slow
def test_odd_ways_to_succeed_are_successes(setting: Setting, tmp_path: Path) -> None:
    rows = run(setting, source(), list(KEEPS), tmp_path, limit=3)
    assert {(row.method.rpartition(":")[2], row.status) for row in rows} == {(name, "ok") for name in KEEPS}
    logs = list((tmp_path / "out" / "logs").iterdir())
    assert max(path.stat().st_size for path in logs) < 11 * 2**20


@pytest.mark.slow
def test_a_worker_that_dies_between_two_cases_is_no_end_of_the_board(setting: Setting, tmp_path: Path) -> None:
    text = HEAD + (
        "@method(task='registration')\ndef dies(inputs):\n    threading.Timer(0.05, os._exit, (5,)).start()\n"
        "    return zeros(inputs)\n\n@method(task='registration')\ndef good(inputs): return zeros(inputs)\n"
    )
    rows = run(setting, text, ["dies", "good"], tmp_path, limit=3)
    assert [row.status for row in rows[3:]] == ["ok"] * 3 and {row.status for row in rows[:3]} <= {"ok", "error"}


ESCAPES = """
def start(mark, *, detached):
    text = "import time; time.sleep(300)"
    child = subprocess.Popen([sys.executable, "-c", text], start_new_session=detached)
    with open(mark, "a") as file: file.write(f"{child.pid}\\n")
    grandchild = os.fork()
    if grandchild == 0:
        os.setsid()
        if os.fork(): os._exit(0)
        with open(mark, "a") as file: file.write(f"{os.getpid()}\\n")
        time.sleep(300)
        os._exit(0)
    os.waitpid(grandchild, 0)
    while len(open(mark).read().split()) < 2: time.sleep(0.01)

@method(task="registration")
def escapes(inputs, mark="", then=""):
    start(mark, detached=True)
    if then == "hang": time.sleep(300)
    if then == "raise": raise ValueError
    if then == "exit": os._exit(0)
    return zeros(inputs)
"""


@pytest.mark.slow
def test_no_process_of_a_case_outlives_it(setting: Setting, tmp_path: Path) -> None:
    ends = {"return": "ok", "raise": "error", "exit": "error", "hang": "timeout"}
    names = [f"escapes[mark={tmp_path / then},then={then}]" for then in ends]
    rows = run(setting, HEAD + ESCAPES, names, tmp_path, timeout=3.0)
    assert [row.status for row in rows] == list(ends.values())
    for then in ends:
        assert len((tmp_path / then).read_text().split()) == 2 and alive(tmp_path / then) == []


MAIN = """
import sys
from pathlib import Path
from mrbench.core.candidate import candidates
from mrbench.core.binding import bind
from mrbench.engine.plan import Options
from mrbench.engine.run import run_board
dataset, method, folder = sys.argv[1:]
setting = bind("registration", dataset)
run_board(setting, candidates(setting, [method]), folder=Path(folder))
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_end_of_the_run_is_the_end_of_everything(cohort: Path, tmp_path: Path, number: signal.Signals) -> None:
    mark, path = tmp_path / "pids", tmp_path / "mine.py"
    path.write_text(HEAD + ESCAPES)
    arguments = [f"folder:{cohort}", f"{path}:escapes[mark={mark},then=hang]", str(tmp_path / "out")]
    main = subprocess.Popen(
        [sys.executable, "-c", MAIN, *arguments],
        stderr=subprocess.DEVNULL,
        # a shell's background job ignores the signal, and its children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 60
    while (not mark.exists() or len(mark.read_text().split()) < 2) and time.monotonic() < deadline:
        time.sleep(0.05)
    family = psutil.Process(main.pid).children(recursive=True)
    os.kill(main.pid, number)
    main.wait(120)
    deadline = time.monotonic() + 15
    while (left := [p for p in family if p.is_running() and p.status() != "zombie"]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == [] and alive(mark) == [] and len(family) >= 4


@pytest.mark.slow
def test_memory_above_the_limit_is_a_row_and_runs_again_when_it_is_raised(setting: Setting, tmp_path: Path) -> None:
    text = HEAD + (
        "@method(task='registration')\ndef grows(inputs):\n    held = np.ones(2**26)\n    time.sleep(0.5)\n"
        "    return zeros(inputs)\n"
    )
    small = run(setting, text, ["grows"], tmp_path, memory=0.4)[0]
    assert small.status == "out-of-memory" and "more than 0.4 GiB" in small.message
    assert run(setting, text, ["grows"], tmp_path, memory=0.3)[0].run == small.run
    assert run(setting, text, ["grows"], tmp_path, memory=2.0)[0].status == "ok"


@pytest.mark.slow
def test_a_timeout_runs_again_when_the_limit_is_raised(setting: Setting, tmp_path: Path) -> None:
    text = HEAD + "@method(task='registration')\ndef slow(inputs):\n    time.sleep(0.8)\n    return zeros(inputs)\n"
    first = run(setting, text, ["slow"], tmp_path, timeout=0.5)[0]
    assert first.status == "timeout"
    assert run(setting, text, ["slow"], tmp_path, timeout=0.4)[0].run == first.run
    assert run(setting, text, ["slow"], tmp_path)[0].run == first.run
    assert run(setting, text, ["slow"], tmp_path, timeout=60.0)[0].status == "ok"


CHEATS = """
import gc, sys

@method(task="registration")
def patches(inputs):
    import mrbench.metrics.overlap, mrbench.tasks.registration
    mrbench.tasks.registration.Registration.score = lambda *any: 1 / 0
    return zeros(inputs)

@method(task="registration")
def looks(inputs):
    from mrbench.core.case import Case
    frames, frame = [], sys._getframe()
    while frame: frames.append(frame); frame = frame.f_back
    held = [one for frame in frames for one in frame.f_locals.values()] + gc.get_objects()
    if any(isinstance(one, Case) or "Reference" in type(one).__name__ and hasattr(one, "fixed_labels") for one in held):
        raise AssertionError("the answer is here")
    return zeros(inputs)
"""


@pytest.mark.slow
def test_a_method_reaches_neither_the_scorer_nor_the_answer(setting: Setting, tmp_path: Path) -> None:
    rows = run(setting, HEAD + CHEATS, ["patches", "looks"], tmp_path)
    assert [(row.status, row.message) for row in rows] == [("ok", "")] * 2
    assert rows[0].metrics == rows[1].metrics


@pytest.mark.slow
def test_threads_are_pinned_and_what_was_used_is_in_the_row(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # no core is held by another run on this machine
    text = HEAD + (
        "@method(task='registration')\ndef counts(inputs):\n"
        "    import numba, torch, threadpoolctl, SimpleITK\n"
        "    n = {numba.get_num_threads(), torch.get_num_threads(), len(os.sched_getaffinity(0)),\n"
        "         SimpleITK.ProcessObject.GetGlobalDefaultNumberOfThreads(),\n"
        "         *(pool['num_threads'] for pool in threadpoolctl.threadpool_info())}\n"
        "    if n != {1}: raise AssertionError(str(n))\n    return zeros(inputs)\n"
    )
    row = run(setting, text, ["counts"], tmp_path)[0]
    assert (row.status, row.message, row.threads, row.threads_used) == ("ok", "", 1, 1)


def test_a_moment_is_the_work_of_one_thread() -> None:
    """a prediction takes microseconds -> it used one thread, whatever the clocks say of so short a time"""
    used = set()
    for _ in range(50):
        with Stopwatch() as watch:
            pass
        used.add(watch.threads_used)
    assert used == {1}


def test_logs_have_names_that_every_file_system_takes() -> None:
    names = ["elastix", "a/b", "a_b", "x" * 300, "é" * 200, "..", "", "elastix[grid_mm=5]"]
    logs = [log_name(name) for name in names]
    assert len(set(logs)) == len(names) and logs[0] == "elastix.log"
    assert all(len(log.encode()) <= 255 and "/" not in log and not log.startswith(".") for log in logs)
