"""When a time is starred: only where the body, or a tool that it ran, really had to wait for a core."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from mrbench.engine import timing
from mrbench.engine.timing import Stopwatch


@pytest.mark.parametrize(
    ("computed", "waited_for", "taken", "contended"),
    [
        (0.05, 0.2, 0, False),  # it waits for a disk, while others queue for another core
        (0.05, 0.2, 50, True),
        (0.05, 0.0, 50, False),  # nobody waited for a core
        (0.0, 0.2, 50, False),  # it computed nothing
        (9.0, 0.2, 50, False),  # it had many cores
    ],
)
def test_a_tool_lost_time_only_where_its_core_was_taken_away(
    monkeypatch: pytest.MonkeyPatch, computed: float, waited_for: float, taken: int, contended: bool
) -> None:
    """a tool waits for a disk while others queue for another core -> its time has no star"""
    pressure: Iterator[float] = iter((0.0, waited_for))
    usage: Iterator[tuple[float, int]] = iter(((0.0, 0), (computed, taken)))
    monkeypatch.setattr(timing, "_pressure", lambda: next(pressure))
    monkeypatch.setattr(timing, "_usage", lambda: next(usage))
    monkeypatch.setattr(timing, "_threads", lambda: {"1": (0.0, 0.0)})  # the main thread waited for no core
    with Stopwatch() as watch:
        time.sleep(0.2)
    assert watch.contended is contended


def test_work_of_threads_that_ended_is_not_overlooked(monkeypatch: pytest.MonkeyPatch) -> None:
    """a method computes in threads that it joins -> what they waited for a core is lost time, too"""
    monkeypatch.setattr(timing, "_pressure", time.monotonic)  # somebody waits all the time
    usage = timing._usage
    monkeypatch.setattr(timing, "_usage", lambda: (usage()[0], round(1000 * time.monotonic())))  # and is this process

    def compute() -> None:
        end = time.thread_time() + 0.1
        while time.thread_time() < end:
            pass

    with Stopwatch() as watch:
        thread = threading.Thread(target=compute)
        thread.start()
        thread.join()
        time.sleep(0.2)
    assert watch.contended
