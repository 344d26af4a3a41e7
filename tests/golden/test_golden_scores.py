"""Scores are what they were before the metrics were compiled and the tasks rewritten.

`scores.json` was written by commit 620b618, as hexadecimal floats. Equal to the last digit, but for sums that are taken
in another order: those differ by a few units in the last place.
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
from tests.golden.predictions import predictions

from mrbench.metrics import compile_kernels, kernels

GOLDEN = json.loads((Path(__file__).parent / "scores.json").read_text())

LOOSER = {"pair_ms_ssim": 1e-5, "frechet": 1e-6, "mmd": 1e-6}
"""The first was computed in single precision then; features of the others still are, and processors round otherwise."""


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


def signatures() -> set[tuple[str, str]]:
    """What is compiled or loaded in this process, of all kernels."""
    compiled = set()
    for module in iter_modules(kernels.__path__, f"{kernels.__name__}."):
        for name, kernel in vars(import_module(module.name)).items():
            compiled |= {(f"{module.name}.{name}", str(types)) for types in getattr(kernel, "signatures", ())}
    return compiled


def test_a_task_names_the_kernels_that_its_scores_need() -> None:
    """After `compile_kernels`, scoring compiles nothing; run alone, as other tests compile, too."""
    for name, task, case, prediction in predictions():
        compile_kernels(*task.kernels)
        before = signatures()
        task.score(case, task.check(case, prediction))
        assert task.kernels and signatures() == before, name
