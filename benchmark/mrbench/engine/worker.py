"""What happens in a method's own process: read the inputs of a case, time its prediction, hand it over.

This process never holds a reference: it is sent what a method may see, and it scores nothing.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import psutil

from mrbench.core.binding import bound
from mrbench.core.case import CaseId
from mrbench.core.errors import DataError, MethodSkipped, MrbenchError, brief
from mrbench.core.method import FittedMethod, Method, Resources
from mrbench.core.random import seed_everything, seed_for
from mrbench.core.registry import find_method, find_task
from mrbench.core.row import Status
from mrbench.core.specification import MethodSpec, built
from mrbench.core.task import Address
from mrbench.engine.guard import end_copies
from mrbench.engine.threads import pin_loaded_libraries
from mrbench.engine.timing import DeviceMemory, PeakMemory, Stopwatch


@dataclass(frozen=True)
class Job:
    """One prediction to make; its inputs lie in the file that worker and scorer share."""

    spec: MethodSpec
    setting: Address
    case: CaseId
    resources: Resources


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    ``setup_seconds`` is that of the process, ``new_setup_seconds`` what of it fell into this job. ``returned`` names
    the type of what the method returned, where that is no array. ``outside`` says that the cause is not the method.
    """

    status: Status
    message: str = ""
    seconds: float | None = None
    cpu_seconds: float | None = None
    setup_seconds: float | None = None
    other_load_cores: float | None = None
    memory_mib: float | None = None
    device_memory_mib: float | None = None
    threads_used: int | None = None
    contended: bool = False
    new_setup_seconds: float = 0.0
    returned: str = ""
    retire: bool = False
    outside: bool = False


def serve(channel: Connection, inputs: int, prediction: int) -> None:
    """Answer jobs until the channel closes. Answers are JSON: the main process unpickles nothing from here."""
    process, ready = os.getpid(), None
    while True:
        try:
            job: Job = channel.recv()
        except (EOFError, OSError):
            return
        ready, outcome = _attempt(ready, job, inputs, prediction)
        end_copies(process)
        channel.send_bytes(json.dumps(asdict(outcome)).encode())
        with suppress(BaseException):
            _end_processes(ready.processes if ready else frozenset())


@dataclass(frozen=True)
class _Ready:
    """A method, set up once, with how long that took, and the processes that it then had."""

    spec: MethodSpec
    method: Method
    seconds: float
    processes: frozenset[int]


def _attempt(ready: _Ready | None, job: Job, inputs: int, prediction: int) -> tuple[_Ready | None, Outcome]:
    """Do a job; every fault of the method becomes an `Outcome`."""
    fresh = ready is None
    try:
        if ready is None:
            ready = _set_up(job)
        outcome = _predict(ready.method, job, inputs, prediction)
        outcome = _changed(outcome, setup_seconds=ready.seconds, new_setup_seconds=ready.seconds if fresh else 0.0)
    except MethodSkipped as reason:
        outcome = Outcome("skipped", brief(reason))
    except MemoryError:
        _write_trace()
        outcome = Outcome("out-of-memory", "the method ran out of memory; use a smaller volume or more memory.")
    except MrbenchError as error:
        _write_trace()
        outcome = Outcome("error", brief(error))
    except BaseException as error:
        _write_trace()
        if type(error).__name__ == "OutOfMemoryError":  # PyTorch's, of a GPU
            outcome = Outcome("out-of-memory", "the GPU ran out of memory; use a smaller volume or --device cpu.")
        else:
            outcome = Outcome("error", f"{type(error).__name__}: {brief(error)} (see its log)")
    return ready, _changed(outcome, retire=_few_descriptors_left())


def _changed(outcome: Outcome, **changes: object) -> Outcome:
    return Outcome(**{**asdict(outcome), **changes})


