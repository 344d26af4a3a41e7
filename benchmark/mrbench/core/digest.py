"""Content as a hash: what keys and manifests know files and facts by."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def sha256_of(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_of(word: str) -> str | None:
    """What stands for a file in keys, wherever it lies: its ending, which tools go by, and its content.

    None where the word names no file. Without an ending it may be an ordinary word after all, and stands itself.
    """
    try:
        path = Path(word).expanduser()
        if not path.is_file():
            return None
    except (OSError, ValueError, RuntimeError):  # too long for a name, with a null byte, or ~ of nobody
        return None
    return f"{path.suffix or path.name} {sha256_of(path)}"


def hash_of(*facts: object) -> str:
    """20 hex digits of facts as canonical JSON."""
    canonical = json.dumps(facts, sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:20]
