"""Several recipes at a time, each in a process of its own: one small network leaves most of an accelerator idle."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from mrbench.core.method import Resources
from mrbench.training.recipes import TrainingRecipe, recipes, refuse_left
from mrbench.training.stopping import stopping

POLL_SECONDS = 0.2

COMMAND = (sys.executable, "-m", "mrbench", "train", "--recipe")
"""What trains one recipe; its name and options follow."""


def train_in_parallel(
    jobs: int,
    minutes: float | None = None,
    *,
    out: Path,
    checkpoints: Path,
    resources: Resources,
    packs: Path | None = None,
    loaders: int = 0,
    say: Callable[[str], None] = print,
) -> list[Path]:
    """Train what is missing or older than its recipe, most valuable first, ``jobs`` at a time.

    Parameters
    ----------
    jobs : int
        Trainings at a time; each takes a CPU core besides its share of the accelerator.
    minutes : float, optional
        Wall time in all; trainings that have not ended by then leave checkpoints.
    out, checkpoints : Path
        Folders.
    resources : Resources
        Threads of each training, and the device that they share.
    packs : Path, optional
        Folder of packed data.
    loaders : int
        Processes that draw batches ahead, for each training.
    say : callable
        Called with each line that a training prints, its recipe's name before it.

    Returns
    -------
    list of Path
        The weights that were finished.

    Raises
    ------
    RequestError
        If a training ended with a fault, when the others have ended.
    """
    waiting = [recipe for recipe in recipes() if recipe.state(out) != "done"]
    running: dict[str, tuple[TrainingRecipe, subprocess.Popen[str], threading.Thread]] = {}
    finished: list[Path] = []
    faulty: list[str] = []
    started, ended = time.monotonic(), False
    with stopping(minutes) as stop:
        while running or (waiting and not stop()):
            while waiting and len(running) < jobs and not stop():
                recipe = waiting.pop(0)
                left = [] if minutes is None else ["--minutes", str(minutes - (time.monotonic() - started) / 60)]
                options = [*left, "--out", str(out), "--checkpoints", str(checkpoints), "--loaders", str(loaders)]
                options += ["--device", resources.device, "--threads", str(resources.threads)]
                options += ["--packs", str(packs)] if packs else []
                running[recipe.name] = (recipe, *_start(recipe.name, options, say))
            if stop() and not ended:
                ended = True  # once: a second signal would cost the checkpoint
                for _, process, _ in running.values():
                    process.terminate()
            for name, (recipe, process, reader) in list(running.items()):
                if process.poll() is not None:
                    reader.join()
                    del running[name]
                    if recipe.state(out) == "done":
                        finished.append(out / f"{name}.safetensors")
                    if process.returncode and not ended:
                        faulty.append(name)
                    say(f"{name}: ended with {process.returncode}")
            time.sleep(POLL_SECONDS)
    refuse_left(faulty)
    return finished


def _start(
    name: str, options: Sequence[str], say: Callable[[str], None]
) -> tuple[subprocess.Popen[str], threading.Thread]:
    process = subprocess.Popen(
        [*COMMAND, name, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        start_new_session=True,  # Ctrl-C in a terminal reaches them through this process alone
    )

    def read() -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                say(f"{name}: {line.rstrip()}")

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    return process, reader
