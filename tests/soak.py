"""Random kills, faults and inputs: ``python -m tests.soak --seconds 300``, or ``--long``: 1,000 kills, 1e6 inputs.

A board of methods that misbehave is run again and again by processes that are killed at random moments. After each
kill nothing that the run started may live, and the rows on disk must be readable; at the end the rows of the methods
that are sound must be what an undisturbed run gives. Between the kills, damaged files of every kind that is read,
damaged rows and odd names of methods are read, which must be refused in one sentence or understood. Prints what it did,
and with ``--record FILE`` keeps it there after every round; a record that is not finished is gone on with, as the long
form takes hours. Exits with 1 at the first thing that went wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from math import inf
from pathlib import Path
from typing import Any

import psutil

from mrbench.core.errors import MrbenchError
from mrbench.core.row import Row
from mrbench.core.specification import parse_spec
from mrbench.engine.provenance import git_revision
from mrbench.engine.store import RowStore
from tests.engine.test_processes import MAIN, WHAT, source
from tests.engine.test_store import ROW
from tests.plugins.test_outside_the_repository import DATASET, TASK

SOUND = ("good", "leaks_files", "leaves_a_thread", "forks_and_returns_twice")
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
SLOW = ("kills_its_parent", "stops_itself", "interrupts_itself")
"""Faults that only a timeout ends."""

CASES = 6

LONG = (1_000, 1_000_000)
"""Kills and inputs of the long form."""

KILLS_A_ROUND = 20
MEAN_LIFE = 2.0
"""Seconds until a run is killed."""


def lay_out(folder: Path) -> list[str]:
    """Write dataset, task and methods; returns the command that runs them."""
    methods = source().replace("registration", "ring-volume")
    methods = methods.replace("np.zeros((3, *inputs.fixed.shape), np.float32)", "np.zeros(1, np.float32)")
    many = DATASET.replace('["r3", "r4", "r5"]', f'[f"r{{n}}" for n in range(3, {CASES + 3})]')
    for name, text in {"rings.py": many, "task.py": TASK, "methods.py": methods}.items():
        (folder / name).write_text(text)
    program = MAIN.replace('bind("registration", dataset)', f'bind("{folder}/task.py:Counting", dataset)')
    program = program.replace("[method])", "method.split())").replace(
        "(folder))", "(folder), options=Options(workers=2, retry=True))"
    )
    return [sys.executable, "-c", program, f"{folder}/rings.py:Rings"]


def names(folder: Path, methods: list[str]) -> str:
    return " ".join(f"{folder}/methods.py:{method}" for method in methods)


def killed(command: list[str], rng: random.Random, done: Counter[str]) -> None:
    """Run a board and kill it at some moment; nothing of it may be left."""
    main = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    end, family = time.monotonic() + rng.expovariate(1 / MEAN_LIFE), {}
    while time.monotonic() < end and main.poll() is None:
        family |= {child.pid: child for child in psutil.Process(main.pid).children(recursive=True)}
        time.sleep(0.02)
    number = rng.choice(SIGNALS)
    done["runs that ended by themselves" if main.poll() is not None else f"runs killed by {number.name}"] += 1
    if main.poll() is None:
        os.kill(main.pid, number)
    main.wait(60)
    deadline = time.monotonic() + 30
    while left := [p for p in family.values() if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]:
        if time.monotonic() > deadline:
            raise AssertionError(f"left running after {number.name}: {left}")
        time.sleep(0.05)


def damaged_files(count: int, seed: int, done: Counter[str]) -> None:
    """Read damaged files in a process of its own: a library that crashes on one is a fault as well."""
    command = [sys.executable, "-m", "tests.io.test_malformed_files", str(count), "--seed", str(seed)]
    ended = subprocess.run(command, capture_output=True, text=True)
    if not ended.stdout.startswith("{"):
        raise AssertionError(f"{' '.join(command[1:])} ended with {ended.returncode}: {ended.stderr[-2000:]}")
    for what, number in json.loads(ended.stdout.splitlines()[0]).items():
        done[f"damaged files {what}"] += number


def damaged_texts(rng: random.Random, done: Counter[str], count: int) -> None:
    """Read rows and names of methods that were changed at random places."""
    for _ in range(count // 2):
        line = bytearray(ROW.to_json().encode())
        for _ in range(rng.randint(1, 3)):
            line[rng.randrange(len(line))] = rng.randrange(256)
        try:
            Row.from_json(bytes(line))
            done["damaged rows read"] += 1
        except ValueError:
            done["damaged rows refused"] += 1
        text = "".join(rng.choice("ab[]=,:;'\"{}()1.-_ \\\n") for _ in range(rng.randint(0, 24)))
        try:
            parse_spec(text)
            done["odd names read"] += 1
        except MrbenchError as error:
            assert str(error)
            done["odd names refused"] += 1


def kills(done: Counter[str]) -> int:
    return sum(number for what, number in done.items() if what.startswith("runs killed"))


def inputs(done: Counter[str]) -> int:
    return sum(number for what, number in done.items() if what.startswith(("damaged", "odd")))


def soak(seconds: float, seed: int, asked: tuple[int, int] | None = None, record: Path | None = None) -> Counter[str]:
    """Do all of it for that long, or until so many kills and inputs; returns how often what was done."""
    earlier = unfinished(record)
    done, number = Counter[str](earlier["done"]), earlier["rounds"]
    rng, started = random.Random(f"{seed} {number}"), time.monotonic()
    a_round = 2000 if asked is None else asked[1] * KILLS_A_ROUND // asked[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["MRBENCH_CACHE"] = str(folder / "cache")
        command, store = lay_out(folder), RowStore(folder / "out" / "rows.jsonl")
        faults = [fault for fault in WHAT if fault not in SLOW]
        while time.monotonic() < started + seconds and (asked is None or kills(done) < asked[0]):
            number += 1
            before = kills(done)
            while kills(done) == before or (
                kills(done) < before + KILLS_A_ROUND and time.monotonic() < started + seconds
            ):
                chosen = rng.sample(faults, 3) + rng.sample(SOUND, 1)
                rng.shuffle(chosen)
                killed([*command, names(folder, chosen), str(folder / "out")], rng, done)
                done["rows that stand at the end"] = len(store.read())
            damaged_texts(rng, done, a_round // 4)
            damaged_files(a_round - a_round // 4, seed * 10_000 + number, done)
            if record is not None:
                write(record, earlier, done, number, time.monotonic() - started, finished=False)
        for out in ("out", "undisturbed"):
            subprocess.run([*command, names(folder, list(SOUND)), str(folder / out)], check=True)
        expected = RowStore(folder / "undisturbed" / "rows.jsonl").read()
        rows = {row.key: row for row in store.read()}
        assert len(expected) == CASES * len(SOUND) and {row.status for row in expected} == {"ok"}
        for row in expected:
            assert rows[row.key].metrics == row.metrics, f"{row.method} on {row.case} has other numbers"
        done["rows equal to an undisturbed run"] = len(expected)
    if record is not None:
        write(record, earlier, done, number, time.monotonic() - started, finished=True)
    return done


def unfinished(record: Path | None) -> dict[str, Any]:
    """What an earlier call did that was stopped; nothing where there is none, or it ended."""
    if record is not None and record.is_file():
        facts: dict[str, Any] = json.loads(record.read_text())
        if not facts["finished"]:
            return facts
    return {"done": {}, "rounds": 0, "minutes": 0, "revisions": []}


def write(
    path: Path, earlier: dict[str, Any], done: Counter[str], rounds: int, seconds: float, *, finished: bool
) -> None:
    """Keep what was done so far."""
    facts = {
        "command": f"python -m tests.soak {' '.join(sys.argv[1:])}".partition(" --record")[0],
        "date": time.strftime("%Y-%m-%d"),
        "revisions": sorted({*earlier["revisions"], git_revision() or "unknown"}),
        "minutes": earlier["minutes"] + round(seconds / 60),
        "finished": finished,
        "rounds": rounds,
        "kills": kills(done),
        "inputs": inputs(done),
        "done": dict(sorted(done.items())),
    }
    path.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, help="Stop after so long; default: 120, of --long: never.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--long", action="store_true", help=f"{LONG[0]:,} kills and {LONG[1]:,} inputs.")
    parser.add_argument("--record", type=Path, help="Write what was done to this JSON file.")
    given = parser.parse_args()
    limit = given.seconds or (inf if given.long else 120)
    for what, count in sorted(soak(limit, given.seed, LONG if given.long else None, given.record).items()):
        print(f"{count:>8}  {what}")
