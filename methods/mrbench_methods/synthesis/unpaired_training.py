"""Batches and losses of unpaired translation: CycleGAN and UNIT."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mrbench.tasks.synthesis import Scan, TrainingScans
from mrbench_methods.adversary import least_squares
from mrbench_methods.synthesis.scans import crop, filled, unpaired_scans
from mrbench_methods.synthesis.translation_network import STRIDE, PatchDiscriminator
from mrbench_methods.synthesis.unit_network import MultiScaleDiscriminator, Unit
from mrbench_methods.training_device import half_convolutions, precision_of, tensors_for

CONTRASTS = ("T1", "T2")


class Pool:
    """Images made earlier: every second time the discriminator sees one of them instead (Shrivastava et al. 2017)."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.images: list[Tensor] = []

    def draw(self, image: Tensor, rng: np.random.Generator) -> Tensor:
        """Return the image, or one from the pool, whose place it then takes."""
        if len(self.images) < self.size:
            self.images.append(image)
            return image
        if not self.size or rng.random() < 0.5:
            return image
        at = int(rng.integers(self.size))
        image, self.images[at] = self.images[at], image
        return image


class UnpairedRecipe(ABC):
    """Axial slices of two different people, one of each contrast; a discriminator of each contrast."""

    betas = (0.5, 0.999)
    side = 128

    def __init__(
        self, network: nn.Module, adversaries: nn.ModuleDict, examples: TrainingScans, loss: str, pool: int = 0
    ) -> None:
        self.pools = {name: Pool(pool) for name in CONTRASTS}
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.adversary = adversaries.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.examples = examples
        self.settings: Mapping[str, Any] = {
            "batch": 1,
            "crop": self.side,
            "loss": loss,
            "kept": "last weights",
            "pairs": "none: the two slices are of different people",
            "augmentation": "left-right flip",
            "precision": precision_of(self.network),
            "pool": pool,
        }

    def loss(self, rng: np.random.Generator) -> Tensor:
        real = dict(zip(CONTRASTS, self._draw(rng), strict=True))
        self._shown: dict[str, tuple[Tensor, Tensor]] = {}
        parts = []
        for source, target in (CONTRASTS, CONTRASTS[::-1]):
            image, brain = real[source]
            with half_convolutions(self.network):
                synthesised, part = self.there_and_back(image, brain, source, target)
            self._shown[target] = self.pools[target].draw(synthesised.detach(), rng), real[target][0]
            parts.append(part)
        return torch.stack(parts).sum()

    @abstractmethod
    def there_and_back(self, image: Tensor, brain: Tensor, source: str, target: str) -> tuple[Tensor, Tensor]:
        """Return what is made of the target contrast, and the loss of this direction."""

    @abstractmethod
    def verdict(self, image: Tensor, name: str, real: bool) -> Tensor:
        """Return the loss of a discriminator that should find an image real, or not."""

    def adversary_loss(self) -> Tensor:
        """Of both discriminators, halved as published."""
        with half_convolutions(self.network):
            parts = [
                self.verdict(real, name, True) + self.verdict(synthesised, name, False)
                for name, (synthesised, real) in self._shown.items()
            ]
        return 0.5 * torch.stack(parts).sum()

    def _draw(self, rng: np.random.Generator) -> list[tuple[Tensor, Tensor]]:
        scans = unpaired_scans(self.examples, rng)
        return [self._slice(scan, name, rng) for scan, name in zip(scans, CONTRASTS, strict=True)]

    def _slice(self, scan: Scan, name: str, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """One slice and its brain, ``(1, 1, y, x)``, its sides multiples of what the generator asks."""
        sides = np.minimum(self.side, scan.mask.shape).tolist()
        drawn = crop(scan, [name], axis=0, context=0, sides=sides, rng=rng)
        image, brain = tensors_for(self.network, *(filled(drawn[key], STRIDE)[None] for key in (name, "mask")))
        return image.contiguous(memory_format=torch.channels_last), brain.float()


class CycleRecipe(UnpairedRecipe):
    """Least-squares adversaries and the error of going there and back."""

    def __init__(self, network: nn.ModuleDict, examples: TrainingScans, cycle: float, pool: int = 0) -> None:
        adversaries = nn.ModuleDict({name: PatchDiscriminator(channels=1) for name in CONTRASTS})
        super().__init__(network, adversaries, examples, f"LSGAN + {cycle:g} cycle", pool)
        self.cycle = cycle

    def there_and_back(self, image: Tensor, brain: Tensor, source: str, target: str) -> tuple[Tensor, Tensor]:
        synthesised = self.network[target](image).float() * brain
        again = self.network[source](synthesised).float() * brain
        return synthesised, self.verdict(synthesised, target, True) + self.cycle * (again - image).abs().mean()

    def verdict(self, image: Tensor, name: str, real: bool) -> Tensor:
        return least_squares(self.adversary[name](image).float(), real=real)


class UnitRecipe(UnpairedRecipe):
    """Cross-entropy adversaries at three scales, Gaussian codes, and the error of going through and there and back.

    Divided by 100, the weight of the reconstruction.
    """

    gan, code, image = 0.1, 0.001, 1.0
    network: Unit

    def __init__(self, network: Unit, examples: TrainingScans) -> None:
        adversaries = nn.ModuleDict({name: MultiScaleDiscriminator() for name in CONTRASTS})
        super().__init__(network, adversaries, examples, "10 GAN + 0.1 code + 100 image + 0.1 code + 100 cycle")

    def loss(self, rng: np.random.Generator) -> Tensor:
        torch.manual_seed(int(rng.integers(2**62)))  # of codes and dropout: a resumed training draws the same
        return super().loss(rng)

    def there_and_back(self, image: Tensor, brain: Tensor, source: str, target: str) -> tuple[Tensor, Tensor]:
        code = self.network.encode(image, source)
        noisy = code + torch.randn_like(code)
        same, synthesised = (self.network.generate(noisy, name).float() * brain for name in (source, target))
        second = self.network.encode(synthesised, target)
        again = self.network.generate(second + torch.randn_like(second), source).float() * brain
        codes = sum((z.float() ** 2).mean() for z in (code, second))
        errors = sum((x - image).abs().mean() for x in (same, again))
        return synthesised, self.gan * self.verdict(synthesised, target, True) + self.code * codes + self.image * errors

    def verdict(self, image: Tensor, name: str, real: bool) -> Tensor:
        """Binary cross-entropy."""
        scores = self.adversary[name](image).float()
        return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, float(real)))
