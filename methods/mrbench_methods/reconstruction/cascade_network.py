"""Deep cascade of convolutional networks with data consistency, static and dynamic (Schlemper et al.)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from mrbench_methods.reconstruction.fourier import (
    magnitude,
    root_sum_of_squares,
    to_channels,
    to_complex,
    to_image,
    to_kspace,
)
from mrbench_methods.reconstruction.sense import SenseStep

PRIOR_WEIGHT = 0.05
"""Of a block's image against the measurement, where ``proximal``; as in `MoDL`."""

NEIGHBOURS = (0, 1, 2, 3, 4)
"""Reaches in frames of the data sharing, one pair of input channels each."""


class DataConsistency(nn.Module):
    """``k = (k_cnn + v k_measured) / (1 + v)`` where sampled, ``k_cnn`` elsewhere; v is learned.

    ``hard`` is the limit of noiseless data: what was measured stays.
    """

    def __init__(self, hard: bool) -> None:
        super().__init__()
        self.hard = hard
        self.log_weight = nn.Parameter(torch.tensor(2.3))  # v = 10: mostly the measurement

    def forward(self, image: Tensor, measured: Tensor, mask: Tensor) -> Tensor:
        kspace = to_kspace(image)
        kept = 1.0 if self.hard else torch.sigmoid(self.log_weight)  # v / (1 + v)
        return to_image(torch.where(mask, kspace + kept * (measured - kspace), kspace))


def convolutions(dimensions: int, channels: int, depth: int, features: int) -> nn.Sequential:
    """``depth`` convolutions of side 3 with leaky ReLU between them, from ``channels`` to 2."""
    kind = {2: nn.Conv2d, 3: nn.Conv3d}[dimensions]
    sizes = [channels, *[features] * (depth - 1), 2]
    layers: list[nn.Module] = []
    for inward, outward in pairwise(sizes):
        layer = kind(inward, outward, 3, padding=1)
        nn.init.kaiming_normal_(layer.weight, a=0.01)
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        layers += [layer, nn.LeakyReLU(0.01)]
    layer.weight.data *= 0.1  # a residual starts small
    return nn.Sequential(*layers[:-1])


class CascadeNetwork(nn.Module):
    """D*d*C*c*: ``cascades`` times ``convolutions`` 2-D layers, each block a residual, then data consistency.

    Each coil is reconstructed as if it were the only one; the result is their root sum of squares. ``proximal``
    reconstructs one image of all coils instead, by an exact SENSE step after each block.
    """

    def __init__(self, cascades: int, depth: int, features: int, hard: bool, proximal: bool = False) -> None:
        super().__init__()
        self.proximal = proximal
        self.blocks = nn.ModuleList(convolutions(2, 2, depth, features) for _ in range(cascades))
        self.consistency = nn.ModuleList(DataConsistency(hard) for _ in range(0 if proximal else cascades))

    def forward(self, kspace: Tensor, mask: Tensor, maps: Tensor | None = None) -> Tensor:
        """Return magnitudes ``(batch, y, x)`` of k-space ``(batch, coil, y, x)`` under masks ``(batch, y, x)``."""
        if maps is not None:
            return magnitude(self.combined_image(kspace, mask, maps))
        batch, coils, rows, columns = kspace.shape
        images = self.complex_images(
            kspace.reshape(batch * coils, rows, columns), mask.repeat_interleave(coils, dim=0)
        ).reshape(kspace.shape)
        return root_sum_of_squares(images) if coils > 1 else magnitude(images[:, 0])

    def combined_image(self, kspace: Tensor, mask: Tensor, maps: Tensor) -> Tensor:
        """Return one complex image of all coils, the SENSE step in place of each data consistency."""
        step = SenseStep(kspace, mask, maps, PRIOR_WEIGHT)
        image = step(torch.zeros_like(step.adjoint))
        scale = image.abs().amax((-2, -1), keepdim=True).clamp_min(1e-12)
        for block in self.blocks:
            image = step(image + to_complex(block(to_channels(image / scale))) * scale)
        return image

    def complex_images(self, kspace: Tensor, mask: Tensor) -> Tensor:
        """Return complex images ``(batch, y, x)`` of single-coil k-space of the same shape."""
        image = to_image(kspace)
        scale = image.abs().amax((-2, -1), keepdim=True).clamp_min(1e-12)
        image, measured = image / scale, kspace / scale
        for block, consistency in zip(self.blocks, self.consistency, strict=True):
            image = consistency(image + to_complex(block(to_channels(image))), measured, mask)
        return image * scale


class DynamicCascadeNetwork(nn.Module):
    """D*d*-C*c*(S): 3-D convolutions over (time, y, x), and data sharing in k-space before each block.

    Time is circular, as the heart's cycle is.
    """

    def __init__(self, cascades: int, depth: int, features: int, hard: bool) -> None:
        super().__init__()
        channels = 2 * len(NEIGHBOURS)
        self.blocks = nn.ModuleList(convolutions(3, channels, depth, features) for _ in range(cascades))
        self.consistency = nn.ModuleList(DataConsistency(hard) for _ in range(cascades))

    def forward(self, kspace: Tensor, mask: Tensor) -> Tensor:
        """Return magnitudes ``(batch, time, y, x)`` of k-space and masks of the same shape."""
        return magnitude(self.complex_images(kspace, mask))

    def complex_images(self, kspace: Tensor, mask: Tensor) -> Tensor:
        image = to_image(kspace)
        scale = image.abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-12)
        image, measured = image / scale, kspace / scale
        for number, (block, consistency) in enumerate(zip(self.blocks, self.consistency, strict=True)):
            current = measured if number == 0 else to_kspace(image)
            shared = share(current, measured, mask, sampled_only=number == 0)
            channels = to_channels(to_image(shared)).flatten(1, 2)
            image = consistency(image + to_complex(block(channels)), measured, mask)
        return image * scale


def share(kspace: Tensor, measured: Tensor, mask: Tensor, *, sampled_only: bool) -> Tensor:
    """Average k-space over neighbouring frames, each reach of `NEIGHBOURS` apart; own samples stay.

    Parameters
    ----------
    kspace, measured : Tensor, shape ``(batch, time, y, x)``
        What is averaged, and the samples that stay.
    mask : Tensor of bool
        Which samples were measured.
    sampled_only : bool
        Divide by how many neighbours sampled the point (first cascade), not by how many there are.

    Returns
    -------
    Tensor, shape ``(batch, reach, time, y, x)``
    """
    total, count, shared = kspace, mask.float(), []
    for reach in NEIGHBOURS:
        if reach > 0:
            total = total + kspace.roll(reach, 1) + kspace.roll(-reach, 1)
            count = count + mask.roll(reach, 1) + mask.roll(-reach, 1)
        mean = total / (count.clamp_min(1) if sampled_only else 2 * reach + 1)
        shared.append(torch.where(mask, measured, mean))
    return torch.stack(shared, 1)
