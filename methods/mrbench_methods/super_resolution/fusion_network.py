"""Multi-scale fusion units."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class FusionUnit(nn.Module):
    """Parallel convolutions of different sides, rectified, fused by a 1x1 convolution, added to the input."""

    def __init__(self, sides: Sequence[int], features: int) -> None:
        super().__init__()
        self.paths = nn.ModuleList([nn.Conv2d(features, features, side, padding=side // 2) for side in sides])
        self.fuse = nn.Conv2d(len(sides) * features, features, 1)

    def forward(self, features: Tensor) -> Tensor:
        paths = torch.cat([torch.relu(path(features)) for path in self.paths], 1)
        return features + self.fuse(paths)


class FusionNetwork(nn.Module):
    """Entry, a stack of `FusionUnit`, exit, and the interpolated slice added."""

    def __init__(self, sides: Sequence[int], features: int, units: int, context: int) -> None:
        super().__init__()
        self.context = context
        self.enter = nn.Conv2d(2 * context + 1, features, 3, padding=1)
        self.units = nn.Sequential(*(FusionUnit(sides, features) for _ in range(units)))
        self.leave = nn.Conv2d(features, 1, 3, padding=1)
        nn.init.normal_(self.leave.weight, std=0.001)  # starts as the interpolation

    def forward(self, slices: Tensor) -> Tensor:
        """Return ``(batch, 1, y, x)`` of interpolated slices ``(batch, 2 context + 1, y, x)``."""
        features = torch.relu(self.enter(slices))
        return self.leave(self.units(features)) + slices[:, self.context : self.context + 1]
