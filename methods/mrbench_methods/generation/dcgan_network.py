"""Generator and discriminator of DCGAN for slices of any size."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

DOUBLINGS = 4


class Generator(nn.Module):
    """From noise to a slice: a linear layer, then four transposed convolutions, batch normalisation between.

    Parameters
    ----------
    latent : int
        Length of the noise vector.
    base : int
        Features before the last layer; each earlier layer has twice as many.
    shape : tuple of int
        ``(y, x)`` of a slice; made on the next multiple of 16 and cut. Kept among the weights.
    """

    size: Tensor

    def __init__(self, latent: int, base: int, shape: tuple[int, int]) -> None:
        super().__init__()
        self.latent, self.shape = latent, shape
        self.register_buffer("size", torch.tensor(shape))
        self.start = tuple(-(-side // 2**DOUBLINGS) for side in shape)
        widths = [base * 2**power for power in range(DOUBLINGS - 1, -1, -1)]
        self.first = nn.Linear(latent, widths[0] * self.start[0] * self.start[1])
        layers: list[nn.Module] = [nn.BatchNorm2d(widths[0]), nn.ReLU()]
        for inputs, outputs in itertools.pairwise(widths):
            layers += [nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(outputs), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(base, 1, 4, stride=2, padding=1))

    def forward(self, noise: Tensor) -> Tensor:
        """Return ``(image, 1, y, x)`` between 0 and 1 of noise ``(image, latent)``."""
        block = self.first(noise)
        features = block.reshape(len(noise), -1, *self.start)
        images = torch.sigmoid(self.layers(features))
        return images[..., : self.shape[0], : self.shape[1]]


class Discriminator(nn.Module):
    """Strided convolutions with spectral normalisation, which a small training set needs more than batch statistics."""

    def __init__(self, base: int, shape: tuple[int, int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        widths = [1, *(base * 2**power for power in range(DOUBLINGS))]
        for inputs, outputs in itertools.pairwise(widths):
            convolution = nn.Conv2d(inputs, outputs, 4, stride=2, padding=1)
            layers += [nn.utils.parametrizations.spectral_norm(convolution), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)
        left = [side // 2**DOUBLINGS for side in shape]
        self.last = nn.utils.parametrizations.spectral_norm(nn.Linear(widths[-1] * left[0] * left[1], 1))

    def forward(self, images: Tensor) -> Tensor:
        """Return a logit for each image: high for real."""
        return self.last(self.layers(images).flatten(1))


def initialise(network: nn.Module) -> nn.Module:
    """Draw weights as DCGAN does: SD 0.02."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0, 0.02)
    return network
