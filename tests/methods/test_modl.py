"""The exact SENSE step, the networks that take it, and training under randomised physics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.kspace_phantom import acquire, case_of
from tests.marks import slow

from mrbench.core.errors import MethodSkipped, RequestError
from mrbench.core.random import rng_for
from mrbench.physics.coils import receive_coils, smooth_phase
from mrbench.tasks.reconstruction import Reconstruction, TrainingScans
from mrbench.tasks.sampling import TRACKS
from mrbench_methods.reconstruction import random_physics
from mrbench_methods.reconstruction.cascade import CascadeCNN
from mrbench_methods.reconstruction.learned import LearnedReconstruction
from mrbench_methods.reconstruction.modl import BAND, MoDL
from mrbench_methods.reconstruction.modl_network import BiasFreeUnet
from mrbench_methods.reconstruction.random_physics import RandomPhysicsRecipe, object_of
from mrbench_methods.reconstruction.sense import SenseStep
from mrbench_methods.reconstruction.unet import UNet
from mrbench_methods.reconstruction.varnet import VarNet

task = Reconstruction()
SHAPE = (18, 25)


def problem(pattern: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """k-space, mask, maps and prior of two slices of three coils."""
    rng = rng_for(pattern, "sense")
    mask = np.zeros((2, *SHAPE), bool)
    for one in mask:
        if pattern == "columns":
            one[:, rng.random(SHAPE[1]) < 0.4] = True
        elif pattern == "rows":
            one[rng.random(SHAPE[0]) < 0.4] = True
        else:
            one[rng.random(SHAPE) < 0.4] = True
    kspace = rng.standard_normal((2, 3, *SHAPE)) + 1j * rng.standard_normal((2, 3, *SHAPE))
    maps = np.stack([receive_coils(SHAPE, 3, rng) for _ in range(2)])
    prior = np.stack([smooth_phase(SHAPE, rng) for _ in range(2)])
    parts = (np.where(mask[:, None], kspace, 0).astype(np.complex64), mask, maps, prior)
    return tuple(torch.from_numpy(part) for part in parts)  # type: ignore[return-value]


@pytest.mark.parametrize("pattern", ["columns", "rows", "points"])
def test_the_sense_step_solves_its_normal_equations(pattern: str) -> None:
    kspace, mask, maps, prior = problem(pattern)
    step = SenseStep(kspace, mask, maps, 0.05)
    assert (step.lines is None) == (pattern == "points")
    image = step(prior)
    torch.testing.assert_close(step._normal(image), step.adjoint + 0.05 * prior, atol=2e-4, rtol=1e-3)
    # conjugate gradients, from elsewhere, come to the same image
    step.lines = None
    direct = SenseStep(kspace, mask, maps, 0.05)(0 * prior)
    torch.testing.assert_close(step(0 * prior), direct, atol=1e-3, rtol=1e-2)


def test_the_denoiser_has_no_bias_and_takes_any_size() -> None:
    torch.manual_seed(0)
    network, image = BiasFreeUnet(4), torch.randn(1, 2, 21, 30)
    with torch.no_grad():
        assert network(image).shape == image.shape
        torch.testing.assert_close(network(3 * image), 3 * network(image), rtol=1e-4, atol=1e-6)


FORMS = {
    "MoDL": MoDL(iterations=2, features=4),
    "published MoDL": MoDL(iterations=10, denoiser="cnn", features=64, shared=True),
    "proximal D5C5": CascadeCNN(cascades=2, features=4, proximal=True),
    "proximal VarNet": VarNet(cascades=2, features=4, pools=2, map_features=2, proximal=True),
}


@pytest.mark.parametrize("name", [slow(name) if "published" in name else name for name in FORMS])
@pytest.mark.parametrize("track", ["multicoil-4x", "multicoil-8x-poisson", "singlecoil-4x"])
def test_exact_steps_fit_the_measurement(name: str, track: str) -> None:
    """Untrained, each form still gives an image near the truth: its last step is a SENSE solution."""
    method: LearnedReconstruction = FORMS[name]
    if method.skip_reason(TRACKS[track]):
        return
    torch.manual_seed(0)
    case = case_of(track, frames=1, noise=0.001)
    method.network_ = method.new_network([TRACKS[track].settings]).eval()
    image = task.check(case, method.predict(case.inputs))
    assert task.score(case, image).metrics["psnr_db"] > 17
    scaled = case_of(track, frames=1, noise=0.001).inputs
    object.__setattr__(scaled, "kspace", scaled.kspace * np.float32(1e-3))
    np.testing.assert_allclose(method.predict(scaled) * 1e3, method.predict(case.inputs), rtol=2e-2, atol=2e-3)


def test_names_tell_the_forms_apart() -> None:
    assert len({form.network for form in FORMS.values()} | {CascadeCNN().network, VarNet().network}) == 6
    assert CascadeCNN().network == "d5c5-f32" and MoDL().network == "modl-i5-unet-f16"
    with pytest.raises(RequestError, match="did you mean 'unet'"):
        MoDL(denoiser="une")


def test_the_published_denoiser_has_the_papers_layers() -> None:
    network = FORMS["published MoDL"].new_network([])
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [(m.in_channels, m.out_channels) for m in convolutions] == [(2, 64), (64, 64), (64, 64), (64, 64), (64, 2)]
    assert sum(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules()) == 5


def test_no_calibration_is_a_skip() -> None:
    inputs = case_of("multicoil-4x").inputs
    object.__setattr__(inputs, "calibration", (0, 0))
    with pytest.raises(MethodSkipped, match="centre of k-space"):
        MoDL().predict(inputs)


@pytest.fixture
def recipe() -> RandomPhysicsRecipe:
    scans = [acquire(3, 1, seed=seed) for seed in range(2)]
    tracks = [TRACKS[name].settings for name in ("multicoil-4x", "multicoil-8x")]
    return MoDL(iterations=1, features=4).training_recipe(TrainingScans(scans, tracks), seed=0)  # type: ignore[return-value]


@pytest.mark.slow
def test_a_band_is_a_whole_problem(recipe: RandomPhysicsRecipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of noiseless, fully sampled data, the SENSE image of a band is its target."""

    def whole(track: object, shape: tuple[int, ...], rng: object) -> np.ndarray:
        return np.ones((shape[0], *shape[2:]), bool)

    monkeypatch.setattr(random_physics, "draw_mask", whole)
    monkeypatch.setattr(random_physics, "NOISE", (1e-7, 2e-7))
    for seed in range(3):
        kspace, mask, target, maps = recipe.draw(rng_for(str(seed), "draw"))
        assert mask.all() and len(target) <= BAND and maps.shape == kspace.shape
        parts = (torch.from_numpy(part[None]) for part in (kspace, mask, maps))
        image = SenseStep(*parts, 1e-5)(torch.zeros(1, *target.shape, dtype=torch.complex64))[0]
        assert np.abs(np.abs(image.numpy()) - target).mean() < 0.02 * target.mean()


