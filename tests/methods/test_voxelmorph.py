"""VoxelMorph: geometry, losses, training and weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.losses import LocalNormalizedCrossCorrelationLoss
from monai.networks.blocks import DVF2DDF
from tests.settings import build, setting_of

from mrbench.core.candidate import candidates
from mrbench.core.digest import sha256_of
from mrbench.core.errors import RequestError
from mrbench.core.method import Resources
from mrbench.core.specification import parse_spec
from mrbench.datasets.folder import Folder
from mrbench.metrics.deformation import jacobian_determinant, warp
from mrbench.report.figures import style
from mrbench.tasks.registration import Registration
from mrbench.training.fit import fit
from mrbench.training.loop import Schedule
from mrbench.training.weights import load_weights, save_weights
from mrbench_methods.registration.losses import LocalCrossCorrelation, box_mean, overlap, smoothness
from mrbench_methods.registration.network import (
    FieldNetwork,
    identity_grid,
    integrate,
    sample,
    space_to_channels,
    upsample,
)
from mrbench_methods.registration.voxelmorph import VoxelMorph

SHAPE = (16, 18, 20)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random(shape, np.float32))


def smooth_velocity() -> torch.Tensor:
    from scipy.ndimage import gaussian_filter

    field = np.random.default_rng(0).normal(size=(1, 3, *SHAPE))
    return torch.from_numpy(12 * gaussian_filter(field, (0, 0, 2, 2, 2))).float()


def test_sampling_is_the_harness_warp() -> None:
    moving, field = noise(*SHAPE), smooth_velocity()
    grid = identity_grid(SHAPE, moving.device)
    own = sample(moving[None, None], field, grid, "zeros")[0, 0].numpy()
    inside = (slice(3, -3),) * 3
    np.testing.assert_allclose(own[inside], warp(moving.numpy(), field[0].numpy(), order=1)[inside], atol=1e-5)


@pytest.mark.filterwarnings("ignore:monai.networks.blocks.Warp")
def test_integration_equals_monai() -> None:
    velocity = smooth_velocity()
    expected = DVF2DDF(num_steps=5, padding_mode="border")(velocity)
    torch.testing.assert_close(integrate(velocity, 5), expected, atol=1e-4, rtol=0)


def test_five_squarings_are_enough() -> None:
    velocity = smooth_velocity()
    assert (integrate(velocity, 5) - integrate(velocity, 7)).abs().max() < 0.05
    assert jacobian_determinant(integrate(velocity, 5)[0].numpy()).min() > 0


def test_upsampling_keeps_a_linear_field_exact() -> None:
    """Half-resolution voxel i covers full-resolution voxels 2i and 2i+1, so its centre is 2i + 0.5."""
    coarse = identity_grid((8, 9, 10), torch.device("cpu"))
    fine = upsample(coarse)
    inner = (slice(None), slice(None), *(slice(2, -2),) * 3)
    expected = identity_grid((16, 18, 20), torch.device("cpu")) - 0.5
    torch.testing.assert_close(fine[inner], expected[inner])


def test_space_to_channels_loses_nothing() -> None:
    image = noise(1, 2, 4, 6, 8)
    blocks = space_to_channels(image)
    assert blocks.shape == (1, 16, 2, 3, 4)
    torch.testing.assert_close(blocks[0, :8, 1, 2, 3].sort().values, image[0, 0, 2:, 4:, 6:].flatten().sort().values)


@pytest.mark.parametrize("window", [3, 7, 9])
def test_box_mean_is_a_zero_padded_average_pool_and_so_is_its_gradient(window: int) -> None:
    ours, theirs = (noise(1, 2, *SHAPE).requires_grad_() for _ in range(2))
    expected = torch.nn.functional.avg_pool3d(theirs, window, 1, window // 2)
    means = box_mean(ours, window)
    torch.testing.assert_close(means, expected, atol=1e-5, rtol=1e-5)
    weight = noise(1, 2, *SHAPE, seed=1)
    (means * weight).sum().backward()
    (expected * weight).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-5, rtol=1e-5)


def test_cross_correlation_equals_monai() -> None:
    """On textured images, where neither implementation's guard against flat windows matters."""
    fixed, warped = noise(1, 1, *SHAPE), noise(1, 1, *SHAPE, seed=1)
    mixed = 0.5 * fixed + 0.5 * warped
    expected = LocalNormalizedCrossCorrelationLoss(kernel_size=9, smooth_nr=0, smooth_dr=1e-8)(mixed, fixed)
    assert LocalCrossCorrelation(fixed, 9)(mixed).item() == pytest.approx(expected.item(), abs=2e-3)


