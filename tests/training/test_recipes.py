"""Recipes: one for each set of shipped weights, read strictly, trained in order of value."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest

from mrbench.core.errors import DataError, RequestError
from mrbench.core.method import Resources
from mrbench.core.specification import parse_spec
from mrbench.datasets.folder import Folder
from mrbench.training import parallel
from mrbench.training import recipes as room
from mrbench.training.recipes import TrainingRecipe, find_recipe, read_recipes, recipes, train_recipe, train_recipes
from mrbench.training.stopping import TrainingStopped

KNOWN = recipes()


def test_every_shipped_set_of_weights_has_a_recipe() -> None:
    shipped = {path.stem for recipe in KNOWN for path in recipe.shipped.glob("*.safetensors")}
    assert shipped - {recipe.name for recipe in KNOWN} == set() and len(shipped) > 40


@pytest.mark.parametrize("recipe", KNOWN, ids=lambda recipe: recipe.name)
def test_a_recipe_makes_the_weights_that_it_is_named_after(recipe: TrainingRecipe) -> None:
    task, dataset, method = recipe.parts()
    assert set(recipe.tracks) <= set(task.tracks) and len(dataset.subjects("train")) >= 2
    assert not any(method.skip_reason(task.tracks[name]) for name in recipe.tracks)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("pix2pix-a0.01-f12b4c1p", "l1-generator-f12b4c1p"),
        ("srgan3d-a0.001-f32b6", "srgen3d-f32b6"),
        ("srgan2d-a0.001-f32b6", "srgen2d-f32b6"),
        ("vox2vox-a1-f12b2", "vox2vox-unet-f12b2"),
    ],
)
def test_a_network_and_its_twin_without_an_adversary_have_the_same_budget(one: str, other: str) -> None:
    """Adversarial recipes always keep the last weights; so must the twin."""
    pairs = 0
    for recipe in KNOWN:
        if recipe.name.startswith(f"{one}."):
            twin = find_recipe(recipe.name.replace(one, other))
            for key in ("steps", "learning_rate", "ema", "seed", "extra_subjects", "dataset", "tracks"):
                assert getattr(recipe, key) == getattr(twin, key), (recipe.name, key)
            assert twin.keep_last
            pairs += 1
    assert pairs


GOOD = (
    'method = "voxelmorph"\ndataset = "blobs"\ntracks = ["inter-subject"]\nsteps = 2\nlearning_rate = 1e-3\norder = 1\n'
)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[a]\nsteps = ", "is no valid TOML"),
        (f"[a]\n{GOOD}minutes = 1\nrate = 1", "unknown key of recipe 'a' in recipes.toml 'rate'"),
        (f"[a]\n{GOOD}", "recipe 'a' is incomplete.*minutes"),
        ("[a]\nsteps = 1", "recipe 'a' is incomplete: 'tracks'"),
    ],
)
def test_a_faulty_recipe_file_is_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "recipes.toml"
    path.write_text(text)
    with pytest.raises(RequestError, match=sentence):
        list(read_recipes(path, "registration", tmp_path))


def test_an_unknown_recipe_is_refused_with_a_suggestion() -> None:
    with pytest.raises(RequestError, match=r"did you mean 'voxelmorph\.ixi-hh-2mm'"):
        find_recipe("voxelmorph.ixi-hh-2m")


def test_a_recipe_whose_name_is_not_its_weights_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "recipes.toml"
    path.write_text(f'["voxelmorph.other"]\n{GOOD}minutes = 1'.replace("blobs", "icbm-sim"))
    (recipe,) = read_recipes(path, "registration", tmp_path)
    with pytest.raises(RequestError, match=r"recipe 'voxelmorph\.other' makes voxelmorph\.icbm-sim"):
        recipe.parts()


@pytest.fixture
def two(cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[TrainingRecipe]:
    """Recipes of two steps on the tiny cohort; the second is the more valuable."""
    path = tmp_path / "recipes.toml"
    text = f'["voxelmorph.blobs"]\n{GOOD}minutes = 1\n'
    path.write_text(
        text
        + text.replace("voxelmorph.", "voxelmorph-diff.")
        .replace('"voxelmorph"', '"voxelmorph[diffeomorphic=true]"')
        .replace("order = 1", "order = 0")
    )
    known = sorted(read_recipes(path, "registration", tmp_path / "shipped"), key=lambda recipe: recipe.order)
    monkeypatch.setattr(room, "recipes", lambda: known)
    monkeypatch.setattr(room, "find_dataset", lambda name, representation: Folder(cohort))
    return known


@pytest.mark.slow
def test_recipes_are_trained_in_order_until_all_are_done(two: list[TrainingRecipe], tmp_path: Path) -> None:
    out, started = tmp_path / "w", []
    where = {"out": out, "checkpoints": tmp_path / "c"}
    assert [recipe.state(out) for recipe in two] == ["missing", "missing"]
    paths = train_recipes(announce=lambda recipe: started.append(recipe.name), **where)
    assert [path.stem for path in paths] == started == ["voxelmorph-diff.blobs", "voxelmorph.blobs"]
    manifest = json.loads((out / "voxelmorph.blobs.json").read_text())
    assert manifest["command"] == "mrbench train --recipe voxelmorph.blobs" and manifest["samples_seen"] == 2
    assert (out / "voxelmorph.blobs.csv").read_text().startswith("step,seconds,learning_rate,loss,validation_dice\n1,")
    assert [recipe.state(out) for recipe in two] == ["done", "done"]
    assert train_recipes(**where) == []
    (out / "voxelmorph.blobs.json").write_text(json.dumps(manifest | {"steps": 1}))
    assert two[1].state(out) == "outdated"


@pytest.mark.slow
def test_time_that_is_up_leaves_a_checkpoint(two: list[TrainingRecipe], cohort: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingStopped, match="stopped while preparing blobs"):
        train_recipes(0, out=tmp_path / "w", checkpoints=tmp_path / "c")
    data = Folder(cohort)
    assert list(data.prepare([*data.subjects("train"), *data.subjects("validation")]))
    with pytest.raises(TrainingStopped, match="stopped at step 1 of 2"):
        train_recipes(0, out=tmp_path / "w", checkpoints=tmp_path / "c")
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["voxelmorph-diff.blobs.pt"]
    path = train_recipe("voxelmorph-diff.blobs", out=tmp_path / "w", checkpoints=tmp_path / "c")
    assert json.loads(path.with_suffix(".json").read_text())["steps"] == 2 and not list((tmp_path / "c").iterdir())


def test_specs_of_recipes_are_written_as_on_the_command_line() -> None:
    assert all(str(parse_spec(recipe.method)) == recipe.method for recipe in KNOWN)


CHILD = """
import json, sys
name, out = sys.argv[1], sys.argv[sys.argv.index("--out") + 1]
print("trained", flush=True)
if name.endswith("first"):
    sys.exit(2)
