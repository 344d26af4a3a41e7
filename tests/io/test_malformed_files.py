"""Every loader answers every malformed file with one sentence, or reads it: nothing else may come out.

The long form, with counts: ``python -m tests.io.test_malformed_files 1000000``.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from tests.io.mutations import kinds, mutate

from mrbench.core.errors import DataError

KINDS = (
    "nii",
    "nii.gz, header",
    "nii.gz, stream",
    "npy",
    "cfl",
    "fastmri",
    "subjects.csv",
    "labels.csv",
    "splits.json",
    "folder of images",
    "folder of contrasts",
    "folder of volumes",
    "folder of tumours",
    "folder of k-space",
    "learn2reg",
)


def attack(kind: str, folder: Path, count: int, seed: int = 0) -> Counter[str]:
    """Read so many malformed files of a kind, and count what came of it."""
    content, load = kinds(folder)[kind]
    rng = np.random.default_rng(seed)
    outcome: Counter[str] = Counter()
    for number in range(count):
        spoilt = mutate(content, rng)
        try:
            load(folder, spoilt)
            outcome["read"] += 1
        except DataError as error:
            outcome["refused"] += 1
            assert "\n" not in str(error), f"{kind} {number}: {error!r}"
        except Exception as error:
            raise AssertionError(f"{kind}, seed {seed}, number {number}: {type(error).__name__}: {error}") from error
    return outcome


@pytest.mark.parametrize("kind", KINDS)
def test_malformed_files_are_one_sentence(kind: str, tmp_path: Path) -> None:
    outcome = attack(kind, tmp_path, 60)
    assert outcome["refused"] > 5 and outcome.total() == 60


if __name__ == "__main__":
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            print(kind, dict(attack(kind, Path(folder), int(sys.argv[1]) // len(KINDS), seed=1)), flush=True)
