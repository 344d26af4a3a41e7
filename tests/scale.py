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

import numpy as np
import psutil

from mrbench.core.specification import parse_spec
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


HELD_MIB = 64
"""Of train subjects, in this measurement."""

SHAPE = (16, 96, 96)

TRAININGS = {
    "registration": ("voxelmorph[width=4]", ("T1",)),
    "segmentation": ("vox2vox[base=4,bottleneck=1,adversarial=0]", ("T1", "T1c", "T2", "FLAIR")),
    "super-resolution": ("multi-scale-fusion[features=4,units=1]", ("T1",)),
    "denoising": ("autoencoder[width=8]", ("T1",)),
    "reconstruction": ("cascade-cnn[cascades=1,features=4]", ("T1",)),
    "synthesis": ("pix2pix[base=4,blocks=1,adversarial=0]", ("T1", "T2")),
    "generation": ("dcgan[base=4]", ("T1",)),
}
"""By task: a small network, and the contrasts of a subject."""

TRAINING = """
import json, resource, sys
from pathlib import Path
from tests.many import Many, ManyScans
from mrbench.core import examples
from mrbench.core.registry import find_method, find_task
from mrbench.core.specification import parse_spec
from mrbench.training.fit import fit
from mrbench.training.loop import Schedule
name, text, contrasts, shape, subjects, steps, held, folder = json.loads(sys.argv[1])
examples.HELD_BYTES = held * 2**20
task, spec = find_task(name), parse_spec(text)
people = (ManyScans if name == "reconstruction" else Many)(subjects, tuple(shape), tuple(contrasts))
method = find_method(spec.name, name).build(**spec.parameters)
fit(method, spec, task, people, [task.default_track(people)], Schedule(steps, 1e-3, steps),
    out=Path(folder), checkpoints=Path(folder))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def training(task: str, subjects: int, steps: int = 10) -> int:
    """MiB at the peak of a training of so many subjects, which holds `HELD_MIB` of them."""
    with tempfile.TemporaryDirectory() as folder:
        given = json.dumps([task, *TRAININGS[task], SHAPE, subjects, steps, HELD_MIB, folder])
        command = [sys.executable, "-c", TRAINING, given]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return int(done.stdout.split()[-1])


def trainings(few: int, many: int) -> dict[str, Any]:
    """Peaks of trainings of few and of many subjects, by task."""
    lines: dict[str, Any] = {"date": time.strftime("%Y-%m-%d"), "MiB held": HELD_MIB}
    for task, (text, contrasts) in TRAININGS.items():
        volumes = 4 * len(contrasts) * int(np.prod(SHAPE)) / 2**20
        lines[f"{task}, {parse_spec(text).name}"] = {
            f"MiB of {many} subjects' images": round(many * volumes),
            **{f"peak MiB, {subjects} subjects": training(task, subjects) for subjects in (few, many)},
        }
    return lines


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
    parser.add_argument("--subjects", type=int, nargs=2, default=(10, 1000))
    parser.add_argument("--training-only", action="store_true", help="leave the rest of --record as it is")
    parser.add_argument("--record", type=Path)
    given = parser.parse_args()
    command = f"python -m tests.scale --cases {' '.join(map(str, given.cases))}"
    result = json.loads(given.record.read_text()) if given.training_only else {}
    if not given.training_only:
        few, many = (measured(cases) for cases in given.cases)
        result = {
            "date": time.strftime("%Y-%m-%d"),
            "few": few,
            "many": many,
            "one case more": slopes(few, many),
            "reading rows": reading(100_000),
        }
    result = {
        **result,
        "command": f"{command} --subjects {' '.join(map(str, given.subjects))}",
        "training": trainings(*given.subjects),
    }
    print(json.dumps(result, indent=1))
    if given.record is not None:
        given.record.write_text(json.dumps(result, indent=1) + "\n")
