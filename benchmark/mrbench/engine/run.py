"""Run a board: predict what is missing, score it, append its rows."""

from __future__ import annotations

import multiprocessing
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mrbench.core.candidate import Candidate
from mrbench.core.case import CaseId
from mrbench.core.method import Resources
from mrbench.core.row import Row, Status
from mrbench.core.setting import Setting
from mrbench.engine.provenance import record_run
from mrbench.engine.store import RowStore
from mrbench.engine.timing import CONTENDED_CORES, thread_environment
from mrbench.engine.worker import Job, Outcome, predict_case, prediction_path

Listener = Callable[[Candidate, CaseId, Row | None], None]
"""Called when a case starts (row None) and when its row is written."""


@dataclass(frozen=True)
class Options:
    """How to run, which never changes a score."""

    resources: Resources = field(default_factory=Resources)
    workers: int = 1
    timeout: float | None = None
    retry: bool = False


@dataclass
class Ledger:
    """Where the wall time of a run went, in seconds."""

    data: float = 0.0
    setup: float = 0.0
    methods: float = 0.0
    scoring: float = 0.0
    started: float = field(default_factory=time.perf_counter)

    def as_dict(self) -> dict[str, float]:
        total = time.perf_counter() - self.started
        spent = {"data": self.data, "setup": self.setup, "methods": self.methods, "scoring": self.scoring}
        harness = max(0.0, total - sum(spent.values()))
        return {name: round(value, 3) for name, value in {**spent, "harness": harness, "total": total}.items()}


def missing(candidate: Candidate, cases: Sequence[CaseId], rows: Mapping[str, Row], *, retry: bool) -> list[CaseId]:
    """The cases of a method that have no row yet. Skipped rows are tried anew; failed ones with ``retry``."""
    todo = []
    for case in cases:
        row = rows.get(candidate.row_key(case))
        if row is None or (row.status == "skipped" and candidate.skipped is None) or (retry and row.failed):
            todo.append(case)
    return todo


def run_board(
    setting: Setting,
    candidates: Sequence[Candidate],
    *,
    folder: Path,
    limit: int | None = None,
    options: Options = Options(),
    listen: Listener = lambda candidate, case, row: None,
) -> list[Row]:
    """Compute every missing row of a setting, in the order of the candidates.

    Rows are on disk as soon as they are known, so an interruption costs at most the cases in flight.

    Returns
    -------
    list of Row
        The rows of these candidates and cases, old and new.

    Raises
    ------
    DataError
        If a data file is bad or the disk is full; what was computed stays.
    """
    store = RowStore(folder / "rows.jsonl")
    with store.locked():
        rows = {row.key: row for row in store.repair()}
        cases = setting.cases(limit)
        work = [(c, todo) for c in candidates if (todo := missing(c, cases, rows, retry=options.retry))]
        if work:
            recorder = _Recorder(setting, store, folder, options, listen)
            try:
                recorder.record(limit)
                for candidate, todo in work:
                    recorder.run(candidate, todo)
            finally:
                recorder.record(limit)
            rows = {row.key: row for row in store.repair()}  # also drops the rows that a retry has replaced
    wanted = [candidate.row_key(case) for candidate in candidates for case in cases]
    return [rows[key] for key in wanted if key in rows]


