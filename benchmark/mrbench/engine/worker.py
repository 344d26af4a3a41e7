"""What happens in a method's own process: load a case, time its prediction, put it in the cache."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mrbench.core.case import CaseId
from mrbench.core.errors import DataError, MethodSkipped, MrbenchError, PredictionError
from mrbench.core.method import FittedMethod, Method, Resources
from mrbench.core.random import seed_everything, seed_for
from mrbench.core.registry import find_method
from mrbench.core.row import Status
from mrbench.core.setting import Address, Setting, bound
from mrbench.core.specification import MethodSpec, built
from mrbench.engine.timing import PeakMemory, Stopwatch
from mrbench.io.files import cache_root, write_atomically


@dataclass(frozen=True)
class Job:
    """One prediction to make; small enough to send to any process.

    ``environment`` is applied first: it names the cache and pins the threads of libraries not yet loaded.
    """

    spec: MethodSpec
    setting: Address
    case: CaseId
    resources: Resources
    key: str
    log: Path
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Outcome:
    """What came of a job; the prediction itself lies in the cache under the job's key.

    ``setup_seconds`` is that of the process, ``new_setup_seconds`` what of it fell into this job.
    """

    status: Status
    message: str = ""
    seconds: float | None = None
    cpu_seconds: float | None = None
    setup_seconds: float | None = None
    other_load_cores: float | None = None
    memory_mib: float | None = None
    data_seconds: float = 0.0
    new_setup_seconds: float = 0.0


def prediction_path(key: str) -> Path:
    """Where the prediction of a key is cached."""
    return cache_root() / "predictions" / key[:2] / f"{key}.npy"


@dataclass(frozen=True)
class _Ready:
    """What this process holds: the setting, bound once, and the method, set up once, with how long that took."""

    job: tuple[MethodSpec, Address]
    setting: Setting
    method: Method
    seconds: float


_ready: _Ready | None = None


def predict_case(job: Job) -> Outcome:
    """Predict one case and cache it; every fault of the method becomes an `Outcome`."""
    os.environ.update(job.environment)
    _quieten(job.log)
    try:
        fresh = _ready is None
        ready = _method(job)
        method, task = ready.method, ready.setting.task
        started = time.perf_counter()
        try:
            case = ready.setting.load(job.case)
        except DataError as error:
            return Outcome("error", str(error))  # this case's files; the others may be fine
        data_seconds = time.perf_counter() - started
        seed_everything(seed_for(job.case.id, str(job.spec), job.setting.seed))
        with PeakMemory() as memory, Stopwatch() as watch:
            prediction = method.predict(case.inputs)
        checked = task.check(case, prediction)
        with write_atomically(prediction_path(job.key)) as file:
            np.save(file, checked)
    except MethodSkipped as reason:
        return Outcome("skipped", str(reason))
    except PredictionError as error:
        return Outcome("invalid", str(error))
    except MemoryError:
        return Outcome("out-of-memory", "the method ran out of memory; use a smaller volume or more memory.")
    except DataError:
        raise  # the disk is full or not writable: the run stops with this sentence
    except MrbenchError as error:
        return Outcome("error", str(error))
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        if type(error).__name__ == "OutOfMemoryError":  # PyTorch's, of a GPU
            return Outcome("out-of-memory", "the GPU ran out of memory; use a smaller volume or --device cpu.")
        return Outcome("error", f"{type(error).__name__}: {_first_line(error)} (see {job.log})")
    return Outcome(
        "ok", "", watch.seconds, watch.cpu_seconds, ready.seconds, watch.other_load_cores, memory.mib, data_seconds,
        ready.seconds if fresh else 0.0,
    )  # fmt: skip


def _method(job: Job) -> _Ready:
    global _ready
    if _ready is None or _ready.job != (job.spec, job.setting):
        started = time.perf_counter()
        setting = bound(job.setting)
        method = built(find_method(job.spec.name, setting.task.name), job.spec)
        method.setup(job.resources)
        if isinstance(method, FittedMethod):
            try:
                examples = setting.task.training_examples(setting.dataset, [setting.track])
                seed_everything(seed_for("fit", str(job.spec), setting.seed))
                method.fit(examples)
            except DataError as error:  # of a train subject's files: other methods may need none
                raise MrbenchError(f"cannot be fitted: {error}") from error
        _ready = _Ready((job.spec, job.setting), setting, method, time.perf_counter() - started)
    return _ready


def _quieten(log: Path) -> None:
    """Send what tools print, from any language, to the method's log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)


def _first_line(error: Any) -> str:
    import traceback

    traceback.print_exc()
    return (str(error).strip().splitlines() or ["no message"])[0][:300]
