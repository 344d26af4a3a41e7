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


def half_convolutions(network: torch.nn.Module, *, enabled: bool = True) -> torch.autocast:
    """A context in which convolutions of the network run in bfloat16."""
    import torch

    return torch.autocast(device_of(network).type, torch.bfloat16, enabled=enabled)
