"""Where mrbench keeps what it made or fetched, and how a file gets there whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import glob
import hashlib
import json
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from mrbench.core.digest import sha256_of
from mrbench.core.errors import DataError


def cache_root() -> Path:
    """``$MRBENCH_CACHE``, or the user's cache folder."""
    if configured := os.environ.get("MRBENCH_CACHE"):
        return Path(configured).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "mrbench"


def inside(root: Path, *names: str) -> Path:
    """Return the path of something below a folder, made of names that came from outside.

    Parameters
    ----------
    root : Path
        May itself be a link: the user chose it.
    *names : str
        Folders and a file name, from the top down; each stays one name.

    Raises
    ------
    DataError
        If a name is empty, ``.`` or ``..``, holds a separator or a null byte, is too long for a file system, or if
        what bears it below the root is a link: whatever is written there would lie elsewhere.
    """
    path = root
    for name in names:
        if name in ("", ".", "..") or "/" in name or os.sep in name or "\0" in name or len(os.fsencode(name)) > 255:
            raise DataError(f"{name[:80]!r} cannot be a file name below {root}; rename it.")
        path = path / name
        if path.is_symlink():
            raise DataError(f"{path} is a link, and what belongs there would be written elsewhere; remove the link.")
    return path


def open_regular(path: Path, flags: int) -> int:
    """Open a file, and neither a link, a pipe, a device nor a folder in its place; returns the descriptor.

    Raises
    ------
    DataError
        If something else lies there.
    OSError
        As of `os.open`.
    """
    advice = "move it away and run again."
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK):
            raise DataError(f"{path} is a link, which is not followed; {advice}") from None
        if error.errno in (errno.EISDIR, errno.ENXIO):
            raise DataError(f"{path} is not a file; {advice}") from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise DataError(f"{path} is not a file; {advice}")
    return descriptor


def remove_temporaries(path: Path) -> None:
    """Remove what a killed `write_atomically` left beside a file. Only while nobody else writes it."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*"):
        with suppress(OSError):
            left.unlink()


TEMPORARY = "temporary"
"""Folder of the cache for files that are being written."""

YOUNG = 60.0
"""Seconds in which a file may lie there before it is locked."""


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
        with tempfile.NamedTemporaryFile(dir=_folder_for(path), prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            with suppress(OSError):  # a file system without locks: nothing is swept there
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
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


def check_writable(*folders: Path) -> None:
    """Refuse folders that cannot be written, before what takes long; makes them.

    Raises
    ------
    DataError
        If one cannot be.
    """
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise DataError(f"cannot write to {folder}: {error.strerror or error}; choose another folder.") from None


def _folder_for(path: Path) -> Path:
    """Where a file lies until it has its name: those of the cache in one folder, which is swept, others beside it."""
    root = cache_root()
    if root not in path.parents:
        return path.parent
    folder = root / TEMPORARY
    folder.mkdir(exist_ok=True)
    return folder if folder.stat().st_dev == path.parent.stat().st_dev else path.parent


def sweep_cache(age: float = YOUNG) -> int:
    """Remove what killed processes left half written in the cache; returns how many files.

    What is held by a process that lives, or is younger than ``age`` seconds, stays.
    """
    removed = 0
    for left in (cache_root() / TEMPORARY).glob(".*"):
        with suppress(OSError), left.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if time.time() - left.stat().st_mtime >= age:
                left.unlink()
                removed += 1
    return removed


SETTLED = 2 * 10**9
"""Nanoseconds: a file changed more recently may change again within one tick of its file system's clock."""

_digests: dict[tuple[str, ...], str] = {}


def content_digest(path: Path) -> str:
    """Hex digest of a file's content; that of an unchanged file is remembered, in memory and in the cache.

    Unchanged is a file of the same path, size, inode and times of modification and of status change.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    try:
        fact = path.stat()
        if not path.is_file():
            raise DataError(f"{path} is not a file; check the path.")
        stamp = (str(path.absolute()), *map(str, (fact.st_size, fact.st_ino, fact.st_mtime_ns, fact.st_ctime_ns)))
        settled = max(fact.st_mtime_ns, fact.st_ctime_ns) + SETTLED < time.time_ns()
        if not settled:
            return sha256_of(path)
        if stamp not in _digests:
            _digests[stamp] = _remembered(stamp) or _remember(stamp, sha256_of(path))
        return _digests[stamp]
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}); check the path.") from error


def remembered(name: str, digest: Callable[[], str]) -> str:
    """A digest by the content that it was made of, in memory and in the cache.

    Parameters
    ----------
    name : str
        Of what it is, the digest of the content within.
    digest : callable
        Makes it, where it is not remembered.
    """
    stamp = (name, "content")
    if stamp not in _digests:
        _digests[stamp] = _remembered(stamp) or _remember(stamp, digest())
    return _digests[stamp]


def _note_of(stamp: tuple[str, ...]) -> Path:
    return cache_root() / "digests" / f"{hashlib.sha256(os.fsencode(stamp[0])).hexdigest()[:32]}.json"


def _remembered(stamp: tuple[str, ...]) -> str | None:
    try:
        note = json.loads(_note_of(stamp).read_bytes())
        return str(note["sha256"]) if note["stamp"] == list(stamp[1:]) else None
    except (OSError, ValueError, KeyError, TypeError):  # none yet, or damaged: the file is read again
        return None


def _remember(stamp: tuple[str, ...], digest: str) -> str:
    with suppress(DataError), write_atomically(_note_of(stamp)) as file:  # a full disk costs time alone
        file.write(json.dumps({"stamp": stamp[1:], "sha256": digest}).encode())
    return digest


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def write_checksum(path: Path) -> None:
    """Write the digest of ``path`` beside it."""
    with write_atomically(_sidecar(path)) as file:
        file.write(sha256_of(path).encode())


def checksum_ok(path: Path) -> bool:
    """Whether ``path`` is there and is what was written."""
    try:
        return _sidecar(path).read_bytes() == sha256_of(path).encode()
    except OSError:
        return False
