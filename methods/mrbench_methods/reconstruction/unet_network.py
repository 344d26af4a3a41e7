"""The U-Net of fastMRI, alone and inside its normalisation."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def double_convolution(inward: int, outward: int) -> nn.Sequential:
    """Twice: 3x3 convolution without bias, instance normalisation, leaky ReLU 0.2."""
    layers: list[nn.Module] = []
    for source in (inward, outward):
        layers += [nn.Conv2d(source, outward, 3, padding=1, bias=False), nn.InstanceNorm2d(outward)]
        layers.append(nn.LeakyReLU(0.2, inplace=True))
    return nn.Sequential(*layers)


def up_convolution(inward: int, outward: int) -> nn.Sequential:
    """2x2 transposed convolution without bias, instance normalisation, leaky ReLU 0.2."""
    return nn.Sequential(
        nn.ConvTranspose2d(inward, outward, 2, stride=2, bias=False),
        nn.InstanceNorm2d(outward),
        nn.LeakyReLU(0.2, inplace=True),
    )


class Unet(nn.Module):
    """U-Net with average pooling and transposed convolutions, as ``fastmri/models/unet.py`` (no dropout).

    MONAI's BasicUNet pools by maximum and has no normalisation after its transposed convolutions. With 32
    features and 4 poolings this one has fastMRI's 7,756,097 parameters.

    Parameters
    ----------
    inward, outward : int
        Channels.
    features : int
        Of the first level; doubled at each pooling.
    pools : int
    """

    def __init__(self, inward: int, outward: int, features: int, pools: int) -> None:
        super().__init__()
        self.stride = 2**pools
        sizes = [features * 2**level for level in range(pools + 1)]
        self.down = nn.ModuleList(double_convolution(a, b) for a, b in zip([inward, *sizes[:-1]], sizes, strict=True))
        self.up = nn.ModuleList(up_convolution(2 * size, size) for size in sizes[:-1])
        self.merge = nn.ModuleList(double_convolution(2 * size, size) for size in sizes[:-1])
        self.last = nn.Conv2d(features, outward, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Map ``(batch, inward, y, x)`` to ``(batch, outward, y, x)``; sides are padded to the stride and cut again."""
        rows, columns = image.shape[-2:]
        image = F.pad(image, _margins(columns, self.stride) + _margins(rows, self.stride))
        levels = []
        for block in self.down[:-1]:
            image = block(image)
            levels.append(image)
            image = F.avg_pool2d(image, 2)
        image = self.down[-1](image)
        for level in reversed(range(len(levels))):
            image = self.merge[level](torch.cat([self.up[level](image), levels[level]], 1))
        top, left = (_margins(size, self.stride)[0] for size in (rows, columns))
        return self.last(image)[..., top : top + rows, left : left + columns]


def _margins(size: int, stride: int) -> list[int]:
    missing = -size % stride
    return [missing // 2, missing - missing // 2]


class NormUnet(nn.Module):
    """U-Net on complex images: real and imaginary part each standardised, and their SD restored after.

    The output starts near zero. fastMRI's adds the mean, too; as a correction to its input, which is how it is
    used here, it learns in a fraction of the steps without.
    """

    def __init__(self, features: int, pools: int) -> None:
        super().__init__()
        self.unet = Unet(2, 2, features, pools)
        nn.init.normal_(self.unet.last.weight, std=1e-2)
        nn.init.zeros_(self.unet.last.bias)  # type: ignore[arg-type]

    def forward(self, image: Tensor) -> Tensor:
        """Map complex ``(batch, y, x)`` to the same."""
        channels = torch.stack([image.real, image.imag], 1)
        mean = channels.mean((2, 3), keepdim=True)
        deviation = channels.std((2, 3), keepdim=True).clamp_min(1e-8)
        channels = self.unet((channels - mean) / deviation).float() * deviation
        return torch.complex(channels[:, 0], channels[:, 1])


class PublishedNormUnet(NormUnet):
    """As ``fastmri/models/varnet.py``: the mean is added again, and nothing starts near zero."""

    def __init__(self, features: int, pools: int) -> None:
        super().__init__(features, pools)
        self.unet.last.reset_parameters()

    def forward(self, image: Tensor) -> Tensor:
        return super().forward(image) + image.mean((1, 2), keepdim=True)
