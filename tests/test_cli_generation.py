"""Generation from the command line: a folder in; a board, a tuned baseline and weights out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mrbench.core.registry import find_method
from mrbench.core.weights import weights_folder
from mrbench.report.pictures import load as pictures
from mrbench_baselines.generation.pca import PCA
from tests.command import mrbench

SHIPPED = weights_folder(find_method("dcgan", "generation"))  # type: ignore[arg-type]


METHODS = ("bootstrap", "pca[components=8]")


@pytest.mark.slow
@pytest.mark.figures
def test_run_tells_the_memoriser(aligned_heads: Path, tmp_path: Path) -> None:
    done = mrbench(
        "run",
        "-t",
        "generation",
        "-d",
        f"folder:{aligned_heads}",
        "-m",
        "bootstrap",
        "-m",
        "pca[components=8]",
        "-m",
        "dcgan",
        "--limit",
        "3",
        "--out",
        "out",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    board = tmp_path / "out/generation/axial-t1/heads"
    rows = [json.loads(line) for line in (board / "rows.jsonl").read_text().splitlines()]
    copied = {
        name: [r["metrics"]["copied"] for r in rows if r["method"] == name]
        for name in ("bootstrap", "pca[components=8]")
    }
    assert min(copied["bootstrap"]) > 0.8 > max(copied["pca[components=8]"])  # crowns of phantoms are alike
    said = " ".join(done.stdout.split())
    assert "dcgan skipped: no weights of dcgan-z100f16 for heads" in said
    assert f"train --task generation --track axial-t1 --method dcgan --dataset folder:{aligned_heads}`" in said
    assert (
        pictures(board / "pictures.npz").shot("median").views
        and "Generated and real" in (board / "report.html").read_text()
    )
    page = (board / "report.html").read_text()
    assert "Real held-out slices: NCC with the nearest training slice" in page and "No FID" in page


@pytest.mark.slow
def test_tune_and_train(aligned_heads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PCA, "tunable", {"components": (8, 16)})  # each value fits in a process of its own
    monkeypatch.setattr("mrbench.engine.tune.FARTHEST", 0)
    done = mrbench(
        "tune",
        "-t",
        "generation",
        "-m",
        "pca",
        "-d",
        f"folder:{aligned_heads}",
        "--limit",
        "1",
        "--out",
        "t",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    (manifest,) = (tmp_path / "t").glob("*.json")
    assert json.loads(manifest.read_text())["chosen"]["components"] >= 8
    done = mrbench(
        "train",
        "-t",
        "generation",
        "-m",
        "dcgan[latent=4,base=2]",
        "-d",
        f"folder:{aligned_heads}",
        "--steps",
        "4",
        "--validate-every",
        "4",
        "--validation-limit",
        "1",
        "--device",
        "cpu,cpu",
        "--out",
        "w",
        "--checkpoints",
        "c",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    (weights,) = (tmp_path / "w").glob("*.safetensors")
    entry = json.loads(weights.with_suffix(".json").read_text())
    assert entry["validation_frechet"] > 0, "in the metric's own sign"
    assert (entry["processes"], entry["effective_batch"]) == (2, 2 * entry["settings"]["batch"])
    assert entry["samples_seen"] == 4 * entry["effective_batch"] and "--device cpu,cpu" in entry["command"]
    done = mrbench(
        "run",
        "-t",
        "generation",
        "-d",
        f"folder:{aligned_heads}",
        "--limit",
        "1",
        "--out",
        "out",
        "-m",
        f"dcgan[latent=4,base=2,weights={weights}]",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr


def test_no_train_split_is_a_reason_not_a_crash(aligned_heads: Path, tmp_path: Path) -> None:
    folder = tmp_path / "alone"
    folder.mkdir()
    for name in ("7_t1.nii.gz", "7_labels.nii.gz"):
        (folder / name).write_bytes((aligned_heads / name).read_bytes())
    (folder / "subjects.csv").write_text("subject,split,T1,labels\nh7,test,7_t1.nii.gz,7_labels.nii.gz\n")
    for method, sentence in (("bootstrap", "alone has no train subjects"), ("dcgan[weights=WEIGHTS]", "split 'train'")):
        text = method.replace("WEIGHTS", str(next(SHIPPED.glob("*.safetensors"))))
        done = mrbench("run", "-t", "generation", "-d", f"folder:{folder}", "-m", text, "--out", "out", cwd=tmp_path)
        assert sentence in " ".join((done.stdout + done.stderr).split())
        assert "Traceback" not in done.stderr
