"""What is imported without what it never uses."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from importlib.util import find_spec
from mrbench.engine.lean import import_lean
import_lean()
import sigpy.mri.app
assert "torch" not in sys.modules, "sigpy has imported PyTorch"
assert find_spec("torch") is not None, "nothing else can import PyTorch"
"""


@pytest.mark.slow
def test_sigpy_imports_no_pytorch_which_others_still_can() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
