"""Scores are what they were before the metrics were compiled and the tasks rewritten.

`scores.json` was written by commit 620b618, as hexadecimal floats. Equal to the last digit, but for sums that are taken
in another order: those differ by a few units in the last place.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.golden.predictions import predictions

GOLDEN = json.loads((Path(__file__).parent / "scores.json").read_text())

LOOSER = {"pair_ms_ssim": 1e-5}
"""Was computed in single precision then."""


def test_scores_are_the_golden_ones() -> None:
    seen = set()
    for name, task, case, prediction in predictions():
        scores = task.score(case, task.check(case, prediction)).metrics
        golden = {metric: float.fromhex(value) for metric, value in GOLDEN[name].items()}
        assert set(scores) >= set(golden), name  # metrics may be added
        for metric, value in golden.items():
            assert scores[metric] == pytest.approx(value, rel=LOOSER.get(metric, 1e-14), abs=0), f"{name}: {metric}"
        seen.add(name)
    assert seen == set(GOLDEN)