told = {"sha256": "", "tracks": [], "recipe": name, "steps": 5, "learning_rate": 0.001, "ema": 0.0, "seed": 0}
told["extra_subjects"] = 0
open(f"{out}/{name}.json", "w").write(json.dumps(told))
"""


def test_recipes_side_by_side_end_each_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = [
        TrainingRecipe(
            f"net.{name}", "registration", "m", "d", ("t",), 5, 0.001, order, 1.0, shipped=tmp_path / "shipped"
        )
        for order, name in enumerate(("first", "second", "third"))
    ]
    monkeypatch.setattr(parallel, "recipes", lambda: known)
    (tmp_path / "child.py").write_text(CHILD)
    monkeypatch.setattr(parallel, "COMMAND", (sys.executable, str(tmp_path / "child.py")))
    lines: list[str] = []
    with pytest.raises(RequestError, match=r"not trained: net\.first; mend what is said above"):
        parallel.train_in_parallel(2, out=tmp_path, checkpoints=tmp_path, resources=Resources(), say=lines.append)
    assert {path.stem for path in tmp_path.glob("*.json")} == {"net.second", "net.third"}
    assert {"net.first: trained", "net.first: ended with 2", "net.third: ended with 0"} <= set(lines)


STUBBORN = """
import signal, sys, time
count = []
signal.signal(signal.SIGTERM, lambda number, frame: count.append(number))
print("ready", flush=True)
until = time.monotonic() + 20
while not count and time.monotonic() < until:
    time.sleep(0.01)
time.sleep(0.7)  # as long as a checkpoint takes
print(f"signals {len(count)}", flush=True)
"""


@pytest.mark.parametrize("minutes", [None, 0.5])
def test_a_stop_reaches_each_training_once(minutes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = [TrainingRecipe("net.a", "registration", "m", "d", ("t",), 5, 0.001, 1, 1.0, shipped=tmp_path / "shipped")]
    monkeypatch.setattr(parallel, "recipes", lambda: known)
    (tmp_path / "child.py").write_text(STUBBORN)
    monkeypatch.setattr(parallel, "COMMAND", (sys.executable, str(tmp_path / "child.py")))
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        if line == "net.a: ready":
            signal.raise_signal(signal.SIGTERM)

    places = {"out": tmp_path, "checkpoints": tmp_path}
    with pytest.raises(TrainingStopped, match="the same command continues"):
        parallel.train_in_parallel(1, minutes, resources=Resources(), say=say, **places)
    assert lines == ["net.a: ready", "net.a: signals 1", "net.a: ended with 0"]


def test_no_time_starts_nothing_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "COMMAND", ("false",))
    assert parallel.train_in_parallel(2, 0.0, out=tmp_path, checkpoints=tmp_path, resources=Resources()) == []


def test_a_recipe_that_cannot_be_trained_keeps_no_other_from_it(
    two: list[TrainingRecipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = tmp_path / "w.safetensors"

    def trained(name: str, **_: object) -> Path:
        if name == two[0].name:
            raise DataError("its data are not here.")
        return done

    monkeypatch.setattr(room, "train_recipe", trained)
    said: list[str] = []
    where = {"out": tmp_path, "checkpoints": tmp_path}
    with pytest.raises(RequestError, match=r"^not trained: voxelmorph-diff\.blobs; mend"):
        train_recipes(say=said.append, **where)
    assert said == ["voxelmorph-diff.blobs: its data are not here.", f"weights: {done}"]
    with pytest.raises(DataError, match="its data are not here"):
        train_recipes(only=two[0].name, **where)
    (tmp_path / "voxelmorph.blobs.json").write_text("{")
    said.clear()
    with pytest.raises(RequestError, match=r"^not trained: .*, voxelmorph\.blobs; mend"):
        train_recipes(say=said.append, **where)
    assert "voxelmorph.blobs.json is no manifest of weights" in said[1]


def test_folders_that_cannot_be_written_are_refused_before_the_training(
    two: list[TrainingRecipe], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    for out, checkpoints in (("file", "c"), ("w", "file")):
        with pytest.raises(DataError, match=r"cannot write to .*file: File exists; choose another folder"):
            train_recipe(two[0].name, out=tmp_path / out, checkpoints=tmp_path / checkpoints)


def test_no_number_of_minutes_is_one_sentence(two: list[TrainingRecipe], tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="minutes=nan: give a number from 0 up"):
        train_recipes(float("nan"), out=tmp_path, checkpoints=tmp_path)
