"""Weights shipped for generation, segmentation and synthesis tell of their training; their name follows from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mrbench.core.registry import find_method, find_task
from mrbench.core.weights import manifest_path, weights_folder, weights_name
from mrbench.training.weights import load_weights

METHODS = {"generation": "dcgan", "segmentation": "vox2vox", "synthesis": "pix2pix"}
SHIPPED = [
    path
    for task, method in METHODS.items()
    for path in sorted(weights_folder(find_method(method, task)).glob("*.safetensors"))  # type: ignore[arg-type]
]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_weights_have_a_manifest_of_a_training(path: Path) -> None:
    manifest = json.loads(manifest_path(path).read_text())
    assert manifest["split"] == "train" and manifest["steps"] > 0 and manifest["command"].startswith("mrbench train")
    name = weights_name(find_task(manifest["task"]), manifest["dataset"], manifest["tracks"])
    assert path.name == f"{manifest['network']}.{name}.safetensors"
    assert load_weights(path)


def test_each_of_these_tasks_ships_weights() -> None:
    assert {json.loads(manifest_path(path).read_text())["task"] for path in SHIPPED} == set(METHODS)
