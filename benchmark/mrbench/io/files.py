"""Where mrbench keeps what it made or fetched, and how a file gets there whole or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mrbench.core.errors import DataError


def cache_root() -> Path:
    """``$MRBENCH_CACHE``, or the user's cache folder."""
    if configured := os.environ.get("MRBENCH_CACHE"):
        return Path(configured).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "mrbench"


@contextmanager
def write_atomically(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary neighbour of ``path`` that takes its name only when all was written.

    Raises
    ------
    DataError
        If the disk is full or the folder cannot be written; ``path`` is then as it was.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            yield file
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise DataError(
            f"cannot write {path}: {error.strerror or error}; free space or choose another folder."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def write_checksum(path: Path) -> None:
    """Write the digest of ``path`` beside it."""
    with write_atomically(_sidecar(path)) as file:
        file.write(sha256_of(path).encode())


def checksum_ok(path: Path) -> bool:
    """Whether ``path`` is there and is what was written."""
    sidecar = _sidecar(path)
    return path.is_file() and sidecar.is_file() and sidecar.read_text() == sha256_of(path)
