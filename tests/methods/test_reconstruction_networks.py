"""Networks of the reconstruction papers: size, physics, training, shipped weights."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.kspace_phantom import SHAPE, acquire, case_of, write_fastmri
from tests.settings import build, setting_of

from mrbench.core.candidate import candidates
from mrbench.core.errors import MethodSkipped, RequestError
from mrbench.core.method import Resources
from mrbench.core.random import rng_for
from mrbench.core.registry import find_dataset
from mrbench.core.specification import parse_spec
from mrbench.core.weights import resolve_weights, shipped_weights
from mrbench.datasets.kspace_folder import KspaceFolder
from mrbench.physics.fourier import root_sum_of_squares, to_image, to_kspace
from mrbench.tasks.reconstruction import Reconstruction, TrainingScans
from mrbench.tasks.sampling import TRACKS
from mrbench.training.fit import fit
from mrbench.training.loop import Schedule
from mrbench.training.recipes import find_recipe
from mrbench.training.weights import load_weights, save_weights
from mrbench_methods.reconstruction.cascade import CascadeCNN, DynamicCascadeCNN
from mrbench_methods.reconstruction.cascade_network import CascadeNetwork, DynamicCascadeNetwork, share
from mrbench_methods.reconstruction.learned import ReconstructionRecipe, acs_mask
from mrbench_methods.reconstruction.unet import UNet
from mrbench_methods.reconstruction.unet_network import Unet
from mrbench_methods.reconstruction.varnet import VarNet
from mrbench_methods.reconstruction.varnet_network import DataConsistency, SensitivityMapEstimation, VarNetwork

task = Reconstruction()
SMALL = {
    "cascade-cnn[cascades=2,convolutions=3,features=6": "multicoil-4x",
    "unet[features=4,pools=2": "multicoil-4x",
    "varnet[cascades=2,features=4,pools=2,map_features=2": "multicoil-4x",
}


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_published_sizes() -> None:
    """Figures of the authors' own code: fastMRI's U-Net and VarNet, Schlemper's released D5C5."""
    assert count(Unet(1, 1, 32, 4)) == 7_756_097
    assert count(VarNetwork(12, 18, 4, 8)) == pytest.approx(29.94e6, rel=1e-3)
    assert count(VarNetwork(12, 18, 4, 8).sensitivity_map_estimation) == pytest.approx(0.485e6, rel=1e-2)
    weights_of_consistency = 5
    assert count(CascadeNetwork(5, 5, 64, False)) - weights_of_consistency == 565_770


@pytest.mark.parametrize("dynamic", [False, True])
def test_hard_data_consistency_keeps_every_sample(dynamic: bool) -> None:
    """Noiseless data: the sampled k-space of the output is the input, whatever the weights are."""
    torch.manual_seed(0)
    case = case_of("cine-8x" if dynamic else "singlecoil-4x", frames=6, noise=0.0)
    kspace, mask = torch.from_numpy(case.inputs.kspace[:, 0]), torch.from_numpy(np.ascontiguousarray(case.inputs.mask))
    for hard in (True, False):
        with torch.no_grad():
            if dynamic:
                image = DynamicCascadeNetwork(2, 3, 4, hard).complex_images(kspace[None], mask[None])[0]
            else:
                image = CascadeNetwork(2, 3, 4, hard).complex_images(kspace, mask)
        after = to_kspace(image.numpy())
        difference = np.abs(after - kspace.numpy())[case.inputs.mask].max() / kspace.abs().max().item()
        assert (difference < 1e-5) if hard else (difference > 1e-4)
        assert np.abs(after[~case.inputs.mask]).max() > 0  # what was not sampled is filled in


def test_data_sharing_by_hand() -> None:
    """Five frames of one k-space point: own samples stay, others take the mean of the neighbours that have one."""
    values = torch.tensor([1.0, 0, 0, 4, 0], dtype=torch.complex64).reshape(1, 5, 1, 1)
    mask = torch.tensor([True, False, False, True, False]).reshape(1, 5, 1, 1)
    first = share(values, values, mask, sampled_only=True)[0, :, :, 0, 0].real
    assert first[0].tolist() == [1, 0, 0, 4, 0]  # reach 0: nothing to share
    assert first[1].tolist() == [1, 1, 4, 4, 2.5]  # reach 1, circular in time
    later = share(values, values, mask, sampled_only=False)[0, :, :, 0, 0].real
    assert later[1].tolist() == pytest.approx([1, 1 / 3, 4 / 3, 4, 5 / 3])


