"""`mrbench tune`: the parameters of a classical method, chosen on the validation split as weights are.

Each candidate runs as in a board: it predicts in a process of its own and is scored in another, which imports no code
of a method. Whatever it does, it is the worst of the candidates, and the search goes on.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import inf, isfinite, nan
from pathlib import Path
from typing import Any

import numpy as np

from mrbench.core.candidate import Candidate
from mrbench.core.case import CaseId
from mrbench.core.errors import DataError, RequestError
from mrbench.core.metric import Metric
from mrbench.core.specification import MethodSpec
from mrbench.core.tuned import manifest_name
from mrbench.engine.plan import Options
from mrbench.engine.slot import Slot, completed
from mrbench.io.files import check_writable, inside, write_atomically

Report = Callable[[Mapping[str, float], float], None]
FARTHEST = 6
"""Steps that a search may leave its grid before it gives up: the method then wants no such term at all."""

WORTH = 1e-3
"""Share of the score that a step within the grid must have gained at its edge, or the grid does not grow."""

OPTIONS = Options()


def tune(
    candidate: Candidate,
    *,
    out: Path,
    limit: int | None = None,
    metric: Metric | None = None,
    options: Options = OPTIONS,
    report: Report = lambda parameters, score: None,
) -> Path:
    """Search the method's ``tunable`` parameters, best mean of a metric on the validation cases.

    Each parameter is searched along its grid, in turn, until none changes; where the best lies on the edge
    and is worth it, the grid grows by its own ratio. The manifest keeps the mean of every metric for every value tried,
    so that whoever would have chosen by another one sees what it prefers.

    Parameters
    ----------
    candidate : Candidate
        The method with its other parameters, resolved for a validation split.
    out : Path
        Folder of the manifest, and of the log where a candidate printed anything.
    limit : int, optional
        Only the first cases.
    metric : Metric, optional
        What decides; the task's primary metric unless given.
    options : Options
        Threads and limits of a case.
    report : callable
        Told of each candidate that was scored.

    Returns
    -------
    Path
        The manifest.

    Raises
    ------
    RequestError
        If the method has nothing to tune or fails with every candidate, there are no validation cases, or ``out`` holds
        what another command has chosen.
    DataError
        If a case cannot be read.
    """
    setting, spec, tunable = candidate.setting, candidate.spec, candidate.method.tunable
    _refuse_grids(spec, tunable)
    if candidate.skipped:
        raise RequestError(f"method '{spec}' cannot be tuned here: {candidate.skipped}.")
    cases = setting.cases(limit)
    if not cases:
        raise RequestError(f"{setting.dataset.name} has no validation cases to tune on; add subjects to that split.")
    metric = metric or setting.task.primary
    facts = _facts(candidate, cases, limit, metric)
    path = inside(out, manifest_name(tunable, spec, setting.dataset.name, setting.track.name))
    _refuse_others(path, facts["command"])
    check_writable(out)
    started, names = time.monotonic(), list(tunable)
    tried: dict[tuple[float, ...], Mapping[str, float]] = {}
    faults: list[str] = []
    logs = inside(out, "logs")
    slot = Slot(setting, options, (), logs)

    def score(values: tuple[float, ...]) -> float:
        if values not in tried:
            tried[values] = {}
            parameters = {**candidate.resolved.parameters, **dict(zip(names, values, strict=True))}
            trial = replace(candidate, resolved=replace(candidate.resolved, parameters=parameters))
            try:
                tried[values] = _means(slot, trial, cases, metric)
            except _Failure as failure:
                faults.append(str(failure))
            else:
                report(dict(zip(names, values, strict=True)), tried[values][metric.name])
        return metric.sign * tried[values].get(metric.name, -metric.sign * inf)

    try:
        best = search(score, list(tunable.values()))
    finally:
        slot.close()
        _remove_empty(logs)
    if not any(tried.values()):
        raise RequestError(f"method '{spec}' fails with every parameter that was tried: {faults[0]}")
    found = {
        "chosen": dict(zip(names, best, strict=True)),
        "tried": [
            {**dict(zip(names, values, strict=True)), **(means or {metric.name: None})}
            for values, means in tried.items()
        ],
        "seconds": round(time.monotonic() - started),
    }
    with write_atomically(path) as file:
        file.write(json.dumps(facts | found, indent=1).encode() + b"\n")
    return path


class _Failure(Exception):
    """Why a candidate has no score."""


def _means(slot: Slot, trial: Candidate, cases: Sequence[CaseId], metric: Metric) -> Mapping[str, float]:
    """Mean of each metric that all cases have; the first case without a score ends the candidate."""
    scores = []
    for case in cases:
        done = completed(slot, slot.case(trial, case, "", cached=False))
        if done.outcome.outside:
            raise DataError(f"case {case.id}: {done.outcome.message}")
        if done.scored is None or done.scored.status != "ok":
            raise _Failure(f"{case.id}: {(done.scored or done.outcome).message}")
        if metric.name not in done.scored.metrics:
            raise RequestError(f"{slot.setting.dataset.name} cannot tune: its cases have no {metric.name}.")
        scores.append(done.scored.metrics)
    means = {name: float(np.mean([score.get(name, nan) for score in scores])) for name in scores[0]}
    return {name: mean for name, mean in means.items() if isfinite(mean)}


def _refuse_grids(spec: MethodSpec, tunable: Mapping[str, Sequence[float]]) -> None:
    if not tunable:
        raise RequestError(f"method '{spec}' has nothing to tune; choose one that `mrbench list methods` says has.")
    if given := [name for name in tunable if name in spec.parameters]:
        raise RequestError(f"method '{spec}': {given[0]} is what is tuned; leave it out, or run with that value.")
    for name, grid in tunable.items():
        if len(set(grid)) < 2 or not all(isinstance(v, int | float) and isfinite(v) and v > 0 for v in grid):
            raise RequestError(f"method '{spec}': the grid of {name} is {grid!r}; give two or more positive numbers.")


def _refuse_others(path: Path, command: str) -> None:
    """Refuse to replace what another command has chosen."""
    if not path.is_file():
        return
    try:
        there = json.loads(path.read_text()).get("command", "unknown")
    except (OSError, ValueError, AttributeError):
        there = "unknown"
    if there != command:
        raise RequestError(f"{path} was tuned by another command ({there}); give another --out, or delete it.")


def _facts(candidate: Candidate, cases: Sequence[CaseId], limit: int | None, metric: Metric) -> dict[str, Any]:
    """What was tuned, on what."""
    setting = candidate.setting
    task, dataset, track = setting.task, setting.dataset, setting.track
    command = ["mrbench", "tune", "--task", setting.address.task, "--track", track.name]
    command += ["--dataset", dataset.address, "--method", str(candidate.spec)]
    command += ["--metric", metric.name] if metric.name != task.primary.name else []
    command += ["--limit", str(limit)] if limit else []
    return {
        "method": str(candidate.spec),
        "task": task.name,
        "track": track.name,
        "dataset": dataset.name,
        "split": setting.split,
        "cases": [case.id for case in cases],
        "dataset_fingerprint": dataset.fingerprint,
        "protocol": setting.protocol.hash,
        "metric": metric.name,
        "command": shlex.join(command),
        "date": time.strftime("%Y-%m-%d"),
    }


def _remove_empty(logs: Path) -> None:
    """Remove the logs in which nothing stands."""
    if not logs.is_dir() or logs.is_symlink():
        return
    for log in logs.iterdir():
        if log.is_file() and not log.is_symlink() and log.stat().st_size == 0:
            log.unlink()
    if not any(logs.iterdir()):
        logs.rmdir()


def search(score: Callable[[tuple[float, ...]], float], grids: list[tuple[float, ...]]) -> tuple[float, ...]:
    """Maximise along one axis after another until nothing changes; grids grow where the edge is best and clear."""
    axes = [sorted(grid) for grid in grids]
    longest = [len(axis) + FARTHEST for axis in axes]
    best = tuple(axis[len(axis) // 2] for axis in axes)
    while True:
        before = best
        for number, axis in enumerate(axes):
            while True:
                candidates = [(*best[:number], value, *best[number + 1 :]) for value in axis]
                best = max([best, *candidates], key=score)  # what changes nothing stays in the middle of its grid
                if len(axis) == longest[number] or axis[0] < best[number] < axis[-1]:
                    break
                within = axis[1] if best[number] == axis[0] else axis[-2]
                gain = score(best) - score((*best[:number], within, *best[number + 1 :]))
                if not gain > WORTH * abs(score(best)):  # also where nothing on the grid worked at all
                    break
                if best[number] == axis[-1]:
                    axis.append(float(f"{axis[-1] ** 2 / axis[-2]:.2g}"))
                else:
                    axis.insert(0, float(f"{axis[0] ** 2 / axis[1]:.2g}"))
        if best == before:
            return best
