"""Train learned methods, tune classical ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mrbench.api.data import prepare
from mrbench.api.progress import SILENT, Progress
from mrbench.core.binding import bind
from mrbench.core.errors import RequestError
from mrbench.core.method import LearnedMethod, Resources
from mrbench.core.registry import find_dataset, find_method, find_task
from mrbench.core.specification import MethodSpec, built, parse_spec
from mrbench.engine.resolver import resolved
from mrbench.engine.run import Options

if TYPE_CHECKING:
    from mrbench.core.dataset import Dataset
    from mrbench.training.loop import Progress as TrainingProgress
    from mrbench.training.loop import Schedule

RESOURCES = Resources()
OPTIONS = Options()


def train(
    task: str,
    method: str,
    *,
    schedule: Schedule,
    dataset: str = "icbm-sim",
    track: str | None = None,
    extra_subjects: int = 0,
    start_from: Path | None = None,
    validation_limit: int | None = None,
    seed: int = 0,
    resources: Resources = RESOURCES,
    loaders: int = 0,
    out: Path = Path("weights"),
    checkpoints: Path = Path("checkpoints"),
    progress: Progress = SILENT,
    listen: Callable[[TrainingProgress, float, float | None], None] = lambda state, loss, score: None,
) -> Path:
    """Train a learned method on the train split; weights are chosen on the validation split.

    Returns
    -------
    Path
        The weights; their manifest lies beside them.

    Raises
    ------
    RequestError
        If the method has nothing to train, or the dataset cannot train it.
    """
    from mrbench.training.fit import fit

    task_object, spec = find_task(task), parse_spec(method)
    data: Dataset = find_dataset(dataset, task_object.representation)
    if extra_subjects:
        data.add_extra_subjects(extra_subjects)
    learner = built(find_method(spec.name, task_object.name), spec)
    if not isinstance(learner, LearnedMethod):
        raise RequestError(f"method '{method}' has nothing to train; choose a learned one.")
    tracks = [task_object.track(name, data) for name in (track.split("+") if track else [None])]
    prepare(data, [*data.subjects("train"), *data.subjects("validation")], progress)
    return fit(
        learner,
        spec,
        task_object,
        data,
        tracks,
        schedule,
        out=out,
        checkpoints=checkpoints,
        seed=seed,
        resources=resources,
        start_from=start_from,
        validation_limit=validation_limit,
        loaders=loaders,
        report=listen,
    )


def tune(
    task: str,
    method: str,
    *,
    dataset: str = "icbm-sim",
    track: str | None = None,
    limit: int | None = None,
    options: Options = OPTIONS,
    out: Path = Path("tuned"),
    progress: Progress = SILENT,
    listen: Callable[[Mapping[str, float], float], None] = lambda parameters, score: None,
) -> tuple[MethodSpec, Path]:
    """Choose the parameters of a classical method on the validation split.

    A candidate that fails, or ends at a limit of ``options``, is the worst; the search goes on.

    Returns
    -------
    spec : MethodSpec
        The method with what was chosen.
    path : Path
        The manifest, with every candidate that was tried.

    Raises
    ------
    RequestError
        If the method has nothing to tune or fails with every candidate, or there are no validation cases.
    DataError
        If a case cannot be read.
    """
    from mrbench.engine.tune import tune as search

    setting = bind(task, dataset, track, "validation")
    (candidate,) = resolved(setting, [method])
    if candidate.method.tunable and not candidate.skipped:
        learned_from = setting.dataset.subjects("train") if candidate.method.fitted else ()
        subjects = setting.task.subjects_for(setting, setting.cases(limit))
        prepare(setting.dataset, [*learned_from, *subjects], progress)
    path = search(candidate, out=out, limit=limit, options=options, report=listen)
    chosen = json.loads(path.read_text())["chosen"]
    return replace(candidate.spec, parameters={**candidate.spec.parameters, **chosen}), path
