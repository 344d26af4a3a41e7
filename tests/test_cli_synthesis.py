"""Synthesis from the command line: a folder of two contrasts in, a board and weights out."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mrbench.report.pictures import load as pictures
from tests.command import mrbench

SHAPE = (12, 40, 36)


@pytest.fixture(scope="module")
def brains(tmp_path_factory) -> Path:
    """Four people in units of their own; the last one's T2 lies two voxels off."""
    folder = tmp_path_factory.mktemp("own") / "brains"
    folder.mkdir()
    z, y, x = np.indices(SHAPE)
    mask = ((z - 6) / 5.5) ** 2 + ((y - 20) / 17) ** 2 + ((x - 18) / 14) ** 2 <= 1
    rows = []
    for number, split in enumerate(("train", "train", "validation", "test", "test")):
        t1 = 0.55 + 1.2 * gaussian_filter(np.random.default_rng(number).standard_normal(SHAPE), 1.5)
        t1 = np.where(mask, t1.clip(0.1, 1), 0)
        t2 = np.where(mask, 1.1 - t1, 0)
        row = {"subject": f"p{number}", "split": split}
        for name, volume, scale in (("T1", t1, 900), ("T2", np.roll(t2, 2 * (number == 4), 2), 70)):
            row[name] = f"p{number}_{name}.nii.gz"
            nib.Nifti1Image((scale * volume).astype(np.float32).T, np.eye(4)).to_filename(folder / row[name])
        rows.append(row)
    with (folder / "subjects.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return folder


def test_run_ranks_and_warns(brains: Path, tmp_path: Path) -> None:
    done = mrbench(
        "run",
        "-t",
        "synthesis",
        "-d",
        f"folder:{brains}",
        "-m",
        "identity",
        "-m",
        "joint-histogram",
        "-m",
        "histogram-matching",
        "--out",
        "out",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    board = tmp_path / "out/synthesis/t1-to-t2/brains"
    rows = [json.loads(line) for line in (board / "rows.jsonl").read_text().splitlines()]
    by_case = {(row["method"], row["case"]): row for row in rows}
    assert by_case["joint-histogram", "p3"]["metrics"]["psnr_db"] > by_case["identity", "p3"]["metrics"]["psnr_db"] + 10
    assert by_case["joint-histogram", "p3"]["message"] == ""
    assert "T2 fits T1 better when moved by -2 voxel along x (-2 mm)" in by_case["identity", "p4"]["message"]
    assert "dice_tissue" in by_case["identity", "p3"]["metrics"]
    assert pictures(board / "pictures.npz").shot("median").views
    assert "register the contrasts first" in (board / "report.html").read_text()


@pytest.mark.slow
def test_train_both_ways_then_run(brains: Path, tmp_path: Path) -> None:
    text = "cyclegan[base=4,blocks=1{}]"
    done = mrbench(
        "train",
        "-t",
        "synthesis",
        "-m",
        text.format(""),
        "-d",
        f"folder:{brains}",
        "-k",
        "t1-to-t2+t2-to-t1",
        "--steps",
        "4",
        "--validate-every",
        "2",
        "--out",
        "w",
        "--checkpoints",
        "c",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    (weights,) = (tmp_path / "w").glob("*.safetensors")
    manifest = json.loads(weights.with_suffix(".json").read_text())
    assert manifest["settings"]["pairs"].startswith("none") and manifest["tracks"] == ["t1-to-t2", "t2-to-t1"]
    done = mrbench(
        "run",
        "-t",
        "synthesis",
        "-k",
        "t2-to-t1",
        "-d",
        f"folder:{brains}",
        "--limit",
        "1",
        "--out",
        "out",
        "-m",
        text.format(f",there_and_back=true,weights={weights}"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    (line,) = (tmp_path / "out/synthesis/t2-to-t1/brains/rows.jsonl").read_text().splitlines()
    assert json.loads(line)["metrics"]["cycle_mae"] > 0


def test_weights_tell_what_they_started_from(brains: Path, tmp_path: Path) -> None:
    command = [
        "train",
        "-t",
        "synthesis",
        "-m",
        "pix2pix[base=4,blocks=1,adversarial=0]",
        "-d",
        f"folder:{brains}",
        "--steps",
        "2",
        "--checkpoints",
    ]
    assert mrbench(*command, "c1", "--out", "w1", cwd=tmp_path).returncode == 0
    (first,) = (tmp_path / "w1").glob("*.safetensors")
    done = mrbench(*command, "c2", "--out", "w2", "--start-from", str(first), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (second,) = (tmp_path / "w2").glob("*.json")
    newest, oldest = json.loads(second.read_text())["ancestry"]
    assert newest["start"] == json.loads(first.with_suffix(".json").read_text())["sha256"]
    assert oldest["start"] == "scratch" and oldest["train"] and oldest["dataset"] == newest["dataset"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-k", "t1-to-flair"], "did you mean 't1-to-t2'"),
        (["-d", "ixi-hh-2mm"], "'ixi-hh-2mm' has no contrasts; choose icbm-sim, open-ms"),
        (["-d", "sri24", "--split", "train"], "has no train cases"),
    ],
)
def test_wrong_requests_are_one_sentence(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    done = mrbench("run", "-t", "synthesis", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert sentence in " ".join((done.stdout + done.stderr).split())


def test_a_missing_contrast_is_named(brains: Path, tmp_path: Path) -> None:
    folder = tmp_path / "poor"
    folder.mkdir()
    (folder / "a.nii.gz").write_bytes((brains / "p0_T1.nii.gz").read_bytes())
    (folder / "subjects.csv").write_text("subject,split,T1\na,test,a.nii.gz\n")
    request = ("run", "-t", "synthesis", "-d", f"folder:{folder}", "-m", "identity", "--out", "out")
    done = mrbench(*request, cwd=tmp_path)  # no method is to blame: nothing runs, and no empty board stays
    assert done.returncode == 2 and not (tmp_path / "out").exists()
    assert "no test subject of poor has both T1 and T2, which t1-to-t2 needs (found: T1)" in done.stderr
    for contrast in ("T1", "T2"):
        (folder / f"b_{contrast}.nii.gz").write_bytes((brains / f"p1_{contrast}.nii.gz").read_bytes())
    table = "subject,split,T1,T2\na,test,a.nii.gz,\nb,test,b_T1.nii.gz,b_T2.nii.gz\n"
    (folder / "subjects.csv").write_text(table)
    done = mrbench(*request, cwd=tmp_path)  # the other subject still runs
    assert done.returncode == 1
    assert "'a' has T1 but no T2" in " ".join((done.stdout + done.stderr).split())


@pytest.mark.slow
def test_a_faulty_train_subject_stops_only_what_learns_from_it(brains: Path, tmp_path: Path) -> None:
    """a train subject is faulty -> only methods that learn from it fail"""
    folder = tmp_path / "poor"
    folder.mkdir()
    for name in ("p0_T1", "p3_T1", "p3_T2"):
        (folder / f"{name}.nii.gz").write_bytes((brains / f"{name}.nii.gz").read_bytes())
    table = "subject,split,T1,T2\na,train,p0_T1.nii.gz,\nb,test,p3_T1.nii.gz,p3_T2.nii.gz\n"
    (folder / "subjects.csv").write_text(table)
    done = mrbench(
        "run",
        "-t",
        "synthesis",
        "-d",
        f"folder:{folder}",
        "-m",
        "joint-histogram",
        "-m",
        "identity",
        "--out",
        "out",
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert "cannot be fitted: subject 'a' has T1 but no T2" in " ".join((done.stdout + done.stderr).split())
    rows = (tmp_path / "out/synthesis/t1-to-t2/poor/rows.jsonl").read_text().splitlines()
    status = {row["method"]: row["status"] for row in map(json.loads, rows)}
    assert status == {"joint-histogram": "error", "identity": "ok"}


def test_nothing_to_fit_on_is_a_skip(brains: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tests"
    folder.mkdir()
    for name in ("T1", "T2"):
        (folder / f"{name}.nii.gz").write_bytes((brains / f"p3_{name}.nii.gz").read_bytes())
    (folder / "subjects.csv").write_text("subject,split,T1,T2\na,test,T1.nii.gz,T2.nii.gz\n")
    done = mrbench(
        "run",
        "-t",
        "synthesis",
        "-d",
        f"folder:{folder}",
        "-m",
        "identity",
        "-m",
        "joint-histogram",
        "--out",
        "out",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "has no train subjects to fit it on" in " ".join(done.stdout.split())


METHODS = """
import numpy as np
from mrbench import method

def inverted(inputs):
    return np.where(inputs.mask, 1.2 - inputs.image, 0).astype(np.float32)

@method(task="synthesis")
def right(inputs):
    "Inverted in the brain."
    return inverted(inputs)

@method(task="synthesis")
def mirrored(inputs):
    "The same, left for right."
    return inverted(inputs)[:, :, ::-1].copy()

@method(task="synthesis")
def shifted(inputs):
    "The same, a voxel too far."
    return np.roll(inverted(inputs), 1, 1)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("right", ""),
        ("mirrored", "What is asked: No axis is mirrored: "),
        ("shifted", "What is asked: It does not lie off by a voxel or two: "),
    ],
)
def test_the_doctor_says_which_mix_ups_it_looked_for(brains: Path, tmp_path: Path, name: str, fault: str) -> None:
    (tmp_path / "mine.py").write_text(METHODS)
    done = mrbench("doctor", f"mine.py:{name}", "-t", "synthesis", "-d", f"folder:{brains}", cwd=tmp_path)
    assert done.returncode == int(bool(fault)), done.stdout + done.stderr
    assert fault in done.stdout and ("\nfault" in done.stdout) == bool(fault)
    lines = [line.strip() for line in done.stdout.splitlines()]
    place = next(number for number, line in enumerate(lines) if "exchanged axes" in line)
    assert lines[place].startswith("skip  units and axes: exchanged axes: Exchanged axes cannot be told: z and y")
    assert lines[place + 1] == "their sizes differ, so that such a prediction is refused for its shape."
    units = "skip  units and axes: units" if fault else "ok   units and axes: units"
    for looked in ("ok   units and axes: moved by half", units, "aligned contrasts"):
        assert looked in done.stdout


def test_scored_files_that_lie_wrongly_are_warned_of(brains: Path, tmp_path: Path) -> None:
    """a stranger's volumes are mirrored, or in other units too -> a warning in the row that says along which axis"""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    true = nib.load(brains / "p3_T2.nii.gz")
    volume = np.asarray(true.dataobj)
    nib.Nifti1Image(np.ascontiguousarray(volume[::-1]), true.affine).to_filename(theirs / "p3.nii.gz")
    done = mrbench("score", "-t", "synthesis", "-d", f"folder:{brains}", "-p", "theirs", "--out", "out", cwd=tmp_path)
    rows = (tmp_path / "out/synthesis/t1-to-t2/brains/rows.jsonl").read_text().splitlines()
    row = next(row for row in map(json.loads, rows) if row["case"] == "p3")
    assert "the image fits better mirrored along x: bits of mutual information" in row["message"], done.stderr
