"""A slot: one scorer and one worker that take turns, on cores of their own."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import signal
import sys
import time
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from mrbench.core.candidate import Candidate
from mrbench.core.case import CaseId
from mrbench.core.errors import DataError
from mrbench.core.method import TRAINED
from mrbench.core.registry import is_foreign
from mrbench.core.task import Setting
from mrbench.engine.child import Child, anonymous_file
from mrbench.engine.guard import Ending
from mrbench.engine.plan import Options
from mrbench.engine.request import Role
from mrbench.engine.scorer import Load, Loaded, Score, Scored
from mrbench.engine.worker import Job, Outcome


@dataclass(frozen=True)
class Wait:
    """What a case waits for: a message of a child, until a time of the monotonic clock."""

    child: Child
    deadline: float | None = None


Reply = bytes | Ending | None
"""A message; how the child ended; or None when the deadline passed."""


@dataclass(frozen=True)
class Finished:
    """A case that was loaded, predicted and scored, as far as it came."""

    outcome: Outcome
    scored: Scored | None = None
    data_seconds: float = 0.0
    cached: bool = False


class Slot:
    """Runs one case at a time.

    Parameters
    ----------
    setting : Setting
    options : Options
    cores : tuple of int
        Cores to stay on; empty: all.
    logs : Path
        Folder of the logs.
    """

    def __init__(self, setting: Setting, options: Options, cores: tuple[int, ...], logs: Path) -> None:
        self.setting, self.options, self.cores, self.logs = setting, options, cores, logs
        self.files = (anonymous_file(), anonymous_file())
        self._scorer: Child | None = None
        self._worker: Child | None = None
        self.candidate: Candidate | None = None

    def warm_up(self) -> None:
        """Have the scorer started, for which the server imports the harness and compiles its kernels."""
        self._scorer = self._child("scorer")

    def abandon(self) -> None:
        """Close, and wait for nothing."""
        if self._scorer is not None:
            self._scorer.abandon()
        self._scorer = None
        self.close()

    def close(self) -> None:
        """End both processes with all that they started."""
        for child in (self._worker, self._scorer):
            if child is not None:
                child.end()
        self._worker = self._scorer = None
        for file in self.files:
            with suppress(OSError):
                os.close(file)

    def case(self, candidate: Candidate, case: CaseId, key: str, *, cached: bool) -> Generator[Wait, Reply, Finished]:
        """Load, predict (unless ``cached``) and score a case, waiting by yielding; without a key nothing is cached.

        Raises
        ------
        DataError
            If nothing can be computed here now: a disk is full, a folder cannot be read.
        """
        address, protocol = self.setting.address, self.setting.protocol.hash
        reply = yield self._ask_scorer(Load(address, case, protocol, key if cached else ""))
        if not isinstance(reply, bytes):
            return Finished(self._outside("read", reply))
        loaded: Loaded = pickle.loads(reply)
        if loaded.stop:
            raise DataError(loaded.message)
        if loaded.message:
            return Finished(Outcome("error", loaded.message, outside=True))
        outcome = Outcome("ok")
        if not loaded.cached:
            outcome = yield from self._predict(candidate, case)
        if outcome.status != "ok":
            return Finished(outcome, None, loaded.seconds)
        reply = yield self._ask_scorer(Score(key, loaded.cached, outcome.returned, self.options.predictions))
        if not isinstance(reply, bytes):
            return Finished(self._outside("scored", reply))
        return Finished(outcome, pickle.loads(reply), loaded.seconds, loaded.cached)

    def _ask_scorer(self, request: object) -> Wait:
        if self._scorer is None or not self._scorer.idle():
            self._scorer = self._child("scorer")
        self._scorer.send(request)
        return Wait(self._scorer, time.monotonic() + self.options.scoring_timeout)

    def _outside(self, what: str, reply: Ending | None) -> Outcome:
        """The row of a scorer that died or never answered: no method's fault, so it is tried again."""
        if self._scorer is not None:
            self._scorer.end()
        self._scorer = None
        if reply is None:
            limit = f"{self.options.scoring_timeout:g} s"
            message = f"the case was not {what} within {limit}; look at its files, or raise --scoring-timeout."
        else:
            message = f"the process that {what} the case died ({_how(reply)}); run the command again, perhaps with "
            message += "fewer --workers."
        return Outcome("error", message, outside=True)

    def _predict(self, candidate: Candidate, case: CaseId) -> Generator[Wait, Reply, Outcome]:
        timeout = self.options.timeout
        worker = self._ready_worker(candidate)
        worker.send(Job(candidate.resolved, self.setting.address, case, self.options.resources))
        reply = yield Wait(worker, None if timeout is None else time.monotonic() + timeout)
        if isinstance(reply, bytes):
            outcome = _outcome(reply)
            if outcome.retire or candidate.method.fresh_process:
                self._end_worker()
            return outcome
        self._end_worker()
        if reply is None:
            message = f"killed after {timeout:g} s; a larger --timeout runs it again."
            return Outcome("timeout", message, timeout)
        if reply.memory:
            limit = self.options.memory or 0.0
            message = f"killed for holding more than {limit:g} GiB; a larger --memory runs it again."
            return Outcome("out-of-memory", message, memory_mib=limit * 1024)
        message = f"the method's process died ({_how(reply)}); see its log."
        return Outcome("out-of-memory" if reply.machine_full else "error", message)

    def _ready_worker(self, candidate: Candidate) -> Child:
        """The worker of this method, which another method never shares; one that died idle is replaced."""
        if self._worker is None or self.candidate is not candidate or not self._worker.idle():
            self._end_worker()
            self._worker, self.candidate = self._child("worker", candidate), candidate
        return self._worker

    def _end_worker(self) -> None:
        if self._worker is not None:
            self._worker.end()
        self._worker = None

    def _child(self, role: Role, candidate: Candidate | None = None) -> Child:
        modules = [type(bound).__module__ for bound in (self.setting.task, self.setting.dataset)]
        if "nibabel" in sys.modules:  # this process has read a header of the dataset
            modules.append("nibabel")
        if (
            candidate
            and candidate.method.kind in TRAINED
            and not is_foreign(candidate.spec.name, self.setting.task.name)
        ):
            modules.append("torch")  # two seconds, which the next network then does not take
        return Child(
            role,
            self.files,
            threads=self.options.resources.threads,
            preload=(*modules, "numba", "threadpoolctl"),
            kernels=() if candidate else self.setting.task.kernels,
            cores=self.cores if candidate or self.options.workers > 1 else (),
            log=self.logs / log_name(candidate.name) if candidate else None,
            memory=self.options.memory if candidate else None,
        )


