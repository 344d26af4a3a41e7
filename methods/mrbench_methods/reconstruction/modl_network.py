"""MoDL: denoiser and exact SENSE step in turn, and the denoisers to choose from."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mrbench_methods.reconstruction.fourier import magnitude, to_channels, to_complex
from mrbench_methods.reconstruction.sense import SenseStep

STRIDE = 8
"""Three halvings."""


class BiasFreeUnet(nn.Module):
    """What a complex image, as two channels, holds too much: a U-Net without biases or normalisation.

    Scaled input gives scaled output, so that one network serves all levels of noise (Mohan et al., ICLR 2020).

    Parameters
    ----------
    features : int
        Of the first level; the others have 2, 3 and 4 times as many.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        sizes = [features * level for level in (1, 2, 3, 4)]
        self.down = nn.ModuleList(_pair(a, b) for a, b in pairwise([2, *sizes]))
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, stride=2, bias=False) for a, b in pairwise(sizes))
        self.merge = nn.ModuleList(_pair(2 * size, size) for size in sizes[:-1])
        self.last = nn.Conv2d(features, 2, 1, bias=False)
        nn.init.normal_(self.last.weight, std=1e-2)

    def forward(self, image: Tensor) -> Tensor:
        """Map ``(batch, 2, y, x)`` of any size to the same."""
        rows, columns = image.shape[-2:]
        image = F.pad(image, (0, -columns % STRIDE, 0, -rows % STRIDE))
        levels = []
        for block in self.down[:-1]:
            image = block(image)
            levels.append(image)
            image = F.avg_pool2d(image, 2)
        image = self.down[-1](image)
        for up, merge, level in zip(reversed(self.up), reversed(self.merge), reversed(levels), strict=True):
            image = merge(torch.cat([up(image), level], 1))
        return self.last(image)[..., :rows, :columns]


def _pair(inward: int, outward: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for source in (inward, outward):
        layers += [nn.Conv2d(source, outward, 3, padding=1, bias=False), nn.LeakyReLU(0.1)]
    return nn.Sequential(*layers)


def published_denoiser(features: int, layers: int = 5) -> nn.Sequential:
    """The paper's: ``layers`` convolutions with batch normalisation, ReLU between them, 64 features."""
    sizes = [2, *[features] * (layers - 1), 2]
    parts: list[nn.Module] = []
    for inward, outward in pairwise(sizes):
        parts += [nn.Conv2d(inward, outward, 3, padding=1), nn.BatchNorm2d(outward), nn.ReLU()]
    return nn.Sequential(*parts[:-1])


class ModlNetwork(nn.Module):
    """``z = x - N(x)``, then ``x = SenseStep(z)``, ``iterations`` times, from the SENSE step without a prior.

    Parameters
    ----------
    iterations : int
    denoiser : {"unet", "cnn"}
        `BiasFreeUnet` or `published_denoiser`.
    features : int
    shared : bool
        One denoiser for all iterations, as published.
    weight : float
        Of the prior in the SENSE step.
    """

    def __init__(self, iterations: int, denoiser: str, features: int, shared: bool, weight: float) -> None:
        super().__init__()
        self.iterations, self.weight = iterations, weight
        kind = BiasFreeUnet if denoiser == "unet" else published_denoiser
        self.denoisers = nn.ModuleList(kind(features) for _ in range(1 if shared else iterations))

    def forward(self, kspace: Tensor, mask: Tensor, maps: Tensor) -> Tensor:
        """Return magnitudes ``(batch, y, x)`` of k-space and maps ``(batch, coil, y, x)``, masks ``(batch, y, x)``."""
        return magnitude(self.complex_images(kspace, mask, maps))

    def complex_images(self, kspace: Tensor, mask: Tensor, maps: Tensor) -> Tensor:
        step = SenseStep(kspace, mask, maps, self.weight)
        image = step(torch.zeros_like(step.adjoint))
        scale = image.abs().amax((-2, -1), keepdim=True).clamp_min(1e-12)
        for number in range(self.iterations):
            denoiser = self.denoisers[number % len(self.denoisers)]
            surplus = to_complex(denoiser(to_channels(image / scale).contiguous(memory_format=torch.channels_last)))
            image = step(image - surplus * scale)
        return image
