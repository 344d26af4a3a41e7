"""Random kills, faults and inputs for as long as you like: ``python -m tests.soak --seconds 300 [--seed 1]``.

A board of methods that misbehave is run again and again by processes that are killed at random moments. After each
kill nothing that the run started may live, and the rows on disk must be readable; at the end the rows of the methods
that are sound must be what an undisturbed run gives. Between the kills, damaged rows and methods' names are read, which
must be refused in one sentence or understood. Prints what it did; exits with 1 at the first thing that went wrong.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

from mrbench.core.errors import MrbenchError
from mrbench.core.row import Row
from mrbench.core.specification import parse_spec
from mrbench.engine.store import RowStore
from tests.engine.test_processes import MAIN, WHAT, source
from tests.engine.test_store import ROW
from tests.plugins.test_outside_the_repository import DATASET, TASK

SOUND = ("good", "leaks_files", "leaves_a_thread", "forks_and_returns_twice")
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
SLOW = ("kills_its_parent", "stops_itself", "interrupts_itself")
"""Faults that only a timeout ends."""

CASES = 6


def lay_out(folder: Path) -> list[str]:
    """Write dataset, task and methods; returns the command that runs them."""
    methods = source().replace("registration", "ring-volume")
    methods = methods.replace("np.zeros((3, *inputs.fixed.shape), np.float32)", "np.zeros(1, np.float32)")
    many = DATASET.replace('["r3", "r4", "r5"]', f'[f"r{{n}}" for n in range(3, {CASES + 3})]')
    for name, text in {"rings.py": many, "task.py": TASK, "methods.py": methods}.items():
        (folder / name).write_text(text)
    program = MAIN.replace('bind("registration", dataset)', f'bind("{folder}/task.py:Counting", dataset)')
    program = program.replace("[method])", "method.split())").replace(
        "(folder))", "(folder), options=Options(workers=2))"
    )
    return [sys.executable, "-c", program, f"{folder}/rings.py:Rings"]


def names(folder: Path, methods: list[str]) -> str:
    return " ".join(f"{folder}/methods.py:{method}" for method in methods)


def killed(command: list[str], rng: random.Random, done: Counter[str]) -> None:
    """Run a board and kill it at some moment; nothing of it may be left."""
    main = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    end, family = time.monotonic() + rng.expovariate(1 / 4), {}
    while time.monotonic() < end and main.poll() is None:
        family |= {child.pid: child for child in psutil.Process(main.pid).children(recursive=True)}
        time.sleep(0.02)
    number = rng.choice(SIGNALS)
    done["ended by itself" if main.poll() is not None else f"killed by {number.name}"] += 1
    if main.poll() is None:
        os.kill(main.pid, number)
    main.wait(60)
    deadline = time.monotonic() + 30
    while left := [p for p in family.values() if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]:
        if time.monotonic() > deadline:
            raise AssertionError(f"left running after {number.name}: {left}")
        time.sleep(0.05)


def damaged(rng: random.Random, done: Counter[str], count: int = 2000) -> None:
    """Read rows and names of methods that were changed at random places."""
    for _ in range(count):
        line = bytearray(ROW.to_json().encode())
        for _ in range(rng.randint(1, 3)):
            line[rng.randrange(len(line))] = rng.randrange(256)
        try:
            Row.from_json(bytes(line))
            done["damaged rows that are rows"] += 1
        except ValueError:
            done["damaged rows refused"] += 1
        text = "".join(rng.choice("ab[]=,:;'\"{}()1.-_ \\\n") for _ in range(rng.randint(0, 24)))
        try:
            parse_spec(text)
            done["odd names read"] += 1
        except MrbenchError as error:
            assert str(error)
            done["odd names refused"] += 1


def soak(seconds: float, seed: int) -> Counter[str]:
    """Do all of it for that long; returns how often what was done."""
    rng, done, end = random.Random(seed), Counter[str](), time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["MRBENCH_CACHE"] = str(folder / "cache")
        command, store = lay_out(folder), RowStore(folder / "out" / "rows.jsonl")
        faults = [fault for fault in WHAT if fault not in SLOW]
        while time.monotonic() < end:
            chosen = rng.sample(faults, 3) + rng.sample(SOUND, 1)
            rng.shuffle(chosen)
            killed([*command, names(folder, chosen), str(folder / "out")], rng, done)
            done["rows read"] = len(store.read())
            damaged(rng, done)
        for out in ("out", "undisturbed"):
            subprocess.run([*command, names(folder, list(SOUND)), str(folder / out)], check=True)
        expected = RowStore(folder / "undisturbed" / "rows.jsonl").read()
        rows = {row.key: row for row in store.read()}
        assert len(expected) == CASES * len(SOUND) and {row.status for row in expected} == {"ok"}
        for row in expected:
            assert rows[row.key].metrics == row.metrics, f"{row.method} on {row.case} has other numbers"
        done["rows equal to an undisturbed run"] = len(expected)
    return done


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    for what, count in sorted(soak(asked.seconds, asked.seed).items()):
        print(f"{count:>8}  {what}")
