"""Train the network of `mrbench.metrics.slice_features`: ``python -m mrbench.training.slice_features``."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mrbench.core.dataset import Dataset
from mrbench.core.random import rng_for
from mrbench.core.registry import find_dataset
from mrbench.datasets.dataset import Subject
from mrbench.metrics.slice_features import WEIGHTS
from mrbench.metrics.slice_network import SliceNetwork
from mrbench.training.ancestry import link
from mrbench.training.loop import Schedule, train
from mrbench.training.weights import save_weights

DATASETS = ("icbm-sim", "ixi-hh-2mm")

STEPS = 6000

REACH = 16
"""Slices on each side of the middle of the grid that are trained on; the task takes fewer."""

WORST_BLUR, WORST_NOISE = 2.0, 0.1
"""Largest SD of the Gaussian blur in pixels, and of the noise, that the network learns to tell."""


class Slices:
    """Slices of a split with what is to be said of them: area of each structure, height."""

    def __init__(self, datasets: Sequence[Dataset], split: str) -> None:
        shared = set.intersection(*(set(dataset.structures) for dataset in datasets))
        self.structures = sorted(shared)
        images, facts = [], []
        for dataset in datasets:
            for subject in dataset.subjects(split):
                pairs = _slices(dataset.load(subject), [dataset.structures[name] for name in self.structures])
                images += [image for image, _ in pairs]
                facts += [fact for _, fact in pairs]
        self.images, self.facts = np.stack(images), np.asarray(facts, np.float32)

    @property
    def names(self) -> list[str]:
        """What is predicted, in order."""
        return [*self.structures, "height", "blur", "noise"]


def _slices(subject: Subject, structures: Sequence[tuple[int, ...]]) -> list[tuple[np.ndarray, list[float]]]:
    assert subject.labels is not None
    image = subject.images["T1"]
    middle = len(image) // 2
    slices = []
    for z in range(middle - REACH, middle + REACH):
        areas = [float(np.sqrt(np.isin(subject.labels[z], labels).sum())) for labels in structures]
        slices.append((image[z], [*areas, float(z - middle)]))
    return slices


class Recipe:
    """Slices as they are, blurred, noisy, or both, mirrored every second time; squared error of standardised facts."""

    batch = 32

    def __init__(self, slices: Slices) -> None:
        self.slices = slices
        self.network: nn.Module = SliceNetwork(len(slices.names))
        self.mean, self.sd = slices.facts.mean(0), slices.facts.std(0) + 1e-6
        self.settings: Mapping[str, Any] = {
            "batch": self.batch,
            "targets": slices.names,
            "datasets": list(DATASETS),
            "loss": "squared error of standardised targets",
            "augmentation": "blur, noise, intensity",
        }

    def loss(self, rng: np.random.Generator) -> Tensor:
        drawn = rng.integers(len(self.slices.images), size=self.batch)
        return self.error(self.slices, drawn, rng)

    def error(self, slices: Slices, drawn: np.ndarray, rng: np.random.Generator) -> Tensor:
        """Mean squared error over slices by number, each treated as ``rng`` says."""
        treated = [treat(slices.images[number], rng) for number in drawn]
        facts = (slices.facts[drawn] - self.mean) / self.sd
        done = np.array([[2 * blur / WORST_BLUR, 2 * noise / WORST_NOISE] for _, blur, noise in treated], np.float32)
        estimates = self.network(torch.from_numpy(np.stack([image for image, _, _ in treated]))[:, None])
        return ((estimates - torch.from_numpy(np.concatenate([facts, done], 1))) ** 2).mean()


def treat(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float, float]:
    """Return a slice blurred and noisy, and how much of each; each with an even chance."""
    from scipy.ndimage import gaussian_filter

    blur, noise = (worst * rng.random() * (rng.random() < 0.5) for worst in (WORST_BLUR, WORST_NOISE))
    brain = image > 0
    image = image * np.exp(0.05 * rng.standard_normal())
    if blur:
        image = gaussian_filter(image, blur)
    image = image + noise * rng.standard_normal(image.shape) * brain
    return image.clip(0, 1.5).astype(np.float32), float(blur), float(noise)


def main(steps: int = STEPS, out: Path = WEIGHTS) -> None:
    """Train, standardise the features over the train slices, and write weights and manifest."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    started = time.monotonic()
    datasets = [find_dataset(name, "images") for name in DATASETS]
    slices, validation = (Slices(datasets, split) for split in ("train", "validation"))
    recipe = Recipe(slices)

    def validate() -> float:
        with torch.no_grad():
            numbers = np.arange(len(validation.images))
            return -float(recipe.error(validation, numbers, rng_for("validation", "slice features")))

    best, progress = train(
        recipe,
        Schedule(steps, 1e-3, validate_every=500, checkpoint_seconds=1e9),
        settings={"purpose": "slice features"},
        validate=validate,
        checkpoint=out.with_suffix(".pt"),
        report=lambda progress, loss, score: print(progress.step, loss, score) if score is not None else None,
    )
    recipe.network.load_state_dict(best)
    network = recipe.network
    assert isinstance(network, SliceNetwork)
    with torch.no_grad():
        features = network.features(torch.from_numpy(slices.images)[:, None])
    best |= {"centre": features.mean(0), "scale": features.std(0)}
    manifest = {
        "network": "slice-features",
        "command": shlex.join(["python", "-m", "mrbench.training.slice_features", *sys.argv[1:]]),
        "split": "train",
        "ancestry": [link(dataset) for dataset in datasets],
        "steps": progress.step,
        "best_step": progress.best_step,
        "validation_error": -progress.best_score,
        "seconds": round(time.monotonic() - started),
        "settings": dict(recipe.settings),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "torch": torch.__version__,
        "date": time.strftime("%Y-%m-%d"),
    }
    save_weights(out, best, manifest)
    out.with_suffix(".pt").unlink()


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else STEPS)