def test_cross_correlation_ignores_gain_and_sign() -> None:
    fixed = noise(1, 1, *SHAPE)
    inner = LocalCrossCorrelation(fixed, 5)
    assert inner(fixed * 0.5).item() == pytest.approx(inner(fixed).item(), abs=1e-2)
    assert inner(noise(1, 1, *SHAPE, seed=3)).item() > -0.2 > inner(fixed).item()


def test_smoothness_of_a_ramp() -> None:
    ramp = 3 * identity_grid((5, 6, 7), torch.device("cpu"))
    assert smoothness(ramp).item() == pytest.approx(9 / 3)  # each component varies along one axis of three


def test_untrained_network_predicts_no_motion() -> None:
    network = FieldNetwork(integration_steps=5)
    with torch.no_grad():
        raw = network(noise(1, 1, 32, 32, 48), noise(1, 1, 32, 32, 48, seed=1))
    assert raw.shape == (1, 3, 16, 16, 24) and raw.abs().max() < 1e-2


@pytest.fixture(scope="module")
def trained(cohort: Path, tmp_path_factory) -> tuple[Path, list[float]]:
    """Weights of a short training on the tiny cohort, and its validation scores."""
    folder = tmp_path_factory.mktemp("training")
    return folder, train(cohort, folder, "voxelmorph", steps=20)


def train(cohort: Path, folder: Path, method: str, steps: int, schedule: Schedule | None = None) -> list[float]:
    spec = parse_spec(method)
    scores: list[float] = []
    fit(
        build(spec, Registration()),
        spec,
        Registration(),
        Folder(cohort),
        [Registration.tracks["inter-subject"]],
        schedule or Schedule(steps, 1e-3, validate_every=10),
        out=folder,
        checkpoints=folder,
        report=lambda progress, loss, score: scores.append(score) if score is not None else None,
    )
    return scores


@pytest.mark.slow
def test_training_writes_weights_with_an_honest_manifest(trained) -> None:
    folder, scores = trained
    manifest = json.loads((folder / "voxelmorph.blobs.json").read_text())
    assert manifest["split"] == "train" and manifest["steps"] == 20
    assert manifest["validation_dice"] == max(scores)
    assert "mrbench train --task registration" in manifest["command"]
    assert load_weights(folder / "voxelmorph.blobs.safetensors")


@pytest.mark.slow
def test_training_learns(trained, dataset: Folder, task: Registration) -> None:
    folder, _ = trained
    pair = (setting := setting_of(task, dataset, "inter-subject")).load(setting.cases()[0])
    still = task.score(pair, np.zeros((3, *pair.inputs.fixed.shape), np.float32)).metrics["dice"]
    dice = {}
    for steps in (0, 10):
        weights = folder / "voxelmorph.blobs.safetensors"
        method = build(parse_spec(f"voxelmorph[instance_steps={steps},weights={weights}]"), task)
        method.setup(Resources())
        field = task.check(pair, method.predict(pair.inputs))  # sides that are no multiple of 16
        dice[steps] = task.score(pair, field).metrics["dice"]
    assert still + 0.002 < dice[0] and dice[0] + 0.05 < dice[10]


def test_weights_that_are_not_their_manifests_are_refused(tmp_path: Path) -> None:
    save_weights(tmp_path / "w.safetensors", {"w": torch.ones(3)}, {"tracks": []})
    assert load_weights(tmp_path / "w.safetensors")
    (tmp_path / "w.safetensors").write_bytes((tmp_path / "w.safetensors").read_bytes()[:-1] + b"x")
    with pytest.raises(RequestError, match="sha256 differs"):
        load_weights(tmp_path / "w.safetensors")
    with pytest.raises(RequestError, match="no weights at"):
        load_weights(tmp_path / "missing.safetensors")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: dict(list(state.items())[1:]), r"is absent in the file and \(.*\) in the net"),
        (lambda state: {name: w[..., None] for name, w in state.items()}, r"is \(.*, 1\) in the file and"),
        (lambda state: {**state, "more": torch.ones(2)}, r"the tensor more is \(2,\) in the file and absent in"),
    ],
    ids=["absent", "shape", "unknown"],
)
def test_weights_that_do_not_fit_are_one_sentence(tmp_path: Path, task: Registration, change, said: str) -> None:
    """tensors of weights do not fit the network -> a row that names the first of them"""
    path = tmp_path / "w.safetensors"
    method = build(parse_spec(f"voxelmorph[width=4,weights={path}]"), task)
    state = method.new_network([]).state_dict()  # type: ignore[attr-defined]
    save_weights(path, change(state), {"tracks": []})
    with pytest.raises(
        RequestError, match=rf"w\.safetensors does not fit the network FieldNetwork: .*{said}"
    ) as caught:
        method.setup(Resources())
    assert "\n" not in str(caught.value)
    path.write_bytes(b"no tensors")
    path.with_suffix(".json").write_text(json.dumps({"sha256": sha256_of(path), "tracks": []}))
    with pytest.raises(RequestError, match="holds no weights"):
        method.setup(Resources())


