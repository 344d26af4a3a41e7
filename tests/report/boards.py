"""A small board by hand: methods with long and hostile names, a failure, a skipped method, pictures."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np

from mrbench.core.metric import Metric
from mrbench.core.row import Row
from mrbench.core.task import Task
from mrbench.report.facts import Facts
from mrbench.report.pictures import Pictures, Shot, View
from mrbench.report.report import Report
from mrbench.stats.frame import frame
from mrbench.stats.training import Training
from tests.rows import row_of

CASES = 14
LONG = "voxelmorph[diffeomorphic=true,instance_steps=40,weights=ixi-hh-2mm.singlecoil-4x+singlecoil-8x]"
HOSTILE = "a|b`c<script>alert(1)</script>[/red]\x1b[31m%_$&#{}~^\\"
MEANS = {LONG: 0.9, "elastix[grid_mm=10]": 0.8, HOSTILE: 0.7, "=1+1": 0.6}


class Toy(Task):
    """As much of a task as a report asks for."""

    name = "registration"
    tracks = {"inter-subject": ""}
    breakdown = "dice_by_structure"
    spread = "nearest"
    metrics = (
        Metric("dice", "Dice", "", True, (0, 1), 4, "Overlap."),
        Metric("hd95_mm", "HD95", "mm", False, (0, inf), 2, "Distance."),
        Metric("folds_percent", "|J| ≤ 0", "%", False, (0, 100), 3, "Folds."),
    )

    def cases(self, *_: object) -> object:
        raise NotImplementedError

    load = protocol = check = diagnose = score = picture = cases


def row(method: str, case: int, **changes: object) -> Row:
    rng = np.random.default_rng([case, *method.encode()])
    dice = MEANS.get(method, 0.5) + 0.02 * np.sin(case) + 0.004 * rng.random()
    learned = method == LONG
    facts = {
        "track": "inter-subject",
        "dataset": "toy_data",
        "simulated": True,
        "protocol": "abc123def456",
        "kind": "learned" if learned else "classical",
        "weights": "w" * 64 if learned else None,
        "run": "20261126T101500-aaaaaa",
        "details": {
            "dice_by_structure": {"caudate": dice, "R inf. lat. ventricle": dice / 3},
            "nearest": [dice, dice - 0.1],
            "nearest_real": [0.5, 0.6],
            "megavoxels": 0.5,
        },
        "seconds": 200 * dice,
        "cpu_seconds": 100 * dice,
        "memory_mib": 3.25,
        "prediction": f"p-{method}-{case}",
    }
    metrics = {"dice": dice, "hd95_mm": 10 * (1 - dice), "folds_percent": 0.0}
    return row_of(method, case, metrics, **{**facts, **changes})


def rows(methods: tuple[str, ...] = tuple(MEANS), cases: int = CASES) -> list[Row]:
    every = [row(method, case) for method in methods for case in range(cases)]
    failed = {"status": "error", "message": "it <b>broke</b>", "metrics": {}, "details": {}, "prediction": None}
    every = [replace(r, **failed) if (r.method, r.case) == ("=1+1", "c0") else r for r in every]
    missing = {"status": "skipped", "message": "pip install [cyan]it[/]", "metrics": {}, "details": {}}
    return [*every, *(row("absent", case, **missing, seconds=None, prediction=None) for case in range(cases))]


def pictures(methods: tuple[str, ...] = tuple(MEANS), *, shape: tuple[int, int] = (40, 32)) -> Pictures:
    rng = np.random.default_rng(0)
    reference = rng.random(shape).astype(np.float32)
    views = {}
    for place, method in enumerate(methods):
        shift = np.float32(0.02 * place)
        rest = np.indices(shape, dtype=np.float32)[:, ::2, ::2]
        views[method] = View(
            np.clip(reference + shift, 0, 1), rng.normal(0, 0.1, shape).astype(np.float32), rest + shift
        )
    keys = {method: f"p-{method}-7" for method in methods}
    shot = Shot("c7", reference, reference[::-1], views, ("fixed", "moving"), keys=keys)
    return Pictures({"median": shot})


def report(shown_rows: list[Row] | None = None, shown: Pictures | None = None, **facts: object) -> Report:
    run = {"command": ["mrbench", "run"], "threads": 1, "device": "cpu", "workers": 1, "packages": {"numpy": "2"}}
    about = Facts(
        **{
            "title": "Toy data",
            "citation": "Nobody 2026",
            "licence": "CC0",
            "simulation": "simulated toys",
            "all_cases": CASES + 1,
            "protocol": {"name": "registration/toy", "version": 1, "settings": {"label_warp": "nearest"}},
            "runs": {"20261126T101500-aaaaaa": run},
            **facts,
        }
    )
    own = Report.from_rows(frame(rows() if shown_rows is None else shown_rows), Toy(), facts=about, pictures=shown)
    return replace(own, trainings={"w" * 64: training(40)})


def training(subjects: int, weights: str = "w" * 64) -> Training:
    return Training("toy_data", ("inter-subject",), weights=weights, train_subjects=subjects, seconds=7200)
