"""A folder of one's own that grows and is mended: what was computed of the other subjects stays on the board."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mrbench.engine.store import RowStore
from tests.command import mrbench

METHODS = """
from mrbench import method

@method(task="denoising")
def nothing(inputs):
    return inputs.image

@method(task="denoising")
def half(inputs):
    return inputs.image / 2
"""

BOARD = "mrbench-results/denoising/rician-10/heads"


def write_head(folder: Path, number: int, seed: int | None = None) -> None:
    """A noisy ball."""
    z, y, x = np.indices((12, 20, 16))
    ball = ((z - 6) / 5) ** 2 + ((y - 10) / 8) ** 2 + ((x - 8) / 7) ** 2 <= 1
    texture = np.random.default_rng(number if seed is None else seed).standard_normal(ball.shape)
    volume = np.where(ball, 500 + 50 * texture, 0).astype(np.int16)
    nib.Nifti1Image(volume.T, np.eye(4)).to_filename(folder / f"h{number}.nii.gz")


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    folder = tmp_path / "heads"
    folder.mkdir()
    for number in range(2):
        write_head(folder, number)
    (tmp_path / "mine.py").write_text(METHODS)
    return folder


def run(heads: Path, *methods: str) -> str:
    arguments = [word for name in methods for word in ("-m", f"{name}=mine.py:{name}")]
    done = mrbench("run", "-t", "denoising", "-d", f"folder:{heads}", *arguments, cwd=heads.parent)
    assert done.returncode == 0, done.stderr
    return done.stdout


def cases(heads: Path) -> dict[tuple[str, str], str]:
    """The run that computed each row."""
    return {(row.method, row.case): row.run for row in RowStore(heads.parent / BOARD / "rows.jsonl").read()}


def table(heads: Path) -> str:
    return mrbench("table", BOARD, cwd=heads.parent).stdout


@pytest.mark.slow
def test_a_subject_more_or_mended_keeps_the_rows_of_the_others(heads: Path) -> None:
    """a subject is added, then an image overwritten -> that case alone is computed, and the board is of all cases"""
    run(heads, "nothing", "half")
    first = cases(heads)
    write_head(heads, 2)
    shown = run(heads, "nothing", "half")
    assert "LIMITED" not in shown + table(heads) and "3 test cases" in shown and "3 test cases" in table(heads)
    second = cases(heads)
    assert len(second) == 6 and first.items() <= second.items(), "rows of the others were computed anew"
    write_head(heads, 0, seed=9)
    shown = run(heads, "nothing", "half")
    assert "LIMITED" not in shown + table(heads) and "3 test cases" in shown and "3 test cases" in table(heads)
    assert {key for key, made_by in cases(heads).items() if second[key] != made_by} == {
        ("nothing", "h0"),
        ("half", "h0"),
    }
    (heads / "h2.nii.gz").unlink()
    assert "2 test cases" in run(heads, "nothing", "half"), "nothing is left to compute"
    assert "2 test cases" in table(heads) and "LIMITED" not in table(heads) and "2 subjects" in table(heads)
    done = mrbench("export", BOARD, "--out", "files", cwd=heads.parent)
    assert done.returncode == 0 and len([*(heads.parent / "files").rglob("*.nii.gz")]) == 4


@pytest.mark.slow
def test_shards_keep_rows_of_before(heads: Path) -> None:
    run(heads, "nothing")
    before = cases(heads)
    write_head(heads, 2)
    for part in ("1/2", "2/2"):
        arguments = ["-d", f"folder:{heads}", "-m", "nothing=mine.py:nothing", "--shard", part]
        assert mrbench("run", "-t", "denoising", *arguments, cwd=heads.parent).returncode == 0
    done = mrbench("merge", BOARD, cwd=heads.parent)
    assert done.returncode == 0 and "LIMITED" not in done.stdout, done.stdout
    assert len(cases(heads)) == 3 and before.items() <= cases(heads).items()


@pytest.mark.slow
def test_a_merge_names_the_shards_that_are_missing(heads: Path) -> None:
    """of five shards of two cases two are at hand, then all -> the third to fifth have no cases and miss nobody"""
    arguments = ["run", "-t", "denoising", "-d", f"folder:{heads}", "-m", "nothing=mine.py:nothing"]
    assert mrbench(*arguments, "--shard", "1/5", cwd=heads.parent).returncode == 0
    done = mrbench("merge", BOARD, cwd=heads.parent)
    assert done.returncode == 0 and "Shard 2/5 is missing" in done.stdout and "Shard 2/5 is missing" in table(heads)
    assert mrbench(*arguments, "--shard", "2/5", cwd=heads.parent).returncode == 0
    assert "missing" not in mrbench("merge", BOARD, cwd=heads.parent).stdout


@pytest.mark.slow
def test_methods_that_did_not_run_on_the_data_of_today_are_named(heads: Path) -> None:
    """a subject is added and one of two methods run -> the other is not shown, which the run and the table say"""
    run(heads, "nothing", "half")
    write_head(heads, 2)
    done = mrbench("export", BOARD, "--out", "files", cwd=heads.parent)
    assert done.returncode == 2 and "of earlier data alone; run it again" in done.stderr
    for shown in (run(heads, "nothing"), run(heads, "nothing"), table(heads)):
        assert "other data than the rest: half (2 rows). Run these methods again" in shown
    shown = run(heads, "half")
    assert "Not shown" not in shown + table(heads) and "3 test cases" in shown
