"""``run.json``: all that is needed to make a board again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypedDict

import msgspec

import mrbench
from mrbench.core.errors import DataError
from mrbench.core.task import Setting
from mrbench.io.files import open_regular, write_atomically
from mrbench.io.machine import describe_machine


@lru_cache
def package_versions() -> dict[str, str]:
    """Every installed distribution and its version, from the names of their folders: reading them all takes 0.4 s."""
    versions = {}
    for folder in reversed(sys.path):
        for path in Path(folder).glob("*.dist-info"):
            name, _, version = path.stem.partition("-")
            versions[name.replace("_", "-").lower()] = version
    return dict(sorted(versions.items()))


@lru_cache
def git_revision() -> str | None:
    """Commit of the checkout that mrbench itself runs from, ``+`` if it was changed; None if installed."""
    folder = Path(mrbench.__file__).parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()

    try:
        if "benchmark/mrbench" not in git("ls-files", "--full-name", "__init__.py"):
            return None  # some other repository happens to contain the environment
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


class _About(TypedDict, total=False):
    """What reports read of the data, as `facts_of` says it."""

    title: str
    citation: str
    licence: str
    simulation: str
    cases: int | None
    notes: list[str]


class _Run(TypedDict, total=False):
    """What reports read of a run; all else that it records is to be looked up."""

    about: _About
    dataset: str
    limit: int | None
    protocol: dict[str, Any]
    shard: str


def read_runs(path: Path) -> dict[str, Any]:
    """The runs that a ``run.json`` and its shards' record, by their id; empty where there is no file.

    Raises
    ------
    DataError
        If it is something else.
    """
    runs: dict[str, Any] = {}
    for part in (path, *sorted(path.parent.glob(f"{path.stem}.*-of-*.json"))):
        runs |= _recorded(part)
    return dict(sorted(runs.items()))


def _recorded(path: Path) -> dict[str, Any]:
    try:
        with os.fdopen(open_regular(path, os.O_RDONLY), "rb") as file:
            runs = json.load(file)["runs"]
        msgspec.convert(runs, dict[str, _Run])
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise DataError(f"{path} is not a record of runs; move it away and run again.") from None
    return dict(runs)


def facts_of(setting: Setting) -> dict[str, Any]:
    """What a report says of the data, so that it can be made where they are not."""
    data = setting.dataset
    return {
        "title": data.title,
        "citation": getattr(data, "citation", ""),
        "licence": getattr(data, "licence", ""),
        "simulation": data.simulation if data.simulated else "",
        "cases": len(setting.all_cases),
        "notes": [note for note in (getattr(data, "remark", ""), *getattr(data, "notes", ())) if note],
    }


def record_run(path: Path, run: str, facts: dict[str, Any]) -> None:
    """Add or renew one run in ``run.json``, which keeps every run that made rows of the board.

    Raises
    ------
    DataError
        If the file is something else, or the disk is full.
    """
    runs = _recorded(path)
    runs[run] = {
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "mrbench": mrbench.__version__,
        "git": git_revision(),
        "machine": describe_machine(),
        **facts,
        "packages": package_versions(),
    }
    write_runs(path, runs)


def write_runs(path: Path, runs: Mapping[str, Any]) -> None:
    """Write ``run.json`` anew; raises `DataError` where the disk is full."""
    with write_atomically(path) as file:
        file.write(json.dumps({"schema": 1, "runs": runs}, indent=1).encode() + b"\n")
