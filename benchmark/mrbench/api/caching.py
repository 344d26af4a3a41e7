"""What the cache holds, and how it is kept small."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mrbench.core.arguments import check_number
from mrbench.core.errors import unknown_name
from mrbench.io.files import YOUNG, cache_root, sweep_cache

KINDS = {
    "predictions": "what methods returned: made again where a picture or another scoring needs it",
    "datasets": "prepared subjects: made again from their source",
    "downloads": "source files of public datasets: fetched again",
    "digests": "content of the user's files by name and date: read again",
    "logs": "what methods printed on workers of a cluster",
}
"""Folders of the cache, and what the loss of each costs. What else lies there is not touched."""


@dataclass(frozen=True)
class Kind:
    """One folder of the cache."""

    name: str
    what: str
    files: int
    bytes: int
    oldest_days: float


def contents() -> list[Kind]:
    """What lies in the cache, by kind; in days how long ago the oldest file was used."""
    kinds = []
    for name, what in KINDS.items():
        entries = list(_entries(name))
        oldest = max((time.time() - entry.used) / 86400 for entry in entries) if entries else 0.0
        kinds.append(Kind(name, what, len(entries), sum(entry.bytes for entry in entries), oldest))
    return kinds


@dataclass(frozen=True)
class _Entry:
    path: Path
    bytes: int
    used: float


def _entries(kind: str) -> Iterator[_Entry]:
    """The files of a kind, links left alone."""
    waiting = [str(cache_root() / kind)]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as folder:
            for entry in folder:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    fact = entry.stat(follow_symlinks=False)
                    yield _Entry(Path(entry.path), fact.st_size, max(fact.st_atime, fact.st_mtime))


def prune(
    kinds: Sequence[str] = ("predictions",), *, limit_gib: float | None = None, older_than_days: float | None = None
) -> tuple[int, int]:
    """Remove files of the cache, those first that were not used for longest.

    Parameters
    ----------
    kinds : sequence of str
        See `KINDS`.
    limit_gib : float, optional
        Keep that much of these kinds together. Default: nothing, or with ``older_than_days`` everything younger.
    older_than_days : float, optional
        Keep what was used since.

    Returns
    -------
    files, bytes : int
        What was removed.

    Raises
    ------
    RequestError
        If there is no such kind, or a limit is below zero or no number.
    """
    check_number(0, limit_gib=limit_gib, older_than_days=older_than_days)
    for kind in kinds:
        if kind not in KINDS:
            raise unknown_name("part of the cache", kind, KINDS)
    sweep_cache(YOUNG)
    now = time.time()
    entries = sorted((entry for kind in kinds for entry in _entries(kind)), key=lambda entry: entry.used)
    left = sum(entry.bytes for entry in entries)
    most = 0.0 if limit_gib is None and older_than_days is None else (limit_gib or 0.0) * 2**30
    files = freed = 0
    for entry in entries:
        old = older_than_days is not None and now - entry.used > older_than_days * 86400
        crowded = left > most and (older_than_days is None or limit_gib is not None)
        if old or crowded:
            with suppress(OSError):
                entry.path.unlink()
                files, freed, left = files + 1, freed + entry.bytes, left - entry.bytes
    return files, freed
