"""Networks of UNIT: an encoder and a generator for each contrast, joined by a shared latent space."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mrbench_methods.synthesis.scans import SMALLEST
from mrbench_methods.synthesis.translation_network import PatchDiscriminator, Residual

DROPOUT = 0.5
"""Of the shared blocks, in training."""


class Unit(nn.Module):
    """Encoder, shared encoder, shared decoder, generator; a code is the mean of a Gaussian of unit variance.

    Parameters
    ----------
    contrasts : sequence of str
    base : int
        Features at full resolution; four times as many in the code.
    blocks : int
        Residual blocks of each encoder and generator; one more each is shared.
    inverted : collection of str
        Contrasts whose slices are turned into one less themselves on the way in, and back on the way out.
    """

    def __init__(self, contrasts: Sequence[str], base: int, blocks: int, inverted: Collection[str] = ()) -> None:
        super().__init__()
        self.inverted = frozenset(inverted)
        self.encoders = nn.ModuleDict({name: _encoder(base, blocks) for name in contrasts})
        self.generators = nn.ModuleDict({name: _generator(base, blocks) for name in contrasts})
        self.shared_encoder = Residual(4 * base, "instance")
        self.shared_decoder = Residual(4 * base, "instance")
        self.dropout = nn.Dropout(DROPOUT)

    def encode(self, image: Tensor, source: str) -> Tensor:
        """Mean of the code of slices ``(batch, 1, y, x)`` of a contrast."""
        shown = 1 - image if source in self.inverted else image
        return self.dropout(self.shared_encoder(self.encoders[source](shown)))

    def generate(self, code: Tensor, target: str) -> Tensor:
        """Slices of a contrast from a code."""
        image = self.generators[target](self.dropout(self.shared_decoder(code)))
        return 1 - image if target in self.inverted else image


class MultiScaleDiscriminator(nn.Module):
    """Patch discriminators of the image at full, half and quarter resolution; their verdicts in one row.

    A lower resolution at which the image is smaller than 32 pixels is left out.
    """

    def __init__(self, scales: int = 3) -> None:
        super().__init__()
        self.scales = nn.ModuleList(PatchDiscriminator(channels=1, base=16) for _ in range(scales))

    def forward(self, image: Tensor) -> Tensor:
        verdicts = []
        for scale in self.scales:
            verdicts.append(scale(image).flatten())
            image = F.avg_pool2d(image, 2)
            if min(image.shape[2:]) < SMALLEST:
                break
        return torch.cat(verdicts)


def _encoder(base: int, blocks: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(1, base, 7, padding=3, padding_mode="reflect"), nn.LeakyReLU(0.2)]
    for width in (base, 2 * base):
        layers += [nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, *(Residual(4 * base, "instance") for _ in range(blocks)))


def _generator(base: int, blocks: int) -> nn.Sequential:
    layers: list[nn.Module] = [Residual(4 * base, "instance") for _ in range(blocks)]
    for width in (4 * base, 2 * base):
        layers += [nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(base, 1, 1))