def _outcome(reply: bytes) -> Outcome:
    try:
        return Outcome(**json.loads(reply))
    except (ValueError, TypeError):
        return Outcome("error", "the method's process sent something else than a result; see its log.")


def _how(reply: Ending | None) -> str:
    code = reply.exit_code if reply else None
    if code == -signal.SIGKILL:
        return "killed from outside, perhaps for want of memory"
    return "nobody knows how" if code is None else f"exit code {code}"


def log_name(method: str) -> str:
    """The file name of a method's log: readable, short, and of no other method."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in method)
    if plain == method and 0 < len(plain) <= 100 and not plain.startswith("."):
        return f"{plain}.log"
    mark = hashlib.sha256(method.encode(errors="surrogateescape")).hexdigest()[:8]
    return f"{plain[-80:].lstrip('.')}-{mark}.log".lstrip("-")


Running = Generator[Wait, Reply, Finished]


def completed(slot: Slot, case: Running) -> Finished:
    """Carry one case through to its end."""
    running = {slot: (case, next(case))}
    while True:
        for _, finished in advance(running):
            return finished


def advance(running: dict[Slot, tuple[Running, Wait]]) -> list[tuple[Slot, Finished]]:
    """Wait until something happens, go on with what it concerns, and return what has finished."""
    deadlines = [waiting.deadline for _, waiting in running.values() if waiting.deadline is not None]
    timeout = max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
    sources: list[Any] = []
    for _, waiting in running.values():
        sources += [waiting.child.channel, waiting.child.lifeline]
    ready = set(wait(sources, timeout))
    now, finished = time.monotonic(), []
    for slot, (case, waiting) in list(running.items()):
        child, reply = waiting.child, None
        if child.channel in ready or child.lifeline in ready:
            reply = child.receive()
        elif waiting.deadline is None or now < waiting.deadline:
            continue
        try:
            running[slot] = (case, case.send(reply))
        except StopIteration as stop:
            del running[slot]
            finished.append((slot, stop.value))
    return finished
