"""Generators and discriminator of image translation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

STRIDE = 4
"""Image sides must be multiples of this: two halvings."""


class Generator(nn.Module):
    """Two halvings, residual blocks, two doublings (Johnson et al. 2016, as CycleGAN uses it).

    Transposed convolutions have side 4, not 3: every output pixel then sees as many inputs, and no chequerboard shows.
    The output is linear.

    Parameters
    ----------
    base : int
        Features at full resolution; four times as many in the residual blocks.
    blocks : int
    """

    def __init__(self, base: int, blocks: int) -> None:
        super().__init__()
        layers = [*_conv(1, base, 7, "instance"), nn.ReLU()]
        for width in (base, 2 * base):
            layers += [nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), nn.InstanceNorm2d(2 * width), nn.ReLU()]
        layers += [Residual(4 * base, "instance") for _ in range(blocks)]
        for width in (4 * base, 2 * base):
            layers += [nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1), nn.InstanceNorm2d(width // 2)]
            layers += [nn.ReLU()]
        self.layers = nn.Sequential(*layers, *_conv(base, 1, 7, "none"))

    def forward(self, image: Tensor) -> Tensor:
        """Return ``(batch, 1, y, x)`` of slices ``(batch, 1, y, x)``."""
        return self.layers(image)


class SkipGenerator(nn.Module):
    """The same halvings and blocks, with features of both finer resolutions led around them as in pix2pix's U-Net.

    Without these ways around, fine detail has to pass through the blocks at a quarter of the resolution. No
    normalisation; the output is linear.

    Parameters
    ----------
    channels : int
        Of the input: slices, and maps of where they lie.
    base : int
        Features at full resolution; four times as many in the residual blocks.
    blocks : int
    """

    def __init__(self, channels: int, base: int, blocks: int) -> None:
        super().__init__()
        self.fine = nn.Sequential(*_stage(channels, base), *_stage(base, base))
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), nn.ReLU()) for width in (base, 2 * base)
        )
        self.blocks = nn.Sequential(*(Residual(4 * base, "none") for _ in range(blocks)))
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1) for width in (4 * base, 2 * base)
        )
        self.merge = nn.ModuleList(nn.Sequential(nn.ReLU(), *_stage(2 * width, width)) for width in (2 * base, base))
        self.last = nn.Conv2d(base, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Return ``(batch, 1, y, x)`` of ``(batch, channels, y, x)``."""
        fine = self.fine(image)
        middle = self.down[0](fine)
        features = self.blocks(self.down[1](middle))
        for up, merge, around in zip(self.up, self.merge, (middle, fine), strict=True):
            features = merge(torch.cat([up(features), around], 1))
        return self.last(features)


class InverseGenerator(nn.Module):
    """One less the slice, and what a `SkipGenerator` adds to that: nothing before training."""

    def __init__(self, base: int, blocks: int) -> None:
        super().__init__()
        self.change = SkipGenerator(1, base, blocks)

    def forward(self, image: Tensor) -> Tensor:
        return 1 - image + self.change(image)


class Residual(nn.Module):
    """Two convolutions, added to their input; ``norm`` is ``instance`` or ``none``."""

    def __init__(self, width: int, norm: str) -> None:
        super().__init__()
        self.layers = nn.Sequential(*_conv(width, width, 3, norm), nn.ReLU(), *_conv(width, width, 3, norm))

    def forward(self, features: Tensor) -> Tensor:
        return features + self.layers(features)


class PatchDiscriminator(nn.Module):
    """Says of each patch of 70x70 pixels how real it looks (Isola et al., CVPR 2017).

    Spectral in place of instance normalisation, which would hide from it how bright an image is.

    Parameters
    ----------
    channels : int
        1, or 2 where it sees the source beside the target.
    base : int
        Features of the first layer.
    """

    def __init__(self, channels: int, base: int = 32) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, base, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        for width, stride in ((base, 2), (2 * base, 2), (4 * base, 1)):
            convolution = nn.Conv2d(width, 2 * width, 4, stride=stride, padding=1)
            layers += [nn.utils.parametrizations.spectral_norm(convolution), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(8 * base, 1, 4, padding=1))

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image)


def initialise(network: nn.Module) -> nn.Module:
    """Draw convolutions so that they keep the size of a signal (He et al., ICCV 2015); the last of a residual less."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_in" if isinstance(module, nn.Conv2d) else "fan_out")
            assert module.bias is not None
            nn.init.zeros_(module.bias)
    for module in network.modules():
        if isinstance(module, InverseGenerator):
            nn.init.zeros_(module.change.last.weight)
        if isinstance(module, Residual):
            *_, last = (layer for layer in module.layers if isinstance(layer, nn.Conv2d))
            with torch.no_grad():
                last.weight *= 0.2
    return network


def _conv(inputs: int, outputs: int, side: int, norm: str) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, side, padding=side // 2, padding_mode="reflect")
    return [convolution, nn.InstanceNorm2d(outputs)] if norm == "instance" else [convolution]


def _stage(inputs: int, outputs: int) -> list[nn.Module]:
    return [*_conv(inputs, outputs, 3, "none"), nn.ReLU()]
