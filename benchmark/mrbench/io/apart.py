"""Reading in a process of its own: for libraries that a damaged file ends, or that take what memory it claims."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from mrbench.core.errors import DataError
from mrbench.io.bounds import MOST_BYTES

PATIENCE = 600
"""Seconds that reading may take."""

FAULT = 3
"""Exit code of the reading process after a `DataError`."""


def read_apart(module: str, what: str, path: Path, *arguments: str) -> dict[str, np.ndarray]:
    """Return the arrays that a module reads from a file when it is run, see `serve`.

    Parameters
    ----------
    module : str
        Whose ``__main__`` calls `serve`.
    what : str
        Names the reader in messages.
    path : Path
        The file to read.
    *arguments : str
        What the reader is called with beside it.

    Raises
    ------
    DataError
        As the reader; or if the file ends it, or it takes longer than `PATIENCE`.
    """
    with tempfile.TemporaryDirectory(prefix="mrbench-") as folder:
        out = Path(folder) / "read.npz"
        command = [sys.executable, "-m", module, str(path.absolute()), str(out), *arguments]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        try:
            done = subprocess.run(
                command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False
            )
        except subprocess.TimeoutExpired:
            raise DataError(f"{path} was not read within {PATIENCE} s; check the file.") from None
        if done.returncode == FAULT:
            raise DataError(json.loads(done.stdout.decode().splitlines()[-1]))
        if done.returncode or not out.is_file():
            cause = f"signal {-done.returncode}" if done.returncode < 0 else _last_line(done.stderr)
            raise DataError(f"{path} ends the {what} reader ({cause}); the file is damaged, copy it again.")
        with np.load(out, allow_pickle=False) as arrays:
            return dict(arrays)


def _last_line(output: bytes) -> str:
    return (output.decode(errors="replace").splitlines() or ["no message"])[-1][:200]


def serve(read: Callable[..., Mapping[str, np.ndarray]]) -> int:
    """Read what the command line names, with bounded memory; returns the exit code."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (4 * MOST_BYTES, 4 * MOST_BYTES))
    path, out, *arguments = sys.argv[1:]
    try:
        arrays = read(Path(path), *arguments)
    except DataError as error:
        print(json.dumps(str(error)))
        return FAULT
    with Path(out).open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    return 0