@pytest.mark.slow
def test_draws_differ_in_size_coils_and_contrast_and_repeat_by_their_seed(recipe: RandomPhysicsRecipe) -> None:
    drawn = [recipe.draw(rng_for(str(seed), "draw")) for seed in range(5)]
    assert len({part[0].shape for part in drawn}) == 5
    for kspace, mask, target, _ in drawn:
        assert (kspace[:, ~mask] == 0).all() and 0.05 < mask.mean() < 0.6 and target.min() >= 0 and target.max() <= 1
    again = recipe.draw(rng_for("3", "draw"))
    assert all(np.array_equal(one, other) for one, other in zip(drawn[3], again, strict=True))
    assert torch.isfinite(recipe.loss(rng_for("0", "training")))


def test_an_object_is_sometimes_inverted() -> None:
    image = acquire(1, 1).reference[0]
    dark = [object_of(image, rng_for(str(n), "object")) for n in range(24)]
    assert all(part.max() == 1 and min(part.shape) >= 90 for part in dark)
    assert all(np.isfinite(part).all() for part in dark)
    middles = [np.median(part[part > 0.05]) for part in dark]
    assert max(middles) - min(middles) > 0.2


def test_masks_of_a_proximal_training_come_with_maps() -> None:
    scans = [acquire(3, 4, seed=seed) for seed in range(2)]
    method = CascadeCNN(cascades=1, features=2, proximal=True)
    recipe = method.training_recipe(TrainingScans(scans, [TRACKS["multicoil-4x"].settings]), seed=0)
    assert recipe.batch == 1 and torch.isfinite(recipe.loss(rng_for("0", "training")))


def test_a_unet_of_random_physics_sees_whole_slices_of_any_scanner() -> None:
    """Its image is standardised by slice, which a band is not; the form without is named otherwise."""
    method = UNet(features=2, pools=2, random_physics=True)
    scans = TrainingScans([acquire(3, 1, seed=1)], [TRACKS["multicoil-4x"].settings])
    recipe = method.training_recipe(scans, seed=0)
    assert isinstance(recipe, RandomPhysicsRecipe) and "band_rows" not in recipe.settings
    drawn = [recipe.draw(rng_for(str(seed), "draw")) for seed in range(3)]
    assert len({kspace.shape for kspace, _, _ in drawn}) == 3
    assert all(kspace.shape[1:] == target.shape and len(target) >= 90 for kspace, _, target in drawn)
    assert torch.isfinite(recipe.loss(rng_for("0", "training")))
    assert method.network == "unet-f2p2-random-physics" and UNet(features=2, pools=2).network == "unet-f2p2"
