"""Training reads subjects as needed: equal weights whatever is held, and memory that does not grow with subjects."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.many import CONTRASTS, Many, ManyScans
from tests.marks import slow

from mrbench.core import examples
from mrbench.core.method import LearnedMethod
from mrbench.core.registry import find_method, find_task
from mrbench.core.specification import parse_spec
from mrbench.tasks.generation import SLICES, Generation
from mrbench.training.loading import step_rng
from mrbench.training.loop import Recipe, Schedule, train

NETWORKS = {
    "voxelmorph[width=4]": ("registration", "inter-subject"),
    "voxelmorph[width=4,labels=true]": ("registration", "inter-subject"),
    "vox2vox[base=4,bottleneck=1]": ("segmentation", "glioma"),
    "srgan[features=4,blocks=1]": ("super-resolution", "3d-x2-noise"),
    "multi-scale-fusion[features=4,units=1]": ("super-resolution", "2d-x2"),
    "autoencoder[width=8]": ("denoising", "rician-10"),
    "cascade-cnn[cascades=1,features=4]": ("reconstruction", "singlecoil-4x"),
    "varnet[cascades=1,features=4]": ("reconstruction", "multicoil-4x"),
    "modl[iterations=1,features=4]": ("reconstruction", "multicoil-4x"),
    "pix2pix[base=4,blocks=1]": ("synthesis", "t1-to-t2"),
    "cyclegan[base=4,blocks=1]": ("synthesis", "t1-to-t2"),
}

SECONDS = ("vox2vox", "varnet", "modl", "pix2pix", "cyclegan")

EACH = [slow(text) if text.startswith(SECONDS) else text for text in NETWORKS]

SHAPE = (16, 32, 32)

SUBJECT = 4 * len(CONTRASTS) * int(np.prod(SHAPE))
"""Bytes of all contrasts of a subject."""


def recipe_of(text: str, subjects: int) -> Recipe:
    name, track = NETWORKS[text]
    spec, task = parse_spec(text), find_task(name)
    people = (ManyScans if name == "reconstruction" else Many)(subjects, SHAPE)
    method = find_method(spec.name, name).build(**spec.parameters)
    assert isinstance(method, LearnedMethod)
    return method.training_recipe(task.training_examples(people, [task.tracks[track]]), seed=0)  # type: ignore[return-value]


def weights(text: str, folder: Path) -> list[torch.Tensor]:
    """Of the network and its adversary, after a few steps."""
    recipe = recipe_of(text, 3)
    train(recipe, Schedule(2, 1e-3), settings={}, validate=lambda: 0.0, checkpoint=folder / "state.pt")
    players = [recipe.network, *([recipe.adversary] if hasattr(recipe, "adversary") else [])]
    return [tensor for player in players for tensor in player.state_dict().values()]


@pytest.mark.parametrize("text", EACH)
def test_what_is_held_changes_no_weight(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = []
    for held in (examples.HELD_BYTES, 1):
        monkeypatch.setattr(examples, "HELD_BYTES", held)
        trained.append(weights(text, tmp_path / str(held)))
    assert len(trained[0]) > 2
    assert all(torch.equal(one, other) for one, other in zip(*trained, strict=True))


def peak(text: str, subjects: int) -> int:
    """Bytes of arrays at the peak of a training's preparation and first steps."""
    tracemalloc.start()
    try:
        recipe = recipe_of(text, subjects)
        for step in range(3):
            recipe.loss(step_rng(step, 0))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("text", EACH)
def test_memory_does_not_grow_with_subjects(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A train split that is larger than what may be held -> training takes no more memory than a small one."""
    monkeypatch.setattr(examples, "HELD_BYTES", SUBJECT)
    peak(text, 3)  # imports and caches
    few, many = (peak(text, subjects) for subjects in (4, 40))
    assert many - few < SUBJECT


def test_of_generation_only_the_slices_stay() -> None:
    """A training of slices -> memory grows by those of a subject, not by its volumes."""
    side = 64
    task, peaks = Generation(), []
    for subjects in (5, 45):
        tracemalloc.start()
        slices = task.training_examples(Many(subjects, (3 * SLICES, side, side)), list(task.tracks.values()))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert slices.images.shape == (SLICES * subjects, side, side)
    assert peaks[1] - peaks[0] < 40 * (4 * SLICES * side**2) + 100_000
