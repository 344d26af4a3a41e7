"""Run a board: predict what is missing, score it, append its rows."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mrbench.core.candidate import Candidate
from mrbench.core.case import CaseId
from mrbench.core.errors import RequestError
from mrbench.core.row import Row
from mrbench.core.task import Setting
from mrbench.engine.child import start_server
from mrbench.engine.cluster import run_on_cluster
from mrbench.engine.predictions import prediction_path
from mrbench.engine.provenance import facts_of, record_run
from mrbench.engine.scorer import Scored
from mrbench.engine.shard import refuse_overlap
from mrbench.engine.slot import Finished, Options, Running, Slot, Wait, advance
from mrbench.engine.store import RowStore
from mrbench.engine.threads import Cores
from mrbench.engine.worker import Outcome
from mrbench.io.files import inside

__all__ = ["Options", "by_method_and_key", "missing", "run_board"]

DEFAULTS = Options()

Rows = Mapping[tuple[str, str], Row]
"""By method and key: two methods may share a key, such as one method under two aliases."""

Listener = Callable[[Candidate, CaseId, Row | None], None]
"""Called when a case starts (row None) and when its row is written."""


@dataclass
class Ledger:
    """Where the wall time of a run went, in seconds; summed over cases side by side."""

    data: float = 0.0
    setup: float = 0.0
    methods: float = 0.0
    scoring: float = 0.0
    started: float = field(default_factory=time.perf_counter)

    def add(self, finished: Finished) -> None:
        """Count one case."""
        outcome, scored = finished.outcome, finished.scored
        self.data += finished.data_seconds
        self.setup += outcome.new_setup_seconds
        self.methods += outcome.seconds or 0.0
        self.scoring += scored.seconds if scored else 0.0

    def as_dict(self) -> dict[str, float]:
        """The parts, the rest (``harness``) and the total."""
        total = time.perf_counter() - self.started
        spent = {"data": self.data, "setup": self.setup, "methods": self.methods, "scoring": self.scoring}
        harness = max(0.0, total - sum(spent.values()))
        return {name: round(value, 3) for name, value in {**spent, "harness": harness, "total": total}.items()}


def by_method_and_key(rows: Iterable[Row]) -> Rows:
    """Rows as `missing` looks them up."""
    return {(row.method, row.key): row for row in rows}


def missing(candidate: Candidate, cases: Sequence[CaseId], rows: Rows, options: Options) -> list[CaseId]:
    """The cases of a method that have no row yet, or one that should be tried anew.

    That is a row that was skipped for a reason that is gone, failed for a cause outside the method, or ended at a
    limit below that of ``options``; with ``options.retry`` every failed one.
    """
    todo = []
    for case in cases:
        row = rows.get((candidate.name, candidate.row_key(case)))
        if row is None or _again(row, candidate, options):
            todo.append(case)
    return todo


def _again(row: Row, candidate: Candidate, options: Options) -> bool:
    if row.status == "skipped":
        return candidate.skipped is None
    if row.status == "timeout":
        raised = options.timeout is not None and options.timeout > (row.seconds or 0.0)
    elif row.status == "out-of-memory":
        raised = None not in (options.memory, row.memory_mib) and options.memory * 1024 > row.memory_mib  # type: ignore[operator]
    else:
        raised = False
    return row.failed and (options.retry or row.outside or raised)


def run_board(
    setting: Setting,
    candidates: Sequence[Candidate],
    *,
    folder: Path,
    limit: int | None = None,
    options: Options = DEFAULTS,
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
    RequestError
        If two cases or methods have one name, or a name cannot be written to a file.
    DataError
        If a data file is bad or the disk is full; what was computed stays.
    """
    cases = cases_of(setting, limit, options)
    _refuse_names(setting, [case.id for case in cases], "cases")
    _refuse_names(setting, [candidate.name for candidate in candidates], "methods")
    refuse_overlap(folder, options.shard)
    store = RowStore(folder / "rows.jsonl", options.shard)
    with store.locked():
        store.repair()
        kept = store.read()
        rows = by_method_and_key(kept)
        work = [(c, todo) for c in candidates if (todo := missing(c, cases, rows, options))]
        if work:
            recorder = Recorder(setting, store, folder, options, listen, kept)
            try:
                if not options.scheduler:
                    start_server(options.resources.threads)  # it warms up meanwhile
                recorder.record(limit)
                if options.scheduler:
                    run_on_cluster(recorder, work)
                else:
                    recorder.run(work)
            finally:
                recorder.record(limit)
            store.repair()  # drops the rows that a retry has replaced
            rows = by_method_and_key(store.read())
    wanted = [(candidate.name, candidate.row_key(case)) for candidate in candidates for case in cases]
    return [rows[key] for key in wanted if key in rows]


def cases_of(setting: Setting, limit: int | None, options: Options) -> list[CaseId]:
    """The cases that a run computes: all, the first ones, or those of its shard."""
    cases = setting.cases(limit)
    return options.shard.part(cases) if options.shard else cases


def _refuse_names(setting: Setting, names: Sequence[str], what: str) -> None:
    known: set[str] = set()
    for name in names:
        if name in known:
            raise RequestError(f"two {what} of {setting.dataset.name} are called '{name}'; rename one of them.")
        known.add(name)
        try:
            name.encode()
        except UnicodeEncodeError:
            shown = name.encode(errors="backslashreplace").decode()
            raise RequestError(f"'{shown}', one of the {what}, is no text that UTF-8 can hold; rename it.") from None


