"""Batches and losses of DCGAN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mrbench_methods.generation.dcgan_network import Discriminator, Generator

SHIFT = 8
"""Pixels that both real and made slices are moved by at most before the discriminator sees them."""


class DcganRecipe:
    """The non-saturating loss; the discriminator sees real and made slices through the same random changes.

    Without these (Zhao et al., Differentiable augmentation for data-efficient GAN training, NeurIPS 2020) it learns
    the few hundred training slices by heart.
    """

    batch = 32
    betas = (0.5, 0.999)

    def __init__(self, network: Generator, images: np.ndarray, base: int) -> None:
        self.network = network
        self.images = images
        self.adversary = Discriminator(base, network.shape)
        self.settings: Mapping[str, Any] = {
            "batch": self.batch, "loss": "non-saturating GAN", "kept": "last weights",
            "augmentation": f"left-right flip; both sets seen moved by up to {SHIFT} pixels, darker or brighter",
            "precision": "bfloat16 convolutions",
        }  # fmt: skip

    def loss(self, rng: np.random.Generator) -> Tensor:
        noise = rng.standard_normal((self.batch, self.network.latent)).astype(np.float32)
        with torch.autocast("cpu", torch.bfloat16):
            made = self.network(torch.from_numpy(noise)).float()
        drawn = self.images[rng.integers(len(self.images), size=self.batch)]
        flipped = np.where(rng.random(self.batch)[:, None, None] < 0.5, drawn, drawn[..., ::-1])
        self._shown = made.detach(), torch.from_numpy(flipped)[:, None], rng
        return F.softplus(-self._judge(made, rng)).mean()

    def adversary_loss(self) -> Tensor:
        made, real, rng = self._shown
        return F.softplus(-self._judge(real, rng)).mean() + F.softplus(self._judge(made, rng)).mean()

    def _judge(self, images: Tensor, rng: np.random.Generator) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return self.adversary(changed(images, rng)).float()


def changed(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Move each image ``(image, 1, y, x)`` by whole pixels, zeros coming in, and scale its intensity."""
    padded = F.pad(images, (SHIFT,) * 4)
    rows, columns = images.shape[-2:]
    moved = []
    for image, (y, x), gain in zip(
        padded, rng.integers(0, 2 * SHIFT + 1, (len(images), 2)), rng.uniform(0.8, 1.2, len(images)), strict=True
    ):
        moved.append(float(gain) * image[:, y : y + rows, x : x + columns])
    return torch.stack(moved)
