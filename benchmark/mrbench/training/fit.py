"""`mrbench train`: a learned method, a data set's train split, and weights with a manifest at the end."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mrbench.core.case import CaseId
from mrbench.core.dataset import Dataset
from mrbench.core.errors import RequestError
from mrbench.core.method import LearnedMethod, Resources
from mrbench.core.metric import Metric
from mrbench.core.specification import MethodSpec
from mrbench.core.task import Setting, Task
from mrbench.core.track import Track
from mrbench.io.files import check_writable, write_atomically
from mrbench.training.group import ALONE, Group
from mrbench.training.loop import CurvePoint, Report, Schedule, train
from mrbench.training.manifest import Training
from mrbench.training.weights import fill, load_weights, save_weights


def fit(
    method: LearnedMethod,
    spec: MethodSpec,
    task: Task,
    dataset: Dataset,
    tracks: Sequence[Track[Any]],
    schedule: Schedule,
    *,
    out: Path,
    checkpoints: Path,
    seed: int = 0,
    resources: Resources | None = None,
    start_from: Path | None = None,
    validation_limit: int | None = None,
    loaders: int = 0,
    report: Report = lambda progress, loss, score: None,
    say: Callable[[str], None] = lambda sentence: None,
    stop: Callable[[], bool] = lambda: False,
    recipe_name: str | None = None,
    group: Group = ALONE,
) -> Path:
    """Train on the train split, choose the best weights on the validation split, write both files.

    Parameters
    ----------
    method, spec
        The learner, and how it was asked for: the manifest's command.
    task : Task
        What is learned.
    dataset : Dataset
        Whose train split is learned from.
    tracks : sequence of Track
        One set of weights serves them all; each is trained on in turn and validated on alike.
    schedule : Schedule
        Steps, learning rate, validation.
    out : Path
        Where weights and manifest go.
    checkpoints : Path
        Where the state of an unfinished training lies.
    seed : int
        Of weights and batches.
    resources : Resources, optional
        Threads, and the device to train on.
    start_from : Path, optional
        Weights of the same network to start from; the manifest tells how they came about.
    validation_limit : int, optional
        Only the first cases of each track.
    loaders : int
        Processes that draw batches ahead.
    report : callable
        Called after each step with progress, loss and score.
    say : callable
        Hears which weights will be replaced.
    stop : callable
        As of `mrbench.training.loop.train`.
    recipe_name : str, optional
        Of the recipe that asks; the manifest's command is then that of the recipe.
    group : Group
        The processes that train together, each of which calls this with a device of its own; the first alone validates
        and writes.

    Returns
    -------
    Path
        The weights, ``<out>/<network>.<name>.safetensors`` (`weights_name`); the manifest and the curve (``.csv``) lie
        beside them.

    Raises
    ------
    TrainingStopped
        If ``stop`` said so; the same call continues.
    DataError
        If ``out`` or ``checkpoints`` cannot be written.
    RequestError
        If the method does not suit a track, the data are too few, ``start_from`` does not fit, or ``out`` holds weights
        of that name that another command trained.
    """
    import torch

    method.resources = resources or Resources()
    torch.set_num_threads(method.resources.threads)
    for track in tracks:
        if reason := method.skip_reason(track):
            raise RequestError(f"{spec} cannot be trained for {track.name}: {reason}.")
    settings = [Setting(task, dataset, track, "validation") for track in tracks]
    cases = [(setting, case) for setting in settings for case in setting.cases(validation_limit)]
    if not cases or len(dataset.subjects("train")) < 2:
        raise RequestError(
            f"{dataset.name} cannot train {spec}: it needs two train subjects and a validation case at the least."
        )
    recipe = method.training_recipe(task.training_examples(dataset, tracks), seed=seed)
    if start_from is not None:
        fill(recipe.network, load_weights(start_from), start_from)
    training = Training(
        method, spec, settings, schedule, recipe, seed, start_from, validation_limit, recipe_name, group
    )
    check_writable(out, checkpoints)
    path = out / f"{training.weights}.safetensors"
    if training.refuse_others(path):
        say(f"{path} was trained by the same command before; it is replaced once this training ends.")
    state = checkpoints / f"{training.weights}.pt"
    best, progress = train(
        recipe,
        schedule,
        settings=training.identity,
        validate=_validation(method, cases),
        checkpoint=state,
        seed=seed,
        loaders=loaders,
        report=report,
        stop=stop,
        group=group,
        hardware=training.hardware,
    )
    if group.leads:
        spacing = cases[0][0].load(cases[0][1]).spacing
        save_weights(path, best, {**training.manifest(progress), "spacing_mm": list(spacing)})
        write_curve(path.with_suffix(".csv"), progress.curve, task.primary)
        state.unlink(missing_ok=True)  # or the same command, after a change of code, would return these weights
    return path


def write_curve(path: Path, curve: Sequence[CurvePoint], primary: Metric) -> None:
    """Write a training's curve: a line for each validation, and about 200 of the loss alone."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["step", "seconds", "learning_rate", "loss", f"validation_{primary.name}"])
    for at in curve:
        score = "" if at.score is None else f"{primary.sign * at.score:.6g}"
        writer.writerow([at.step, f"{at.seconds:.1f}", f"{at.rate:.4g}", f"{at.loss:.6g}", score])
    with write_atomically(path) as file:
        file.write(text.getvalue().encode())


def _validation(method: LearnedMethod, cases: Sequence[tuple[Setting, CaseId]]) -> Callable[[], float]:
    """Mean primary metric over the validation cases, scored exactly as in a run."""

    def validate() -> float:
        values = []
        for setting, case_id in cases:
            task, case = setting.task, setting.load(case_id)
            prediction = task.check(case, method.predict(case.inputs))
            values.append(task.score(case, prediction).metrics[task.primary.name])
        return cases[0][0].task.primary.sign * float(np.mean(values))

    return validate
