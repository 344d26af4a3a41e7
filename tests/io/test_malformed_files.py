"""Every loader answers every malformed file with one sentence, or reads it: nothing else may come out.

In a process of its own, with counts: ``python -m tests.io.test_malformed_files 10000 --seed 1``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from tests.io.mutations import kinds, mutate

from mrbench.core.errors import DataError
from mrbench.io.predictions.formats import FORMATS

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
    "dicom",
    *(f"{form.holds}, {form.name}" for form in FORMATS),
)

DEAR = {"dicom": 20, "field, itk-transform": 1000}
"""Kinds that take so many times as long, and get so many times fewer files where all of them are attacked."""


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
    outcome = attack(kind, tmp_path, max(12, 60 // DEAR.get(kind, 1)) if DEAR.get(kind, 1) < 100 else 3)
    assert outcome["refused"] > (0 if kind in DEAR else 5)


def attack_all(count: int, seed: int) -> Counter[str]:
    """Share so many malformed files among all kinds."""
    outcome: Counter[str] = Counter()
    share = count / sum(1 / DEAR.get(kind, 1) for kind in KINDS)
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            outcome += attack(kind, Path(folder), max(1, round(share / DEAR.get(kind, 1))), seed)
    return outcome


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    print(json.dumps(attack_all(asked.count, asked.seed)))
