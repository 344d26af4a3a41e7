"""Super-resolution and denoising from the command line: a folder of NIfTI volumes in, a board out."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mrbench.report.pictures import load as pictures
from tests.command import mrbench

SHAPE = (21, 34, 27)
"""Axes (z, y, x): two odd sizes, so that a factor of 2 must cut them."""

METHODS = '''
import numpy as np
from mrbench.core.method import method


@method(task="super-resolution")
def nearest(inputs):
    """Repeat each voxel."""
    return np.kron(inputs.image, np.ones(inputs.degradation.factors, np.float32))


@method(task="super-resolution")
def small(inputs):
    """Give the low resolution back."""
    return inputs.image


@method(task="denoising")
def nothing(inputs):
    return inputs.image


@method(task="denoising")
def shrink(inputs, power=2.0):
    """Wiener shrinkage of each voxel, which knows the noise."""
    signal = np.maximum(inputs.image**2 - 2 * inputs.sigma**2, 0)
    return inputs.image * signal / (signal + power * inputs.sigma**2)
'''


@pytest.fixture(scope="module")
def heads(tmp_path_factory) -> Path:
    """Three anisotropic volumes in units of their own, nothing else in the folder."""
    folder = tmp_path_factory.mktemp("own") / "heads"
    folder.mkdir()
    z, y, x = np.indices(SHAPE)
    for number in range(3):
        ball = ((z - 10) / 9) ** 2 + ((y - 17 - number) / 13) ** 2 + ((x - 13) / 11) ** 2 <= 1
        texture = gaussian_filter(np.random.default_rng(number).standard_normal(SHAPE), 1.2)
        volume = np.where(ball, 300 + 400 * texture, 0).clip(0)
        nib.Nifti1Image(volume.T.astype(np.int16), np.diag([0.8, 1.0, 3.0, 1])).to_filename(
            folder / f"h{number}.nii.gz"
        )
    return folder


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(METHODS)
    return tmp_path


def rows_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in (path / "rows.jsonl").read_text().splitlines()]


def test_super_resolution_of_a_folder(heads: Path, mine: Path) -> None:
    command = ["run", "-t", "super-resolution", "-k", "3d-x2", "-d", f"folder:{heads}", "-m", "mine.py:nearest"]
    done = mrbench(*command, cwd=mine)
    assert done.returncode == 0, done.stdout + done.stderr
    board = mine / "mrbench-results/super-resolution/3d-x2/heads"
    rows = rows_of(board)
    assert [(row["case"], row["status"]) for row in rows] == [("h0", "ok"), ("h1", "ok"), ("h2", "ok")]
    wanted = {"psnr_db", "ssim", "nmse", "psnr_fg_db", "ssim_fg", "ssim_3d", "gmsd", "hfen", "sharpness"}
    assert all(set(row["metrics"]) == wanted and None not in row["metrics"].values() for row in rows)
    assert all(row["details"]["megavoxels"] == 20 * 34 * 26 / 1e6 for row in rows)
    assert {row["simulated"] for row in rows} == {False}
    for file in ("leaderboard.csv", "leaderboard.md", "leaderboard.tex", "report.html", "run.json"):
        assert (board / file).is_file(), file
    assert set(pictures(board / "pictures.npz").shots) == {"median", "worst"}
    text = (board / "leaderboard.md").read_text()
    assert "A case is 0.018 megavoxels." in text and "A case is 0.018 megavoxels." in " ".join(done.stdout.split())
    assert "nan" not in text.lower() and "inf " not in text.lower()
    protocol = next(iter(json.loads((board / "run.json").read_text())["runs"].values()))["protocol"]
    assert protocol["settings"]["low_resolution"]["degradation"] == {"kind": "truncation", "factors": [2, 2, 2]}
    before = (board / "rows.jsonl").read_text()
    assert mrbench(*command, cwd=mine).returncode == 0
    assert (board / "rows.jsonl").read_text() == before


def test_denoising_of_a_folder(heads: Path, mine: Path) -> None:
    """On its default track, with a parameter; the better method stands first."""
    done = mrbench(
        "run",
        "-t",
        "denoising",
        "-d",
        f"folder:{heads}",
        "-m",
        "mine.py:nothing",
        "-m",
        "mine.py:shrink[power=1]",
        cwd=mine,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    board = mine / "mrbench-results/denoising/rician-10/heads"
    lines = (board / "leaderboard.csv").read_text().splitlines()
    assert lines[0].startswith("rank,method") and "psnr_fg_db" in lines[0] and len(lines) == 3
    psnr = {row["method"]: row["metrics"]["psnr_db"] for row in rows_of(board)}
    assert psnr["mine.py:shrink[power=1]"] > psnr["mine.py:nothing"]
    assert not any(row["message"] for row in rows_of(board) if row["method"] == "mine.py:nothing")
    assert "A case is 0.019 megavoxels." in (board / "leaderboard.md").read_text()
    assert (board / "pictures.npz").is_file() and (board / "report.html").is_file()


@pytest.mark.slow
def test_cases_do_not_depend_on_their_order(heads: Path, mine: Path) -> None:
    """Alone or after others, a case has the same noise, so the same scores."""
    command = ["run", "-t", "denoising", "-k", "gaussian-snr-10", "-m", "mine.py:nothing"]
    assert mrbench(*command, "-d", f"folder:{heads}", cwd=mine).returncode == 0
    folder = mine / "one"
    folder.mkdir()
    (folder / "h2.nii.gz").write_bytes((heads / "h2.nii.gz").read_bytes())
    assert mrbench(*command, "-d", f"folder:{folder}", cwd=mine).returncode == 0
    board = mine / "mrbench-results/denoising/gaussian-snr-10"
    together, alone = (
        next(row["metrics"] for row in rows_of(board / name) if row["case"] == "h2") for name in ("heads", "one")
    )
    assert together == alone


@pytest.mark.slow
def test_a_bad_file_is_a_row_and_the_others_go_on(heads: Path, mine: Path) -> None:
    """a folder holds a bad volume -> a row for its case; the others run"""
    folder = mine / "mixed"
    folder.mkdir()
    for name in ("h0", "h1"):
        (folder / f"{name}.nii.gz").write_bytes((heads / f"{name}.nii.gz").read_bytes())
    whole = (heads / "h2.nii.gz").read_bytes()
    (folder / "cut.nii.gz").write_bytes(whole[: len(whole) // 2])
    flat = nib.Nifti1Image(np.ones((20, 20, 1), np.float32) * np.arange(20, dtype=np.float32)[:, None, None], np.eye(4))
    flat.to_filename(folder / "flat.nii.gz")
    done = mrbench(
        "run", "-t", "super-resolution", "-k", "3d-x2", "-d", f"folder:{folder}", "-m", "mine.py:nearest", cwd=mine
    )
    assert done.returncode == 1, done.stdout + done.stderr
    board = mine / "mrbench-results/super-resolution/3d-x2/mixed"
    rows = {row["case"]: row for row in rows_of(board)}
    assert {name: row["status"] for name, row in rows.items()} == {
        "cut": "error",
        "flat": "error",
        "h0": "ok",
        "h1": "ok",
    }
    assert "cut.nii.gz cannot be read as NIfTI" in rows["cut"]["message"]
    assert "too small for the track 3d-x2" in rows["flat"]["message"]
    assert "nan" not in (board / "leaderboard.csv").read_text().lower()
    assert "Traceback" not in done.stdout + done.stderr


def test_a_method_that_gives_the_wrong_shape_is_told_the_right_one(heads: Path, mine: Path) -> None:
    """a method returns the wrong shape -> a row that tells the right one"""
    done = mrbench(
        "run",
        "-t",
        "super-resolution",
        "-k",
        "2d-x2",
        "-d",
        f"folder:{heads}",
        "-m",
        "mine.py:small",
        "--limit",
        "1",
        cwd=mine,
    )
    assert done.returncode == 1
    row = rows_of(mine / "mrbench-results/super-resolution/2d-x2/heads")[0]
    assert row["status"] == "invalid" and "has shape (21, 17, 13); (21, 34, 26) is needed" in row["message"]


@pytest.mark.slow
def test_built_in_baselines_on_a_folder(heads: Path, mine: Path) -> None:
    pytest.importorskip("mrbench_baselines.super_resolution.interpolation")
    pytest.importorskip("mrbench_baselines.denoising.gaussian")
    done = mrbench(
        "run",
        "-t",
        "super-resolution",
        "-k",
        "through-plane-x4",
        "-d",
        f"folder:{heads}",
        "-m",
        "interpolation[kernel=cubic]",
        "-m",
        "mine.py:nearest",
        cwd=mine,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = rows_of(mine / "mrbench-results/super-resolution/through-plane-x4/heads")
    psnr = {row["method"]: row["metrics"]["psnr_db"] for row in rows if row["case"] == "h1"}
    assert psnr["interpolation[kernel=cubic]"] > psnr["mine.py:nearest"]
    done = mrbench(
        "run",
        "-t",
        "denoising",
        "-k",
        "rician-20",
        "-d",
        f"folder:{heads}",
        "-m",
        "gaussian",
        "-m",
        "mine.py:nothing",
        cwd=mine,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = rows_of(mine / "mrbench-results/denoising/rician-20/heads")
    psnr = {row["method"]: row["metrics"]["psnr_fg_db"] for row in rows if row["case"] == "h1"}
    assert psnr["gaussian"] > psnr["mine.py:nothing"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-t", "super-resolution", "-k", "3d-x3"], "did you mean '3d-x2"),
        (["-t", "denoising", "-k", "rician"], "did you mean 'rician-10'"),
        (["-t", "super-resolution", "-d", "cine-sim"], "has no volumes; choose icbm-sim, ixi-hh-2mm"),
        (["-t", "denoising", "-d", "msd-hippocampus"], "'msd-hippocampus' has no volumes"),
        (["-t", "super-resolution", "-d", "folder:nowhere"], "nowhere is not a folder"),
        (["-t", "denoising", "-d", "folder:."], "holds nothing that can be read; write NIfTI volumes"),
    ],
)
def test_wrong_requests_are_one_sentence(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = mrbench("run", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr and len(done.stderr.strip().splitlines()) == 1