@pytest.mark.parametrize("dataset", ["icbm-sim", "ixi-hh-2mm"])
@pytest.mark.parametrize("method", ["voxelmorph", "voxelmorph[diffeomorphic=true]"])
def test_shipped_weights_were_trained_on_the_train_split(dataset: str, method: str, task: Registration) -> None:
    spec = parse_spec(method)
    network = build(type(spec)(spec.name, {**spec.parameters, "weights": dataset}), task)
    path = network.weights_path  # type: ignore[attr-defined]
    manifest = json.loads(path.with_suffix(".json").read_text())
    assert manifest["split"] == "train" and manifest["dataset"] == dataset and manifest["steps"] >= 1000
    assert load_weights(path)
    network.setup(Resources())


def test_labels_add_their_dice_to_the_training(dataset: Folder, task: Registration) -> None:
    subjects = task.training_examples(dataset, [])
    plain, labelled = (
        build(parse_spec(f"voxelmorph[labels={labels},width=8]"), task).training_recipe(subjects, seed=0)
        for labels in ("False", "True")
    )
    losses = [recipe.loss(np.random.default_rng(0)).item() for recipe in (plain, labelled)]
    assert 0 < losses[1] - losses[0] < 1 and "labels" in labelled.settings


def test_dice_of_soft_masks_is_the_mean_over_structures() -> None:
    first = torch.zeros(1, 2, 4, 4, 4)
    first[:, 0, :2], first[:, 1, 2:] = 1, 1
    second = first.clone()
    second[:, 1] = 0
    assert overlap(first, second).item() == pytest.approx(0.5) and overlap(first, first).item() == pytest.approx(1)


def test_labels_that_are_missing_are_refused(dataset: Folder, task: Registration) -> None:
    subjects = [replace(subject, labels=None) for subject in task.training_examples(dataset, [])]
    with pytest.raises(RequestError, match="not every train subject has some"):
        build(parse_spec("voxelmorph[labels=True]"), task).training_recipe(subjects, seed=0)


@pytest.mark.parametrize("diffeomorphic", [False, True])
def test_steps_from_zero_are_those_from_a_network_that_predicts_no_motion(
    diffeomorphic: bool, dataset: Folder, task: Registration
) -> None:
    """What separates the two rows is the start alone; the row that learned nothing is called classical."""
    pair = (setting := setting_of(task, dataset, "inter-subject")).load(setting.cases()[0])
    network = FieldNetwork(integration_steps=5 if diffeomorphic else 0)
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    learned = VoxelMorph(diffeomorphic=diffeomorphic, instance_steps=5)
    learned.network_ = network
    method = build(parse_spec(f"instance-optimisation[steps=5,diffeomorphic={str(diffeomorphic).lower()}]"), task)
    method.setup(Resources())
    field = task.check(pair, method.predict(pair.inputs))
    assert method.kind == "classical" and np.abs(field).max() > 0.1
    np.testing.assert_allclose(field, learned.predict(pair.inputs), atol=1e-5)


def test_what_starts_from_a_network_and_is_optimised_is_called_so(dataset: Folder, task: Registration) -> None:
    """The kind of a row follows its parameters; `learned` is for a network alone."""
    specs = ["voxelmorph", "voxelmorph[instance_steps=3]", "instance-optimisation[steps=3]"]
    kinds = [one.method.kind for one in candidates(setting_of(task, dataset, "inter-subject"), specs)]
    assert kinds == ["learned", "learned + optimised", "classical"]
    assert all(style.colour(kind) != style.OTHER for kind in kinds) and len(set(map(style.marker, kinds))) == 3
