"""Cases on a Dask cluster: an item fetches a case, predicts in a process group of its own, scores, returns its row.

As many items are in flight as there are slots, so that the death of a worker costs the items that it held alone. Those
are tried again elsewhere; one that meets `TRIES` deaths is a row that blames no method, and a later run tries it again.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import mrbench
from mrbench.core.binding import bound
from mrbench.core.candidate import Candidate, Traits
from mrbench.core.case import CaseId
from mrbench.core.errors import DataError, MrbenchError, RequestError, brief
from mrbench.core.specification import MethodSpec
from mrbench.core.task import Address
from mrbench.engine.plan import Options
from mrbench.engine.predictions import prediction_path
from mrbench.engine.recorder import Recorder
from mrbench.engine.resolver import resolved
from mrbench.engine.slot import Finished, Slot, completed
from mrbench.engine.worker import Outcome
from mrbench.io.files import cache_root, write_atomically

if TYPE_CHECKING:
    from distributed import Client, Future

LOCAL = "local:"
"""How an address of processes of this machine starts."""

GPU = "GPU"
"""Resource of which workers offer as many as they have GPUs: ``dask worker --resources GPU=1``."""

TRIES = 5
"""Deaths of workers that one case may meet."""

PATIENCE = 20.0
"""Seconds to wait for a scheduler to answer, and for a first worker."""

LONELY = 120.0
"""Seconds without any worker after which a run gives up; a queue may need that long to start another."""

_POLL = 0.02


@dataclass(frozen=True)
class Item:
    """One case of one method, as it travels: no object that has to be looked up again."""

    address: Address
    spec: MethodSpec
    resolved: MethodSpec
    method: Traits
    case: CaseId
    key: str
    measured: bool
    options: Options
    wanted: Wanted


@dataclass(frozen=True)
class Answer:
    """What a worker returns. ``stop`` says that nothing can be computed there; ``prediction`` is a file's content."""

    finished: Finished
    stop: str = ""
    prediction: bytes | None = None


@dataclass(frozen=True)
class Wanted:
    """What workers must have for a run: the same code, data and weights as here."""

    run: str
    version: str
    address: Address
    protocol: str
    fingerprint: str
    methods: tuple[tuple[str, str, str | None], ...]
    """As asked for, hash of its code and that of its weights."""


# ---- on a worker

_idle: dict[tuple[Address, Options], list[Slot]] = {}
_lock = threading.Lock()


def compute(item: Item) -> Answer:
    """Compute one item on a worker, which may have joined after the others were asked whether they fit."""
    here = f"a worker on {socket.gethostname()}"
    if fault := fault_of(item.wanted):
        return _stopped(f"{here} {fault}.")
    try:
        slot = _take(item)
        candidate = _candidate(slot, item)
        case = slot.case(candidate, item.case, item.key, cached=item.measured and prediction_path(item.key).is_file())
        finished = completed(slot, case)
    except MrbenchError as error:
        return _stopped(f"{here}: {error}")
    with _lock:
        _idle.setdefault((item.address, item.options), []).append(slot)
    kept = item.options.gather and finished.scored is not None and finished.scored.kept
    return Answer(finished, prediction=prediction_path(item.key).read_bytes() if kept else None)


def _stopped(said: str) -> Answer:
    return Answer(Finished(Outcome("error", said, outside=True)), stop=said)


def _take(item: Item) -> Slot:
    """A slot that is idle, or a new one; those of other boards are closed."""
    with _lock:
        for key in [key for key in _idle if key != (item.address, item.options)]:
            for slot in _idle.pop(key):
                slot.close()
        if idle := _idle.get((item.address, item.options)):
            return idle.pop()
    return Slot(bound(item.address), item.options, (), cache_root() / "logs")


def _candidate(slot: Slot, item: Item) -> Candidate:
    """The candidate of an item: the same object as long as the slot has the same method, whose worker then stays."""
    last = slot.candidate
    if last is not None and (last.spec, last.resolved) == (item.spec, item.resolved):
        return last
    return Candidate(slot.setting, item.spec, item.resolved, item.method, "", None, None)


def close_slots() -> None:
    """End what a run has left on a worker."""
    with _lock:
        for slot in [slot for slots in _idle.values() for slot in slots]:
            slot.close()
        _idle.clear()


