"""Honest time: wall, CPU, and what else kept the machine busy; and memory."""

from __future__ import annotations

import ctypes
import math
import os
import resource
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import ModuleType, TracebackType

import psutil

LOST = 0.05
"""Share of the wall time that may be lost before a time is called contended."""

CONTENDED_CORES = 0.5
"""Where the kernel does not count lost time: other work on more than this many cores makes a time contended."""

_TICK = 0.004
"""Seconds: the kernel hands out cores in slices, and a wait shorter than one is no contention."""

_TAKEN = 0.01
"""Seconds that a process waits, at about the most, each time that the kernel takes its core away for another one."""

_PRESSURE = Path("/proc/pressure/cpu")

_CLEAR_REFS, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")

_RESET_TOLERANCE_MIB = 4
"""The kernel counts resident pages in batches, so the mark need not be exact right after its reset."""


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
    lost_seconds : float
        Wall time in which the body could have computed but had to wait for a core. Of threads it is what the kernel
        counts (``run_delay`` of ``schedstat``), the largest of all threads. Children, and threads that ended,
        are not seen there: of them it is the time in which the body had less than one core and somebody on the machine
        waited for one, but no more than they can have waited, as often as the kernel took a core away from them.
    threads_used : int
        Threads that computed: those of this process whose CPU time rose by a twentieth of the wall time or more, and
        at least as many as the CPU time needs. In less than a slice of a core's time nothing can be told, and it is 1.
    contended : bool
        Whether more than `LOST` of the wall time was lost.
    """

    seconds: float
    cpu_seconds: float
    other_load_cores: float
    lost_seconds: float
    threads_used: int

    def __enter__(self) -> Stopwatch:
        self._busy, self._waits, self._threads = _machine_busy(), _pressure(), _threads()
        self._usage = _usage()
        self._start = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds = time.perf_counter() - self._start
        self.cpu_seconds, taken = (now - then for now, then in zip(_usage(), self._usage, strict=True))
        others = _machine_busy() - self._busy - self.cpu_seconds
        self.other_load_cores = max(0.0, others / self.seconds) if self.seconds > 0.05 else 0.0
        threads, none = _threads(), (0.0, 0.0)
        spent = [
            tuple(now - then for now, then in zip(threads[t], self._threads.get(t, none), strict=True)) for t in threads
        ]
        busy = sum(cpu >= 0.05 * self.seconds for cpu, _ in spent)
        needed = math.ceil(self.cpu_seconds / self.seconds - 0.1)
        self.threads_used = max(1, busy, needed) if self.seconds > _TICK else 1
        cores = len(os.sched_getaffinity(0))  # its own threads may have waited for each other
        waited = max((delay for _, delay in spent), default=0.0)
        self.lost_seconds = min(waited, max(0.0, self.seconds - self.cpu_seconds / cores))
        waits, unseen = _pressure(), self.cpu_seconds - sum(cpu for cpu, _ in spent)
        if not threads:  # a kernel that does not count: other work is all that is known
            self.lost_seconds = self.seconds if self.other_load_cores > CONTENDED_CORES else 0.0
        elif unseen > 0.05 * self.seconds and waits is not None and self._waits is not None:
            lost = min(self.seconds - self.cpu_seconds, waits - self._waits, _TAKEN * taken)
            self.lost_seconds = max(self.lost_seconds, lost)

    @property
    def contended(self) -> bool:
        return self.lost_seconds > max(LOST * self.seconds, _TICK)


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


class DeviceMemory:
    """Context manager that reads how much of a GPU's memory PyTorch allocated in its body, at the highest.

    Parameters
    ----------
    device : str
        ``cpu`` measures nothing.

    Attributes
    ----------
    mib : float or None
        None on the CPU, and where nothing has used it by way of PyTorch.
    """

    mib: float | None = None

    def __init__(self, device: str) -> None:
        self.device = device

    def __enter__(self) -> DeviceMemory:
        if (torch := self._torch()) is not None:
            torch.cuda.reset_peak_memory_stats(self.device)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if (torch := self._torch()) is not None:
            self.mib = torch.cuda.max_memory_allocated(self.device) / 2**20

    def _torch(self) -> ModuleType | None:
        torch = None if self.device == "cpu" else sys.modules.get("torch")
        return torch if torch is not None and torch.cuda.is_initialized() else None


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


def _usage() -> tuple[float, int]:
    """CPU seconds of this process and of its children that ended, and how often the kernel took their core away."""
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used), sum(one.ru_nivcsw for one in used)


def _threads() -> dict[str, tuple[float, float]]:
    """Seconds that each thread of this process has computed, and has waited for a core; empty where not counted."""
    counted = {}
    for thread in Path("/proc/self/task").glob("*"):
        with suppress(OSError, ValueError):
            cpu, delay, _ = (thread / "schedstat").read_text().split()
            counted[thread.name] = (int(cpu) / 1e9, int(delay) / 1e9)
    return counted


def _pressure() -> float | None:
    """Seconds since the start of the machine in which somebody waited for a core; None where not counted."""
    try:
        return int(_PRESSURE.read_text().split("total=")[1].split()[0]) / 1e6
    except (OSError, IndexError, ValueError):
        return None


def _machine_busy() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.system + times.nice)
