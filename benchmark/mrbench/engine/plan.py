"""What a run has to compute: its options, its cases, and the rows that it lacks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mrbench.core.arguments import check_number, check_whole
from mrbench.core.candidate import Candidate
from mrbench.core.case import CaseId
from mrbench.core.errors import RequestError
from mrbench.core.method import Resources
from mrbench.core.row import Row
from mrbench.core.task import Setting
from mrbench.engine.predictions import Keeping, checked_keeping, prediction_path
from mrbench.engine.shard import Shard


@dataclass(frozen=True)
class Options:
    """How to run, which never changes a score.

    Attributes
    ----------
    resources : Resources
        ``device`` may name several, apart by commas: slots take them in turn.
    workers : int
        Cases side by side.
    timeout : float or None
        Seconds after which the processes of a case are ended.
    retry : bool
        Run failed rows again.
    memory : float or None
        GiB that the processes of a case may hold together.
    scoring_timeout : float
        Seconds that reading a case may take, and scoring it: a file system or a metric that never returns is no end of
        a board.
    shard : Shard or None
        Compute that part of the cases alone.
    scheduler : str
        Address of a Dask cluster whose workers compute, ``local:N`` for N processes of this machine, empty for none.
    gather : bool
        Fetch predictions from the workers of a cluster.
    predictions : {"keep", "compress", "drop"}
        What becomes of a prediction that was scored. One that is dropped is in no picture and no export.
    repredict : bool
        Predict again what was scored and is no longer in the cache.
    """

    resources: Resources = field(default_factory=Resources)
    workers: int = 1
    timeout: float | None = None
    retry: bool = False
    memory: float | None = None
    scoring_timeout: float = 1800.0
    shard: Shard | None = None
    scheduler: str = ""
    gather: bool = False
    predictions: Keeping = "keep"
    repredict: bool = False

    def __post_init__(self) -> None:
        check_whole(1, workers=self.workers, threads=self.resources.threads)
        check_number(0.001, timeout=self.timeout, scoring_timeout=self.scoring_timeout)
        check_number(0.01, memory=self.memory)
        asked = "--gather fetches" if self.gather else "--repredict makes" if self.repredict else ""
        if checked_keeping(self.predictions) == "drop" and asked:
            raise RequestError(f"{asked} predictions that --predictions drop does not keep; leave out one.")

    def of_slot(self, number: int) -> Options:
        """The same with the one device of that slot."""
        devices = self.resources.devices
        return replace(self, resources=replace(self.resources, device=devices[number % len(devices)]))


DEFAULTS = Options()

Rows = Mapping[tuple[str, str], Row]
"""By method and key: two methods may share a key, such as one method under two aliases."""


def by_method_and_key(rows: Iterable[Row]) -> Rows:
    """Rows as `missing` looks them up."""
    return {(row.method, row.key): row for row in rows}


def of_today(
    setting: Setting, candidates: Sequence[Candidate], cases: Sequence[CaseId], rows: Iterable[Row]
) -> list[Row]:
    """Rows of earlier data that these would make again as they are: with what rows say of the data of today.

    A dataset is another one as soon as a subject is added to it, but what was computed of the others is as true as
    before.
    """
    earlier = by_method_and_key(row for row in rows if row.fingerprint != setting.dataset.fingerprint)
    if not earlier:
        return []
    kept = [(earlier.get((who.name, who.row_key(case))), case) for who in candidates for case in cases]
    return [replace(row, **setting.row_facts(case)) for row, case in kept if row is not None]


def missing(candidate: Candidate, cases: Sequence[CaseId], rows: Rows, options: Options) -> list[CaseId]:
    """The cases of a method that have no row yet, or one that should be tried anew.

    That is a row that was skipped for a reason that is gone, failed for a cause outside the method, or ended at a
    limit below that of ``options``; with ``options.retry`` every failed one; with ``options.repredict`` those whose
    prediction is gone.
    """
    todo = []
    for case in cases:
        row = rows.get((candidate.name, candidate.row_key(case)))
        if row is None or _again(row, candidate, options) or _gone(row, candidate, case, options):
            todo.append(case)
    return todo


def _gone(row: Row, candidate: Candidate, case: CaseId, options: Options) -> bool:
    if not options.repredict or row.status != "ok" or candidate.skipped is not None:
        return False
    return not prediction_path(candidate.prediction_key(case)).is_file()


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


def cases_of(setting: Setting, limit: int | None, options: Options) -> list[CaseId]:
    """The cases that a run computes: all, the first ones, or those of its shard."""
    cases = setting.cases(limit)
    return options.shard.part(cases) if options.shard else cases
