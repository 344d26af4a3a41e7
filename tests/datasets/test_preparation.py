"""Subjects prepared side by side are those prepared one by one."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from mrbench.core.errors import DataError
from mrbench.core.registry import find_dataset
from mrbench.datasets.dataset import Subject
from mrbench.datasets.folder import Folder
from mrbench.datasets.preparation import prepared


def test_two_processes_make_what_one_makes(cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, found = Folder(cohort), {}
    everyone = [*dataset.subjects("train"), *dataset.subjects("test")]
    for processes in (1, 2):
        monkeypatch.setenv("MRBENCH_CACHE", str(tmp_path / str(processes)))
        assert len(list(prepared(dataset, everyone, processes=processes))) == len(everyone)
        assert all(dataset.is_prepared(subject) for subject in everyone)
        found[processes] = [dataset.load(subject).images["T1"] for subject in everyone]
    np.testing.assert_array_equal(found[1], found[2])


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


def test_a_killed_process_is_one_sentence(cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MRBENCH_CACHE", str(tmp_path))
    with pytest.raises(DataError, match="a process that prepared blobs was killed"):
        list(prepared(Fatal(cohort), ["b0", "b1"], processes=2))
