"""What is written down of a training: its name, what makes two of them the same one, and how to make it again."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mrbench.core.errors import RequestError
from mrbench.core.method import LearnedMethod
from mrbench.core.specification import MethodSpec
from mrbench.core.task import Setting
from mrbench.core.weights import manifest_path, read_manifest, weights_name
from mrbench.core.words import counted
from mrbench.io.files import sha256_of
from mrbench.io.machine import cpu_model
from mrbench.training.ancestry import ancestry_name, ancestry_of
from mrbench.training.group import Group
from mrbench.training.loop import Progress, Recipe, Schedule


@dataclass(frozen=True)
class Training:
    """A training as `mrbench.training.fit.fit` was asked for it; each track is a setting of the validation split."""

    method: LearnedMethod
    spec: MethodSpec
    settings: Sequence[Setting]
    schedule: Schedule
    recipe: Recipe
    seed: int
    start_from: Path | None
    validation_limit: int | None
    recipe_name: str | None
    group: Group

    @cached_property
    def ancestry(self) -> list[dict[str, Any]]:
        """The data that the weights come from, as `ancestry_of` tells them."""
        return ancestry_of(self.settings[0].dataset, self.start_from)

    @property
    def tracks(self) -> list[str]:
        """Their names."""
        return [setting.track.name for setting in self.settings]

    @cached_property
    def weights(self) -> str:
        """Name of the weights, without the ending of a file."""
        learned = weights_name(self.settings[0].task, ancestry_name(self.ancestry), self.tracks)
        return f"{self.method.network}.{learned}"

    @property
    def identity(self) -> dict[str, Any]:
        """What a checkpoint must share with a training that goes on from it; its processor may lack bfloat16."""
        dataset = self.settings[0].dataset
        facts = {
            "method": str(self.spec),
            "seed": self.seed,
            "schedule": asdict(self.schedule),
            "recipe": {name: value for name, value in self.recipe.settings.items() if name != "precision"},
            "validation_limit": self.validation_limit,
            "start_from": sha256_of(self.start_from) if self.start_from else None,
            "data": [dataset.fingerprint, *self.tracks, len(dataset.extra_subjects)],
        }
        if self.group.count > 1:  # absent otherwise: checkpoints of one process remain valid
            facts["processes"] = self.group.count
        return facts

    def refuse_others(self, path: Path) -> bool:
        """Whether these weights are there already, made by the same command; raises `RequestError` if by another."""
        if not path.is_file():
            return False
        advice = "give another --out, or delete it."
        if not manifest_path(path).is_file():
            raise RequestError(f"{path} is there without a manifest that says how it was trained; {advice}")
        there = read_manifest(manifest_path(path))
        if self.recipe_name and there.get("recipe") == self.recipe_name:  # weights older than their recipe
            return True
        if there.get("command") != self.command:
            raise RequestError(f"{path} was trained by another command ({there.get('command', 'unknown')}); {advice}")
        same = {
            "dataset_fingerprint": self.settings[0].dataset.fingerprint,
            "ancestry": self.ancestry,
            "settings": dict(self.recipe.settings),
        }
        for name, value in json.loads(json.dumps(same)).items():
            if _portable(there.get(name)) != _portable(value):
                what = name.replace("dataset_fingerprint", "data")
                raise RequestError(f"{path} was trained by the same command with other {what}; {advice}")
        return True

    def manifest(self, progress: Progress) -> dict[str, Any]:
        """What lies beside the weights."""
        import torch

        task, dataset = self.settings[0].task, self.settings[0].dataset
        batch = int(self.recipe.settings.get("batch", 1)) * self.group.count
        return {
            "network": self.method.network,
            "task": task.name,
            "tracks": self.tracks,
            "dataset": dataset.name,
            "split": "train",
            "extra_subjects": len(dataset.extra_subjects),
            "dataset_fingerprint": dataset.fingerprint,
            "protocols": [setting.protocol.hash for setting in self.settings],
            "command": self.command,
            "recipe": self.recipe_name,
            "ancestry": self.ancestry,
            "seed": self.seed,
            "steps": progress.step,
            "processes": self.group.count,
            "effective_batch": batch,
            "samples_seen": progress.step * batch,
            "best_step": progress.best_step,
            "flat": progress.flat,
            f"validation_{task.primary.name}": task.primary.sign * progress.best_score,
            "seconds": round(progress.seconds),
            "learning_rate": self.schedule.learning_rate,
            "ema": self.schedule.ema,
            "settings": dict(self.recipe.settings),
            "parameters": sum(parameter.numel() for parameter in self.recipe.network.parameters()),
            "hardware": " + ".join(progress.hardware),
            "torch": torch.__version__,
            "date": time.strftime("%Y-%m-%d"),
        }

    @property
    def command(self) -> str:
        """What to type to train the same again."""
        if self.recipe_name:
            return shlex.join(["mrbench", "train", "--recipe", self.recipe_name])
        task, dataset, schedule = self.settings[0].task, self.settings[0].dataset, self.schedule
        device = ",".join(self.group.devices) if self.group.count > 1 else self.method.resources.device
        options: dict[str, object] = {
            "--task": task.name,
            "--track": "+".join(self.tracks),
            "--method": str(self.spec),
            "--dataset": dataset.address,
            "--steps": schedule.steps,
            "--learning-rate": schedule.learning_rate,
            "--validate-every": schedule.validate_every,
            "--seed": self.seed,
            "--extra-subjects": len(dataset.extra_subjects) or None,
            "--start-from": self.start_from.name if self.start_from else None,
            "--validation-limit": self.validation_limit or None,
            "--device": device if device != "cpu" else None,
            "--ema": schedule.ema or None,
        }
        words = [str(part) for option in options.items() if option[1] is not None for part in option]
        return shlex.join(["mrbench", "train", *words, *(["--keep-last"] if schedule.keep_last else [])])

    @property
    def hardware(self) -> str:
        """What it trains on in this process."""
        import torch

        resources, count = self.method.resources, self.group.count
        each = f"{count} x " if count > 1 else ""
        if resources.device != "cpu":
            return each + torch.cuda.get_device_name(resources.device)
        name, threads = cpu_model(), counted(resources.threads, "thread")
        return f"{each}{name}{'' if 'CPU' in name else ' CPU'}, {threads}"


def _portable(facts: object) -> object:
    """Without the precision of settings, which is the processor's."""
    return {k: v for k, v in facts.items() if k != "precision"} if isinstance(facts, dict) else facts
