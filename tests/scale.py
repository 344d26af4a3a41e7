"""What boards and trainings cost as they grow: ``python -m tests.scale --record docs/records/scale.json``.

Runs a board of tiny volumes in a process of its own, watches the memory of all its processes, and takes slopes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from mrbench.engine.store import RowStore
from tests.cluster import lay_out
from tests.engine.test_store import ROW

PROGRAM = """
import sys
from pathlib import Path
from mrbench.core.binding import bind
from mrbench.core.candidate import candidates
from mrbench.engine.run import run_board
folder = Path(sys.argv[1])
setting = bind(f"{folder}/task.py:Counting", f"{folder}/rings.py:Rings")
run_board(setting, candidates(setting, [f"{folder}/methods.py:threshold"]), folder=folder / "out")
"""


def measured(cases: int) -> dict[str, Any]:
    """Seconds, peak memory of each process and bytes of a board of so many cases, then of doing it again."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lay_out(folder, cases)
        command = [sys.executable, "-c", PROGRAM, str(folder)]
        environment = {**os.environ, "MRBENCH_CACHE": f"{folder}/cache"}
        started, peaks = time.monotonic(), {"main": 0, "others": 0}
        with subprocess.Popen(command, env=environment) as main:
            watched = psutil.Process(main.pid)
            while main.poll() is None:
                try:
                    peaks["main"] = max(peaks["main"], watched.memory_info().rss)
                    others = [child.memory_info().rss for child in watched.children(recursive=True)]
                    peaks["others"] = max([peaks["others"], *others])
                except psutil.Error:
                    pass
                time.sleep(0.05)
        first = time.monotonic() - started
        rows = folder / "out" / "rows.jsonl"
        assert len(RowStore(rows).read()) == cases
        started = time.monotonic()
        subprocess.run(command, env=environment, check=True)
        again = time.monotonic() - started
        cache = sum(path.stat().st_size for path in (folder / "cache").rglob("*") if path.is_file())
        return {
            "cases": cases,
            "seconds": round(first, 1),
            "seconds with nothing to do": round(again, 1),
            "peak MiB, main process": round(peaks["main"] / 2**20),
            "peak MiB, largest other process": round(peaks["others"] / 2**20),
            "bytes of rows": rows.stat().st_size,
            "bytes of cache": cache,
        }


SUBJECTS = '''
import numpy as np
from mrbench.datasets.dataset import Dataset, Subject


class Many(Dataset):
    """Noise, of subjects of 4 MiB each."""

    name, title, citation, licence, preparation = "many", "noise", "nobody", "CC0", 1
    simulated, representation = True, "volumes"
    splits = {{"train": [f"s{{n}}" for n in range({subjects})], "validation": ["v"], "test": ["t"]}}

    def make(self, subject):
        image = np.random.default_rng(len(subject)).random((64, 128, 128), np.float32)
        return Subject(subject, {{"T1": image}}, image >= 0, None, (1.0, 1.0, 1.0))
'''

HELD_MIB = 64
"""Of train subjects, in this measurement: 16 of them."""

TRAINING = """
import resource, sys
from pathlib import Path
import mrbench
from mrbench.datasets import examples
from mrbench.training.loop import Schedule
folder = Path(sys.argv[1])
examples.HELD_BYTES = int(sys.argv[2]) * 2**20
schedule = Schedule(int(sys.argv[3]), 1e-3, validate_every=int(sys.argv[3]))
mrbench.train("denoising", "autoencoder", schedule=schedule, dataset=f"{folder}/many.py:Many", track="rician-10",
              out=folder / "weights", checkpoints=folder / "checkpoints")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def training(subjects: int, steps: int = 20) -> dict[str, int]:
    """Peak memory of a training of so many subjects, which holds `HELD_MIB` of them."""
    with tempfile.TemporaryDirectory() as name:
        Path(name, "many.py").write_text(SUBJECTS.format(subjects=subjects))
        command = [sys.executable, "-c", TRAINING, name, str(HELD_MIB), str(steps)]
        environment = {**os.environ, "MRBENCH_CACHE": f"{name}/cache"}
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    peak = int(done.stdout.split()[-1])
    return {"subjects": subjects, "MiB of subjects": 4 * subjects, "MiB held": HELD_MIB, "peak MiB": peak}


READING = """
import resource, sys, time
from pathlib import Path
from mrbench.engine.store import RowStore
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
started = time.perf_counter()
rows = RowStore(Path(sys.argv[1])).read()
print(len(rows), time.perf_counter() - started, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def reading(count: int) -> dict[str, Any]:
    """Seconds and MiB to read so many rows."""
    line = ROW.to_json()
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "rows.jsonl"
        with path.open("w") as file:
            file.writelines(line.replace("a_to_b", f"case{number}") + "\n" for number in range(count))
        done = subprocess.run([sys.executable, "-c", READING, str(path)], check=True, capture_output=True, text=True)
    rows, seconds, mib = done.stdout.split()
    return {"rows": int(rows), "seconds": round(float(seconds), 2), "MiB": round(float(mib))}


def slopes(few: dict[str, Any], many: dict[str, Any]) -> dict[str, float]:
    """What one case more costs."""
    more = many["cases"] - few["cases"]
    return {name: round((many[name] - few[name]) / more, 6) for name in few if name != "cases"}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, nargs=2, default=(10, 1000))
    parser.add_argument("--subjects", type=int, nargs=2, default=(10, 200))
    parser.add_argument("--record", type=Path)
    given = parser.parse_args()
    few, many = (measured(cases) for cases in given.cases)
    result = {
        "command": f"python -m tests.scale --cases {' '.join(map(str, given.cases))} "
        f"--subjects {' '.join(map(str, given.subjects))}",
        "date": time.strftime("%Y-%m-%d"),
        "few": few,
        "many": many,
        "one case more": slopes(few, many),
        "reading rows": reading(100_000),
        "training": dict(zip(("few", "many"), map(training, given.subjects), strict=True)),
    }
    print(json.dumps(result, indent=1))
    if given.record is not None:
        given.record.write_text(json.dumps(result, indent=1) + "\n")
