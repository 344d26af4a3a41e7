"""`mrbench train --recipe`, `--recipes` and `mrbench data pack`."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from mrbench.cli.app import app
from mrbench.core.errors import RequestError
from mrbench.training import recipes as room


def run(*arguments: str) -> str:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False).output


def test_nothing_named_is_one_sentence() -> None:
    with pytest.raises(RequestError, match="say what to train: --task and --method, or --recipe NAME, or --recipes"):
        run("train")
    with pytest.raises(RequestError, match=r"did you mean 'voxelmorph\.ixi-hh-2mm'"):
        run("train", "--recipe", "voxelmorph.ixi-hh-2m")
    with pytest.raises(RequestError, match="give one of the two"):
        run("train", "--recipe", "voxelmorph.ixi-hh-2mm", "--recipes")


def test_recipes_that_are_all_done_say_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(room, "recipes", list)
    assert "all are as their recipes say" in run("train", "--recipes", "--out", str(tmp_path))


@pytest.mark.slow
def test_packs_are_written_and_trained_from(cohort: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    packs = tmp_path / "packs"
    said = run("data", "pack", f"folder:{cohort}", "--out", str(packs))
    assert "2 validation, 3 train subjects" in said.replace("\n", " ")
    (path,) = packs.iterdir()
    assert path.name == "blobs.images.pack.zip"
    table = 'method = "voxelmorph"\ntracks = ["inter-subject"]\nsteps = 2\nlearning_rate = 1e-3\norder = 1\nminutes = 1'
    (tmp_path / "recipes.toml").write_text(f'["voxelmorph.blobs"]\ndataset = "blobs"\n{table}')
    known = list(room.read_recipes(tmp_path / "recipes.toml", "registration", tmp_path / "shipped"))
    monkeypatch.setattr(room, "recipes", lambda: known)
    find = room.find_dataset
    monkeypatch.setattr(room, "find_dataset", lambda name, kind: find(f"folder:{cohort}", kind))
    places = ["--packs", str(packs), "--out", str(tmp_path / "w"), "--checkpoints", str(tmp_path / "c")]
    stopped = run("train", "--recipes", "--minutes", "0", *places).replace("\n", " ")
    assert "stopped at step 1 of 2; the same command continues" in stopped
    said = run("train", "--recipe", "voxelmorph.blobs", *places)
    assert (
        "step 2: validation dice 0." in said
        and f"weights: {tmp_path / 'w'}" in said
        and (tmp_path / "w" / "voxelmorph.blobs.safetensors").is_file()
    )
