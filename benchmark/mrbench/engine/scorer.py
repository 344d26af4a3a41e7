"""What happens in the process that knows the answers: load a case, hand over its inputs, check and score predictions.

No code of a method is ever imported here, and what comes from a method is an array of numbers.
"""

from __future__ import annotations

import errno
import os
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from mrbench.core.binding import bound
from mrbench.core.case import Case, CaseId
from mrbench.core.errors import MrbenchError, PredictionError
from mrbench.core.row import Status
from mrbench.core.task import Address, Setting
from mrbench.engine.predictions import Keeping, cached_prediction, keep
from mrbench.engine.worker import read_array, write_object

PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
"""Faults of the machine rather than of a file."""


@dataclass(frozen=True)
class Load:
    """Load a case of a setting, and put its inputs into the shared file unless its prediction is in the cache."""

    setting: Address
    case: CaseId
    protocol: str
    cached: str = ""


@dataclass(frozen=True)
class Loaded:
    """What came of it. ``stop`` says that nothing can be computed here now; ``cached`` that a prediction is there."""

    seconds: float = 0.0
    message: str = ""
    stop: bool = False
    cached: bool = False


@dataclass(frozen=True)
class Score:
    """Score what the worker returned for the case that was loaded last, or what was cached under the key.

    Without a key the prediction is not kept; ``keeping`` says how it is kept otherwise.
    """

    key: str
    cached: bool
    returned: str = ""
    keeping: Keeping = "keep"


@dataclass(frozen=True)
class Scored:
    """The scores of a prediction; ``kept`` tells whether it is in the cache."""

    status: Status
    message: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    kept: bool = False


def serve(channel: Connection, inputs: int, prediction: int) -> None:
    """Answer requests until the channel closes."""
    scorer = _Scorer(inputs, prediction)
    while True:
        try:
            request = channel.recv()
        except (EOFError, OSError):
            return
        channel.send(scorer.load(request) if isinstance(request, Load) else scorer.score(request))


class _Scorer:
    """Holds a setting, bound once, and the case that was loaded last."""

    def __init__(self, inputs: int, prediction: int) -> None:
        self.inputs, self.prediction = inputs, prediction
        self.address: Address | None = None
        self.setting: Setting | None = None
        self.case: Case[Any, Any] | None = None
        self.cached: np.ndarray | None = None

    def load(self, request: Load) -> Loaded:
        started = time.perf_counter()
        try:
            if self.setting is None or self.address != request.setting:
                self.setting, self.address = bound(request.setting), request.setting
            if self.setting.protocol.hash != request.protocol:
                return Loaded(message="the dataset or the task changed during the run; run it again.", stop=True)
            self.case = self.setting.load(request.case)
            self.cached = cached_prediction(request.cached) if request.cached else None
            if self.cached is None:
                write_object(self.inputs, self.case.inputs)
        except (MrbenchError, OSError) as error:
            return Loaded(message=str(error), stop=is_passing(error))
        except Exception as error:
            return Loaded(message=f"the case cannot be loaded: {type(error).__name__}: {error}")
        return Loaded(time.perf_counter() - started, cached=self.cached is not None)

    def score(self, request: Score) -> Scored:
        started = time.perf_counter()
        assert self.setting is not None and self.case is not None
        task, case = self.setting.task, self.case
        try:
            checked = task.check(case, self._prediction(request))
        except PredictionError as error:
            return Scored("invalid", str(error))
        except Exception as error:
            return Scored("invalid", f"the prediction cannot be read: {type(error).__name__}: {error}")
        kept = request.cached or (request.key != "" and keep(request.key, checked, request.keeping))
        try:
            scores = task.score(case, checked)
            message = task.diagnose(case, checked) or ""
        except Exception as error:
            return Scored("error", f"cannot be scored: {type(error).__name__}: {error}", kept=kept)
        seconds, details = time.perf_counter() - started, dict(scores.details)
        noted = getattr(self.setting.dataset, "subject_notes", {})
        if notes := {subject: noted[subject] for subject in case.subjects if subject in noted}:
            details["notes"] = notes
        return Scored("ok", message, dict(scores.metrics), details, seconds, kept)

    def _prediction(self, request: Score) -> object:
        if request.cached:
            return self.cached
        if request.returned:
            return type(request.returned, (), {})()  # its name is what `check` says of it
        try:
            return read_array(self.prediction)
        finally:
            os.ftruncate(self.prediction, 0)


def is_passing(error: BaseException) -> bool:
    """Whether an error comes from a full or unwritable disk, or the like: no row should say so for good."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in PASSING:
            return True
        cause = cause.__cause__
    return False
