"""How often a right prediction is warned of: ``python -m tests.false_alarms --record docs/records/false-alarms.json``.

Runs methods whose conventions are right on validation cases of every task and counts the rows with a warning. With
``--only TASK.DATASET`` those boards alone; a record keeps what it holds of the others.
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
from mrbench.engine.plan import Options
from mrbench.engine.run import run_board

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
        "cases": len(setting.cases(limit)),
        "methods": sorted({row.method for row in scored}),
        "rows": len(scored),
        "warned": [f"{row.method} on {row.case}: {row.message}" for row in scored if row.message],
        "not_scored": sorted({f"{row.method}: {row.status}" for row in rows if row.status != "ok"}),
    }


def recorded(path: Path | None, boards: list[dict[str, Any]]) -> dict[str, Any]:
    """Put boards into a record, in place of what it held of them; boards that are no longer listed leave it."""
    old = json.loads(path.read_text())["boards"] if path is not None and path.is_file() else []
    known = {(board["task"], board["dataset"]): board for board in [*old, *boards]}
    held = [known[task, dataset] for task, dataset, _, _ in BOARDS if (task, dataset) in known]
    return {
        "command": "python -m tests.false_alarms",
        "date": time.strftime("%Y-%m-%d"),
        "boards run": f"{len(held)} of {len(BOARDS)}",
        "rows": sum(board["rows"] for board in held),
        "warned": sum(len(board["warned"]) for board in held),
        "boards": held,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=int, default=5, help="Cases of a board.")
    parser.add_argument("--only", nargs="*", metavar="TASK.DATASET", help="Boards to run; default: all.")
    parser.add_argument("--record", type=Path)
    given = parser.parse_args()
    boards = []
    for board in BOARDS:
        if given.only and f"{board[0]}.{board[1]}" not in given.only:
            continue
        boards.append(counted(*board, given.limit))
        print(boards[-1], flush=True)
        if given.record is not None:
            result = recorded(given.record, boards)
            given.record.write_text(json.dumps(result, indent=1) + "\n")
