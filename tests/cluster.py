"""A real cluster whose workers are killed: ``python -m tests.cluster --cases 200 --kills 8``.

Each worker is a process with a cache of its own, as on machines that share no disk. While a board is computed, workers
are killed at random; its rows must be those of a run on one machine, none lost and none twice.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import dask
import psutil
from distributed import Nanny, Scheduler, SpecCluster

from mrbench.core.binding import bind
from mrbench.core.candidate import candidates
from mrbench.core.task import Setting
from mrbench.engine.plan import Options
from mrbench.engine.run import run_board
from mrbench.engine.store import RowStore
from tests.plugins.test_outside_the_repository import DATASET, TASK

METHODS = """
import os, time
import numpy as np
from mrbench import method

@method(task="ring-volume")
def threshold(inputs, seconds=0.0):
    time.sleep(seconds)
    return np.array([(inputs > 0.5).sum() / 1000], np.float32)

@method(task="ring-volume")
def raises(inputs): raise ValueError("no")

@method(task="ring-volume")
def dies(inputs): os._exit(3)
"""


def lay_out(folder: Path, cases: int) -> Setting:
    """Write dataset, task and methods to a folder, and bind their setting."""
    many = DATASET.replace('["r3", "r4", "r5"]', f'[f"r{{n}}" for n in range(3, {cases + 3})]')
    for name, text in {"rings.py": many, "task.py": TASK, "methods.py": METHODS}.items():
        (folder / name).write_text(text)
    return bind(f"{folder}/task.py:Counting", f"{folder}/rings.py:Rings")


def cluster(folder: Path, workers: int, **options: object) -> SpecCluster:
    """A scheduler and workers with caches of their own."""
    specs = {
        number: {
            "cls": Nanny,
            "options": {
                "nthreads": 1,
                "memory_limit": 0,
                "local_directory": str(folder / f"worker-{number}"),
                "env": {**os.environ, "MRBENCH_CACHE": str(folder / f"cache-{number}")},
                **options,
            },
        }
        for number in range(workers)
    }
    scheduler = {"cls": Scheduler, "options": {"dashboard_address": "127.0.0.1:0", "port": 0, "host": "127.0.0.1"}}
    return SpecCluster(specs, scheduler=scheduler, silence_logs="CRITICAL")


def killer(nannies: list[Any], kills: int, every: float, seed: int, stop: threading.Event, done: Counter[str]) -> None:
    """Kill a worker from time to time; its nanny starts another."""
    rng = random.Random(seed)
    while done["kills"] < kills and not stop.wait(rng.expovariate(1 / every)):
        nanny = rng.choice(nannies)
        pid = getattr(nanny, "pid", None)
        if pid and psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)
            done["kills"] += 1


def trial(folder: Path, cases: int, kills: int, every: float, workers: int = 2, seed: int = 0) -> Counter[str]:
    """Run a board on a cluster under kills, and check it against a run on this machine; returns what was counted."""
    setting = lay_out(folder, cases)
    specs = [f"{folder}/methods.py:threshold[seconds=0.05]"]
    wanted = candidates(setting, specs)
    done: Counter[str] = Counter()
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}), cluster(folder, workers) as address:
        stop = threading.Event()
        nannies = list(address.workers.values())
        thread = threading.Thread(target=killer, args=(nannies, kills, every, seed, stop, done))
        thread.start()
        started = time.monotonic()
        try:
            rows = run_board(
                setting, wanted, folder=folder / "far", options=Options(scheduler=address.scheduler_address)
            )
        finally:
            stop.set()
            thread.join()
        done["seconds"] = round(time.monotonic() - started)
    near = run_board(setting, wanted, folder=folder / "near")
    lines = (folder / "far" / "rows.jsonl").read_text().splitlines()
    assert len(lines) == len(rows) == cases, "a row was lost, or written twice"
    assert {(row.key, row.status) for row in rows} == {(row.key, row.status) for row in near}
    far = {row.key: row.metrics for row in RowStore(folder / "far" / "rows.jsonl").read()}
    assert far == {row.key: row.metrics for row in near}, "other numbers than on one machine"
    assert {row.status for row in rows} == {"ok"}, "an innocent case was blamed"
    done["rows equal to those of one machine"] = len(rows)
    return done


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--every", type=float, default=4.0, help="Mean seconds between two kills.")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--record", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        os.environ["MRBENCH_CACHE"] = f"{name}/cache"
        counted = trial(Path(name), given.cases, given.kills, given.every, given.workers)
    for what, count in sorted(counted.items()):
        print(f"{count:>8}  {what}")
    if given.record is not None:
        options = f"--cases {given.cases} --kills {given.kills} --every {given.every} --workers {given.workers}"
        facts = {"command": f"python -m tests.cluster {options}", "date": time.strftime("%Y-%m-%d"), **counted}
        given.record.write_text(json.dumps(facts, indent=1) + "\n")
