"""A large file of lines, read by several processes at once: each reads a part of its bytes."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from mrbench.io.files import open_regular

T = TypeVar("T")

LEAST = 64 * 2**20
"""Bytes that are worth a process, which takes half a second to begin."""

MOST = 4
"""Processes; each holds what it read until that is handed over."""


def read_parts(path: Path, read: Callable[[int, int], T], module: str) -> list[T]:
    """What is read from each part of a file, in their order.

    Parameters
    ----------
    path : Path
        A file of lines.
    read : callable
        Reads from one byte to another; the first part is read here.
    module : str
        Whose ``__main__`` calls `serve` with the same reader, for the other parts.

    Returns
    -------
    list
        Empty where the file is small or missing, only one core is lent, or another part cannot be read: then it is to
        be read as a whole, which tells what is wrong.

    Raises
    ------
    DataError
        If the path is no regular file, or as the reader, of the first part.
    """
    try:
        file = os.fdopen(open_regular(path, os.O_RDONLY), "rb")
    except OSError:
        return []
    with file:
        size = file.seek(0, os.SEEK_END)
        parts = min(size // LEAST, len(os.sched_getaffinity(0)), MOST)
        if parts < 2:
            return []
        bounds = [0]
        for part in range(1, parts):
            file.seek(max(size * part // parts, bounds[-1]))
            file.readline()
            bounds.append(min(file.tell(), size))
    first, *others = pairwise([*bounds, size])
    with ExitStack() as ending:
        children = [_started(module, path, *part) for part in others]
        for child in children:
            ending.enter_context(child)
            ending.callback(child.kill)
        try:
            return [read(*first), *map(_received, children)]
        except (EOFError, pickle.UnpicklingError):
            return []


def _started(module: str, path: Path, start: int, stop: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", module, str(path.absolute()), str(start), str(stop)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )


def _received(child: subprocess.Popen[bytes]) -> T:  # type: ignore[type-var]
    """What `serve` wrote, which is this version of mrbench and no file."""
    assert child.stdout is not None
    return pickle.load(child.stdout)


def serve(read: Callable[[Path, int, int], object]) -> None:
    """Read the part that the command line names, and hand it over."""
    path, start, stop = sys.argv[1:]
    pickle.dump(read(Path(path), int(start), int(stop)), sys.stdout.buffer, protocol=pickle.HIGHEST_PROTOCOL)
