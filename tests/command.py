"""The command line as a user calls it: in this process, or in one of its own."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import warnings
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from mrbench.cli import main


def mrbench(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Call ``mrbench`` without a new interpreter: exit code, output and errors as text.

    What a run starts still runs in processes of its own. A changed method file needs `mrbench_process`, because this
    process has imported it. Warnings are shown as a user sees them.
    """
    out, err = io.StringIO(), io.StringIO()
    with (
        chdir(cwd),
        patch.object(sys, "argv", ["mrbench", *arguments]),
        patch.dict(os.environ, COLUMNS="200"),
        redirect_stdout(out),
        redirect_stderr(err),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("default")
        try:
            main()
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else int(left.code is not None)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def mrbench_process(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Call ``mrbench`` in another process."""
    return subprocess.run(
        [sys.executable, "-m", "mrbench", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "COLUMNS": "200"},
    )
