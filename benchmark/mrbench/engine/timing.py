"""Honest time: wall, CPU, and what else kept the machine busy; and memory."""

from __future__ import annotations

import ctypes
import os
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import psutil

CONTENDED_CORES = 0.5
"""Other processes using more than this many cores make a time contended."""

_CLEAR_REFS, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")

_RESET_TOLERANCE_MIB = 4
"""The kernel counts resident pages in batches, so the mark need not be exact right after its reset."""

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)


def thread_environment(threads: int) -> dict[str, str]:
    """The environment by which numerical libraries choose their number of threads when they are loaded."""
    return dict.fromkeys(_THREAD_VARIABLES, str(threads))


class Stopwatch:
    """Context manager that measures its body.

    Attributes
    ----------
    seconds : float
        Wall time.
    cpu_seconds : float
        User and system time of this process and of children that ended.
    other_load_cores : float
        Mean number of cores that everything else on the machine used meanwhile.
    """

    seconds: float
    cpu_seconds: float
    other_load_cores: float

    def __enter__(self) -> Stopwatch:
        self._busy, self._own = _machine_busy(), _own_cpu()
        self._start = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds = time.perf_counter() - self._start
        self.cpu_seconds = _own_cpu() - self._own
        others = _machine_busy() - self._busy - self.cpu_seconds
        self.other_load_cores = max(0.0, others / self.seconds) if self.seconds > 0.05 else 0.0


class PeakMemory:
    """Context manager that measures how much memory its body needed; a few milliseconds, outside any timing.

    Attributes
    ----------
    mib : float or None
        Peak resident memory of this process during the body less what it held before, in MiB. What an earlier
        case freed is first returned to the system (``malloc_trim``, glibc alone), so that it cannot hide a need;
        the body then pays for those pages again, as it would in a fresh process. Tools in processes of their own
        and memory of a GPU are not seen. None where the kernel's high-water mark cannot be reset or read: it is
        Linux's, and a sandbox may refuse or ignore the reset.
    """

    mib: float | None = None

    def __enter__(self) -> PeakMemory:
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
        self._before = _reset_peak()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        peak = _status_mib().get("VmHWM")
        if self._before is not None and peak is not None:
            self.mib = max(0.0, peak - self._before)


def _reset_peak() -> float | None:
    """Set the high-water mark to what is resident now and return that, in MiB; None where it does not follow."""
    try:
        _CLEAR_REFS.write_text("5")  # proc(5): resets VmHWM
    except OSError:
        return None
    now = _status_mib()
    if "VmRSS" not in now or "VmHWM" not in now or now["VmHWM"] - now["VmRSS"] > _RESET_TOLERANCE_MIB:
        return None
    return now["VmRSS"]


def _status_mib() -> dict[str, float]:
    """The fields of this process that are sizes; empty where there is no /proc."""
    try:
        fields = (line.split() for line in _STATUS.read_text().splitlines())
    except OSError:
        return {}
    return {words[0].rstrip(":"): int(words[1]) / 1024 for words in fields if words[-1:] == ["kB"]}


def _own_cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _machine_busy() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.system + times.nice)