def test_varnet_without_a_module() -> None:
    """Without the step towards the data, or on ESPIRiT's maps; without refinement it is the zero-filled image."""
    case = case_of("multicoil-4x", frames=1, noise=0.001)
    sizes = {"cascades": 2, "features": 4, "pools": 2, "map_features": 2}
    forms = [VarNet(**sizes), VarNet(**sizes, consistency=False), VarNet(**sizes, maps="espirit")]
    assert [form.network.removeprefix("varnet-c2f4p2m2") for form in forms] == ["", "-nodc", "-espirit"]
    images = []
    for form in forms:
        torch.manual_seed(0)
        form.network_ = form.new_network([TRACKS["multicoil-4x"].settings]).eval()
        images.append(task.check(case, form.predict(case.inputs)))
    whole, free, given = (form.network_ for form in forms)
    assert not free.data_consistency and len(whole.data_consistency) == 2
    assert not hasattr(given, "sensitivity_map_estimation") and hasattr(free, "sensitivity_map_estimation")
    assert np.abs(images[0] - images[1]).max() > 1e-6 and np.abs(images[0] - images[2]).max() > 1e-6
    for refinement in whole.refinement:
        refinement.forward = lambda kspace, maps: torch.zeros_like(kspace)
    zero_filled = root_sum_of_squares(to_image(case.inputs.kspace), axis=1)
    np.testing.assert_allclose(forms[0].predict(case.inputs), zero_filled, rtol=1e-4, atol=1e-5 * zero_filled.max())
    with pytest.raises(RequestError, match="did you mean 'espirit'"):
        VarNet(maps="esprit")
    with pytest.raises(RequestError, match="leave one of the two out"):
        VarNet(proximal=True, consistency=False)


def test_varnet_modules_do_what_they_are_named_for() -> None:
    torch.manual_seed(0)
    kspace = torch.from_numpy(case_of("multicoil-4x").inputs.kspace)
    measured, mask = kspace, kspace.abs().sum(1) > 0
    assert (DataConsistency()(measured, measured, mask) == 0).all()
    change = DataConsistency()(measured + 1, measured, mask)
    assert (change[~mask[:, None].expand_as(change)] == 0).all() and change.abs().max().item() == pytest.approx(1)
    acs = torch.from_numpy(acs_mask(SHAPE, (48, 8)))[None].expand_as(mask)
    estimate = SensitivityMapEstimation(2, 2)
    maps = estimate(kspace, acs)
    np.testing.assert_allclose(root_sum_of_squares(maps.detach().numpy()), 1, atol=1e-4)
    changed = kspace.clone()
    changed[..., :20] += 5  # outside the calibration lines: the maps must not see it
    assert torch.equal(estimate(changed, acs), maps)


