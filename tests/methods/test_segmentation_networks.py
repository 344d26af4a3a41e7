"""Vox2Vox: geometry, training, the adversary, shipped weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, zoom

from mrbench.core.method import LearnedMethod
from mrbench.core.random import rng_for
from mrbench.core.registry import find_method
from mrbench.core.specification import parse_spec
from mrbench.metrics.overlap import dice
from mrbench.tasks.segmentation import SegmentationInputs, TrainingTumours, TumourExample
from mrbench.training.loop import AdversarialRecipe, Schedule, train
from mrbench_methods.segmentation.vox2vox_network import PatchDiscriminator3d, UNet
from mrbench_methods.segmentation.vox2vox_training import sampled, turned

SHAPE = (36, 50, 45)
SMALL = "vox2vox[base=4,bottleneck=1,adversarial=0]"


def person(seed: int) -> TumourExample:
    """A ball that every contrast shows, brightest in its middle."""
    rng = np.random.default_rng(seed)
    grid = np.indices(SHAPE)
    mask = np.zeros(SHAPE, bool)
    mask[2:-2, 2:-2, 2:-2] = True
    centre = np.array(SHAPE) / 2 + rng.integers(-6, 7, 3)
    radius = np.sqrt(((grid - centre[:, None, None, None]) ** 2).sum(0))
    labels = np.select([radius < 4, radius < 7, radius < 11], [1, 3, 2], 0)
    levels = np.array([[0, -2, -1, 2], [0, -2, -1, 3], [0, 3, 2, 1], [0, 1, 3, 2]])
    images = levels[:, labels] + 0.2 * rng.standard_normal((4, *SHAPE))
    inputs = SegmentationInputs(np.where(mask, images, 0).astype(np.float32), mask, (1.0, 1.0, 1.0))
    return TumourExample(inputs, labels.astype(np.int16))


def built(text: str) -> LearnedMethod:
    spec = parse_spec(text)
    return find_method(spec.name, "segmentation").build(**spec.parameters)  # type: ignore[return-value]


def examples(subjects: int = 2) -> TrainingTumours:
    return TrainingTumours([person(n) for n in range(subjects)], ["glioma"])


def test_contract() -> None:
    """Odd sizes, labels 0 to 3, nothing outside the brain, deterministic."""
    method, example = built(SMALL), person(3)
    torch.manual_seed(0)
    method.network_ = method.new_network(["glioma"]).eval()
    labels = method.predict(example.inputs)
    assert labels.shape == SHAPE and labels.dtype == np.uint8 and labels.max() <= 3
    assert not labels[~example.inputs.mask].any()
    np.testing.assert_array_equal(labels, method.predict(example.inputs))


def test_air_around_the_brain_changes_nothing() -> None:
    """Another field of view is another share of zeros, which instance normalisation would count."""
    method, inputs = built(SMALL), person(3).inputs
    torch.manual_seed(0)
    method.network_ = method.new_network(["glioma"]).eval()
    air = ((9, 4), (0, 30), (17, 0))
    wider = SegmentationInputs(np.pad(inputs.images, ((0, 0), *air)), np.pad(inputs.mask, air), inputs.spacing)
    labels = method.predict(inputs)
    assert len(np.unique(labels)) > 1
    np.testing.assert_array_equal(method.predict(wider), np.pad(labels, air))


@pytest.mark.slow
def test_the_network_sees_the_voxels_that_it_was_trained_on() -> None:
    """Half the voxel size is the same brain: the labels are those of the coarse image, four times as fine."""
    method, inputs = built(SMALL), person(3).inputs
    torch.manual_seed(0)
    method.network_ = method.new_network(["glioma"]).eval()
    inputs = SegmentationInputs(
        gaussian_filter(inputs.images, (0, 2, 2, 2)) * inputs.mask, inputs.mask, (2.0, 2.0, 2.0)
    )
    fine = [np.stack([zoom(image, 2, order=1, grid_mode=True, mode="nearest") for image in inputs.images])]
    fine += [inputs.mask.repeat(2, 0).repeat(2, 1).repeat(2, 2)]
    method.spacing_ = [2.0, 2.0, 2.0]
    labels = method.predict(inputs)
    assert len(np.unique(labels)) > 1
    close = method.predict(SegmentationInputs(fine[0], fine[1], (1.0, 1.0, 1.0)))[::2, ::2, ::2]
    method.spacing_ = None
    native = method.predict(SegmentationInputs(fine[0], fine[1], (1.0, 1.0, 1.0)))[::2, ::2, ::2]
    assert (close == labels)[inputs.mask].mean() > 0.9 > (native == labels)[inputs.mask].mean()


def test_tiny_volumes_are_padded() -> None:
    method = built(SMALL)
    method.network_ = method.new_network(["glioma"]).eval()
    inputs = SegmentationInputs(np.ones((4, 5, 6, 7), np.float32), np.ones((5, 6, 7), bool), (1.0, 1.0, 1.0))
    assert method.predict(inputs).shape == (5, 6, 7)


def test_a_class_that_nobody_has_weighs_nothing() -> None:
    patients = [TumourExample(p.inputs, np.where(p.labels == 3, 2, p.labels)) for p in map(person, range(2))]
    recipe = built(SMALL).training_recipe(TrainingTumours(patients, ["glioma"]), seed=0)
    assert recipe.weights[3] == 0 and (recipe.weights[:3] > 0).all()


def test_the_network_halves_four_times_and_comes_back() -> None:
    network = UNet(4, 4, 4, 2)
    shapes: list[tuple[int, ...]] = []
    for down in network.down:
        down.register_forward_hook(lambda module, inputs, output: shapes.append(tuple(output.shape[1:])))
    assert network(torch.zeros(1, 4, 32, 48, 64)).shape == (1, 4, 32, 48, 64)
    assert shapes == [(4, 16, 24, 32), (8, 8, 12, 16), (16, 4, 6, 8), (32, 2, 3, 4)]


def test_the_bottleneck_is_dense() -> None:
    """Each convolution sees the features of all before it."""
    widths = [dense[0].in_channels for dense in UNet(4, 4, 4, 3).dense]
    assert widths == [32, 64, 96]


def test_the_contrasts_come_back_at_full_resolution() -> None:
    """With the path through half the resolution cut, a voxel still reaches the scores of itself and its neighbours."""
    torch.manual_seed(0)
    network = UNet(4, 4, 4, 1)
    for module in network.modules():
        if isinstance(module, torch.nn.InstanceNorm3d):  # its statistics reach over the whole block
            module.forward = lambda x: x
    with torch.no_grad():
        network.leave.weight.zero_()
        image = torch.zeros(1, 4, 32, 32, 32)
        before = network(image)
        image[0, 1, 13, 14, 15] = 1
        changed = (network(image) - before).abs().sum(1)[0].nonzero()
    assert (changed - torch.tensor([13, 14, 15])).abs().max() == 1 and len(changed) == 27


def test_the_discriminator_sees_the_image_beside_the_labels() -> None:
    network = PatchDiscriminator3d(8, base=4)
    image, labels = (torch.rand(1, 4, 32, 32, 32, requires_grad=True) for _ in range(2))
    network(image, labels).sum().backward()
    assert image.grad.abs().sum() > 0 and labels.grad.abs().sum() > 0


def test_blocks_keep_image_and_labels_together() -> None:
    recipe = built(SMALL).training_recipe(examples(), seed=0)
    for seed in range(6):
        image, mask, labels = recipe._block(rng_for(str(seed), "block"))
        assert image.shape[2:] == mask.shape[2:] == labels.shape[2:] and all(
            side % 16 == 0 for side in labels.shape[2:]
        )
        inside = labels[0, 0] == 3
        if inside.any():
            assert image[0, 1][inside].mean() > image[0, 1][labels[0, 0] == 2].mean(), "T1c is brightest in the rim"


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_a_block_that_is_not_turned_is_cut_out_and_mirrored_left_to_right(mode: str) -> None:
    volume = torch.rand(1, 2, 20, 24, 28)
    size, offset = np.array([16, 16, 32]), np.array([2.0, -1.0, 0.0])
    block = sampled(volume, np.eye(3), offset, size, mode)
    torch.testing.assert_close(block[..., 2:-2], volume[:, :, 4:20, 3:19], atol=1e-5, rtol=0)
    assert (block[..., :2] == 0).all() and (block[..., -2:] == 0).all()
    mirrored = sampled(volume, np.diag([1, 1, -1]), offset, size, mode)
    torch.testing.assert_close(mirrored, block.flip(-1), atol=1e-5, rtol=0)


def test_turns_keep_lengths_in_millimetres() -> None:
    spacing = np.array([3.0, 1.0, 1.0])
    for seed in range(5):
        matrix = turned(rng_for(str(seed), "turn"), spacing.tolist())
        lengths = [np.linalg.norm(matrix @ (axis / spacing) * spacing) for axis in np.eye(3)]
        np.testing.assert_allclose(lengths, lengths[0])
        assert 0.6 < lengths[0] < 1.6


@pytest.mark.slow
def test_a_short_training_finds_the_tumour() -> None:
    method = built(SMALL)
    recipe = method.training_recipe(examples(), seed=0)
    optimiser = torch.optim.Adam(recipe.network.parameters(), 1e-2)
    for step in range(25):
        optimiser.zero_grad()
        recipe.loss(rng_for(f"step {step}", "training")).backward()
        optimiser.step()
    recipe.network.eval()
    example = person(9)
    assert dice(example.labels > 0, method.predict(example.inputs) > 0) > 0.7


@pytest.mark.slow
def test_the_adversary_is_trained_and_the_last_weights_are_kept(tmp_path: Path) -> None:
    recipe = built("vox2vox[base=4,bottleneck=1]").training_recipe(examples(), seed=0)
    assert isinstance(recipe, AdversarialRecipe)
    before, scores = [p.detach().clone() for p in recipe.adversary.parameters()], iter([2.0, 1.0])
    _, progress = train(
        recipe, Schedule(4, 1e-3, 2), settings={}, validate=lambda: next(scores), checkpoint=tmp_path / "c.pt"
    )
    assert any((a != b).any() for a, b in zip(before, recipe.adversary.parameters(), strict=True))
    assert progress.best_step == 4
