"""Batches and losses of unpaired translation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mrbench.tasks.synthesis import Scan, TrainingScans
from mrbench_methods.synthesis.scans import crop, unpaired_scans
from mrbench_methods.synthesis.translation_network import STRIDE, PatchDiscriminator, initialise

CONTRASTS = ("T1", "T2")


class CycleRecipe:
    """Axial slices of two different people, one of each contrast."""

    betas = (0.5, 0.999)
    side = 256

    def __init__(self, network: nn.ModuleDict, examples: TrainingScans, cycle: float) -> None:
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.adversary = nn.ModuleDict({name: initialise(PatchDiscriminator(channels=1)) for name in CONTRASTS})
        self.adversary.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.examples, self.cycle = examples, cycle
        self.settings: Mapping[str, Any] = {
            "batch": 1, "crop": self.side, "loss": f"LSGAN + {cycle:g} cycle", "kept": "last weights",
            "pairs": "none: the two slices are of different people", "augmentation": "left-right flip",
            "precision": "bfloat16 convolutions",
        }  # fmt: skip

    def loss(self, rng: np.random.Generator) -> Tensor:
        real = dict(zip(CONTRASTS, self._draw(rng), strict=True))
        self._shown = {}
        total = torch.zeros(())
        for source, target in (CONTRASTS, CONTRASTS[::-1]):
            image, brain = real[source]
            made = self._make(image, target) * brain
            again = self._make(made, source) * brain
            self._shown[target] = made.detach(), real[target][0]
            total = total + ((self._judge(made, target) - 1) ** 2).mean() + self.cycle * (again - image).abs().mean()
        return total

    def adversary_loss(self) -> Tensor:
        """Least squares, halved as published: real is 1, made is 0."""
        parts = [
            ((self._judge(real, name) - 1) ** 2).mean() + (self._judge(made, name) ** 2).mean()
            for name, (made, real) in self._shown.items()
        ]
        return 0.5 * torch.stack(parts).sum()

    def _draw(self, rng: np.random.Generator) -> list[tuple[Tensor, Tensor]]:
        scans = unpaired_scans(self.examples, rng)
        return [self._slice(scan, name, rng) for scan, name in zip(scans, CONTRASTS, strict=True)]

    def _slice(self, scan: Scan, name: str, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """One slice and its brain, ``(1, 1, y, x)``, its sides multiples of what the generator asks."""
        drawn = crop(scan, [name], axis=0, context=0, side=self.side, rng=rng)
        margin = [(0, 0), *((0, -n % STRIDE) for n in drawn["mask"].shape[1:])]
        image, brain = (torch.from_numpy(np.pad(drawn[key], margin)[None]) for key in (name, "mask"))
        return image, brain.float()

    def _make(self, image: Tensor, target: str) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return self.network[target](image.contiguous(memory_format=torch.channels_last)).float()

    def _judge(self, image: Tensor, name: str) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return self.adversary[name](image).float()
