"""The multi-scale fusion network (Liu et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mrbench.physics.resolution import upsampled
from mrbench.tasks.restoration import TrainingVolumes
from mrbench.tasks.super_resolution import SuperResolutionInputs, SuperResolutionTrack
from mrbench_methods.super_resolution.learned import LearnedSuperResolution, pairs

if TYPE_CHECKING:
    import torch

    from mrbench_methods.super_resolution.fusion_network import FusionNetwork

CHUNK = 4
"""Slices predicted at once: bounds memory, changes no number."""


class MultiScaleFusion(LearnedSuperResolution):
    """Stacked units of parallel convolutions of different kernel sizes, fused; fully convolutional, axial slices.

    Works on the interpolated volume and adds what it lacks; minimises the mean squared error. The paper's numbers of
    units and kernels are not published in a form that we could check: sizes here are ours (see the ablation in
    ``results``), and ``context`` shows the network the neighbouring slices, which a 3-D loss of resolution needs.

    Parameters
    ----------
    kernels : str
        Sides of the parallel paths, for example ``3+5+7``.
    features : int
        Of each path.
    units : int
        Depth.
    context : int
        Neighbouring slices on each side; 0 as published.
    weights : str
        Name (``ixi-hh-2mm.3d-x2``), path, or ``auto``: those trained for the data set and track.
    """

    reference = "Liu et al., Fusing multi-scale information in convolution network for MR SR, BioMed. Eng. OnLine 2018"

    def __init__(
        self, *, kernels: str = "3+5+7", features: int = 24, units: int = 3, context: int = 2, weights: str = "auto"
    ) -> None:
        self.kernels = str(kernels)
        self.features = features
        self.units = units
        self.context = context
        self.weights = weights
        if not all(side.isdigit() and int(side) % 2 for side in self.kernels.split("+")):
            raise ValueError(f"kernels={kernels}: write odd sides joined by +, such as 3+5+7")

    @property
    def network(self) -> str:
        return f"mfcn-k{self.kernels.replace('+', '')}f{self.features}u{self.units}c{self.context}"

    def new_network(self, tracks: Sequence[SuperResolutionTrack]) -> FusionNetwork:
        from mrbench_methods.super_resolution.fusion_network import FusionNetwork

        sides = [int(side) for side in self.kernels.split("+")]
        return FusionNetwork(sides, self.features, self.units, self.context)

    def predict(self, inputs: SuperResolutionInputs) -> np.ndarray:
        """Return the volume ``(z, y, x)``."""
        import torch

        start = upsampled(inputs.image, inputs.degradation)
        edge = [(self.context, self.context), (0, 0), (0, 0)]
        padded = torch.from_numpy(np.pad(start, edge, mode="edge")).to(self.resources.device)
        stacks = padded.unfold(0, 2 * self.context + 1, 1).movedim(-1, 1)
        with torch.no_grad():
            sharp = torch.cat([self.network_(part)[:, 0] for part in stacks.split(CHUNK)])
        return sharp.clamp_min(0).cpu().numpy()

    def recipe(self, examples: TrainingVolumes, seed: int) -> FusionRecipe:
        return FusionRecipe(self.network_, examples, self.context, seed)  # type: ignore[arg-type]


class FusionRecipe:
    """Random blocks of the interpolated volume, the truth of their middle slices as target."""

    side = 64
    slices = 4

    def __init__(self, network: FusionNetwork, examples: TrainingVolumes, context: int, seed: int) -> None:
        import torch

        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.pairs, self.context = pairs(examples, seed), context
        self.settings = {
            "crop": self.side, "slices": self.slices, "augmentation": "left-right mirror image",
            "loss": "squared error", "precision": "bfloat16 convolutions",
        }  # fmt: skip

    def loss(self, rng: np.random.Generator) -> torch.Tensor:
        import torch

        pair = self.pairs[int(rng.integers(len(self.pairs)))]
        wanted = (self.slices + 2 * self.context, self.side, self.side)
        size = [-(-side // factor) for side, factor in zip(wanted, pair.degradation.factors, strict=True)]
        _, start, truth = (torch.from_numpy(part) for part in pair.cut(size, rng))
        stacks = start.unfold(0, 2 * self.context + 1, 1).movedim(-1, 1)
        with torch.autocast("cpu", torch.bfloat16):
            sharp = self.network(stacks.contiguous(memory_format=torch.channels_last))
        target = truth[self.context : len(truth) - self.context]
        inside = (slice(None), slice(4, -4), slice(4, -4))  # at its rim a block misses what lies beside it
        return 1000 * ((sharp[:, 0].float() - target)[inside] ** 2).mean()
