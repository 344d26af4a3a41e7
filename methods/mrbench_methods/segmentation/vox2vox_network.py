"""Generator and discriminator of Vox2Vox."""

from __future__ import annotations

import torch
from torch import Tensor, nn

STRIDE = 16
"""Sides of a block must be multiples of this: four halvings."""

SLOPE = 0.2


def padded(side: int) -> int:
    """The next side of a block that the network takes; two, as one voxel at its bottom has no variance."""
    return max(2 * STRIDE, -(-side // STRIDE) * STRIDE)


class UNet(nn.Module):
    """3-D U-Net of strided convolutions with a densely connected bottleneck (Cirillo et al. 2020).

    Unlike the published network, it sees the contrasts once more at full resolution, before it decides: at 2 mm an
    enhancing rim is one or two voxels wide, and half the resolution would lose it.

    Parameters
    ----------
    channels, classes : int
    base : int
        Features of the first level; 64 as published.
    bottleneck : int
        Convolutions at the lowest resolution, each seeing all before it; 4 as published, of side 4, here of side 3.
    """

    def __init__(self, channels: int, classes: int, base: int, bottleneck: int) -> None:
        super().__init__()
        widths = [base, 2 * base, 4 * base, 8 * base]
        self.down = nn.ModuleList()
        before = channels
        for level, width in enumerate(widths):
            halve = nn.Conv3d(before, width, 4, 2, 1)
            self.down.append(_block(halve, width) if level else nn.Sequential(halve, nn.LeakyReLU(SLOPE)))
            before = width
        self.dense = nn.ModuleList()
        for _ in range(bottleneck):
            self.dense.append(_block(nn.Conv3d(before, widths[-1], 3, padding=1), widths[-1]))
            before += widths[-1]
        self.up = nn.ModuleList()
        for width in widths[-2::-1]:
            self.up.append(_block(nn.ConvTranspose3d(before, width, 4, 2, 1), width))
            before = 2 * width
        self.leave = nn.ConvTranspose3d(before, base, 4, 2, 1)
        self.decide = nn.Sequential(
            _block(nn.Conv3d(base + channels, base, 3, padding=1), base), nn.Conv3d(base, classes, 1)
        )

    def forward(self, image: Tensor) -> Tensor:
        """Return scores ``(batch, classes, z, y, x)``, before the softmax."""
        kept, features = [], image
        for down in self.down:
            features = down(features)
            kept.append(features)
        kept.pop()
        for dense in self.dense:
            features = torch.cat([features, dense(features)], 1)
        for up in self.up:
            features = torch.cat([up(features), kept.pop()], 1)
        return self.decide(torch.cat([self.leave(features), image], 1))


def _block(convolution: nn.Module, width: int) -> nn.Sequential:
    return nn.Sequential(convolution, nn.InstanceNorm3d(width, affine=True), nn.LeakyReLU(SLOPE))


class PatchDiscriminator3d(nn.Module):
    """How real each patch of a segmentation looks beside its image."""

    def __init__(self, channels: int, base: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = channels
        for level in range(3):
            width = base * 2**level
            norm = [nn.InstanceNorm3d(width)] if level else []
            layers += [nn.Conv3d(before, width, 4, 2, 1), *norm, nn.LeakyReLU(SLOPE)]
            before = width
        layers += [nn.Conv3d(before, 2 * before, 3, padding=1), nn.InstanceNorm3d(2 * before), nn.LeakyReLU(SLOPE)]
        self.layers = nn.Sequential(*layers, nn.Conv3d(2 * before, 1, 3, padding=1))

    def forward(self, image: Tensor, labels: Tensor) -> Tensor:
        return self.layers(torch.cat([image, labels], 1))