def _set_up(job: Job) -> _Ready:
    process, started = os.getpid(), time.perf_counter()
    task = find_task(job.setting.task)
    method = built(find_method(job.spec.name, task.name), job.spec)
    method.setup(job.resources)
    pin_loaded_libraries(job.resources.threads)
    if isinstance(method, FittedMethod):
        try:
            setting = bound(job.setting)
            examples = task.training_examples(setting.dataset, [setting.track])
        except DataError as error:  # of a train subject's files: other methods may need none
            raise MrbenchError(f"cannot be fitted: {error}") from error
        seed_everything(seed_for("fit", str(job.spec), job.setting.seed))
        method.fit(examples)
    end_copies(process)
    return _Ready(job.spec, method, time.perf_counter() - started, frozenset(_processes()))


def _predict(method: Method, job: Job, inputs: int, prediction: int) -> Outcome:
    shown = read_object(inputs)
    os.ftruncate(inputs, 0)  # the memory is the method's now
    seed_everything(seed_for(job.case.id, str(job.spec), job.setting.seed))
    process, loaded = os.getpid(), len(sys.modules)
    with PeakMemory() as memory, DeviceMemory(job.resources.device) as lent, Stopwatch() as watch:
        returned = method.predict(shown)
    end_copies(process)  # both would write to one file
    if len(sys.modules) != loaded:
        pin_loaded_libraries(job.resources.threads)
    outcome = Outcome(
        "ok",
        "",
        watch.seconds,
        watch.cpu_seconds,
        None,
        watch.other_load_cores,
        memory.mib,
        lent.mib,
        watch.threads_used,
        watch.contended,
    )
    if not isinstance(returned, np.ndarray):
        return _changed(outcome, returned=type(returned).__name__)
    if returned.dtype.hasobject:
        return _changed(outcome, returned="array of Python objects")
    write_array(prediction, np.asarray(returned))
    return outcome


def write_object(file: int, value: object) -> None:
    """Replace the content of a shared file by an object."""
    os.ftruncate(file, 0)
    os.lseek(file, 0, os.SEEK_SET)
    with open(file, "wb", closefd=False) as stream:
        pickle.dump(value, stream, protocol=5)


def read_object(file: int) -> object:
    """Read what `write_object` wrote; its arrays are writable and nobody else's."""
    os.lseek(file, 0, os.SEEK_SET)
    with open(file, "rb", closefd=False) as stream:
        return pickle.load(stream)


def write_array(file: int, array: np.ndarray) -> None:
    """Replace the content of a shared file by an array of numbers."""
    os.ftruncate(file, 0)
    os.lseek(file, 0, os.SEEK_SET)
    with open(file, "wb", closefd=False) as stream:
        np.save(stream, array, allow_pickle=False)


def read_array(file: int) -> np.ndarray:
    """Read what `write_array` wrote; unpickles nothing."""
    os.lseek(file, 0, os.SEEK_SET)
    with open(file, "rb", closefd=False) as stream:
        return np.load(stream, allow_pickle=False)


def _processes() -> set[int]:
    """All that this process started, and what of it fell to its guard."""
    return {process.pid for process in psutil.Process(os.getppid()).children(recursive=True)} - {os.getpid()}


def _end_processes(kept: frozenset[int]) -> None:
    """End what was started since the set-up: a case leaves nothing running."""
    from multiprocessing.resource_tracker import _resource_tracker

    for pid in _processes() - kept - {getattr(_resource_tracker, "_pid", None)}:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)
        with suppress(OSError):
            os.waitpid(pid, 0)


def _few_descriptors_left() -> bool:
    """Whether the method has leaked so many files that the next case may find none."""
    import resource

    try:
        return sum(1 for _ in Path("/proc/self/fd").iterdir()) > resource.getrlimit(resource.RLIMIT_NOFILE)[0] / 2
    except OSError:
        return True


def _write_trace() -> None:
    """Put the traceback into the log, whatever the method did to its streams."""
    with suppress(BaseException):
        os.write(2, traceback.format_exc().encode(errors="backslashreplace"))
