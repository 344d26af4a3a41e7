"""What is imported without what it never uses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mrbench.core.binding import bind
from mrbench.core.candidate import candidates
from mrbench.engine.plan import Options
from mrbench.engine.slot import Slot

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


def test_pytorch_is_loaded_once_for_all_our_networks_and_for_nobody_else(
    cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr("mrbench.engine.slot.Child", lambda *role, preload, **how: asked.append(preload))
    (tmp_path / "theirs.py").write_text(
        "from mrbench import method\n@method(task='registration', kind='learned')\ndef net(inputs): ...\n"
    )
    setting = bind("registration", f"folder:{cohort}")
    slot = Slot(setting, Options(), (), tmp_path)
    for name in ("voxelmorph", "identity", f"{tmp_path}/theirs.py:net"):
        (candidate,) = candidates(setting, [name])
        slot._child("worker", candidate)
    slot._child("scorer")
    slot.close()
    assert [("torch" in preload) for preload in asked] == [True, False, False, False]
