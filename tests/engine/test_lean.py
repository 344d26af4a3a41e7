"""What is imported without what it never uses."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from mrbench.engine.lean import import_lean
import_lean(), import_lean()
import sigpy.mri.app
assert "torch" not in sys.modules, "sigpy has imported PyTorch"
import torch
assert torch.ones(1).item() == 1 and len(sys.meta_path) == len({type(finder) for finder in sys.meta_path} | {*sys.meta_path})
"""


@pytest.mark.slow
def test_sigpy_imports_no_pytorch_which_can_be_imported_after_it() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
