"""Encoder and decoder of strided convolutions, joined by additions."""

from __future__ import annotations

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

    def forward(self, image: Tensor) -> Tensor:
        """Return ``(batch, 1, y, x)`` of noisy slices ``(batch, 2 context + 1, y, x)``."""
        features = self.enter(image)
        kept = []
        for down in self.down:
            kept.append(features)
            features = down(features)
        features = features + self.middle(features)
        for up, refine in zip(self.up, self.refine, strict=True):
            features = refine(torch.relu(up(features) + kept.pop()))
        return self.leave(features) + image[:, self.context : self.context + 1]


def _block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        nn.ReLU(),
    )


def _expand(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 2, stride=2)
