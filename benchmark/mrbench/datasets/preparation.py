"""Preparing many subjects at once: a simulated cohort takes minutes, and its subjects do not depend on each other."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from contextlib import suppress
from pathlib import Path

from pebble import ProcessExpired, ProcessPool

from mrbench.core.dataset import Dataset
from mrbench.core.errors import DataError
from mrbench.core.registry import import_user_files, user_files

PR_SET_PDEATHSIG = 1
"""Of <sys/prctl.h>: the signal that a process gets when its parent ends."""

START_SECONDS = 3.0
"""Of a process of its own, until its first subject begins."""

MOST = 4
"""Processes: each holds a template or a scan at full resolution, about 1 GB."""


def prepared(dataset: Dataset, subjects: Sequence[str], *, processes: int | None = None) -> Iterator[None]:
    """Make and cache subjects, yielding once for each that is ready.

    Parameters
    ----------
    dataset : Dataset
        Whose subjects.
    subjects : sequence of str
        Those that are missing.
    processes : int, optional
        Default: one for each core that this process may use, four at the most; and none of their own while they would
        save less than they take to start and to load again what the first subject did for all.

    Raises
    ------
    DataError
        As of `Dataset.prepare`; the subjects that are ready stay.
    """
    waiting, most = list(subjects), processes or min(MOST, len(os.sched_getaffinity(0)))
    here, first = most < 2 or processes is None, None
    while waiting and here:
        start = time.perf_counter()
        for _ in dataset.prepare([waiting.pop(0)]):
            pass
        seconds = time.perf_counter() - start
        here = most < 2 or first is None or seconds * len(waiting) * (1 - 1 / most) < first + START_SECONDS
        first = first or seconds
        yield
    if waiting:
        yield from _side_by_side(dataset, waiting, min(len(waiting), most))


def _side_by_side(dataset: Dataset, subjects: Sequence[str], count: int) -> Iterator[None]:
    context = multiprocessing.get_context("spawn")
    with ProcessPool(count, context=context, initializer=_start, initargs=[os.getpid(), user_files()]) as pool:
        futures = [pool.schedule(_prepare, args=[dataset, subject]) for subject in subjects]
        try:
            for future in as_completed(futures):
                future.result()
                yield
        except ProcessExpired:
            raise DataError(
                f"a process that prepared {dataset.name} was killed, perhaps for want of memory; run the command again."
            ) from None
        finally:
            pool.stop()  # an interruption or a fault waits for no subject that is being made


def _start(parent: int, paths: Sequence[Path]) -> None:
    """Leave an interruption to the parent, and end when it ends, however; know the classes of the user's files."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError, AttributeError):  # Linux alone has it
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before it could be asked for
        os._exit(1)
    import_user_files(paths)


def _prepare(dataset: Dataset, subject: str) -> None:
    list(dataset.prepare([subject]))
