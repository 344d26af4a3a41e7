"""`mrbench train`: a learned method, a data set's train split, and weights with a manifest at the end."""

from __future__ import annotations

import json
import platform
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from mrbench.core.case import CaseId
from mrbench.core.errors import RequestError
from mrbench.core.method import LearnedMethod, Resources
from mrbench.core.setting import Setting
from mrbench.core.specification import MethodSpec
from mrbench.core.task import Task
from mrbench.core.track import Track
from mrbench.core.weights import manifest_path, weights_name
from mrbench.datasets.dataset import Dataset
from mrbench.io.files import sha256_of
from mrbench.training.loop import Report, Schedule, train
from mrbench.training.weights import load_weights, save_weights


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
    report: Report = lambda progress, loss, score: None,
) -> Path:
    """Train on the train split, choose the best weights on the validation split, write both files.

    Parameters
    ----------
    method, spec
        The learner, and how it was asked for: the manifest's command.
    tracks : sequence of Track
        One set of weights serves them all; each is trained on in turn and validated on alike.
    resources : Resources, optional
        Threads, and the device to train on.
    start_from : Path, optional
        Weights of the same network to start from; the manifest tells how they came about.
    validation_limit : int, optional
        Only the first cases of each track.

    Returns
    -------
    Path
        The weights, ``<out>/<network>.<name>.safetensors`` (`weights_name`); the manifest lies beside them.
    """
    import torch

    method.resources = resources or Resources()
    torch.set_num_threads(method.resources.threads)
    for track in tracks:
        if reason := method.skip_reason(track):
            raise RequestError(f"{spec} cannot be trained for {track.name}: {reason}.")
    names = [track.name for track in tracks]
    settings_of = [Setting(task, dataset, track, "validation") for track in tracks]
    cases = [(setting, case) for setting in settings_of for case in setting.cases(validation_limit)]
    if not cases or len(dataset.subjects("train")) < 2:
        raise RequestError(
            f"{dataset.name} cannot train {spec}: it needs two train subjects and a validation case at the least."
        )
    recipe = method.training_recipe(task.training_examples(dataset, tracks), seed=seed)
    if start_from is not None:
        try:
            recipe.network.load_state_dict(load_weights(start_from))
        except RuntimeError:
            raise RequestError(
                f"{start_from} holds weights of another network than {method.network}; give weights of the same."
            ) from None
    name = f"{method.network}.{weights_name(task, dataset.name, names)}"
    settings = {
        "method": str(spec),
        "seed": seed,
        "schedule": asdict(schedule),
        "recipe": dict(recipe.settings),
        "validation_limit": validation_limit,
        "start_from": sha256_of(start_from) if start_from else None,
        "data": [dataset.fingerprint, *names, len(dataset.extra_subjects)],
    }
    earlier = _earlier(start_from) if start_from else None
    best, progress = train(
        recipe,
        schedule,
        settings=settings,
        validate=_validation(method, cases),
        checkpoint=checkpoints / f"{name}.pt",
        seed=seed,
        report=report,
    )
    options = {
        "--task": task.name,
        "--track": "+".join(names),
        "--method": str(spec),
        "--dataset": dataset.address,
        "--steps": schedule.steps,
        "--learning-rate": schedule.learning_rate,
        "--validate-every": schedule.validate_every,
        "--seed": seed,
    }
    options |= {"--extra-subjects": len(dataset.extra_subjects)} if dataset.extra_subjects else {}
    options |= {"--start-from": start_from.name} if start_from else {}
    options |= {"--validation-limit": validation_limit} if validation_limit else {}
    options |= {"--device": method.resources.device} if method.resources.device != "cpu" else {}
    words = [str(part) for option in options.items() for part in option]
    command = shlex.join(["mrbench", "train", *words, *(["--keep-last"] if schedule.keep_last else [])])
    manifest = {
        "network": method.network,
        "task": task.name,
        "tracks": names,
        "dataset": dataset.name,
        "split": "train",
        "extra_subjects": len(dataset.extra_subjects),
        "dataset_fingerprint": dataset.fingerprint,
        "spacing_mm": list(cases[0][0].load(cases[0][1]).spacing),
        "protocols": [setting.protocol.hash for setting in settings_of],
        "command": command,
        "started_from": earlier,
        "seed": seed,
        "steps": progress.step,
        "best_step": progress.best_step,
        f"validation_{task.primary.name}": task.primary.sign * progress.best_score,
        "seconds": round(progress.seconds),
        "learning_rate": schedule.learning_rate,
        "settings": dict(recipe.settings),
        "parameters": sum(parameter.numel() for parameter in recipe.network.parameters()),
        "hardware": _hardware(method.resources),
        "torch": torch.__version__,
        "date": time.strftime("%Y-%m-%d"),
    }
    path = out / f"{name}.safetensors"
    save_weights(path, best, manifest)
    # or the same command, after a change of code, would return these weights
    (checkpoints / f"{name}.pt").unlink(missing_ok=True)
    return path


def _hardware(resources: Resources) -> str:
    import torch

    if resources.device == "cuda":
        return torch.cuda.get_device_name()
    return f"{platform.machine()} CPU, {resources.threads} thread{'s' if resources.threads > 1 else ''}"


def _earlier(weights: Path) -> dict[str, Any]:
    """How the weights came about that a training started from, and those that they started from."""
    manifest = json.loads(manifest_path(weights).read_text())
    told = ("command", "dataset_fingerprint", "steps", "best_step", "seconds", "date", "sha256", "started_from")
    return {"file": weights.name, **{key: manifest.get(key) for key in told}}


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
