"""`fit`: who trains, and what the manifest tells of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mrbench.core.errors import RequestError
from mrbench.core.random import rng_for
from mrbench.core.registry import find_method, find_task
from mrbench.core.specification import parse_spec
from mrbench.datasets.dataset import Dataset, Subject
from mrbench.tasks.segmentation import CONTRASTS, Segmentation
from mrbench.training.fit import fit
from mrbench.training.loop import Schedule
from mrbench.training.weights import save_weights

SHAPE = (32, 16, 16)


class Anyone(Dataset):
    """Four contrasts of noise for any id."""

    name, title, citation, licence, preparation = "anyone", "noise", "none", "none", 1
    simulated, endless, form = True, True, "tumours"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    @property
    def split_path(self) -> Path:
        return self.folder / "splits.json"

    def make(self, subject: str) -> Subject:
        rng = rng_for(subject, "noise")
        images = {name: rng.random(SHAPE, np.float32) for name in CONTRASTS}
        return Subject(subject, images, np.ones(SHAPE, bool), rng.integers(0, 4, SHAPE, np.int16), (2.0, 2.0, 2.0))


def trained(dataset: Dataset, folder: Path, steps: int = 1, **options: object) -> Path:
    spec = parse_spec("vox2vox[base=2,bottleneck=1,adversarial=0]")
    method = find_method(spec.name, "segmentation").build(**spec.parameters)
    schedule = Schedule(steps, 1e-3, validate_every=1)
    return fit(
        method,
        spec,
        find_task("segmentation"),
        dataset,
        list(Segmentation.tracks.values()),
        schedule,  # type: ignore[arg-type]
        out=folder,
        checkpoints=folder,
        **options,
    )


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setenv("MRBENCH_CACHE", str(tmp_path / "cache"))
    splits = {"train": ["a", "b"], "validation": ["c"], "test": ["d"]}
    (tmp_path / "splits.json").write_text(json.dumps({"version": 1, "splits": splits}))
    return Anyone(tmp_path)


def test_a_training_is_over_once_its_weights_are_written(dataset: Dataset, tmp_path: Path) -> None:
    """The same command, after a change of code or options, would else return what was trained before."""
    trained(dataset, tmp_path)
    assert not list(tmp_path.glob("*.pt"))


def test_weights_of_another_training_are_not_replaced(dataset: Dataset, tmp_path: Path) -> None:
    path, said = trained(dataset, tmp_path), list[str]()
    before = path.read_bytes()
    assert trained(dataset, tmp_path, say=said.append).read_bytes() == before
    assert len(said) == 1 and "trained by the same command before; it is replaced" in said[0]
    with pytest.raises(RequestError, match=r"another command \(mrbench train --task .* --steps 1 .*\); give another"):
        trained(dataset, tmp_path, steps=2)
    manifest = json.loads(path.with_suffix(".json").read_text())
    changes = {"data": {"dataset_fingerprint": "old"}, "settings": {"settings": {}}, "ancestry": {"ancestry": []}}
    for what, change in changes.items():
        path.with_suffix(".json").write_text(json.dumps(manifest | change))
        with pytest.raises(RequestError, match=f"by the same command with other {what}; give another --out"):
            trained(dataset, tmp_path)
    path.with_suffix(".json").unlink()
    with pytest.raises(RequestError, match="without a manifest"):
        trained(dataset, tmp_path)
    assert path.read_bytes() == before


def test_a_recipe_replaces_its_older_weights_and_no_others(dataset: Dataset, tmp_path: Path) -> None:
    path = trained(dataset, tmp_path)
    with pytest.raises(RequestError, match="another command"):
        trained(dataset, tmp_path, recipe_name="vox2vox.anyone")
    older = json.loads(path.with_suffix(".json").read_text()) | {"recipe": "vox2vox.anyone", "steps": 7}
    path.with_suffix(".json").write_text(json.dumps(older))
    trained(dataset, tmp_path, recipe_name="vox2vox.anyone")
    assert json.loads(path.with_suffix(".json").read_text())["steps"] == 1


def test_weights_of_another_network_are_one_sentence(dataset: Dataset, tmp_path: Path) -> None:
    start = tmp_path / "other.safetensors"
    save_weights(start, {"decide": torch.zeros(2)}, {"tracks": []})
    with pytest.raises(RequestError, match=r"does not fit the network UNet: the tensor .* is absent in the file"):
        trained(dataset, tmp_path, start_from=start)


@pytest.mark.parametrize("count", [0, 2])
def test_the_manifest_tells_how_many_extra_subjects_trained(count: int, dataset: Dataset, tmp_path: Path) -> None:
    load, seen = dataset.load, []
    dataset.load = lambda subject: seen.append(subject) or load(subject)  # type: ignore[method-assign, func-returns-value]
    dataset.add_extra_subjects(count)
    manifest = json.loads(trained(dataset, tmp_path).with_suffix(".json").read_text())
    assert list(dict.fromkeys(seen)) == ["a", "b", *["further000", "further001"][:count], "c"]
    assert manifest["spacing_mm"] == [2.0, 2.0, 2.0]
    assert manifest["extra_subjects"] == count
    assert ("--extra-subjects 2" in manifest["command"]) == bool(count)
