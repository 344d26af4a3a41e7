"""Two boards side by side from the command line."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mrbench.core.registry import find_task
from mrbench.engine.store import RowStore
from tests.command import mrbench
from tests.rows import row_of

PRIMARY = find_task("denoising").primary.name

ROW = row_of("gaussian", "", {PRIMARY: 30.0}, task="denoising", track="rician-10", dataset="heads")


def write(folder: Path, methods: dict[str, float], subjects: range, **changes) -> None:
    for method, value in methods.items():
        kind = "learned" if method == "autoencoder" else "classical"
        for subject in subjects:
            own = {
                "case": f"c{subject}",
                "subjects": [f"s{subject}"],
                "metrics": {PRIMARY: value + 0.1 * (subject % 4)},
            }
            row = replace(ROW, key=f"{method}{subject}", method=method, kind=kind, **own)
            RowStore(folder / "rows.jsonl").append(replace(row, **changes))


def compare(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return mrbench("compare", *arguments, cwd=cwd)


@pytest.fixture
def boards(tmp_path: Path) -> Path:
    write(tmp_path / "board", {"gaussian": 30.0, "autoencoder": 33.0}, range(8))
    train = tmp_path / "board/train"
    write(train, {"gaussian": 40.0, "autoencoder": 50.0}, range(20, 30), protocol="old", split="train")
    write(train, {"gaussian": 31.0, "autoencoder": 35.0}, range(30, 42), split="train")
    return tmp_path


def test_the_leak_is_what_the_network_gains_beyond_the_classical_methods(boards: Path) -> None:
    before = sorted(boards.rglob("*"))
    done = compare("board", "board/train", cwd=boards)
    assert done.returncode == 0, done.stderr
    words = " ".join(done.stdout.split())
    assert "A = heads, test, rician-10, 8 cases; B = heads, train, rician-10, 12 cases" in words
    assert "LIMITED" not in words and "Of B: Not shown, as they are of another protocol" in words
    assert "gaussian (10 rows), autoencoder (10 rows)" in words
    network = next(line for line in done.stdout.splitlines() if line.startswith("autoencoder"))
    assert "+2.00" in network and network.split("[")[-2].split()[-1] == "+1.00"  # rows of the old protocol left out
    assert sorted(boards.rglob("*")) == before
    done = compare("board", "board/train", "--out", "told", cwd=boards)
    assert done.returncode == 0 and str(Path("told/comparison.md")) in done.stdout
    names = {path.name for path in (boards / "told").iterdir()}
    assert names == {"comparison.md", "comparison.csv", "comparison.pdf"}


@pytest.mark.parametrize(
    ("changes", "methods", "message"),
    [
        ({}, {}, "other has no rows.jsonl with rows"),
        ({"task": "reconstruction"}, {"gaussian": 1.0}, "different tasks (denoising, reconstruction)"),
        ({}, {"wavelet": 1.0}, "share no method"),
        ({"metrics": {"ssim": 0.5}}, {"gaussian": 1.0}, f"no row of heads, rician-10, test has {PRIMARY}"),
    ],
)
def test_boards_that_cannot_be_compared_are_one_sentence(
    boards: Path, changes: dict, methods: dict[str, float], message: str
) -> None:
    write(boards / "other", methods, range(3), **changes)
    done = compare("board", "other", "--out", "told", cwd=boards)
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1
    assert message in done.stderr and not (boards / "told").exists()
