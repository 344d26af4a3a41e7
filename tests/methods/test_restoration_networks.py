"""Networks of super-resolution and denoising: geometry, seams, training, the adversary, shipped weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from mrbench.core.case import Case
from mrbench.core.errors import MethodSkipped, RequestError
from mrbench.core.method import LearnedMethod, Resources
from mrbench.core.random import rng_for
from mrbench.core.registry import find_method, find_task
from mrbench.core.specification import parse_spec
from mrbench.core.weights import manifest_path, weights_folder
from mrbench.physics.resolution import upsampled
from mrbench.tasks.denoising import TRACKS as NOISE
from mrbench.tasks.denoising import DenoisingInputs, noisy
from mrbench.tasks.restoration import RestorationReference, TrainingVolumes
from mrbench.tasks.super_resolution import TRACKS, SuperResolutionInputs, low_resolution
from mrbench.training.loop import AdversarialRecipe, Schedule, train
from mrbench.training.weights import load_weights, save_weights
from mrbench_methods.denoising.autoencoder_network import Autoencoder
from mrbench_methods.super_resolution.fusion_network import FusionNetwork
from mrbench_methods.super_resolution.learned import Pairs, back_projected
from mrbench_methods.super_resolution.srgan_network import Generator, shuffle

SMALL_SR = {
    "srgan[adversarial=0,features=8,blocks=2]": "3d-x2",
    "srgan[adversarial=0.01,features=8,blocks=1]": "through-plane-x4",
    "srgan[adversarial=0.01,features=8,blocks=1,dimensions=2]": "2d-x4",
    "srgan[adversarial=0.01,features=8,blocks=1,published=true]": "3d-x2",
    "srgan[adversarial=0,features=8,blocks=1,upsampling=resize]": "3d-x2-noise",
    "srgan[adversarial=0,features=8,blocks=1,upsampling=subpixel-nn,dimensions=2]": "2d-x2",
    "multi-scale-fusion[kernels=3+5,features=4,units=1,context=1]": "3d-x2-blur",
}
SMALL_AE = {
    "autoencoder[width=8,context=1]": "rician-10",
    "autoencoder[width=8,context=0,blind=false]": "gaussian-snr-10",
}


def phantom(shape: tuple[int, int, int] = (24, 40, 32), seed: int = 0) -> np.ndarray:
    """A smooth head with sharp blobs in it, maximum 1."""
    rng = np.random.default_rng(seed)
    grid = (np.indices(shape) + 0.5) / np.array(shape)[:, None, None, None] - 0.5
    head = ((grid / np.array([0.48, 0.42, 0.4])[:, None, None, None]) ** 2).sum(0) < 1
    blobs = gaussian_filter(rng.standard_normal(shape), 1.5) > 0.03
    volume = gaussian_filter(np.where(head, 0.4 + 0.5 * blobs, 0), 0.5)
    return (volume / volume.max()).astype(np.float32)


def sr_inputs(track: str, volume: np.ndarray) -> SuperResolutionInputs:
    chosen = TRACKS[track].settings
    low = low_resolution(chosen, volume, rng_for("x", "noise"))
    return SuperResolutionInputs(low, chosen.degradation, chosen.noise, (1.0, 1.0, 1.0))


def denoising_inputs(track: str, volume: np.ndarray) -> DenoisingInputs:
    image, sigma = noisy(NOISE[track].settings, volume, rng_for("x", "noise"))
    return DenoisingInputs(image, sigma, NOISE[track].settings.noise, (1.0, 1.0, 1.0))


def untrained(text: str, track: str) -> LearnedMethod:
    """A method with random weights, exit layer included."""
    spec, task = parse_spec(text), "denoising" if track in NOISE else "super-resolution"
    method = find_method(spec.name, task).build(**spec.parameters)
    torch.manual_seed(0)
    method.network_ = method.new_network([(NOISE if track in NOISE else TRACKS)[track].settings]).eval()
    for parameter in method.network_.leave.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return method


@pytest.mark.parametrize(("text", "track"), [*SMALL_SR.items(), *SMALL_AE.items()])
def test_contract(text: str, track: str) -> None:
    """Right shape, finite, inputs untouched, the same twice; of a volume that no stride divides, too."""
    for shape in ((24, 40, 32), (8, 28, 36)):
        volume = phantom(shape)
        inputs = denoising_inputs(track, volume[:, :-1, :-3]) if track in NOISE else sr_inputs(track, volume)
        before = inputs.image.copy()
        method = untrained(text, track)
        first = method.predict(inputs)
        expected = inputs.image.shape if track in NOISE else inputs.shape
        assert first.shape == expected and first.dtype == np.float32 and np.isfinite(first).all()
        assert np.array_equal(before, inputs.image) and np.array_equal(first, method.predict(inputs))


@pytest.mark.parametrize("text", ["multi-scale-fusion[features=4,units=1]", "srgan[dimensions=2,features=8,blocks=1]"])
def test_one_slice(text: str) -> None:
    inputs = sr_inputs("2d-x2", phantom((1, 40, 32)))
    assert untrained(text, "2d-x2").predict(inputs).shape == (1, 40, 32)
    assert untrained("autoencoder[width=8]", "rician-5").predict(
        denoising_inputs("rician-5", phantom((1, 21, 34)))
    ).shape == (1, 21, 34)


@pytest.mark.slow
def test_blocks_have_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    """A volume predicted in blocks is the volume predicted at once."""
    inputs = sr_inputs("3d-x2", phantom((96, 40, 104)))
    method = untrained("srgan[adversarial=0,features=8,blocks=2]", "3d-x2")
    with torch.no_grad():
        added = method.network_(torch.from_numpy(inputs.image)[None, None])[0, 0].numpy()
    whole = np.maximum(upsampled(inputs.image, inputs.degradation) + added, 0)
    monkeypatch.setattr("mrbench_methods.super_resolution.srgan.BLOCK", 12)
    assert np.abs(added).max() > 0.01
    np.testing.assert_allclose(method.predict(inputs), whole, atol=1e-5)


@pytest.mark.parametrize("text", ["multi-scale-fusion[features=4,units=2]", "autoencoder[width=8]"])
def test_chunks_of_slices_change_nothing(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    track = "rician-10" if "auto" in text else "3d-x2"
    inputs = (denoising_inputs if "auto" in text else sr_inputs)(track, phantom())
    method = untrained(text, track)
    first = method.predict(inputs)
    monkeypatch.setattr("mrbench_methods.slices.CHUNK", 1)
    np.testing.assert_allclose(method.predict(inputs), first, atol=1e-5)


def test_the_slices_beside_are_the_right_ones() -> None:
    """A network that returns its first channel returns the volume moved by its context."""
    method = untrained("autoencoder[width=8,context=2,planes=axial]", "rician-10")
    method.network_ = lambda stacks: stacks[:, :1]
    inputs = denoising_inputs("rician-10", phantom())
    moved = method.predict(inputs)
    np.testing.assert_array_equal(moved[2:], inputs.image[:-2])
    np.testing.assert_array_equal(moved[0], inputs.image[0])


def test_three_planes_are_averaged() -> None:
    """A network that returns the slice before, seen along each axis, returns the mean of three moved volumes."""
    method = untrained("autoencoder[width=8,context=1]", "rician-10")
    method.network_ = lambda stacks: stacks[:, :1]
    inputs = denoising_inputs("rician-10", phantom((21, 34, 27)))
    moved = [np.roll(inputs.image, 1, axis)[1:, 1:, 1:] for axis in range(3)]
    np.testing.assert_allclose(method.predict(inputs)[1:, 1:, 1:], np.mean(moved, axis=0), rtol=1e-5)


def test_planes_follow_the_loss_of_resolution() -> None:
    """Where the axes differ only axial slices are like those trained on."""
    method = find_method("multi-scale-fusion", "super-resolution").build()
    volume = phantom()
    for track, planes in (("3d-x2", 3), ("3d-x2-noise", 3), ("2d-x2", 1), ("through-plane-x4", 1)):
        recipe = method.training_recipe(TrainingVolumes([volume], [TRACKS[track].settings]), seed=0)
        assert recipe.settings["planes"] == planes
    axial = find_method("multi-scale-fusion", "super-resolution").build(planes="axial")
    assert axial.training_recipe(TrainingVolumes([volume], [TRACKS["3d-x2"].settings]), seed=0).settings["planes"] == 1
    assert axial.network == f"{method.network}-axial"


@pytest.mark.parametrize("track", ["3d-x2", "3d-x2-blur", "through-plane-x4"])
def test_back_projection_comes_closer_to_what_was_measured(track: str) -> None:
    """Of a truncation, one step fits all but the highest frequency, whose partner is not measured."""
    volume = phantom() * 0.5 + 0.3
    inputs = sr_inputs(track, volume)
    noise = np.random.default_rng(0).standard_normal(volume.shape, dtype=np.float32)
    start = np.maximum(volume + np.float32(0.05) * noise, 0.1)
    projected = back_projected(start, inputs)
    before, after = (np.abs(inputs.image - np.abs(inputs.degradation.apply(v))).mean() for v in (start, projected))
    assert after < (0.2 if track == "3d-x2" else 0.8) * before
    assert np.linalg.norm(projected - volume) < np.linalg.norm(start - volume)


def test_back_projection_leaves_air_alone() -> None:
    inputs = sr_inputs("3d-x2", phantom())
    empty = np.zeros((24, 40, 32), np.float32)
    np.testing.assert_array_equal(back_projected(empty, inputs), empty)


def test_noise_is_not_fitted() -> None:
    text = "multi-scale-fusion[features=4,units=1,consistency={}]"
    method, plain = (untrained(text.format(c), "3d-x2") for c in ("true", "false"))
    plain.network_ = method.network_
    for track, same in (("3d-x2", False), ("3d-x2-noise", True)):
        inputs = sr_inputs(track, phantom())
        assert np.array_equal(method.predict(inputs), plain.predict(inputs)) is same


@pytest.mark.parametrize("text", ["multi-scale-fusion[planes=coronal]", "autoencoder[planes=2]"])
def test_unknown_planes_are_refused(text: str) -> None:
    spec = parse_spec(text)
    task = "super-resolution" if "fusion" in text else "denoising"
    with pytest.raises(RequestError, match="axial"):
        find_method(spec.name, task).build(**spec.parameters)


def test_skip_connections_add() -> None:
    """With the deeper levels silenced, what the first level found still reaches the output."""
    network = Autoencoder(8, 0)
    for expand in network.up:
        torch.nn.init.zeros_(expand.weight)
        torch.nn.init.zeros_(expand.bias)
    image = torch.rand(1, 1, 16, 16)
    entered = network.enter(image)
    expected = network.leave(network.refine[1](torch.relu(entered))) + image
    torch.testing.assert_close(network(image), expected)


def test_shuffle_is_pytorchs_in_two_dimensions() -> None:
    features = torch.rand(2, 12, 5, 7)
    torch.testing.assert_close(shuffle(features, (2, 2)), torch.nn.functional.pixel_shuffle(features, 2))
    along_z = shuffle(torch.arange(8.0).reshape(1, 4, 2, 1, 1), (4, 1, 1)).flatten()
    assert along_z.tolist() == [0, 2, 4, 6, 1, 3, 5, 7]


def test_subpixel_nn_starts_without_checkerboard() -> None:
    torch.manual_seed(0)
    roughness = {}
    for upsampling in ("subpixel", "subpixel-nn"):
        network = Generator((2, 2), 16, 1, upsampling)
        network.spread.bias.data.zero_()
        with torch.no_grad():
            fine = shuffle(network.spread(torch.rand(1, 16, 6, 6)), (2, 2))
        roughness[upsampling] = float((fine[..., ::2, :] - fine[..., 1::2, :]).abs().mean())
    assert roughness["subpixel-nn"] < 1e-6 < roughness["subpixel"]


def test_sizes_by_hand() -> None:
    """Parameters of one fusion unit: three paths with biases, and the 1x1 fusion."""
    unit = FusionNetwork([3, 5, 7], 24, 1, 0).units[0]
    paths = sum(24 * 24 * side**2 + 24 for side in (3, 5, 7))
    assert sum(p.numel() for p in unit.parameters()) == paths + 3 * 24 * 24 + 24


def test_a_mirrored_pair_is_degraded_anew() -> None:
    """Flipping low and high resolution alike would move their grids against each other by one fine voxel."""
    volume = phantom()
    plain, mirrored = Pairs(TrainingVolumes([volume], [TRACKS["3d-x2"].settings]), 0)
    expected = low_resolution(TRACKS["3d-x2"].settings, np.ascontiguousarray(volume[..., ::-1]), rng_for("x", "y"))
    np.testing.assert_allclose(mirrored.low, expected, atol=1e-3)
    assert np.abs(plain.low[..., ::-1].astype(np.float32) - expected).max() > 0.05


def test_a_block_lies_where_its_interpolation_does() -> None:
    pair = Pairs(TrainingVolumes([gaussian_filter(phantom((40, 60, 60)), 2)], [TRACKS["3d-x2"].settings]), 0)[0]
    low, start, truth = pair.cut((12, 14, 16), np.random.default_rng(0))
    inside = (slice(4, -4),) * 3
    error = [np.abs(np.roll(start, step, 2) - truth)[inside].mean() for step in (-1, 0, 1)]
    assert low.shape == (12, 14, 16) and error[1] < 0.2 * min(error[0], error[2])


def case_of(track: str, seed: int) -> Case:
    volume = phantom(seed=seed)
    inputs = denoising_inputs(track, volume) if track in NOISE else sr_inputs(track, volume)
    return Case("x", ("x",), inputs, RestorationReference(volume, volume > 0.2), (1.0, 1.0, 1.0))


def trained(text: str, track: str, rate: float, same_batch: bool) -> tuple[LearnedMethod, list[float]]:
    """A method after 60 steps on phantoms, and its losses."""
    task = find_task("denoising" if track in NOISE else "super-resolution")
    spec = parse_spec(text)
    method = find_method(spec.name, task.name).build(**spec.parameters)
    recipe = method.training_recipe(
        TrainingVolumes([phantom(seed=s) for s in range(3)], [task.tracks[track].settings]), seed=0
    )
    optimiser, losses = torch.optim.Adam(recipe.network.parameters(), lr=rate), []
    for step in range(60):
        loss = recipe.loss(rng_for(f"step {0 if same_batch else step}", "training"))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    recipe.network.eval()
    return method, losses


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "track"),
    [("srgan[adversarial=0,features=16,blocks=2]", "3d-x2"), ("multi-scale-fusion[features=8,units=1]", "2d-x2")],
)
def test_super_resolution_learns_a_batch(text: str, track: str) -> None:
    _, losses = trained(text, track, 5e-4, same_batch=True)
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.slow
def test_a_short_training_denoises_what_it_has_not_seen() -> None:
    method, _ = trained("autoencoder[width=8,context=1]", "rician-20", 2e-3, same_batch=False)
    task, case = find_task("denoising"), case_of("rician-20", seed=9)
    scores = [task.score(case, task.check(case, v)).metrics for v in (case.inputs.image, method.predict(case.inputs))]
    assert scores[1]["psnr_db"] > scores[0]["psnr_db"] + 2


def gan_recipe(seed: int = 0):
    method = find_method("srgan", "super-resolution").build(adversarial=0.5, dimensions=2, features=8, blocks=1)
    return method.training_recipe(TrainingVolumes([phantom((4, 40, 32))], [TRACKS["2d-x2"].settings]), seed=seed)


@pytest.mark.slow
def test_the_adversary_is_trained_and_tells_made_from_true(tmp_path: Path) -> None:
    recipe = gan_recipe()
    assert isinstance(recipe, AdversarialRecipe)
    before = [p.detach().clone() for p in recipe.adversary.parameters()]
    losses: list[float] = []
    own = recipe.adversary_loss
    recipe.adversary_loss = lambda: [loss := own(), losses.append(loss.item())][0]
    train(recipe, Schedule(30, 2e-3, 30), settings={}, validate=lambda: 0.0, checkpoint=tmp_path / "c.pt")
    assert any((a != b).any() for a, b in zip(before, recipe.adversary.parameters(), strict=True))
    assert np.mean(losses[-5:]) < np.mean(losses[:5])


def test_the_last_weights_of_a_gan_are_kept(tmp_path: Path) -> None:
    """The best validation score would choose the weights that the adversary has changed least."""
    recipe, scores = gan_recipe(), iter([3.0, 2.0, 1.0])
    best, progress = train(
        recipe, Schedule(6, 1e-3, 2), settings={}, validate=lambda: next(scores), checkpoint=tmp_path / "c.pt"
    )
    assert progress.best_step == 6 and progress.best_score == 1.0
    torch.testing.assert_close(best["enter.weight"], recipe.network.state_dict()["enter.weight"])


def test_a_resumed_gan_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    def run(steps_before_stop: int | None, path: Path) -> dict[str, torch.Tensor]:
        for stop in filter(None, (steps_before_stop, 99)):
            recipe = gan_recipe()

            def stopper(progress, loss, score, stop=stop) -> None:
                if progress.step == stop:
                    raise KeyboardInterrupt

            try:
                schedule = Schedule(6, 1e-3, 6, checkpoint_seconds=0)
                return train(recipe, schedule, settings={}, validate=lambda: 0.0, checkpoint=path, report=stopper)[0]
            except KeyboardInterrupt:
                continue
        raise AssertionError

    whole, resumed = run(None, tmp_path / "a.pt"), run(4, tmp_path / "b.pt")
    for name in whole:
        torch.testing.assert_close(whole[name], resumed[name], atol=1e-5, rtol=1e-4)


def test_one_generator_has_one_factor() -> None:
    method = find_method("srgan", "super-resolution").build()
    with pytest.raises(RequestError, match="train each track alone"):
        method.new_network([TRACKS["3d-x2"].settings, TRACKS["2d-x2"].settings])
    assert "2-D convolutions" in find_method("srgan", "super-resolution").build(dimensions=2).skip_reason(
        TRACKS["3d-x2"]
    )


def test_weights_build_the_network_of_their_track(tmp_path: Path) -> None:
    """The factor of upsampling comes from the manifest: the spec does not repeat it."""
    method = find_method("srgan", "super-resolution").build(features=8, blocks=1)
    path = tmp_path / "w.safetensors"
    save_weights(
        path, method.new_network([TRACKS["through-plane-x4"].settings]).state_dict(), {"tracks": ["through-plane-x4"]}
    )
    method.weights = str(path)
    method.setup(Resources())
    assert method.predict(sr_inputs("through-plane-x4", phantom())).shape == (24, 40, 32)


def test_missing_weights_are_a_skip() -> None:
    with pytest.raises(MethodSkipped, match="choose weights="):
        _ = find_method("autoencoder", "denoising").build(weights="nowhere.rician-5").weights_path


SHIPPED = sorted(
    path
    for task, name in (("denoising", "autoencoder"), ("super-resolution", "srgan"))
    for path in weights_folder(find_method(name, task)).glob("*.safetensors")
)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_weights_are_what_their_manifest_says(path: Path) -> None:
    manifest = json.loads(manifest_path(path).read_text())
    assert manifest["split"] == "train" and manifest["command"].startswith("mrbench train")
    assert manifest["best_step"] <= manifest["steps"] and manifest["parameters"] == sum(
        tensor.numel() for tensor in load_weights(path).values()
    )
    assert path.stem.startswith(manifest["network"] + "." + manifest["dataset"])