COSTS = (
    "seconds",
    "cpu_seconds",
    "setup_seconds",
    "other_load_cores",
    "memory_mib",
    "device_memory_mib",
    "threads_used",
    "contended",
)
"""What is measured of a prediction; a cached one keeps it."""


class Recorder:
    """Turns finished cases into rows on disk."""

    def __init__(
        self, setting: Setting, store: RowStore, folder: Path, options: Options, listen: Listener, rows: list[Row]
    ) -> None:
        self.setting, self.store, self.folder, self.options, self.listen = setting, store, folder, options, listen
        self.measured = {row.prediction: row for row in rows if row.prediction}
        self.run_id = f"{time.strftime('%Y%m%dT%H%M%S')}-{uuid.uuid4().hex[:6]}"
        self.ledger = Ledger()
        self.cores: list[tuple[int, ...]] = []
        self.cluster: dict[str, Any] = {}

    def record(self, limit: int | None) -> None:
        """Write what is known of this run; done at its start too, so that even a killed run can be replayed."""
        setting, options = self.setting, self.options
        facts: dict[str, Any] = {
            "task": setting.address.task,
            "track": setting.track.name,
            "dataset": setting.dataset.address,
            "split": setting.split,
            "limit": limit,
            "seed": setting.seed,
            "fingerprint": setting.dataset.fingerprint,
            "about": facts_of(setting),
            "protocol": setting.protocol.as_dict(),
            "protocol_hash": setting.protocol.hash,
            "threads": options.resources.threads,
            "device": options.resources.device,
            "workers": options.workers,
            "cores": self.cores,
            "timeout_s": options.timeout,
            "memory_gib": options.memory,
            "seconds": self.ledger.as_dict(),
        }
        if options.scheduler:
            facts |= {"scheduler": options.scheduler, "cluster": self.cluster}
        if options.shard:
            facts["shard"] = str(options.shard)
        record_run(self.store.runs, self.run_id, facts)

    def run(self, work: Sequence[tuple[Candidate, list[CaseId]]]) -> None:
        """Keep each slot busy with one case, method after method."""
        logs, cores = inside(self.folder, "logs"), Cores()
        self.cores = _cores_for(self.options, cores)
        slots = [Slot(self.setting, self.options.of_slot(n), own, logs) for n, own in enumerate(self.cores)]
        waiting = ((candidate, case) for candidate, cases in work for case in cases)
        running: dict[Slot, tuple[Running, Wait]] = {}
        names: dict[Slot, tuple[Candidate, CaseId, str]] = {}
        try:
            while True:
                for slot in slots:
                    if slot not in running and (item := self.next(waiting)) is not None:
                        candidate, case, key = names[slot] = item
                        generator = slot.case(candidate, case, key, cached=self._is_cached(key))
                        running[slot] = generator, next(generator)
                if not running:
                    return
                for slot, finished in advance(running):
                    self.finish(*names[slot], finished, slot.options.resources.device)
        finally:
            for slot in slots:
                slot.close()
            cores.release()

    def next(self, waiting: Iterator[tuple[Candidate, CaseId]]) -> tuple[Candidate, CaseId, str] | None:
        """The next case to compute; methods that cannot run here get their rows on the way."""
        for candidate, case in waiting:
            key = candidate.prediction_key(case)
            if candidate.skipped is None:
                self.listen(candidate, case, None)
                return candidate, case, key
            self.finish(candidate, case, key, Finished(Outcome("skipped", candidate.skipped)))
        return None

    def is_measured(self, key: str) -> bool:
        """Whether the costs of a prediction are known, so that a cached one will do."""
        return key in self.measured

    def _is_cached(self, key: str) -> bool:
        return self.is_measured(key) and prediction_path(key).is_file()

    def finish(self, candidate: Candidate, case: CaseId, key: str, finished: Finished, device: str = "") -> None:
        """Write and announce one row; a cached prediction keeps the costs that it was measured with."""
        self.ledger.add(finished)
        outcome, method = finished.outcome, candidate.method
        scored = finished.scored or Scored(outcome.status, outcome.message)
        old = self.measured[key] if finished.cached else None
        resources = self.options.resources
        row = Row(
            key=candidate.row_key(case),
            **self.setting.row_facts(case),
            method=candidate.name,
            kind=method.kind,
            source=candidate.source,
            weights=candidate.weights,
            status=scored.status,
            run=self.run_id,
            device=old.device if old else (device or resources.device) if method.on_device else "cpu",
            threads=old.threads if old else resources.threads,
            message=scored.message,
            metrics=scored.metrics,
            details=scored.details,
            outside=outcome.outside,
            prediction=key if scored.status == "ok" and scored.kept else None,
            **{name: getattr(old or outcome, name) for name in COSTS},
        )
        self.store.append(row)
        self.listen(candidate, case, row)


def _cores_for(options: Options, cores: Cores) -> list[tuple[int, ...]]:
    """The cores of each slot; none of its own where the machine has too few, or a GPU is waited for."""
    if options.resources.device != "cpu":
        return [()] * options.workers
    claimed = [cores.claim(options.resources.threads) for _ in range(options.workers)]
    if () in claimed:
        cores.release()
        return [()] * options.workers
    return claimed