class _Recorder:
    """Turns outcomes into scored rows on disk."""

    def __init__(self, setting: Setting, store: RowStore, folder: Path, options: Options, listen: Listener) -> None:
        self.setting, self.store, self.folder, self.options, self.listen = setting, store, folder, options, listen
        self.run_id = f"{time.strftime('%Y%m%dT%H%M%S')}-{uuid.uuid4().hex[:6]}"
        self.ledger = Ledger()

    def record(self, limit: int | None) -> None:
        """Write what is known of this run; done at its start too, so that even a killed run can be replayed."""
        setting, options = self.setting, self.options
        facts: dict[str, Any] = {
            "task": setting.address.task, "track": setting.track.name, "dataset": setting.dataset.address,
            "split": setting.split, "limit": limit, "seed": setting.seed, "fingerprint": setting.dataset.fingerprint,
            "protocol": setting.protocol.as_dict(), "protocol_hash": setting.protocol.hash,
            "threads": options.resources.threads, "device": options.resources.device,
            "workers": options.workers, "timeout_s": options.timeout, "seconds": self.ledger.as_dict(),
        }  # fmt: skip
        record_run(self.folder / "run.json", self.run_id, facts)

    def run(self, candidate: Candidate, cases: list[CaseId]) -> None:
        """Make the rows of one method: skipped, scored from cached predictions, or predicted."""
        if candidate.skipped is not None:
            for case in cases:
                self._finish(candidate, case, Outcome("skipped", candidate.skipped))
            return
        timed = {row.prediction: row for row in self.store.read() if row.prediction}
        todo = []
        for case in cases:
            key = candidate.prediction_key(case)
            if key in timed and prediction_path(key).is_file():
                self._finish(candidate, case, _as_measured(timed[key]), timed[key])
            else:
                todo.append(case)
        if todo:
            with _own_process(self.options, fresh=candidate.method.fresh_process) as pool:
                self._predict(pool, candidate, todo)

    def _predict(self, pool: Any, candidate: Candidate, cases: list[CaseId]) -> None:
        """Keep each worker busy with one case; score between cases, so that scoring disturbs no timing."""
        waiting = list(cases)
        flying: dict[Any, CaseId] = {}
        while waiting or flying:
            while waiting and len(flying) < self.options.workers:
                case = waiting.pop(0)
                self.listen(candidate, case, None)
                flying[pool.schedule(predict_case, args=[self._job(candidate, case)], timeout=self.options.timeout)] = (
                    case
                )
            done, _ = wait(flying, return_when=FIRST_COMPLETED)
            for future in done:
                case = flying.pop(future)
                self._finish(candidate, case, self._outcome(future))

    def _job(self, candidate: Candidate, case: CaseId) -> Job:
        return Job(
            candidate.resolved, self.setting.address, case, self.options.resources, candidate.prediction_key(case),
            (self.folder / "logs" / f"{_file_name(candidate.name)}.log").resolve(),
            _environment(self.options.resources.threads),
        )  # fmt: skip

    def _outcome(self, future: Any) -> Outcome:
        from pebble import ProcessExpired

        try:
            outcome: Outcome = future.result()
        except TimeoutError:
            limit = self.options.timeout or 0.0
            self.ledger.methods += limit
            return Outcome("timeout", f"killed after {limit:g} s; raise --timeout to give it longer.", limit)
        except ProcessExpired as error:
            code = error.exitcode
            status: Status = "out-of-memory" if code in (-9, 137) else "error"
            return Outcome(status, f"the method's process died (exit code {code}); see its log in {self.folder}/logs.")
        self.ledger.methods += outcome.seconds or 0.0
        self.ledger.data += outcome.data_seconds
        self.ledger.setup += outcome.new_setup_seconds
        return outcome

    def _finish(self, candidate: Candidate, case: CaseId, outcome: Outcome, measured: Row | None = None) -> None:
        """Score, write and announce one row; ``measured`` is the earlier row whose costs it keeps."""
        setting, key = self.setting, candidate.prediction_key(case)
        status, message = outcome.status, outcome.message
        metrics: dict[str, float] = {}
        details: dict[str, Any] = {}
        if status == "ok":
            try:
                metrics, details, message = self._score(case, key)
            except Exception as error:
                status, message = "error", f"cannot be scored: {type(error).__name__}: {error}"
        load = outcome.other_load_cores
        row = Row(
            key=candidate.row_key(case), task=setting.task.name, track=setting.track.name,
            dataset=setting.dataset.name, simulated=setting.dataset.simulated,
            fingerprint=setting.dataset.fingerprint, split=setting.split, protocol=setting.protocol.hash,
            method=candidate.name, kind=candidate.method.kind, source=candidate.source,
            weights=candidate.weights, seed=setting.seed, case=case.id, subjects=list(case.subjects), status=status,
            run=self.run_id, device=self.options.resources.device if candidate.method.kind == "learned" else "cpu",
            threads=self.options.resources.threads,
            message=message, metrics=metrics, details=details, seconds=outcome.seconds,
            cpu_seconds=outcome.cpu_seconds, setup_seconds=outcome.setup_seconds, other_load_cores=load,
            memory_mib=outcome.memory_mib,
            contended=self.options.workers > 1 or (load or 0.0) > CONTENDED_CORES,
            prediction=key if status == "ok" else None,
        )  # fmt: skip
        if measured is not None:
            row = replace(row, device=measured.device, threads=measured.threads, contended=measured.contended)
        self.store.append(row)
        self.listen(candidate, case, row)

    def _score(self, case: CaseId, key: str) -> tuple[dict[str, float], dict[str, Any], str]:
        """Score a cached prediction: metrics, details, and a warning if there is one."""
        task, started = self.setting.task, time.perf_counter()
        loaded = self.setting.load(case)
        self.ledger.data += time.perf_counter() - started
        started = time.perf_counter()
        prediction = np.load(prediction_path(key))
        scores = task.score(loaded, prediction)
        message = task.diagnose(loaded, prediction) or ""
        self.ledger.scoring += time.perf_counter() - started
        return dict(scores.metrics), dict(scores.details), message


def _as_measured(row: Row) -> Outcome:
    """A cached prediction keeps the time and memory it was measured with."""
    return Outcome("ok", "", row.seconds, row.cpu_seconds, row.setup_seconds, row.other_load_cores, row.memory_mib)


def _environment(threads: int) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if name.startswith("MRBENCH_")}
    return {**ours, **thread_environment(threads)}


def _file_name(text: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in text)


@contextmanager
def _own_process(options: Options, *, fresh: bool) -> Iterator[Any]:
    """A pool whose processes belong to one method and die with it, whatever it does."""
    from pebble import ProcessPool

    os.environ.update(thread_environment(options.resources.threads))  # the fork server loads NumPy
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mrbench.engine.worker"])
    pool = ProcessPool(max_workers=options.workers, max_tasks=1 if fresh else 0, context=context)
    try:
        yield pool
        pool.close()
    except BaseException:
        pool.stop()
        raise
    finally:
        pool.join()
