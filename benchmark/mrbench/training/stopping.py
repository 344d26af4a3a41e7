"""When a training stops early: a time limit, SIGTERM or Ctrl-C; the step in hand ends and a checkpoint follows."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from mrbench.core.arguments import check_number
from mrbench.core.errors import MrbenchError


class TrainingStopped(MrbenchError):
    """A training that was stopped before its end and left a checkpoint to continue from: 0 if its time was up."""

    exit_code = 0


@contextmanager
def stopping(minutes: float | None = None) -> Iterator[Callable[[], bool]]:
    """Yield a function that says True once time is up or a signal has come.

    After a signal the exit code is 130, as of a run, so that ``train && run`` ends there; a second one stops at once,
    without a checkpoint.

    Parameters
    ----------
    minutes : float, optional
        Wall time from now on.
    """
    check_number(0, minutes=minutes)
    started = time.monotonic()
    signals: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if signals:
            raise KeyboardInterrupt
        signals.append(number)

    watched = [signal.SIGTERM, signal.SIGINT] if threading.current_thread() is threading.main_thread() else []
    before = {number: signal.signal(number, note) for number in watched}
    try:
        yield lambda: bool(signals) or (minutes is not None and time.monotonic() - started >= 60 * minutes)
        if signals:
            raise TrainingStopped("stopped; the same command continues.")
    except TrainingStopped as stopped:
        stopped.exit_code = 130 if signals else 0
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
