"""Segmentation from the command line: a BraTS release in, a board out."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mrbench.report.pictures import load as pictures
from tests.command import mrbench

SHAPE = (24, 36, 30)
LEVELS = {"t1": (5, 2, 3, 3), "t1ce": (5, 2, 3, 9), "t2": (4, 9, 8, 7), "flair": (4, 5, 9, 8)}
"""Of healthy tissue, necrosis, oedema and enhancing tumour."""


@pytest.fixture(scope="module")
def release(tmp_path_factory) -> Path:
    """Two people; the second has no FLAIR."""
    folder = tmp_path_factory.mktemp("own") / "BraTS2020"
    z, y, x = np.indices(SHAPE)
    mask = ((z - 12) / 11) ** 2 + ((y - 18) / 16) ** 2 + ((x - 15) / 13) ** 2 <= 1
    for number in range(2):
        name = f"BraTS20_Training_{number:03d}"
        (folder / name).mkdir(parents=True)
        radius = np.sqrt((z - 12) ** 2 + (y - 16) ** 2 + (x - 13 - number) ** 2)
        labels = np.select([radius < 2.2, radius < 4, radius < 7], [1, 3, 2], 0) * mask
        for contrast, levels in LEVELS.items():
            noise = 0.1 * np.random.default_rng(number).standard_normal(SHAPE)
            volume = np.where(mask, np.array(levels)[labels] + noise, 0).astype(np.float32)
            if (number, contrast) != (1, "flair"):
                nib.Nifti1Image(100 * volume.T, np.eye(4)).to_filename(folder / name / f"{name}_{contrast}.nii.gz")
        written = np.where(labels == 3, 4, labels).astype(np.int16)
        nib.Nifti1Image(written.T, np.eye(4)).to_filename(folder / name / f"{name}_seg.nii.gz")
    return folder


def test_a_release_is_scored_and_a_missing_file_is_named(release: Path, tmp_path: Path) -> None:
    """a file of a release is missing -> its case names it; the others are scored"""
    done = mrbench(
        "run",
        "-t",
        "segmentation",
        "-d",
        f"folder:{release}",
        "-m",
        "threshold",
        "-m",
        "gaussian-mixture",
        "--out",
        "out",
        cwd=tmp_path,
    )
    assert done.returncode == 1, "one case cannot be read"
    said = " ".join((done.stdout + done.stderr).split())
    assert "'BraTS20_Training_001' has no FLAIR; add the file" in said
    assert "has no train subjects to fit it on" in said
    board = tmp_path / "out/segmentation/glioma/BraTS2020"
    rows = [json.loads(line) for line in (board / "rows.jsonl").read_text().splitlines()]
    (good,) = (row for row in rows if row["status"] == "ok")
    assert good["metrics"]["dice_whole"] > 0.8 and good["metrics"]["dice_enhancing"] > 0.6
    assert good["metrics"]["dice_enhancing_present"] == good["metrics"]["dice_enhancing"]
    assert "Medians of Dice and HD95" in (board / "leaderboard.md").read_text()
    assert pictures(board / "pictures.npz").shot("median").views


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-d", "open-ms"], "'open-ms' has no tumours; choose icbm-sim, folder:PATH"),
        (["-d", "folder:."], "holds nothing that can be read; write subjects.csv, or give the folder"),
        (["-k", "tumour"], "track of segmentation"),
    ],
)
def test_wrong_requests_are_one_sentence(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    done = mrbench("run", "-t", "segmentation", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert sentence in " ".join((done.stdout + done.stderr).split())
