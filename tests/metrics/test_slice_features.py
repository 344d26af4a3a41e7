"""The shipped network of slice features: what its distance must notice, and that weights and manifest agree."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mrbench.io.files import sha256_of
from mrbench.metrics.deformation import warp
from mrbench.metrics.distribution import frechet_distance
from mrbench.metrics.slice_features import WEIGHTS, slice_features
from mrbench.metrics.slice_network import FEATURES
from mrbench.simulation.deformation import exponential, random_velocity
from mrbench.space.template import template_2mm
from mrbench.training.ancestry import check_manifest
from mrbench.training.slice_features import Recipe, Slices, treat


def test_the_manifest_is_of_these_weights_and_of_the_train_split() -> None:
    manifest = json.loads(WEIGHTS.with_suffix(".json").read_text())
    assert manifest["sha256"] == sha256_of(WEIGHTS) and manifest["split"] == "train"
    check_manifest(manifest, WEIGHTS.name)


def test_features_of_an_image_do_not_depend_on_the_others() -> None:
    images = np.random.default_rng(0).random((5, 112, 96), np.float32)
    together = slice_features(images)
    assert together.shape == (5, FEATURES)
    assert np.allclose(together[2:3], slice_features(images[2:3]), atol=1e-4)


@pytest.fixture(scope="module")
def brains() -> np.ndarray:
    """Slices of the template and of a person whom a large deformation makes of it."""
    other = warp(template_2mm(), exponential(random_velocity("sim45")), order=1)
    return np.concatenate([volume[35:65] for volume in (template_2mm(), other)])


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["blur", "noise", "mirror", "one brain"])
def test_the_distance_grows_with_what_is_wrong(brains: np.ndarray, fault: str) -> None:
    noise = np.random.default_rng(0).standard_normal(brains.shape).astype(np.float32)
    spoilt = {
        "blur": lambda amount: gaussian_filter(brains, (0, amount, amount)),
        "noise": lambda amount: np.where(brains > 0, brains + 0.05 * amount * noise, 0),
        "mirror": lambda amount: np.concatenate([brains[:30, ::-1], brains[30:]]) if amount == 1 else brains[:, ::-1],
        "one brain": lambda amount: np.resize(brains[: 40 if amount == 1 else 20], brains.shape),
    }[fault]
    real = slice_features(brains)
    distances = [frechet_distance(real, slice_features(spoilt(amount))) for amount in (1, 2)]
    assert 0.5 < distances[0] < distances[1]


def test_treatment_is_told_in_full() -> None:
    image = np.zeros((64, 64), np.float32)
    image[16:48, 16:48] = 0.6
    for seed in range(12):
        treated, blur, noise = treat(image, np.random.default_rng(seed))
        inside = treated[24:40, 24:40].std()
        assert (inside > 1e-4) == (noise > 0) and (noise == 0 or abs(inside - noise) < 0.2 * noise)
        if not noise:
            assert (np.unique(treated.round(5)).size > 2) == (blur > 0.2)


@pytest.mark.slow
def test_training_learns_a_batch(monkeypatch: pytest.MonkeyPatch, dataset) -> None:
    import torch

    monkeypatch.setattr("mrbench.training.slice_features.REACH", 8)
    torch.manual_seed(0)
    recipe = Recipe(Slices([dataset], "train"))
    optimiser = torch.optim.Adam(recipe.network.parameters(), 1e-3)
    losses = []
    for _ in range(120):
        loss = recipe.loss(np.random.default_rng(0))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