@lru_cache(maxsize=8)
def fault_of(wanted: Wanted) -> str:
    """Why this worker cannot take part in a run; empty if it can."""
    if mrbench.__version__ != wanted.version:
        return f"has mrbench {mrbench.__version__} and not {wanted.version}; install the same"
    try:
        setting = bound(wanted.address)
        if (setting.protocol.hash, setting.dataset.fingerprint) != (wanted.protocol, wanted.fingerprint):
            return f"has other data of {setting.dataset.name}, or another version of the task; bring both into line"
        for text, source, weights in wanted.methods:
            candidate = resolved(setting, [text])[0]
            if candidate.source != source:
                return f"has another version of {text}, or of a package that it imports; install the same"
            if candidate.weights != weights:
                return f"has other weights for {text}; copy those of this machine"
    except MrbenchError as error:
        return f"cannot run this board: {str(error).rstrip('.')}"
    return ""


# ---- on the client


def run_on_cluster(recorder: Recorder, work: Sequence[tuple[Candidate, list[CaseId]]]) -> None:
    """Compute the missing rows of a board on the workers of a cluster.

    Raises
    ------
    RequestError
        If nobody answers at the address, nobody offers what the run needs, or a worker has another version of anything
        that a row depends on; nothing was computed then.
    DataError
        If the cluster is gone, or nothing can be computed there; the rows so far stay.
    """
    options = recorder.options
    with _connected(options.scheduler) as client:
        resources = {GPU: 1} if options.resources.device != "cpu" else None
        _wait_for_workers(client, options.scheduler, resources)
        wanted = _wanted(recorder, [candidate for candidate, _ in work if candidate.skipped is None])
        _refuse_unfit(client, wanted)
        recorder.cluster = {
            worker["name"] if isinstance(worker["name"], str) else f"worker-{worker['name']}": {
                "host": worker["host"],
                "threads": worker["nthreads"],
            }
            for worker in client.scheduler_info(n_workers=-1)["workers"].values()
        }
        try:
            _Client(client, recorder, resources, wanted).run(work)
        finally:
            with suppress(Exception):  # workers that die now need nothing closed
                client.run(close_slots)


class _Client:
    def __init__(self, client: Client, recorder: Recorder, resources: Mapping[str, int] | None, wanted: Wanted) -> None:
        self.client, self.recorder, self.resources, self.wanted = client, recorder, resources, wanted
        self.flying: dict[str, tuple[Candidate, CaseId, str, int]] = {}
        self.again: deque[tuple[Candidate, CaseId, str, int]] = deque()
        self.count = 0
        self.stop = ""

    def run(self, work: Sequence[tuple[Candidate, list[CaseId]]]) -> None:
        from distributed import as_completed

        fresh = ((candidate, case) for candidate, cases in work for case in cases)
        done = as_completed(loop=self.client.loop, with_results=True, raise_errors=False)
        seen = time.monotonic()
        while True:
            self._refuse_silence()
            slots = _slots(self.client, self.resources)
            seen = time.monotonic() if slots else seen
            if time.monotonic() > seen + LONELY:
                raise DataError("no worker is left on the cluster; what is done stays, so start some and run it again.")
            while not self.stop and len(self.flying) < slots and (job := self._next(fresh)) is not None:
                done.add(self._submit(job))
            if not self.flying and self.stop:  # the others have finished what they held
                raise DataError(self.stop)
            if not self.flying and not self.again and slots:
                return
            if not done.has_ready():
                time.sleep(_POLL)
                continue
            for future, result in done.next_batch(block=False):
                self._take(self.flying.pop(future.key), result)
                future.release()

    def _next(self, fresh: Iterator[tuple[Candidate, CaseId]]) -> tuple[Candidate, CaseId, str, int] | None:
        if self.again:
            return self.again.popleft()
        item = self.recorder.next(fresh)
        return None if item is None else (*item, 0)

    def _submit(self, job: tuple[Candidate, CaseId, str, int]) -> Future:
        candidate, case, key, _ = job
        self.count += 1
        # what does not matter there would keep slots apart
        options = replace(self.recorder.options, scheduler="", shard=None, retry=False, workers=1)
        item = Item(
            self.recorder.setting.address,
            candidate.spec,
            candidate.resolved,
            candidate.method,
            case,
            key,
            self.recorder.is_measured(key),
            options,
            self.wanted,
        )
        name = f"{self.recorder.run_id}-{self.count}"
        future = self.client.submit(compute, item, key=name, resources=self.resources, pure=False, retries=0)
        self.flying[name] = job
        return future

    def _take(self, job: tuple[Candidate, CaseId, str, int], result: object) -> None:
        candidate, case, key, deaths = job
        if isinstance(result, Answer):
            if result.stop:
                self.stop = result.stop
                return
            if result.prediction is not None:
                with suppress(DataError), write_atomically(prediction_path(key)) as file:  # costs the picture alone
                    file.write(result.prediction)
            self.recorder.finish(candidate, case, key, result.finished)
        elif deaths + 1 < TRIES:
            self._refuse_silence()
            self.again.append((candidate, case, key, deaths + 1))
        else:
            message = f"{TRIES} workers of the cluster died with this case; run the command again, or see their logs."
            self.recorder.finish(candidate, case, key, Finished(Outcome("error", message, outside=True)))

    def _refuse_silence(self) -> None:
        if self.client.status != "running":
            raise DataError(
                f"the scheduler {self.recorder.options.scheduler} is gone; what is done stays, so run it again."
            )


