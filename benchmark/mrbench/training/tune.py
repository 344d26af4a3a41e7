"""`mrbench tune`: the parameters of a classical method, chosen on the validation split as weights are."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Mapping
from math import inf, isfinite
from pathlib import Path
from typing import Any

import numpy as np

from mrbench.core.errors import PredictionError, RequestError
from mrbench.core.method import FittedMethod, Method, Resources
from mrbench.core.random import seed_everything, seed_for
from mrbench.core.specification import MethodSpec, built
from mrbench.core.task import Setting
from mrbench.core.tuned import manifest_name
from mrbench.io.files import write_atomically

Report = Callable[[Mapping[str, float], float], None]
FARTHEST = 6
"""Steps that a search may leave its grid before it gives up: the method then wants no such term at all."""

WORTH = 1e-3
"""Share of the score that a step within the grid must have gained at its edge, or the grid does not grow."""


def tune(
    method: type[Method],
    spec: MethodSpec,
    setting: Setting,
    *,
    out: Path,
    limit: int | None = None,
    threads: int = 1,
    report: Report = lambda parameters, score: None,
) -> Path:
    """Search the method's ``tunable`` parameters, best mean primary metric on the validation cases.

    Each parameter is searched along its grid, in turn, until none changes; where the best lies on the edge
    and is worth it, the grid grows by its own ratio. Every figure is kept in the manifest.

    Returns
    -------
    Path
        The manifest.

    Raises
    ------
    RequestError
        If the method has nothing to tune, or there are no validation cases.
    """
    if not method.tunable:
        raise RequestError(f"method '{spec}' has nothing to tune; choose one that `mrbench list methods` says has.")
    task, dataset, track = setting.task, setting.dataset, setting.track
    cases = setting.cases(limit)
    if not cases:
        raise RequestError(f"{dataset.name} has no validation cases to tune on; add subjects to that split.")
    started = time.monotonic()
    tried: dict[tuple[float, ...], float] = {}
    faults: list[str] = []
    names = list(method.tunable)
    examples = task.training_examples(dataset, [track]) if method.fitted else None
    sign = task.primary.sign

    def score(values: tuple[float, ...]) -> float:
        if values not in tried:
            own = {**spec.parameters, **dict(zip(names, values, strict=True))}
            instance = built(method, MethodSpec(spec.name, own))
            if reason := instance.skip_reason(track) or method.unavailable_reason():
                raise RequestError(f"method '{spec}' cannot be tuned here: {reason}.")
            instance.setup(Resources(threads=threads))
            if isinstance(instance, FittedMethod):
                seed_everything(seed_for("fit", str(spec)))
                instance.fit(examples)
            scores = []
            for identity in cases:
                case = setting.load(identity)
                seed_everything(seed_for(identity.id, str(spec)))
                try:
                    prediction = task.check(case, instance.predict(case.inputs))
                except PredictionError:  # too strong a regulariser leaves nothing: the worst there is
                    tried[values] = -sign * inf
                    return -inf
                except (Exception, SystemExit) as error:  # so does one with which the method fails
                    faults.append(f"{type(error).__name__}: {error}")
                    tried[values] = -sign * inf
                    return -inf
                metrics = task.score(case, prediction).metrics
                if task.primary.name not in metrics:
                    raise RequestError(f"{dataset.name} cannot tune: its cases have no {task.primary.name}.")
                scores.append(metrics[task.primary.name])
            tried[values] = float(np.mean(scores))
            report(dict(zip(names, values, strict=True)), tried[values])
        return sign * tried[values]

    best = search(score, [method.tunable[name] for name in names])
    if faults and not any(map(isfinite, tried.values())):
        raise RequestError(f"method '{spec}' fails with every parameter that was tried: {faults[0].splitlines()[0]}")
    command = [
        "mrbench",
        "tune",
        "--task",
        task.name,
        "--track",
        track.name,
        "--dataset",
        dataset.address,
        "--method",
        str(spec),
        *(["--limit", str(limit)] if limit else []),
    ]
    manifest: dict[str, Any] = {
        "method": str(spec),
        "task": task.name,
        "track": track.name,
        "dataset": dataset.name,
        "split": "validation",
        "cases": [case.id for case in cases],
        "dataset_fingerprint": dataset.fingerprint,
        "protocol": setting.protocol.hash,
        "metric": task.primary.name,
        "chosen": dict(zip(names, best, strict=True)),
        "tried": [
            {**dict(zip(names, values, strict=True)), task.primary.name: v if isfinite(v) else None}
            for values, v in tried.items()
        ],
        "command": shlex.join(command),
        "seconds": round(time.monotonic() - started),
        "date": time.strftime("%Y-%m-%d"),
    }
    path = out / manifest_name(method, spec, dataset.name, track.name)
    with write_atomically(path) as file:
        file.write(json.dumps(manifest, indent=1).encode() + b"\n")
    return path


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
