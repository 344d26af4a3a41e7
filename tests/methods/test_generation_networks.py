"""Networks of generation: sizes, what the discriminator sees, training, shipped weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mrbench.core.method import Resources
from mrbench.core.random import rng_for
from mrbench.core.registry import find_method
from mrbench.tasks.generation import GenerationInputs, TrainingSlices
from mrbench.training.loop import AdversarialRecipe, Schedule, train
from mrbench.training.weights import save_weights
from mrbench_methods.generation.dcgan_network import Discriminator, Generator, initialise
from mrbench_methods.generation.dcgan_training import SHIFT, changed

SHAPE = (37, 45)
INPUTS = GenerationInputs(5, SHAPE, 11, (2.0, 2.0, 2.0))


def training() -> TrainingSlices:
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    sizes = np.linspace(0.5, 0.9, 24)[:, None, None]
    return TrainingSlices(np.where(y**2 + (x / 0.8) ** 2 < sizes**2, 0.7, 0).astype(np.float32), ["axial-t1"])


def built():
    return find_method("dcgan", "generation").build(latent=8, base=4)


def trained(steps: int, tmp_path: Path):
    method = built()
    recipe = method.training_recipe(training(), seed=0)
    schedule = Schedule(steps, 1e-3, validate_every=steps)
    best, progress = train(recipe, schedule, settings={}, validate=lambda: 0.0, checkpoint=tmp_path / "c.pt")
    return method, recipe, best, progress


def test_contract(tmp_path: Path) -> None:
    """Odd sizes from the weights alone; the same for the same seed, whatever came before."""
    method = built()
    method.training_recipe(training(), seed=0)
    path = tmp_path / "w.safetensors"
    save_weights(path, method.network_.state_dict(), {"tracks": ["axial-t1"]})
    method.weights = str(path)
    method.setup(Resources())
    images = method.predict(INPUTS)
    assert images.shape == (5, *SHAPE) and images.dtype == np.float32
    assert images.min() >= 0 and images.max() <= 1
    np.testing.assert_array_equal(images, method.predict(INPUTS))
    longer = method.predict(GenerationInputs(40, SHAPE, 11, (2.0, 2.0, 2.0)))
    np.testing.assert_allclose(longer[:5], images, atol=1e-6)
    assert np.abs(images[0] - images[1]).max() > 0, "another noise, another slice"


@pytest.mark.parametrize("shape", [(64, 64), (65, 90), (113, 97)])
def test_sizes(shape: tuple[int, int]) -> None:
    assert initialise(Generator(8, 4, shape))(torch.zeros(2, 8)).shape == (2, 1, *shape)
    assert Discriminator(4, shape)(torch.zeros(2, 1, *shape)).shape == (2, 1)


def test_the_discriminator_cannot_change_faster_than_its_input() -> None:
    """Spectral normalisation: no layer's largest singular value is above one."""
    judge = Discriminator(4, SHAPE)
    for _ in range(30):
        judge(torch.zeros(1, 1, *SHAPE))
    for module in judge.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            assert torch.linalg.matrix_norm(module.weight.detach().flatten(1), 2).item() < 1.05


def test_changes_move_and_scale_and_let_gradients_through() -> None:
    image = torch.zeros(1, 1, *SHAPE)
    image[0, 0, 18, 20] = 1
    image.requires_grad_()
    places, gains = set(), []
    for seed in range(40):
        moved = changed(image, rng_for(str(seed), "change"))
        assert moved.shape == image.shape
        (place,) = moved[0, 0].nonzero().tolist()
        places.add(tuple(place))
        gains.append(moved.max().item())
    offsets = np.array(sorted(places)) - [18, 20]
    assert np.abs(offsets).max() <= SHIFT and len(places) > 25 and np.abs(offsets).max() >= SHIFT - 2
    assert 0.8 <= min(gains) < 0.9 and 1.1 < max(gains) <= 1.2
    moved.sum().backward()
    assert image.grad is not None and image.grad.abs().sum() > 0


def test_both_players_train_and_the_last_weights_are_kept(tmp_path: Path) -> None:
    recipe = built().training_recipe(training(), seed=0)
    assert isinstance(recipe, AdversarialRecipe)
    before = [[p.detach().clone() for p in player.parameters()] for player in (recipe.network, recipe.adversary)]
    scores = iter([2.0, 1.0])
    schedule = Schedule(4, 1e-3, validate_every=2)
    _, progress = train(recipe, schedule, settings={}, validate=lambda: next(scores), checkpoint=tmp_path / "c.pt")
    for old, player in zip(before, (recipe.network, recipe.adversary), strict=True):
        assert any((a != b).any() for a, b in zip(old, player.parameters(), strict=True))
    assert progress.best_step == 4


@pytest.mark.slow
def test_a_short_training_finds_where_the_head_is(tmp_path: Path) -> None:
    method, recipe, *_ = trained(100, tmp_path)
    recipe.network.eval()
    mean, real = method.predict(INPUTS).mean(0), training().images
    always, never = real.min(0) > 0, real.max(0) == 0
    assert mean[always].mean() > mean[never].mean() + 0.2


@pytest.mark.slow
def test_an_interrupted_training_is_the_same_training(tmp_path: Path) -> None:
    *_, whole, _ = trained(6, tmp_path)

    class Stop(Exception):
        pass

    def interrupt(progress, loss, score) -> None:
        if progress.step == 3:
            raise Stop

    folder = tmp_path / "second"
    folder.mkdir()
    for report in (interrupt, lambda *_: None):
        recipe = built().training_recipe(training(), seed=0)
        schedule = Schedule(6, 1e-3, validate_every=6, checkpoint_seconds=0)
        try:
            again, _ = train(
                recipe, schedule, settings={}, validate=lambda: 0.0, checkpoint=folder / "c.pt", report=report
            )
        except Stop:
            continue
    for name, value in whole.items():
        torch.testing.assert_close(again[name], value)
