"""Threads and cores: how many a method may use, on which cores it stays."""

from __future__ import annotations

import fcntl
import os
import sys
import tempfile
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path

VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)


def thread_environment(threads: int) -> dict[str, str]:
    """The environment by which numerical libraries choose their number of threads when they are loaded."""
    return dict.fromkeys(VARIABLES, str(threads))


def pin_loaded_libraries(threads: int) -> None:
    """Hold libraries to their number of threads that are loaded already, whatever a method set."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(threads)
    if "numba" in sys.modules:
        with suppress(Exception):  # a user's older numba, or one told to have fewer
            sys.modules["numba"].set_num_threads(threads)
    if "torch" in sys.modules and sys.modules["torch"].get_num_threads() != threads:
        sys.modules["torch"].set_num_threads(threads)
    if "SimpleITK" in sys.modules:
        sys.modules["SimpleITK"].ProcessObject.SetGlobalDefaultNumberOfThreads(threads)


class Cores:
    """Cores that no other run of mrbench on this machine holds.

    A worker and its scorer stay on the cores of their slot, so that cases side by side take no time from each other.
    """

    def __init__(self) -> None:
        self._held: list[TextIOWrapper] = []

    def claim(self, count: int) -> tuple[int, ...]:
        """Hold that many cores until `release`; none, if there are not so many left."""
        folder = Path(tempfile.gettempdir()) / f"mrbench-cores-{os.getuid()}"
        claimed: dict[int, TextIOWrapper] = {}
        with suppress(OSError):
            folder.mkdir(mode=0o700, exist_ok=True)
            for core in sorted(os.sched_getaffinity(0)):
                if len(claimed) == count:
                    break
                file = os.fdopen(os.open(folder / str(core), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600), "w")
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    claimed[core] = file
                except OSError:
                    file.close()
        if len(claimed) < count:
            for file in claimed.values():
                file.close()
            return ()
        self._held += claimed.values()
        return tuple(claimed)

    def release(self) -> None:
        """Let go of all."""
        for file in self._held:
            file.close()
        self._held.clear()
