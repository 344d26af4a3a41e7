"""Turns finished cases into rows on disk, and writes down what is known of the run."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mrbench.core.candidate import Candidate
from mrbench.core.case import CaseId
from mrbench.core.row import Row
from mrbench.core.task import Setting
from mrbench.engine.plan import Options
from mrbench.engine.predictions import prediction_path
from mrbench.engine.provenance import facts_of, record_run
from mrbench.engine.scorer import Scored
from mrbench.engine.slot import Finished
from mrbench.engine.store import RowStore
from mrbench.engine.worker import Outcome

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
        self.scored = {(row.method, row.key): row for row in rows if options.repredict and row.status == "ok"}
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

    def is_cached(self, key: str) -> bool:
        """Whether a prediction is measured and lies on this machine."""
        return self.is_measured(key) and prediction_path(key).is_file()

    def finish(self, candidate: Candidate, case: CaseId, key: str, finished: Finished, device: str = "") -> None:
        """Write and announce one row; a cached prediction keeps the costs that it was measured with.

        What was only predicted again keeps its row: its costs, and where that fails, its scores.
        """
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
        if before := self.scored.get((row.method, row.key)):
            self.listen(candidate, case, row)
            if row.status == "ok":
                self.store.append(replace(before, metrics=row.metrics, details=row.details, prediction=row.prediction))
            return
        self.store.append(row)
        self.listen(candidate, case, row)
