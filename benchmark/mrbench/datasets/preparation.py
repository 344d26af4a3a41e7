"""Preparing many subjects at once: a simulated cohort takes minutes, and its people do not depend on each other."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from mrbench.core.errors import DataError
from mrbench.core.registry import import_user_files, user_files
from mrbench.datasets.dataset import Dataset

MOST = 4
"""Processes: each holds a template or a scan at full resolution, about 1 GB."""


def prepared(dataset: Dataset, subjects: Sequence[str], *, processes: int | None = None) -> Iterator[None]:
    """Make and cache subjects, yielding once for each that is ready.

    Parameters
    ----------
    processes : int, optional
        Default: one for each core that this process may use, four at the most.

    Raises
    ------
    DataError
        As of `Dataset.prepare`; the subjects that are ready stay.
    """
    count = min(len(subjects), processes or min(MOST, len(os.sched_getaffinity(0))))
    if count < 2:
        yield from (None for _ in dataset.prepare(subjects))
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, initializer=_start, initargs=(user_files(),)) as pool:
        futures = [pool.submit(_prepare, dataset, subject) for subject in subjects]
        try:
            for future in as_completed(futures):
                future.result()
                yield
        except BrokenProcessPool:
            raise DataError(
                f"a process that prepared {dataset.name} was killed, perhaps for want of memory; run the command again."
            ) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _start(paths: Sequence[Path]) -> None:
    """Leave an interruption to the parent, which reaches the whole group; know the user's own classes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import_user_files(paths)


def _prepare(dataset: Dataset, subject: str) -> None:
    list(dataset.prepare([subject]))
