"""Generator and discriminator of SRGAN, in two or three dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.25
"""Of the generator's leaky rectifier, as in the authors' code."""


class Generator(nn.Module):
    """What the interpolation lacks, from a low-resolution image ``(batch, 1, *low)`` to ``(batch, 1, *high)``.

    Parameters
    ----------
    factors : sequence of int
        Of upsampling, one an axis: two or three of them.
    features, blocks : int
    upsampling : {"subpixel", "resize", "subpixel-nn"}
    published : bool
        Batch normalisation after each convolution of a block and the one that joins them.
    """

    def __init__(
        self, factors: Sequence[int], features: int, blocks: int, upsampling: str, published: bool = False
    ) -> None:
        super().__init__()
        conv: Any = nn.Conv3d if len(factors) == 3 else nn.Conv2d

        def normalised() -> list[nn.Module]:
            return [batch_norm(len(factors), features)] if published else []

        self.factors, self.upsampling = tuple(factors), upsampling
        self.enter = conv(1, features, 3, padding=1)
        self.blocks = nn.ModuleList(
            [
                nn.Sequential(
                    conv(features, features, 3, padding=1),
                    *normalised(),
                    nn.LeakyReLU(SLOPE),
                    conv(features, features, 3, padding=1),
                    *normalised(),
                )
                for _ in range(blocks)
            ]
        )
        join = conv(features, features, 3, padding=1)
        self.join = nn.Sequential(join, *normalised()) if published else join
        fine = features // 4
        if upsampling == "resize":
            self.spread = conv(features, fine, 3, padding=1)
        else:
            self.spread = conv(features, fine * prod(factors), 3, padding=1)
        for layer in self.modules():
            if isinstance(layer, conv):  # PyTorch's default shrinks the signal layer by layer: slow to train
                nn.init.kaiming_normal_(layer.weight, a=SLOPE)
                nn.init.zeros_(layer.bias)
        for block in () if published else self.blocks:
            with torch.no_grad():  # residual scaling, as in EDSR
                block[2].weight.mul_(0.1)  # type: ignore[index]
        if upsampling == "subpixel-nn":  # the same kernel for each sub-pixel: no checkerboard at the start
            with torch.no_grad():
                first = self.spread.weight[:: prod(factors)].clone()
                self.spread.weight.copy_(first.repeat_interleave(prod(factors), 0))
        self.leave = conv(fine, 1, 3, padding=1)
        nn.init.normal_(self.leave.weight, std=0.001)  # starts as the interpolation

    def forward(self, low: Tensor) -> Tensor:
        first = F.leaky_relu(self.enter(low), SLOPE)
        features = first
        for block in self.blocks:
            features = features + block(features)
        features = first + self.join(features)
        if self.upsampling == "resize":
            features = self.spread(F.interpolate(features, scale_factor=tuple(map(float, self.factors))))
        else:
            features = shuffle(self.spread(features), self.factors)
        return self.leave(F.leaky_relu(features, SLOPE))


def batch_norm(dimensions: int, features: int) -> nn.Module:
    """Batch normalisation of images in two or three dimensions."""
    return (nn.BatchNorm3d if dimensions == 3 else nn.BatchNorm2d)(features)


def shuffle(features: Tensor, factors: Sequence[int]) -> Tensor:
    """Sub-pixel shuffle by its own factor on each axis: ``(b, c f, *low)`` to ``(b, c, *high)``.

    References
    ----------
    Shi et al., CVPR 2016; `torch.nn.PixelShuffle` knows two axes and one factor.
    """
    batch, channels, *low = features.shape
    count = len(factors)
    parts = features.reshape(batch, channels // prod(factors), *factors, *low)
    order = [axis for pair in zip(range(2 + count, 2 + 2 * count), range(2, 2 + count), strict=True) for axis in pair]
    high = [n * f for n, f in zip(low, factors, strict=True)]
    return parts.permute(0, 1, *order).reshape(batch, channels // prod(factors), *high)


class Discriminator(nn.Module):
    """Pairs of convolutions that halve, then two dense layers: how real a block ``(batch, 1, *high)`` looks.

    As published four pairs from 32 to 256 features and 1,024 dense units; else three pairs from 16 and 128. Means over
    space stand before the dense layers, so that blocks may have any size.
    """

    def __init__(self, dimensions: int, published: bool = False) -> None:
        super().__init__()
        conv: Any = nn.Conv3d if dimensions == 3 else nn.Conv2d
        first, pairs, units = (32, 4, 1024) if published else (16, 3, 128)
        layers: list[nn.Module] = []
        before = 1
        for level in range(pairs):
            width = first * 2**level
            for stride in (1, 2):
                layers += [conv(before, width, 3, stride=stride, padding=1), batch_norm(dimensions, width)]
                layers += [nn.LeakyReLU(0.3)]
                before = width
        self.convolutions = nn.Sequential(*layers)
        self.dense = nn.Sequential(nn.Linear(before, units), nn.LeakyReLU(0.3), nn.Linear(units, 1))

    def forward(self, image: Tensor) -> Tensor:
        return self.dense(self.convolutions(image).flatten(2).mean(2))
