"""`mrbench train`: a learned method, a data set's train split, and weights with a manifest at the end."""

from __future__ import annotations

import platform
import shlex
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mrbench.core.errors import RequestError
from mrbench.core.method import LearnedMethod
from mrbench.core.registry import MethodSpec
from mrbench.core.task import Task
from mrbench.data.cache import sha256_of
from mrbench.data.dataset import Dataset
from mrbench.training.loop import Report, Schedule, train
from mrbench.training.weights import load_weights, save_weights


def fit(
    method: LearnedMethod,
    spec: MethodSpec,
    task: Task,
    dataset: Dataset,
    track: str,
    schedule: Schedule,
    *,
    out: Path,
    checkpoints: Path,
    seed: int = 0,
    threads: int = 1,
    start_from: Path | None = None,
    report: Report = lambda progress, loss, score: None,
) -> Path:
    """Train on the train split, choose the best weights on the validation split, write both files.

    Parameters
    ----------
    method, spec
        The learner, and how it was asked for: the manifest's command.
    start_from : Path, optional
        Weights of the same network to start from; the manifest names them.

    Returns
    -------
    Path
        The weights, ``<out>/<network>.<dataset>.safetensors``; the manifest lies beside them.
    """
    import torch

    torch.set_num_threads(threads)
    if not task.cases(dataset, "validation", track) or len(dataset.subjects("train")) < 2:
        raise RequestError(
            f"{dataset.name} cannot train {spec}: it needs two train subjects and a validation case at the least."
        )
    subjects = [dataset.load(subject) for subject in dataset.subjects("train")]
    recipe = method.training_recipe(subjects, seed=seed)
    if start_from is not None:
        recipe.network.load_state_dict(load_weights(start_from))
    name = f"{method.network}.{dataset.name}"
    settings = {
        "method": str(spec),
        "seed": seed,
        "schedule": [schedule.steps, schedule.learning_rate],
        "start_from": sha256_of(start_from) if start_from else None,
        "data": [dataset.fingerprint, track],
    }
    best, progress = train(
        recipe,
        schedule,
        settings=settings,
        validate=_validation(method, task, dataset, track),
        checkpoint=checkpoints / f"{name}.pt",
        seed=seed,
        report=report,
    )
    options = {
        "--task": task.name,
        "--track": track,
        "--method": str(spec),
        "--dataset": dataset.address,
        "--steps": schedule.steps,
        "--learning-rate": schedule.learning_rate,
        "--validate-every": schedule.validate_every,
        "--seed": seed,
    } | ({"--start-from": start_from.name} if start_from else {})
    command = shlex.join(["mrbench", "train", *(str(part) for option in options.items() for part in option)])
    manifest = {
        "network": method.network,
        "task": task.name,
        "track": track,
        "dataset": dataset.name,
        "split": "train",
        "dataset_fingerprint": dataset.fingerprint,
        "protocol": task.protocol(dataset, track).hash,
        "command": command,
        "started_from": start_from.name if start_from else None,
        "seed": seed,
        "steps": progress.step,
        "best_step": progress.best_step,
        f"validation_{task.primary.name}": progress.best_score,
        "seconds": round(progress.seconds),
        "learning_rate": schedule.learning_rate,
        "settings": dict(recipe.settings),
        "parameters": sum(parameter.numel() for parameter in recipe.network.parameters()),
        "hardware": f"{platform.machine()} CPU, {threads} thread{'s' if threads > 1 else ''}",
        "torch": torch.__version__,
        "date": time.strftime("%Y-%m-%d"),
    }
    path = out / f"{name}.safetensors"
    save_weights(path, best, manifest)
    return path


def _validation(method: LearnedMethod, task: Task, dataset: Dataset, track: str) -> Callable[[], float]:
    """Mean primary metric over the validation cases, scored exactly as in a run."""
    cases = task.cases(dataset, "validation", track)

    def validate() -> float:
        values = []
        for case_id in cases:
            case = task.load(dataset, case_id, track)
            prediction = task.check(case, method.predict(case.inputs))
            values.append(task.score(case, prediction).metrics[task.primary.name])
        score = float(np.mean(values))
        return score if task.primary.higher_is_better else -score

    return validate
