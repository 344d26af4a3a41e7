"""The precision of a training: bfloat16 where the processor has it, and only there."""

from __future__ import annotations

import pytest
import torch

from mrbench_methods.training_device import half_convolutions, precision_of


@pytest.mark.parametrize(("name", "there"), [("avx512_bf16", True), ("amx_bf16", True), ("avx512_f", False)])
def test_bfloat16_is_used_where_it_is_no_emulation(name: str, there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    network = torch.nn.Conv2d(1, 1, 3)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {name: True, "avx512_fp16": True, "bf16_of_another": 0})
    with half_convolutions(network):
        assert network(torch.zeros(1, 1, 4, 4)).dtype == (torch.bfloat16 if there else torch.float32)
    with half_convolutions(network, enabled=False):
        assert network(torch.zeros(1, 1, 4, 4)).dtype == torch.float32
    assert ("bfloat16" in precision_of(network)) == there
