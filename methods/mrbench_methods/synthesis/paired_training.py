"""Batches and losses of paired translation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from mrbench.core.errors import RequestError
from mrbench.core.examples import AsNeeded
from mrbench.tasks.synthesis import TrainingScans
from mrbench_methods.adversary import least_squares, least_squares_adversary
from mrbench_methods.synthesis.scans import crop, filled, position_maps
from mrbench_methods.synthesis.translation_network import STRIDE, PatchDiscriminator, SkipGenerator
from mrbench_methods.training_device import half_convolutions, precision_of, tensors_for

CONTRAST = 0.1
"""SD of the logarithm of the exponent that the source's intensities are raised to: scanners differ in contrast."""

BIAS, KNOTS = 0.1, 3
"""SD of the logarithm of a smooth gain on the source, as a coil leaves one, and its knots along each side."""

BLUR = 0.7
"""Largest SD in voxels of a blur of the source, every second time: scanners differ in resolution."""


class PairedRecipe:
    """Crops of the same slices in both contrasts; absolute error in the brain."""

    batch = 4
    side = 128

    def __init__(
        self, network: SkipGenerator, examples: TrainingScans, context: int, planes: int, position: bool
    ) -> None:
        if len(examples.tracks) != 1:
            raise RequestError("pix2pix learns one direction: name one --track, and train the other by itself.")
        ((self.source, self.target),) = examples.tracks
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.context, self.planes = context, planes
        self.sides = np.minimum(self.side, np.min([scan.mask.shape for scan in examples.scans], axis=0)).tolist()
        self.scans = AsNeeded.of(examples.scans).then(
            lambda scan, _: (scan, position_maps(scan.mask, scan.spacing) if position else None)
        )
        self.settings: Mapping[str, Any] = {
            "batch": self.batch,
            "crop": self.side,
            "planes": planes,
            "loss": "absolute error in the brain",
            "augmentation": f"left-right flip; source to the power of exp(N(0, {CONTRAST})), "
            f"smooth gain exp(N(0, {BIAS})), blur up to {BLUR} voxels",
            "precision": precision_of(self.network),
        }

    def loss(self, rng: np.random.Generator) -> Tensor:
        _, synthesised, target, mask = self.generate(rng)
        return ((synthesised - target).abs() * mask).sum() / mask.sum()

    def generate(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the middle source slices, what the generator makes of them, the truth, and the brain."""
        axis = int(rng.integers(self.planes))
        drawn = [self._example(axis, rng) for _ in range(self.batch)]
        source, target, mask = tensors_for(
            self.network,
            *(
                filled(np.stack([block[name] for block in drawn]), STRIDE)
                for name in (self.source, self.target, "mask")
            ),
        )
        with half_convolutions(self.network):
            synthesised = self.network(source.contiguous(memory_format=torch.channels_last)).float()
        middle = slice(self.context, self.context + 1)
        return source[:, middle], synthesised, target[:, middle], mask[:, middle].float()

    def _example(self, axis: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        scan, maps = self.scans[int(rng.integers(len(self.scans)))]
        block = crop(
            scan,
            (self.source, self.target),
            maps=maps,
            axis=axis,
            context=self.context,
            sides=self.sides,
            rng=rng,
        )
        source = scanned(block[self.source], rng)
        block[self.source] = np.concatenate([source, *([block["maps"]] if "maps" in block else [])])
        return block


def scanned(slices: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Slices ``(slice, y, x)`` as another scanner might show them: contrast, coil and resolution differ."""
    slices = slices ** np.float32(np.exp(CONTRAST * rng.standard_normal()))
    knots = rng.normal(0, BIAS, (KNOTS, KNOTS))
    sides = [np.linspace(0, KNOTS - 1, side) for side in slices.shape[1:]]
    gain = np.exp(ndimage.map_coordinates(knots, np.meshgrid(*sides, indexing="ij"), order=1))
    if rng.random() < 0.5:
        sd = BLUR * rng.random()
        slices = ndimage.gaussian_filter(slices, (0, sd, sd))
    return (slices * gain).astype(np.float32)


class AdversarialPairedRecipe(PairedRecipe):
    """The same with a least-squares adversary that sees the source beside the target."""

    betas = (0.5, 0.999)

    def __init__(
        self, network: SkipGenerator, examples: TrainingScans, context: int, planes: int, position: bool, weight: float
    ) -> None:
        super().__init__(network, examples, context, planes, position)
        self.adversary = PatchDiscriminator(channels=2).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.weight = weight
        self.settings = {
            **self.settings,
            "loss": f"absolute error in the brain + {weight:g} LSGAN",
            "kept": "last weights",
        }

    def loss(self, rng: np.random.Generator) -> Tensor:
        source, synthesised, target, mask = self.generate(rng)
        synthesised = synthesised * mask
        self._shown = source, synthesised.detach(), target
        error = ((synthesised - target).abs() * mask).sum() / mask.sum()
        return error + self.weight * least_squares(self._judge(source, synthesised), real=True)

    def adversary_loss(self) -> Tensor:
        source, synthesised, target = self._shown
        return least_squares_adversary(self._judge(source, target), self._judge(source, synthesised))

    def _judge(self, source: Tensor, image: Tensor) -> Tensor:
        with half_convolutions(self.network):
            return self.adversary(torch.cat([source, image], 1)).float()
