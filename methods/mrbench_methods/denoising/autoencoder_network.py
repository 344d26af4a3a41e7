"""Encoder and decoder of strided convolutions, joined by additions, in two or three dimensions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

STRIDE = 4
"""Image sides must be multiples of this: two halvings."""


class Autoencoder(nn.Module):
    """Three levels; each level of the decoder adds the encoder's features, and the output the noisy image.

    Parameters
    ----------
    dimensions : {2, 3}
    widths : tuple of int
        Features of each level.
    context : int
        Neighbouring slices on each side, as further channels of a 2-D network.
    """

    def __init__(self, dimensions: int, widths: tuple[int, int, int], context: int) -> None:
        super().__init__()
        conv: Any = nn.Conv3d if dimensions == 3 else nn.Conv2d
        expand: Any = nn.ConvTranspose3d if dimensions == 3 else nn.ConvTranspose2d
        first, second, third = widths
        self.context = context
        self.enter = _block(conv, 2 * context + 1, first)
        self.down = nn.ModuleList([_block(conv, first, second, stride=2), _block(conv, second, third, stride=2)])
        self.middle = _block(conv, third, third)
        self.up = nn.ModuleList([expand(third, second, 2, stride=2), expand(second, first, 2, stride=2)])
        self.refine = nn.ModuleList([_block(conv, second, second), _block(conv, first, first)])
        self.leave = conv(first, 1, 3, padding=1)
        for layer in self.modules():
            if isinstance(layer, conv | expand):  # PyTorch's default shrinks the signal by 0.4 a layer: slow to train
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
        nn.init.normal_(self.leave.weight, std=0.01)

    def forward(self, image: Tensor) -> Tensor:
        """Return ``(batch, 1, *image)`` of noisy ``(batch, 2 context + 1, *image)``."""
        features = self.enter(image)
        kept = []
        for down in self.down:
            kept.append(features)
            features = down(features)
        features = features + self.middle(features)
        for up, refine in zip(self.up, self.refine, strict=True):
            features = refine(torch.relu(up(features) + kept.pop()))
        return self.leave(features) + image[:, self.context : self.context + 1]


def _block(conv: Any, inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        conv(inputs, outputs, 3, stride=stride, padding=1), nn.ReLU(), conv(outputs, outputs, 3, padding=1), nn.ReLU()
    )
