"""Batches and losses of SRGAN and of its generator alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mrbench_methods.adversary import least_squares, least_squares_adversary
from mrbench_methods.super_resolution.learned import Pair
from mrbench_methods.super_resolution.srgan_network import Discriminator, Generator
from mrbench_methods.training_device import half_convolutions, precision_of, tensors_for

RIM = 4
"""Voxels at the edge of a block that do not count: the network misses what lies beside it."""

GRADIENT_NORM = 20.0
"""Longest gradient in 3-D: without a limit, values reach thousands within 1,000 steps, where images end at 1."""


class GeneratorRecipe:
    """Random blocks; mean squared error plus gradient difference."""

    def __init__(self, network: Generator, pairs: Sequence[Pair], dimensions: int) -> None:
        layout = torch.channels_last_3d if dimensions == 3 else torch.channels_last
        self.network = network.to(memory_format=layout)  # type: ignore[call-overload]
        self.pairs, self.dimensions = pairs, dimensions
        self.batch = 1 if dimensions == 3 else 8
        self.settings: Mapping[str, Any] = {
            "batch": self.batch,
            "augmentation": "left-right mirror image",
            "loss": "MSE + GDL",
            "precision": precision_of(self.network),
            **({"gradient_norm": GRADIENT_NORM} if dimensions == 3 else {}),
        }

    def loss(self, rng: np.random.Generator) -> Tensor:
        generated, truth = self.generate(rng)
        return self.content(generated, truth)

    def generate(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return what the generator makes of a batch, and the truth, both without their rims."""
        pair = self.pairs[int(rng.integers(len(self.pairs)))]
        factors = pair.degradation.factors
        size = [max(12, 48 // f) if f > 1 else 36 for f in factors] if self.dimensions == 3 else [1, *_plane(factors)]
        drawn = [pair.cut(size, rng) for _ in range(self.batch)]
        stacked = (np.stack(parts)[:, None] for parts in zip(*drawn, strict=True))
        low, start, truth = tensors_for(self.network, *stacked)
        if self.dimensions == 2:
            low, start, truth = (part[:, :, 0] for part in (low, start, truth))
        with half_convolutions(self.network):
            added = self.network(low)
        return _without_rim(start + added.float()), _without_rim(truth)

    def content(self, generated: Tensor, truth: Tensor) -> Tensor:
        """1,000 times MSE plus gradient difference (Mathieu et al., ICLR 2016)."""
        loss = ((generated - truth) ** 2).mean()
        for axis in range(2, generated.ndim):
            steps = [image.diff(dim=axis).abs() for image in (generated, truth)]
            loss = loss + ((steps[0] - steps[1]) ** 2).mean() / self.dimensions
        return 1000 * loss


def _without_rim(image: Tensor) -> Tensor:
    for axis in range(2, image.ndim):
        image = image.narrow(axis, RIM, image.shape[axis] - 2 * RIM)
    return image


def _plane(factors: Sequence[int]) -> list[int]:
    return [80 // factors[1], 80 // factors[2]]


class GanRecipe(GeneratorRecipe):
    """The same with a least-squares adversary."""

    betas = (0.9, 0.999)

    def __init__(
        self, network: Generator, pairs: Sequence[Pair], dimensions: int, weight: float, published: bool = False
    ) -> None:
        super().__init__(network, pairs, dimensions)
        layout = torch.channels_last_3d if dimensions == 3 else torch.channels_last
        self.adversary = Discriminator(dimensions, published).to(memory_format=layout)  # type: ignore[call-overload]
        self.weight = weight
        self.settings = {**self.settings, "loss": f"MSE + GDL + {weight:g} LSGAN", "kept": "last weights"}

    def loss(self, rng: np.random.Generator) -> Tensor:
        generated, truth = self.generate(rng)
        self._shown = generated.detach(), truth
        return self.content(generated, truth) + 1000 * self.weight * least_squares(self._judge(generated), real=True)

    def adversary_loss(self) -> Tensor:
        generated, truth = self._shown
        return least_squares_adversary(self._judge(truth), self._judge(generated))

    def _judge(self, image: Tensor) -> Tensor:
        with half_convolutions(self.network):
            return self.adversary(image).float()
