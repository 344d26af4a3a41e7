"""Reconstruction from the command line: raw k-space in, board, panel, training, tuning and generalisation out."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from mrbench.report.pictures import load as pictures
from mrbench_baselines.reconstruction.cg_sense import CgSense
from tests.command import mrbench
from tests.kspace_phantom import acquire, write_fastmri


@pytest.fixture(scope="module")
def scans(tmp_path_factory) -> Path:
    """Six multi-coil fastMRI files: two to train, one to validate, three to test."""
    folder = tmp_path_factory.mktemp("raw") / "scans"
    folder.mkdir()
    lines = ["subject,split,kspace"]
    for number, split in enumerate(("train", "train", "validation", "test", "test", "test")):
        write_fastmri(folder / f"s{number}.h5", acquire(2, 4, seed=number))
        lines.append(f"s{number},{split},s{number}.h5")
    (folder / "subjects.csv").write_text("\n".join(lines))
    return folder


def rows_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in (path / "rows.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_raw_kspace_becomes_a_board(scans: Path, tmp_path: Path) -> None:
    command = [
        "run",
        "-t",
        "reconstruction",
        "-d",
        f"folder:{scans}",
        "-m",
        "zero-filled",
        "-m",
        "l1-wavelet[iterations=10]",
        "-m",
        "grappa",
    ]
    done = mrbench(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    board = tmp_path / "mrbench-results/reconstruction/multicoil-4x/scans"
    assert "True acceleration" in done.stdout and "A case is 2 slices" in done.stdout
    assert "grappa skipped: random sampling" in done.stdout
    rows = [row for row in rows_of(board) if row["status"] == "ok"]
    assert len(rows) == 2 * 3 * 3  # methods, subjects, masks
    assert {"psnr_db", "ssim", "nmse", "psnr_fg_db", "psnr_slice_db"} <= set(rows[0]["metrics"])
    assert all(2 < row["details"]["true_acceleration"] < 9 for row in rows)
    assert pictures(board / "pictures.npz").shot("median").views and (board / "report.html").is_file()
    before = (board / "rows.jsonl").read_text()
    assert mrbench(*command, cwd=tmp_path).returncode == 0
    assert (board / "rows.jsonl").read_text() == before


@pytest.mark.slow
def test_prospective_data_get_a_panel_and_a_sentence(scans: Path, tmp_path: Path) -> None:
    folder = tmp_path / "prospective"
    folder.mkdir()
    columns = np.zeros(96, bool)
    columns[::3] = columns[42:54] = True
    kspace = np.where(columns, acquire(1, 4).kspace[0], 0)
    np.save(folder / "scan.npy", kspace[None])
    done = mrbench(
        "run", "-t", "reconstruction", "-d", f"folder:{folder}", "-m", "zero-filled", "-m", "cg-sense", cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    board = tmp_path / "mrbench-results/reconstruction/as-acquired/prospective"
    text = " ".join(done.stdout.split())
    assert "No scores: these data came undersampled" in text and "No mask file" in text
    assert pictures(board / "pictures.npz").shot("first").views
    assert "nan" not in (board / "leaderboard.md").read_text().lower()


def test_a_bad_file_is_a_row_and_the_others_go_on(scans: Path, tmp_path: Path) -> None:
    """a folder holds a torn k-space file -> rows for its cases; the others run"""
    folder = tmp_path / "mixed"
    folder.mkdir()
    for number in (3, 4):
        (folder / f"s{number}.h5").write_bytes((scans / f"s{number}.h5").read_bytes())
    (folder / "cut.h5").write_bytes((scans / "s5.h5").read_bytes()[:4000])
    with h5py.File(folder / "real.h5", "w") as file:
        file["kspace"] = np.ones((2, 4, 48, 96), np.int16)
    done = mrbench("run", "-t", "reconstruction", "-d", f"folder:{folder}", "-m", "zero-filled", cwd=tmp_path)
    assert done.returncode == 1
    rows = {row["case"]: row for row in rows_of(tmp_path / "mrbench-results/reconstruction/multicoil-4x/mixed")}
    assert len(rows) == 12 and sum(row["status"] == "ok" for row in rows.values()) == 6
    assert "truncated" in rows["cut_mask1"]["message"] and "int16" in rows["real_mask1"]["message"]
    assert (
        "nan"
        not in (tmp_path / "mrbench-results/reconstruction/multicoil-4x/mixed/leaderboard.csv").read_text().lower()
    )


@pytest.mark.slow
def test_train_and_tune(scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CgSense, "tunable", {"strength": (0.001, 0.01)})  # each value imports sigpy anew
    monkeypatch.setattr("mrbench.engine.tune.FARTHEST", 0)
    data = ["-t", "reconstruction", "-d", f"folder:{scans}"]
    method = "unet[features=4,pools=2]"
    done = mrbench("train", *data, "-k", "multicoil-4x+multicoil-8x", "-m", method, "--steps", "4", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    weights = tmp_path / "weights/unet-f4p2.scans.multicoil-4x+multicoil-8x.safetensors"
    used = f"unet[features=4,pools=2,weights={weights}]"
    done = mrbench("run", *data, "-k", "multicoil-8x", "-m", used, "--limit", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    done = mrbench("tune", *data, "-k", "multicoil-4x", "-m", "cg-sense[iterations=5]", "--limit", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    manifest = json.loads((tmp_path / "tuned/cg-sense-5.scans.multicoil-4x.json").read_text())
    scores = {entry["strength"]: entry["psnr_db"] for entry in manifest["tried"]}
    assert scores[manifest["chosen"]["strength"]] == max(scores.values()) and manifest["split"] == "validation"
    assert f"cg-sense[iterations=5,strength={manifest['chosen']['strength']:g}]" in done.stdout.replace(".0]", "]")


@pytest.mark.slow
def test_foreign_weights_make_a_generalisation_board(scans: Path, tmp_path: Path) -> None:
    """Shipped weights on data that nobody trained for, by way of --all-weights and report."""
    done = mrbench(
        "run",
        "-t",
        "reconstruction",
        "-d",
        f"folder:{scans}",
        "-k",
        "multicoil-8x",
        "-m",
        "unet",
        "--all-weights",
        "--limit",
        "1",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = rows_of(tmp_path / "mrbench-results/reconstruction/multicoil-8x/scans")
    assert {row["status"] for row in rows if "weights=" in row["method"]} == {"ok"}
    done = mrbench("report", "mrbench-results/reconstruction", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "mrbench-results/reconstruction/generalisation.md").read_text()
    assert "| `unet` | scans, multicoil-8x | ixi-hh-2mm, singlecoil-4x + singlecoil-8x | 1 |" in text
    assert (tmp_path / "mrbench-results/reconstruction/generalisation_unet.pdf").is_file()


def test_a_board_of_skipped_rows_is_no_crash(scans: Path, tmp_path: Path) -> None:
    done = mrbench("run", "-t", "reconstruction", "-d", f"folder:{scans}", "-m", "grappa", "--limit", "1", cwd=tmp_path)
    assert done.returncode == 1  # it was asked for, and did not run
    assert "Traceback" not in done.stderr and "skipped" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "-t", "reconstruction", "-d", "msd-hippocampus"], "has no k-space"),
        (["run", "-t", "reconstruction", "-k", "cine-8x"], "does not suit icbm-sim"),
        (["run", "-t", "reconstruction", "-k", "multicoil-4"], "did you mean 'multicoil-4x"),
        (["run", "-t", "reconstruction", "-d", "folder:nowhere"], "is not a folder"),
        (["tune", "-t", "reconstruction", "-m", "zero-filled"], "nothing to tune"),
        (["run", "-t", "reconstruction", "-m", "bart[regulariser=tvv]"], "did you mean 'tv'"),
    ],
)
def test_wrong_requests_are_one_sentence(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = mrbench(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr and len(done.stderr.strip().splitlines()) == 1
