"""Encoder and decoder of strided convolutions, joined by additions, in two and in three dimensions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

STRIDE = 4
"""Image sides must be multiples of this: two halvings."""


class Autoencoder(nn.Module):
    """Three levels; each level of the decoder adds the encoder's features, and the output the noisy slice.

    Parameters
    ----------
    width : int
        Features of the first level.
    context : int
        Neighbouring slices on each side, as further channels.
    """

    def __init__(self, width: int, context: int) -> None:
        super().__init__()
        first, second, third = width, width * 3 // 2, width * 2
        self.context = context
        self.enter = _block(2 * context + 1, first)
        self.down = nn.ModuleList([_block(first, second, stride=2), _block(second, third, stride=2)])
        self.middle = _block(third, third)
        self.up = nn.ModuleList([_expand(third, second), _expand(second, first)])
        self.refine = nn.ModuleList([_block(second, second), _block(first, first)])
        self.leave = nn.Conv2d(first, 1, 3, padding=1)

    def forward(self, slices: Tensor) -> Tensor:
        """Return ``(batch, 1, y, x)`` of slices ``(batch, 2 context + 1, y, x)``."""
        features = self.enter(slices)
        kept = []
        for down in self.down:
            kept.append(features)
            features = down(features)
        features = features + self.middle(features)
        for up, refine in zip(self.up, self.refine, strict=True):
            features = refine(torch.relu(up(features) + kept.pop()))
        return self.leave(features) + slices[:, self.context : self.context + 1]


class VolumeAutoencoder(nn.Module):
    """The same idea in 3-D: each 2x2x2 block becomes 8 channels, so that a volume costs what slices do.

    Parameters
    ----------
    width : int
        Features at half the resolution; 1.5 times as many at a quarter.

    References
    ----------
    Folding pixels into channels for denoising: Zhang et al., FFDNet, IEEE TIP 2018.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        deep = width * 3 // 2
        self.enter = _block(8, width, conv=nn.Conv3d)
        self.down = _block(width, deep, stride=2, conv=nn.Conv3d)
        self.middle = _block(deep, deep, conv=nn.Conv3d)
        self.up = nn.ConvTranspose3d(deep, width, 2, stride=2)
        self.refine = nn.ModuleList([_block(width, width, conv=nn.Conv3d) for _ in range(2)])
        self.leave = nn.Conv3d(width, 8, 3, padding=1)

    def forward(self, volume: Tensor) -> Tensor:
        """Return ``(batch, 1, z, y, x)`` of noisy volumes of that shape, sides multiples of `STRIDE`."""
        kept = self.enter(_fold(volume))
        features = self.down(kept)
        features = features + self.middle(features)
        features = torch.relu(self.up(features) + kept)
        for refine in self.refine:
            features = features + refine(features)
        return _unfold(self.leave(features)) + volume


def _block(inputs: int, outputs: int, stride: int = 1, conv: Any = nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(
        conv(inputs, outputs, 3, stride=stride, padding=1), nn.ReLU(), conv(outputs, outputs, 3, padding=1), nn.ReLU()
    )


def _expand(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 2, stride=2)


def _fold(volume: Tensor) -> Tensor:
    batch, _, depth, height, width = volume.shape
    blocks = volume.reshape(batch, depth // 2, 2, height // 2, 2, width // 2, 2)
    return blocks.permute(0, 2, 4, 6, 1, 3, 5).reshape(batch, 8, depth // 2, height // 2, width // 2)


def _unfold(channels: Tensor) -> Tensor:
    batch, _, depth, height, width = channels.shape
    blocks = channels.reshape(batch, 2, 2, 2, depth, height, width).permute(0, 4, 1, 5, 2, 6, 3)
    return blocks.reshape(batch, 1, 2 * depth, 2 * height, 2 * width)
