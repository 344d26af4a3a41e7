"""How often a right prediction is warned of: ``python -m tests.false_alarms --record tests/false-alarms.json``.

Runs methods whose conventions are right on validation cases of every task and counts the rows with a warning.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from mrbench.core.binding import bind
from mrbench.core.candidate import candidates
from mrbench.engine.run import Options, run_board

REGISTRATION = ("identity", "affine", "demons", "greedy", "convexadam", "voxelmorph")

BOARDS: tuple[tuple[str, str, str | None, tuple[str, ...]], ...] = (
    ("registration", "icbm-sim", None, REGISTRATION),
    ("registration", "msd-hippocampus", None, REGISTRATION),
    ("registration", "ixi-hh-2mm", None, REGISTRATION),
    ("denoising", "icbm-sim", None, ("noisy", "gaussian", "wavelet", "total-variation", "autoencoder")),
    ("denoising", "ixi-hh-2mm", None, ("noisy", "gaussian", "wavelet")),
    ("super-resolution", "icbm-sim", None, ("interpolation", "back-projection", "total-variation")),
    ("super-resolution", "ixi-hh-2mm", None, ("interpolation", "back-projection")),
    ("synthesis", "icbm-sim", None, ("identity", "histogram-matching", "joint-histogram", "polynomial", "pix2pix")),
    ("segmentation", "icbm-sim", None, ("threshold", "gaussian-mixture", "vox2vox")),
    ("reconstruction", "icbm-sim", None, ("zero-filled", "cg-sense", "total-variation", "unet", "varnet")),
    ("reconstruction", "cine-sim", None, ("zero-filled", "temporal-tv", "low-rank-sparse")),
    ("generation", "icbm-sim", None, ("bootstrap", "pca", "dcgan")),
)
"""Task, dataset, track (None: its default) and methods."""


def counted(task: str, dataset: str, track: str | None, methods: tuple[str, ...], limit: int) -> dict[str, Any]:
    """Run the validation cases of a board and count rows and warnings."""
    setting = bind(task, dataset, track, "validation")
    with tempfile.TemporaryDirectory() as folder:
        wanted = candidates(setting, methods)
        rows = run_board(setting, wanted, folder=Path(folder), limit=limit, options=Options(timeout=300))
    scored = [row for row in rows if row.status == "ok"]
    return {
        "task": task,
        "track": setting.track.name,
        "dataset": dataset,
        "methods": sorted({row.method for row in scored}),
        "rows": len(scored),
        "warned": [f"{row.method} on {row.case}: {row.message}" for row in scored if row.message],
        "not_scored": sorted({f"{row.method}: {row.status}" for row in rows if row.status != "ok"}),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=int, default=10, help="Cases of a board.")
    parser.add_argument("--record", type=Path)
    given = parser.parse_args()
    boards = []
    for board in BOARDS:
        boards.append(counted(*board, given.limit))
        print(boards[-1], flush=True)
        result = {
            "command": f"python -m tests.false_alarms --limit {given.limit}",
            "date": time.strftime("%Y-%m-%d"),
            "rows": sum(one["rows"] for one in boards),
            "warned": sum(len(one["warned"]) for one in boards),
            "boards": boards,
        }
        if given.record is not None:
            given.record.write_text(json.dumps(result, indent=1) + "\n")
