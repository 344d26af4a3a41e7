"""Batches and losses of DCGAN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mrbench_methods.generation.dcgan_network import Discriminator, Generator
from mrbench_methods.training_device import half_convolutions, precision_of, tensors_for

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
            "batch": self.batch,
            "loss": "non-saturating GAN",
            "kept": "last weights",
            "augmentation": f"left-right flip; both sets seen moved by up to {SHIFT} pixels, darker or brighter",
            "precision": precision_of(self.network),
        }

    def loss(self, rng: np.random.Generator) -> Tensor:
        noise = rng.standard_normal((self.batch, self.network.latent)).astype(np.float32)
        drawn = self.images[rng.integers(len(self.images), size=self.batch)]
        flipped = np.where(rng.random(self.batch)[:, None, None] < 0.5, drawn, drawn[..., ::-1])
        start, real = tensors_for(self.network, noise, flipped[:, None])
        with half_convolutions(self.network):
            generated = self.network(start).float()
        self._shown = generated.detach(), real, rng
        return F.softplus(-self._judge(generated, rng)).mean()

    def adversary_loss(self) -> Tensor:
        generated, real, rng = self._shown
        return F.softplus(-self._judge(real, rng)).mean() + F.softplus(self._judge(generated, rng)).mean()

    def _judge(self, images: Tensor, rng: np.random.Generator) -> Tensor:
        with half_convolutions(self.network):
            return self.adversary(changed(images, rng)).float()


def changed(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Move each image ``(image, 1, y, x)`` by whole pixels, zeros coming in, and scale its intensity."""
    padded = F.pad(images, (SHIFT,) * 4)[:, 0]
    first = torch.from_numpy(rng.integers(0, 2 * SHIFT + 1, (len(images), 2))).T[..., None]
    gain = torch.from_numpy(rng.uniform(0.8, 1.2, (len(images), 1, 1)).astype(np.float32))
    rows, columns = (
        (start + torch.arange(side)).to(images.device) for start, side in zip(first, images.shape[-2:], strict=True)
    )
    number = torch.arange(len(images), device=images.device)[:, None, None]
    return (gain.to(images.device) * padded[number, rows[:, :, None], columns[:, None, :]])[:, None]
