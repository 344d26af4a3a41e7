"""Subjects prepared side by side are those prepared one by one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from mrbench.core.case import SPLITS
from mrbench.core.errors import DataError
from mrbench.core.registry import find_dataset
from mrbench.datasets import preparation
from mrbench.datasets.dataset import Subject
from mrbench.datasets.folder import Folder
from mrbench.datasets.preparation import prepared


@pytest.mark.slow
def test_two_processes_make_what_one_makes(cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, by_subject = Folder(cohort), {}
    everyone = [*dataset.subjects("train"), *dataset.subjects("test")]
    for processes in (1, 2):
        monkeypatch.setenv("MRBENCH_CACHE", str(tmp_path / str(processes)))
        assert len(list(prepared(dataset, everyone, processes=processes))) == len(everyone)
        assert all(dataset.is_prepared(subject) for subject in everyone)
        by_subject[processes] = [dataset.load(subject).images["T1"] for subject in everyone]
    np.testing.assert_array_equal(by_subject[1], by_subject[2])


def test_processes_are_started_where_they_save_time(
    cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of eight subjects, the time of the second says whether the other six are worth processes of their own."""
    monkeypatch.setattr(preparation.os, "sched_getaffinity", lambda _: {0, 1})
    dataset, handed_over = Folder(cohort), []
    everyone = [subject for split in SPLITS for subject in dataset.subjects(split)]

    def side_by_side(_, subjects, count):
        handed_over.append((subjects, count))
        yield from subjects

    monkeypatch.setattr(preparation, "_side_by_side", side_by_side)
    for limit, expected in ((1e9, []), (-1e9, [(everyone[2:], 2)])):
        monkeypatch.setenv("MRBENCH_CACHE", str(tmp_path / str(limit)))
        monkeypatch.setattr(preparation, "START_SECONDS", limit)
        handed_over.clear()
        assert len(list(prepared(dataset, everyone))) == 8
        assert handed_over == expected


@pytest.mark.slow
def test_a_fault_in_a_process_is_the_same_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MRBENCH_DATA", str(tmp_path / "nowhere"))
    monkeypatch.setenv("MRBENCH_CACHE", str(tmp_path / "cache"))
    dataset = find_dataset("ixi-hh-2mm")
    sentences = []
    for processes in (1, 2):
        with pytest.raises(DataError) as caught:
            list(prepared(dataset, dataset.subjects("test")[:2], processes=processes))
        sentences.append(str(caught.value))
    assert sentences[0] == sentences[1] and "not a folder" in sentences[0]


class Fatal(Folder):
    """Preparing kills the process, as a system short of memory does."""

    def make(self, subject: str) -> Subject:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


@pytest.mark.slow
def test_a_killed_process_is_one_sentence(cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MRBENCH_CACHE", str(tmp_path))
    with pytest.raises(DataError, match="a process that prepared blobs was killed"):
        list(prepared(Fatal(cohort), ["b0", "b1"], processes=2))


class Slow(Folder):
    """Preparing takes longer than any test, and says that it began."""

    def make(self, subject: str) -> Subject:
        (self.path / f"{subject}.began").write_text(str(os.getpid()))
        time.sleep(600)
        raise AssertionError


def wait_until(true: Callable[[], object], seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.05)
    return bool(true())


@pytest.fixture
def slow(cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Slow:
    monkeypatch.setenv("MRBENCH_CACHE", str(tmp_path / "cache"))
    shutil.copytree(cohort, tmp_path / "blobs")
    return Slow(tmp_path / "blobs")


def workers(dataset: Folder) -> list[int]:
    """Processes that prepare a subject each, alive or not."""
    assert wait_until(lambda: len(list(dataset.path.glob("*.began"))) == 2)
    time.sleep(0.1)
    return [int(file.read_text()) for file in dataset.path.glob("*.began")]


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """A shell's background job ignores the signal, and its children inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.usefixtures("_interruptible")
def test_leaving_waits_for_no_subject_that_is_being_made(slow: Slow) -> None:
    threading.Thread(target=lambda: (workers(slow), os.kill(os.getpid(), signal.SIGINT)), daemon=True).start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(prepared(slow, ["b0", "b1"], processes=2))
    assert time.monotonic() - start < 120
    assert wait_until(lambda: not any(psutil.pid_exists(pid) for pid in workers(slow)))


@pytest.mark.slow
def test_no_worker_outlives_a_killed_run(slow: Slow) -> None:
    code = (
        "from pathlib import Path; from tests.datasets.test_preparation import Slow, prepared\n"
        f"if __name__ == '__main__': list(prepared(Slow(Path({str(slow.path)!r})), ['b0', 'b1'], processes=2))"
    )
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, *filter(None, sys.path)])}
    run = subprocess.Popen([sys.executable, "-c", code], env=environment)
    try:
        busy = workers(slow)
    finally:
        run.kill()
        run.wait()
    assert wait_until(lambda: not any(psutil.pid_exists(pid) for pid in busy))
