"""Networks of synthesis: geometry, pairs and the lack of them, training, directions, shipped weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from tests.settings import setting_of

from mrbench.core.candidate import candidates
from mrbench.core.errors import MethodSkipped, RequestError
from mrbench.core.method import LearnedMethod, Resources
from mrbench.core.random import rng_for
from mrbench.core.registry import find_dataset, find_method, find_task
from mrbench.core.specification import parse_spec
from mrbench.metrics.image import psnr
from mrbench.tasks.synthesis import TRACKS, Scan, SynthesisInputs, TrainingScans
from mrbench.training.loop import AdversarialRecipe, Schedule, train
from mrbench.training.weights import save_weights
from mrbench_methods.synthesis.paired_training import scanned
from mrbench_methods.synthesis.scans import crop, position_maps, unpaired_scans
from mrbench_methods.synthesis.translation_network import Generator, PatchDiscriminator, SkipGenerator, initialise
from mrbench_methods.synthesis.unit_network import Unit

SHAPE = (24, 42, 38)
BOTH = "t1-to-t2+t2-to-t1"
SMALL = {
    "pix2pix[base=4,blocks=1]": "t1-to-t2",
    "pix2pix[base=4,blocks=1,adversarial=0,context=0,planes=axial]": "t2-to-t1",
    "cyclegan[base=4,blocks=1]": BOTH,
    "cyclegan[base=4,blocks=1,skips=false]": BOTH,
    "unit[base=4,blocks=1]": BOTH,
}


def person(seed: int) -> Scan:
    """T2 is T1 upside down; the brain is lopsided."""
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij"))
    mask = (((grid.T - [0.1, 0, -0.05]) / [0.8, 0.85, 0.9]) ** 2).sum(-1).T < 1
    pattern = gaussian_filter(np.random.default_rng(seed).standard_normal(SHAPE), 1.5)
    t1 = np.where(mask, np.clip(0.55 + 1.2 * pattern, 0.1, 1), 0).astype(np.float32)
    return Scan(f"p{seed}", {"T1": t1, "T2": np.where(mask, 1.1 - t1, 0).astype(np.float32)}, mask, (1.0, 1.0, 1.0))


def examples(track: str, subjects: int = 2) -> TrainingScans:
    return TrainingScans([person(n) for n in range(subjects)], [TRACKS[name].settings for name in track.split("+")])


def inputs_of(track: str, scan: Scan) -> SynthesisInputs:
    source, target = TRACKS[track].settings
    return SynthesisInputs(scan.images[source], scan.mask, source, target, scan.spacing)


def built(text: str) -> LearnedMethod:
    spec = parse_spec(text)
    return find_method(spec.name, "synthesis").build(**spec.parameters)  # type: ignore[return-value]


def untrained(text: str, track: str) -> LearnedMethod:
    method = built(text)
    torch.manual_seed(0)
    method.network_ = method.new_network([TRACKS[name].settings for name in track.split("+")])
    method.network_.eval()
    for module in method.network_.modules():  # above zero, so that what it makes is not clipped away
        if isinstance(module, SkipGenerator):
            torch.nn.init.ones_(module.last.bias)
    return method


def trained(text: str, track: str, rate: float, steps: int) -> LearnedMethod:
    method = built(text)
    recipe = method.training_recipe(examples(track), seed=0)
    optimiser = torch.optim.Adam(recipe.network.parameters(), rate)
    for step in range(steps):
        optimiser.zero_grad()
        recipe.loss(rng_for(f"step {step}", "training")).backward()
        optimiser.step()
    recipe.network.eval()
    return method


def without_norm(network: torch.nn.Module) -> torch.nn.Module:
    for module in network.modules():
        if isinstance(module, torch.nn.InstanceNorm2d):
            module.forward = lambda x: x
    return network


@pytest.mark.parametrize(("text", "track"), SMALL.items())
def test_contract(text: str, track: str) -> None:
    """Odd sizes, zero outside the brain, deterministic."""
    method, scan = untrained(text, track), person(5)
    image = method.predict(inputs_of(track.split("+")[0], scan))
    assert image.shape == SHAPE and image.dtype == np.float32 and image.min() >= 0
    assert not image[~scan.mask].any() and image[scan.mask].any()
    np.testing.assert_array_equal(image, method.predict(inputs_of(track.split("+")[0], scan)))


def test_the_published_generator_has_its_size() -> None:
    """32 filters and 9 blocks: 9 x 2 convolutions of 128 features dominate."""
    count = sum(p.numel() for p in Generator(32, 9).parameters())
    blocks = 9 * 2 * (128 * 128 * 9 + 128)
    ends = (49 * 32 + 32) + (49 * 32 + 1) + 9 * (32 * 64 + 64 * 128) + 64 + 128 + 16 * (128 * 64 + 64 * 32) + 64 + 32
    assert count == blocks + ends


def test_the_discriminator_sees_patches_of_70_pixels() -> None:
    network = PatchDiscriminator(1, base=4)
    image = torch.zeros(1, 1, 160, 160, requires_grad=True)
    verdict = network(image)
    verdict[0, 0, verdict.shape[2] // 2, verdict.shape[3] // 2].backward()
    seen = image.grad[0, 0].abs().sum(1).nonzero()
    assert int(seen.max() - seen.min()) + 1 == 70


@pytest.mark.slow
def test_the_discriminator_sees_how_bright_an_image_is() -> None:
    """Twice the brightness moves the verdict; instance normalisation would leave it where it is."""
    torch.manual_seed(0)
    network = PatchDiscriminator(1, base=4).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.zeros_(module.bias)
    image = torch.rand(1, 1, 96, 96)
    with torch.no_grad():
        torch.testing.assert_close(network(2 * image), 2 * network(image))


def test_every_output_pixel_sees_as_many_inputs() -> None:
    """No chequerboard: constant features give constant output away from the rim."""
    for network in (without_norm(Generator(4, 1)), SkipGenerator(1, 4, 1)):
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.fill_(0.01)
            images = network(torch.ones(1, 1, 64, 64))[0, 0, 24:-24, 24:-24]
        assert float(images.max() - images.min()) < 1e-6 * float(images.mean())


def test_fine_detail_goes_around_the_blocks() -> None:
    """A blind bottom leaves single pixels alone; without ways around they would be blurred over four."""
    network = initialise(SkipGenerator(1, 8, 1))
    with torch.no_grad():
        for up in network.up:
            up.weight.zero_()
        image = torch.zeros(1, 1, 32, 32)
        images = network(image)
        image[0, 0, 13, 14] = 1
        changed = (network(image) - images).abs()[0, 0]
    assert changed[13, 14] > 0
    assert not changed[:6].any() and not changed[21:].any()


def test_the_network_is_shown_where_it_is() -> None:
    """The maps are of the slice in the middle, in the same place and mirrored with it."""
    scan = person(0)
    index = np.indices(SHAPE).astype(np.float32)
    scan = Scan(scan.id, {**scan.images, "T1": index[0]}, scan.mask, scan.spacing)
    for seed in range(6):
        axis = seed % 3
        block = crop(scan, ["T1"], maps=index, axis=axis, context=1, sides=(20, 20, 20), rng=rng_for(str(seed), "crop"))
        np.testing.assert_array_equal(block["maps"][0], block["T1"][1])
    blind, seeing = (untrained(f"pix2pix[base=4,blocks=1,position={p}]", "t1-to-t2") for p in ("false", "true"))
    assert len(blind.network_.fine[0].weight[0]) == 3 and len(seeing.network_.fine[0].weight[0]) == 7
    inputs = inputs_of("t1-to-t2", scan)
    moved = SynthesisInputs(inputs.image, inputs.mask, "T1", "T2", (2.0, 1.0, 1.0))
    assert (seeing.predict(inputs) != seeing.predict(moved)).any(), "mm, not voxels"
    np.testing.assert_array_equal(blind.predict(inputs), blind.predict(moved))


def test_crops_of_a_pair_are_of_the_same_place() -> None:
    scan = person(0)
    for seed in range(5):
        block = crop(scan, ("T1", "T2"), axis=seed % 3, context=1, sides=(24, 24, 24), rng=rng_for(str(seed), "crop"))
        assert block["T1"].shape[0] == 3 and block["T1"].shape == block["mask"].shape
        np.testing.assert_allclose((block["T1"] + block["T2"])[block["mask"]], 1.1, rtol=1e-5)


def test_the_mirrored_brain_keeps_its_right_and_left() -> None:
    """x rises from left to right in every crop, as in `predict`; only the anatomy changes sides."""
    scan, drawn = person(0), set()
    maps = position_maps(scan.mask, scan.spacing)
    for seed in range(8):
        block = crop(scan, ["T1"], maps=maps, axis=0, context=0, sides=SHAPE, rng=rng_for(str(seed), "crop"))
        rising = [row[line].astype(float) for row, line in zip(block["maps"][2], block["mask"][0] > 0, strict=True)]
        assert all((np.diff(row) > 0).all() for row in rising)
        (z,) = {z for z in range(SHAPE[0]) if block["T1"].sum() == pytest.approx(scan.images["T1"][z].sum(), rel=1e-6)}
        drawn.add(np.array_equal(block["T1"][0], scan.images["T1"][z]))
    assert drawn == {True, False}


def test_thick_slices_and_small_regions_train() -> None:
    """Every crop shows some of the region, whatever its size and the orientation; no side is cut to the shortest."""
    mask = np.zeros((12, 160, 150), bool)
    mask[5:7, 20:24, 30:33] = True
    image = np.where(mask, 0.5, 0).astype(np.float32)
    scan = Scan("thick", {"T1": image, "T2": image}, mask, (5.0, 1.0, 1.0))
    recipe = built("pix2pix[base=4,blocks=1]").training_recipe(TrainingScans([scan], [("T1", "T2")]), seed=0)
    shapes = set()
    for seed in range(12):
        source, synthesised, target, brain = recipe.generate(rng_for(str(seed), "draw"))
        assert (brain.sum((1, 2, 3)) > 0).all()
        assert source.shape == synthesised.shape == target.shape
        shapes.add(tuple(synthesised.shape[2:]))
        recipe.adversary(torch.cat([source, synthesised], 1))
    assert shapes == {(128, 128), (32, 128)}


def test_weights_of_the_other_direction_are_no_row() -> None:
    method = untrained("pix2pix[base=4,blocks=1]", "t1-to-t2")
    method.tracks_ = [TRACKS["t1-to-t2"].settings]
    assert method.predict(inputs_of("t1-to-t2", person(1))).shape == SHAPE
    with pytest.raises(MethodSkipped, match="not trained to make T1 from T2"):
        method.predict(inputs_of("t2-to-t1", person(1)))
    with pytest.raises(RequestError, match="one direction"):
        built("pix2pix[base=4,blocks=1]").training_recipe(examples(BOTH), seed=0)


def test_unpaired_means_two_people() -> None:
    """No person gives both contrasts of a step, so the network never sees a pair."""
    train = examples(BOTH, subjects=3)
    drawn = [unpaired_scans(train, rng_for(str(n), "draw")) for n in range(60)]
    assert all(first.id != second.id for first, second in drawn)
    assert {first.id for first, _ in drawn} == {second.id for _, second in drawn} == {"p0", "p1", "p2"}


@pytest.mark.parametrize("name", ["cyclegan", "unit"])
def test_unpaired_recipes_draw_no_pairs(name: str) -> None:
    """Pairs would sum to 1.1 everywhere."""
    recipe = built(f"{name}[base=4,blocks=1]").training_recipe(examples(BOTH), seed=0)
    for seed in range(10):
        (t1, brain1), (t2, brain2) = recipe._draw(rng_for(str(seed), "draw"))
        both = (brain1 * brain2).bool()
        assert both.any() and float((t1 + t2)[both].std()) > 0.05


def test_one_person_cannot_train_unpaired() -> None:
    with pytest.raises(ValueError, match="two train subjects"):
        unpaired_scans(examples(BOTH, subjects=1), rng_for("one", "draw"))


@pytest.mark.slow
def test_a_short_training_learns_the_contrast() -> None:
    method, scan = trained("pix2pix[base=8,blocks=1,adversarial=0]", "t1-to-t2", 3e-3, 100), person(7)
    prediction = method.predict(inputs_of("t1-to-t2", scan))
    identity = psnr(scan.images["T2"], scan.images["T1"], data_range=1, mask=scan.mask)
    assert psnr(scan.images["T2"], prediction, data_range=1, mask=scan.mask) > identity + 5


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", ["pix2pix[base=4,blocks=1,adversarial=0.5]", "cyclegan[base=4,blocks=1]", "unit[base=4,blocks=1]"]
)
def test_the_adversary_is_trained_and_the_last_weights_are_kept(text: str, tmp_path: Path) -> None:
    track = "t1-to-t2" if "pix2pix" in text else BOTH
    recipe, scores = built(text).training_recipe(examples(track), seed=0), iter([2.0, 1.0])
    assert isinstance(recipe, AdversarialRecipe) and recipe.betas == (0.5, 0.999)
    before = [p.detach().clone() for p in recipe.adversary.parameters()]
    _, progress = train(
        recipe, Schedule(4, 1e-3, 2), settings={}, validate=lambda: next(scores), checkpoint=tmp_path / "c.pt"
    )
    assert any((a != b).any() for a, b in zip(before, recipe.adversary.parameters(), strict=True))
    assert progress.best_step == 4


def test_cyclegan_starts_from_the_inverse() -> None:
    method, scan = untrained("cyclegan[base=4,blocks=1]", BOTH), person(3)
    for target in ("T1", "T2"):
        torch.nn.init.zeros_(method.network_[target].change.last.bias)
    inverse = np.where(scan.mask, 1 - scan.images["T1"], 0)
    np.testing.assert_allclose(method.predict(inputs_of("t1-to-t2", scan)), inverse, atol=1e-6)
    recipe = built("cyclegan[base=4,blocks=1]").training_recipe(examples(BOTH), seed=0)
    recipe.loss(rng_for("step", "training")).backward()
    assert all(p.grad is not None and p.grad.any() for g in recipe.network.values() for p in g.change.last.parameters())


def test_each_direction_has_its_own_generator() -> None:
    """There and back: the second volume is what the other generator makes of the first."""
    method, scan = untrained("cyclegan[base=4,blocks=1,there_and_back=true]", BOTH), person(3)
    for target, factor in (("T2", 2.0), ("T1", 3.0)):
        method.network_[target].forward = lambda x, factor=factor: factor * x
    there, back = method.predict(inputs_of("t1-to-t2", scan))
    np.testing.assert_allclose(there, 2 * scan.images["T1"], rtol=1e-6)
    np.testing.assert_allclose(back, 6 * scan.images["T1"], rtol=1e-6)
    np.testing.assert_allclose(method.predict(inputs_of("t2-to-t1", scan))[0], 3 * scan.images["T2"], rtol=1e-6)


def test_weights_of_both_tracks_serve_each(tmp_path: Path) -> None:
    method = built("cyclegan[base=4,blocks=1]")
    path = tmp_path / "w.safetensors"
    save_weights(
        path,
        method.new_network([track.settings for track in TRACKS.values()]).state_dict(),
        {"tracks": BOTH.split("+")},
    )
    method.weights = str(path)
    method.setup(Resources())
    assert method.predict(inputs_of("t2-to-t1", person(1))).shape == SHAPE


def test_all_weights_leaves_the_other_direction_away() -> None:
    setting = setting_of(find_task("synthesis"), find_dataset("open-ms", "contrasts"), "t1-to-t2")
    names = [str(entry.spec) for entry in candidates(setting, ["pix2pix", "cyclegan"], all_weights=True)]
    assert names[2:] == ["pix2pix[weights=icbm-sim.t1-to-t2]", f"cyclegan[weights=icbm-sim.{BOTH}]"]


def test_weights_that_saw_the_test_patient_are_not_scored() -> None:
    left_out = find_dataset("open-ms", "contrasts")
    other = "pix2pix[weights=open-ms-07.t1-to-t2]"
    seen, own = candidates(setting_of(find_task("synthesis"), left_out, "t1-to-t2"), [other, "pix2pix"])
    assert seen.skipped == "its weights were trained or chosen on patient26 of this test split" and own.skipped is None
    atlas = setting_of(find_task("synthesis"), find_dataset("sri24", "contrasts"), "t1-to-t2")
    chosen = candidates(atlas, [other])[0].skipped  # sri24 validates open-ms
    assert chosen == "its weights were trained or chosen on sri24 of this test split"
    validation = setting_of(find_task("synthesis"), left_out, "t1-to-t2", "validation")
    assert candidates(validation, [other])[0].skipped is None


def test_unit_shows_t2_inverted_to_the_shared_space() -> None:
    plain, inverse = (Unit(("T1", "T2"), 4, 1, inverted).eval() for inverted in ((), ("T2",)))
    inverse.load_state_dict(plain.state_dict())
    image = torch.rand(1, 1, 16, 16)
    torch.testing.assert_close(inverse.encode(1 - image, "T2"), plain.encode(image, "T2"))
    code = plain.encode(image, "T1")
    torch.testing.assert_close(inverse.encode(image, "T1"), code)
    torch.testing.assert_close(inverse.generate(code, "T2"), 1 - plain.generate(code, "T2"))


def test_the_source_is_shown_as_other_scanners_might() -> None:
    scan = person(0)
    block = scan.images["T1"][8:11]
    shown = [scanned(block, np.random.default_rng(seed)) for seed in range(4)]
    assert all(image.shape == block.shape and image.dtype == np.float32 and (image >= 0).all() for image in shown)
    assert len({float(image.sum()) for image in shown}) == 4
    gains = [image[:, 10:-10, 10:-10] / np.maximum(block[:, 10:-10, 10:-10], 0.1) for image in shown]
    assert all(0.4 < np.median(gain) < 2.5 for gain in gains)
