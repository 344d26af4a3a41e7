"""Which device a case gets, what its row says of it, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.settings import setting_of

from mrbench.cli.options import check_device
from mrbench.core.candidate import candidates
from mrbench.core.errors import MrbenchError
from mrbench.core.method import Resources
from mrbench.datasets.folder import Folder
from mrbench.engine.plan import Options
from mrbench.engine.run import run_board
from mrbench.engine.timing import DeviceMemory
from mrbench.tasks.registration import Registration

METHODS = """
import numpy as np
from mrbench import Method

class Lent(Method):
    task = "registration"
    on_device = True

    def predict(self, inputs):
        assert self.resources.device in ("cuda:0", "cuda:1")
        return np.zeros((3, *inputs.fixed.shape), np.float32)

class Plain(Lent):
    on_device = False
"""


def test_slots_take_the_devices_in_turn(dataset: Folder, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(METHODS)
    setting = setting_of(Registration(), dataset, "inter-subject")
    options = Options(Resources(device="cuda:0,cuda:1"), workers=2)
    rows = []
    for name in ("Lent", "Plain"):
        wanted = candidates(setting, [f"{path}:{name}"])
        rows += run_board(setting, wanted, folder=tmp_path / "out", limit=3, options=options)
    assert [row.status for row in rows] == ["ok"] * 6, rows[0].message
    devices = {name: {row.device for row in rows if row.method.endswith(name)} for name in ("Lent", "Plain")}
    assert devices == {"Lent": {"cuda:0", "cuda:1"}, "Plain": {"cpu"}}
    assert {row.device_memory_mib for row in rows} == {None}  # nothing imported PyTorch


def test_the_peak_is_that_of_the_body_on_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    peak = {"cuda:1": 3 * 2**20}
    used = [True]
    cuda = SimpleNamespace(
        reset_peak_memory_stats=asked.append, max_memory_allocated=peak.__getitem__, is_initialized=lambda: used[0]
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    with DeviceMemory("cuda:1") as lent:
        pass
    with DeviceMemory("cpu") as unlent:
        pass
    used[0] = False  # loaded for another method, before this process was forked
    with DeviceMemory("cuda:1") as unused:
        pass
    assert (lent.mib, unlent.mib, unused.mib) == (3.0, None, None) and asked == ["cuda:1"]


@pytest.mark.parametrize(
    ("device", "several", "said"),
    [
        ("gpu", True, "unknown device 'gpu'"),
        ("cuda:0,", True, "unknown device ''"),
        ("cuda:x", True, "unknown device 'cuda:x'"),
        ("cuda:0,cuda:0", True, "give each device once"),
        ("cuda,cuda:1", True, "give each device once"),
        ("cuda:0,cuda:1", False, "one device is used here"),
        ("cuda:0,cuda:2", True, "there are 2 CUDA devices"),
    ],
)
def test_what_is_no_device_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, device: str, several: bool, said: str
) -> None:
    cuda = SimpleNamespace(is_available=lambda: True, device_count=lambda: 2)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    with pytest.raises(MrbenchError, match=said) as caught:
        check_device(device, several=several)
    assert "\n" not in str(caught.value)
    check_device("cuda:1")
    check_device("cuda:0,cuda:1", several=True)
