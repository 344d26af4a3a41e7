"""The command line as a user calls it: another process, its output as text."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def mrbench(*arguments: str, cwd: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "mrbench", *arguments], cwd=cwd, capture_output=True, text=True, timeout=300,
        env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