@pytest.mark.slow
def test_networks_ignore_the_units_of_kspace() -> None:
    torch.manual_seed(0)
    case = case_of("multicoil-4x")
    kspace, mask = torch.from_numpy(case.inputs.kspace), torch.from_numpy(np.ascontiguousarray(case.inputs.mask))
    acs = torch.from_numpy(acs_mask(SHAPE, case.inputs.calibration))[None].expand_as(mask)
    for method in (CascadeCNN(cascades=1, features=4), UNet(features=4), VarNet(cascades=1, features=4)):
        network = method.new_network([]).eval()
        extra = {"acs": acs} if method.needs_calibration else {}
        with torch.no_grad():
            one, other = network(kspace, mask, **extra), network(kspace * 1e-4, mask, **extra)
        torch.testing.assert_close(one, other * 1e4, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("dynamic", [False, True])
def test_training_batches_are_consistent(dynamic: bool, monkeypatch) -> None:
    """Flips and bands keep physics: of noiseless, fully sampled data, the image of a batch is its target."""
    track = TRACKS["cine-8x" if dynamic else "singlecoil-4x"].settings
    method = DynamicCascadeCNN(cascades=1, features=2) if dynamic else CascadeCNN(cascades=1, features=2)
    scans = [acquire(6, 1, noise=0.0, beating=dynamic, seed=seed) for seed in range(2)]
    recipe = method.training_recipe(TrainingScans(scans, [track]), seed=0)
    assert isinstance(recipe, ReconstructionRecipe)
    draw = recipe._sequence if dynamic else recipe._slice
    kspace, mask, _, _ = draw(0, rng_for("0", "batch"))
    assert (kspace[np.broadcast_to(~mask, kspace.shape)] == 0).all() and 0.05 < mask.mean() < 0.5
    monkeypatch.setattr(
        "mrbench_methods.reconstruction.learned.draw_mask",
        lambda track, shape, rng: np.ones((shape[0], *shape[2:]), bool),
    )
    drawn = set()
    for seed in range(12):  # every combination of flips
        kspace, _, _, target = draw(seed % 2, rng_for(str(seed), "batch"))
        np.testing.assert_allclose(np.abs(to_image(kspace)).reshape(target.shape), target, atol=1e-5)
        drawn.add(target.tobytes())
    assert len(drawn) > 4


def test_scans_of_different_sizes_train_together() -> None:
    """fastMRI's k-space has 368, 372 and other widths; a batch takes one of them."""
    wide = acquire(3, 1, seed=1)
    narrow = dataclasses.replace(wide, kspace=wide.kspace[..., 4:-4], reference=wide.reference[..., 4:-4])
    recipe = CascadeCNN(cascades=1, features=2).training_recipe(
        TrainingScans([wide, narrow], [TRACKS["singlecoil-4x"].settings]), seed=0
    )
    assert all(torch.isfinite(recipe.loss(rng_for(str(step), "training"))) for step in range(4))


def test_wrong_data_are_skipped_with_a_reason() -> None:
    with pytest.raises(MethodSkipped, match="cine"):
        DynamicCascadeCNN().predict(case_of("singlecoil-4x").inputs)
    inputs = case_of("multicoil-4x").inputs
    object.__setattr__(inputs, "calibration", (0, 0))
    with pytest.raises(MethodSkipped, match="centre of k-space"):
        VarNet().predict(inputs)
    assert "one coil" in str(VarNet().skip_reason(TRACKS["singlecoil-4x"]))
    with pytest.raises(RequestError, match="cannot be trained for singlecoil-4x: frames of this track are slices"):
        fit(
            DynamicCascadeCNN(),
            parse_spec("dynamic-cascade-cnn"),
            task,
            find_dataset("icbm-sim", "k-space"),
            [TRACKS["singlecoil-4x"]],
            Schedule(1, 1e-3),
            out=Path(),
            checkpoints=Path(),
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Raw multi-coil k-space of seven phantoms with splits."""
    path = tmp_path_factory.mktemp("kspace") / "phantoms"
    path.mkdir()
    lines = ["subject,split,kspace"]
    for number in range(7):
        write_fastmri(path / f"p{number}.h5", acquire(2, 4, seed=number))
        split = ("train", "train", "train", "train", "validation", "test", "test")[number]
        lines.append(f"p{number},{split},p{number}.h5")
    (path / "subjects.csv").write_text("\n".join(lines))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("method", SMALL)
def test_training_learns_and_its_weights_serve_their_tracks(method: str, folder: Path, tmp_path: Path) -> None:
    spec, dataset = parse_spec(method + "]"), KspaceFolder(folder)
    learner = build(spec, task)
    tracks = ["multicoil-4x", "multicoil-8x"]
    path = fit(
        learner,
        spec,
        task,
        dataset,
        [TRACKS[n] for n in tracks],
        Schedule(60, 3e-3, validate_every=60),  # type: ignore[arg-type]
        out=tmp_path,
        checkpoints=tmp_path,
        validation_limit=1,
    )
    assert path.name == f"{learner.network}.phantoms.multicoil-4x+multicoil-8x.safetensors"  # type: ignore[attr-defined]
    manifest = json.loads(path.with_suffix(".json").read_text())
    assert manifest["tracks"] == tracks and "--track multicoil-4x+multicoil-8x" in manifest["command"]
    case = (setting := setting_of(task, dataset, "multicoil-4x")).load(setting.cases()[0])
    trained = build(parse_spec(f"{method},weights={path}]"), task)
    trained.setup(Resources())
    first = task.check(case, trained.predict(case.inputs))
    assert np.array_equal(first, task.check(case, trained.predict(case.inputs)))
    untrained = build(spec, task)
    untrained.network_ = untrained.new_network([]).eval()  # type: ignore[attr-defined]
    before = task.check(case, untrained.predict(case.inputs))
    assert task.score(case, first).metrics["psnr_db"] > task.score(case, before).metrics["psnr_db"] + 0.5


def test_weights_are_found_by_data_set_and_track(tmp_path: Path) -> None:
    state = {"w": torch.ones(1)}
    for name in ("a.x", "a.y+z"):
        save_weights(tmp_path / f"net.{name}.safetensors", state, {})
    assert shipped_weights(tmp_path, "net") == ["a.x", "a.y+z"]
    assert resolve_weights(tmp_path, "net", "a.z").name == "net.a.y+z.safetensors"
    assert resolve_weights(tmp_path, "net", "a.y+z").name == "net.a.y+z.safetensors"
    for wrong in ("b.x", "a.w", "a"):
        with pytest.raises(MethodSkipped, match=r"choose weights=a\.x or a\.y\+z"):
            resolve_weights(tmp_path, "net", wrong)


def test_on_new_data_weights_of_real_heads_stand_in_by_name(folder: Path) -> None:
    setting = setting_of(task, KspaceFolder(folder), "multicoil-8x")  # type: ignore[arg-type]
    specs = {str(entry.spec) for entry in candidates(setting) if entry.method.kind == "learned" and not entry.skipped}
    assert "varnet[weights=ixi-hh-2mm.multicoil-8x]" in specs
    asked, other = candidates(setting, ["varnet", "varnet[cascades=2]"])
    assert asked.name == "varnet[weights=ixi-hh-2mm.multicoil-8x]" and not asked.skipped
    assert other.name == "varnet[cascades=2]" and "no weights" in str(other.skipped), "nobody trained such a network"


def test_all_weights_are_the_other_ones_once() -> None:
    setting = setting_of(task, find_dataset("ixi-hh-2mm", "k-space"), "singlecoil-8x")  # type: ignore[arg-type]
    own = candidates(setting, ["cascade-cnn", "zero-filled"])
    chosen = candidates(setting, ["cascade-cnn", "zero-filled"], all_weights=True)
    foreign = chosen[len(own) :]
    assert any("weights=ixi-hh-2mm.singlecoil-4x" in str(entry.spec) for entry in foreign)
    assert len({entry.weights for entry in chosen if entry.weights}) == len(foreign) + 1  # none twice, home not again


def test_all_weights_stand_beside_those_that_stand_in(folder: Path) -> None:
    """a folder that nobody trained for, --all-weights -> the weights that stand in, and all others, each once"""
    setting = setting_of(task, KspaceFolder(folder), "multicoil-8x")  # type: ignore[arg-type]
    (own,) = candidates(setting, ["cascade-cnn"])
    first, *others = candidates(setting, ["cascade-cnn"], all_weights=True)
    assert first.name == own.name and others
    assert len({entry.weights for entry in (first, *others)}) == 1 + len(others)


WEIGHTS = sorted((Path(__file__).parents[2] / "methods/mrbench_methods/reconstruction/weights").glob("*.safetensors"))


@pytest.mark.parametrize("path", WEIGHTS, ids=lambda path: path.stem)
def test_shipped_weights_were_trained_on_the_train_split(path: Path) -> None:
    manifest = json.loads(path.with_suffix(".json").read_text())
    dataset = find_dataset(manifest["dataset"], "k-space")
    assert manifest["split"] == "train"
    assert load_weights(path)
    setting = setting_of(task, dataset, manifest["tracks"][0])  # type: ignore[arg-type]
    asked = find_recipe(manifest["recipe"]).method
    for request in [[asked]] if "[" in asked else [[asked], []]:  # a run without --method takes the default form
        used = {entry.weights for entry in candidates(setting, request) if entry.skipped is None}
        assert manifest["sha256"] in used
