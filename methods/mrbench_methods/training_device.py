"""Where a network is trained: batches follow it there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch


def device_of(network: torch.nn.Module) -> torch.device:
    """The device of a network's weights."""
    return next(network.parameters()).device


def tensors_for(network: torch.nn.Module, *arrays: np.ndarray) -> list[torch.Tensor]:
    """The arrays as tensors on the network's device."""
    import torch

    return [torch.from_numpy(array).to(device_of(network)) for array in arrays]


def precision_of(network: torch.nn.Module) -> str:
    """In which numbers `half_convolutions` trains a network where it lies, for its manifest."""
    return "bfloat16 convolutions, float32 elsewhere" if _is_fast(device_of(network)) else "float32"


def half_convolutions(network: torch.nn.Module, *, enabled: bool = True) -> torch.autocast:
    """A context in which convolutions of the network run in bfloat16, where the processor has instructions for it.

    Without them PyTorch emulates it: a step of `FusionNetwork` then takes 12 times as long as in float32.
    """
    import torch

    device = device_of(network)
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled and _is_fast(device))


def _is_fast(device: torch.device) -> bool:
    """Whether a device computes in bfloat16 itself: AVX512_BF16, AMX, Arm's BF16, or a GPU."""
    import torch

    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return any(there for name, there in torch.cpu.get_capabilities().items() if name.endswith("bf16"))