@contextmanager
def _connected(scheduler: str) -> Iterator[Any]:
    """A client of the cluster at an address, or of one that is started here for as long as it is needed."""
    try:
        import dask
        import distributed
    except ImportError:
        raise RequestError("--scheduler needs Dask: pip install 'mrbench[cluster]'.") from None
    quiet = {
        "distributed.worker.daemon": False,
        "distributed.scheduler.allowed-failures": 0,
        "logging.distributed": "error",
    }
    gc.collect()  # a client left half made, if it is collected while a loop starts, waits for that loop for ever
    with dask.config.set(quiet):
        if scheduler.startswith(LOCAL):
            count = scheduler.removeprefix(LOCAL)
            if not (count.isascii() and count.isdigit() and int(count)):
                raise RequestError(f"--scheduler {scheduler}: give the number of processes, such as local:4.")
            with (
                distributed.LocalCluster(
                    n_workers=int(count),
                    threads_per_worker=1,
                    memory_limit=0,  # it would not see the processes of a case; --memory does
                    dashboard_address="127.0.0.1:0",
                    silence_logs="ERROR",
                ) as cluster,
                distributed.Client(cluster) as client,
            ):
                yield client
            return
        try:
            asyncio.run(_greet(scheduler))
            client = distributed.Client(scheduler, timeout=PATIENCE, set_as_default=False)
        except Exception as error:
            raise RequestError(
                f"no Dask scheduler answers at {scheduler} ({brief(error)}); check the address, such as "
                "tcp://host:8786, or give local:4."
            ) from None
        with client:
            yield client


async def _greet(scheduler: str) -> None:
    """Shake hands before there is a client: one that finds nobody waits 40 seconds more when it is thrown away."""
    import distributed

    options = distributed.Security().get_connection_args("client")
    async with asyncio.timeout(PATIENCE):  # what is no scheduler may answer nothing at all
        peer = await distributed.comm.connect(scheduler, timeout=PATIENCE, **options)
    peer.abort()


def _slots(client: Client, resources: Mapping[str, int] | None) -> int:
    """How many items the workers can compute at once."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    if resources is None:
        return sum(int(worker["nthreads"]) for worker in workers)
    return sum(int(worker["resources"].get(name, 0) // need) for worker in workers for name, need in resources.items())


def _wait_for_workers(client: Client, scheduler: str, resources: Mapping[str, int] | None) -> None:
    end = time.monotonic() + PATIENCE
    while not client.scheduler_info(n_workers=-1)["workers"]:
        if time.monotonic() > end:
            raise RequestError(f"the scheduler {scheduler} has no workers; start some: dask worker {scheduler}")
        time.sleep(0.1)
    if not _slots(client, resources):
        names = ", ".join(resources or ())
        raise RequestError(
            f"no worker of {scheduler} offers {names}, which --device needs; start them with "
            f"dask worker {scheduler} --resources '{names}=1'."
        )


def _wanted(recorder: Recorder, candidates: Sequence[Candidate]) -> Wanted:
    setting = recorder.setting
    methods = tuple((_written(one.spec), one.source, one.weights) for one in candidates)
    return Wanted(
        recorder.run_id,
        mrbench.__version__,
        setting.address,
        setting.protocol.hash,
        setting.dataset.fingerprint,
        methods,
    )


def _refuse_unfit(client: Client, wanted: Wanted) -> None:
    try:
        answers = client.run(fault_of, wanted, on_error="return")
    except Exception as error:
        raise RequestError(f"the workers cannot run mrbench ({brief(error)}); install it there, too.") from None
    for worker, answer in answers.items():
        if isinstance(answer, OSError):  # it died at this moment; who takes its place is asked with its first item
            continue
        if isinstance(answer, Exception):
            raise RequestError(f"worker {worker} cannot run mrbench ({brief(answer)}); install it there, too.")
        if answer:
            raise RequestError(f"worker {worker} {answer}.")


def _written(spec: MethodSpec) -> str:
    return f"{spec.alias}={replace(spec, alias='')}" if spec.alias else str(spec)
