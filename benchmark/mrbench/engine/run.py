"""Run a board: predict what is missing, score it, append its rows."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mrbench.core.candidate import Candidate
from mrbench.core.case import CaseId
from mrbench.core.errors import RequestError
from mrbench.core.row import Row
from mrbench.core.task import Setting
from mrbench.engine.cluster import run_on_cluster
from mrbench.engine.plan import DEFAULTS, Options, by_method_and_key, cases_of, missing
from mrbench.engine.recorder import Listener, Recorder
from mrbench.engine.shard import refuse_overlap
from mrbench.engine.slot import Running, Slot, Wait, advance
from mrbench.engine.store import RowStore
from mrbench.engine.threads import Cores
from mrbench.io.files import inside


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
                recorder.record(limit)
                if options.scheduler:
                    run_on_cluster(recorder, work)
                else:
                    _run_here(recorder, work)
            finally:
                recorder.record(limit)
            store.repair()  # drops the rows that a retry has replaced
            rows = by_method_and_key(store.read())
    wanted = [(candidate.name, candidate.row_key(case)) for candidate in candidates for case in cases]
    return [rows[key] for key in wanted if key in rows]


@contextmanager
def warming_up(setting: Setting, options: Options) -> Iterator[None]:
    """Import the harness and compile the kernels of a task in the background, while data are prepared."""
    if options.scheduler:
        yield
        return
    slot = Slot(setting, options, (), Path())
    slot.warm_up()
    try:
        yield
    finally:
        slot.abandon()


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


def _run_here(recorder: Recorder, work: Sequence[tuple[Candidate, list[CaseId]]]) -> None:
    """Keep each slot of this machine busy with one case at a time."""
    logs, cores = inside(recorder.folder, "logs"), Cores()
    recorder.cores = _cores_for(recorder.options, cores)
    slots = [Slot(recorder.setting, recorder.options.of_slot(n), own, logs) for n, own in enumerate(recorder.cores)]
    waiting = Waiting(work)
    running: dict[Slot, tuple[Running, Wait]] = {}
    names: dict[Slot, tuple[Candidate, CaseId, str]] = {}
    try:
        while True:
            for slot in slots:
                if slot not in running and (item := recorder.next(waiting.of(slot))) is not None:
                    candidate, case, key = names[slot] = item
                    generator = slot.case(candidate, case, key, cached=recorder.is_cached(key))
                    running[slot] = generator, next(generator)
            if not running:
                return
            for slot, finished in advance(running):
                recorder.finish(*names[slot], finished, slot.options.resources.device)
    finally:
        for slot in slots:
            slot.close()
        cores.release()


class Waiting:
    """The cases that no slot has taken: slots share a method only when no other is left, as each sets it up anew."""

    def __init__(self, work: Sequence[tuple[Candidate, list[CaseId]]]) -> None:
        self._cases = {place: (candidate, deque(cases)) for place, (candidate, cases) in enumerate(work)}
        self._taken: dict[Slot, int] = {}

    def of(self, slot: Slot) -> Iterator[tuple[Candidate, CaseId]]:
        """What a slot does next: its own method, the next one that no slot has, or the one with most cases left."""
        while self._cases:
            if self._taken.get(slot) not in self._cases:
                free = [place for place in self._cases if place not in self._taken.values()]
                most = max(self._cases, key=lambda place: len(self._cases[place][1]))
                self._taken[slot] = free[0] if free else most
            place = self._taken[slot]
            candidate, cases = self._cases[place]
            case = cases.popleft()
            if not cases:
                del self._cases[place]
            yield candidate, case


def _cores_for(options: Options, cores: Cores) -> list[tuple[int, ...]]:
    """The cores of each slot; none of its own where the machine has too few, or a GPU is waited for."""
    if options.resources.device != "cpu":
        return [()] * options.workers
    claimed = [cores.claim(options.resources.threads) for _ in range(options.workers)]
    if () in claimed:
        cores.release()
        return [()] * options.workers
    return claimed
