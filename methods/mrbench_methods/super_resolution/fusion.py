"""The multi-scale fusion network (Liu et al. 2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mrbench.core.errors import unknown_name
from mrbench.physics.resolution import Degradation, upsampled
from mrbench.tasks.restoration import TrainingVolumes
from mrbench.tasks.super_resolution import SuperResolutionInputs, SuperResolutionTrack
from mrbench_methods.slices import across, restore, stacks
from mrbench_methods.super_resolution.learned import LearnedSuperResolution, Pair, Pairs, back_projected
from mrbench_methods.training_device import half_convolutions, precision_of, tensors_for

if TYPE_CHECKING:
    import torch

    from mrbench_methods.super_resolution.fusion_network import FusionNetwork

PLANES = ("auto", "axial")


class MultiScaleFusion(LearnedSuperResolution):
    """Stacked units of parallel convolutions of different kernel sizes, fused; fully convolutional, slice by slice.

    Works on the interpolated volume and adds what it lacks; minimises the mean squared error. The paper's numbers of
    units and kernels are not published in a form that we could check: sizes here are ours (see the ablation in
    ``results``). For a loss of resolution in 3-D, ``context`` shows the network the neighbouring slices, and what it
    makes of axial, coronal and sagittal slices is averaged.

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
    planes : {"auto", "axial"}
        All three orientations where the track treats the axes alike, or axial slices always, as published.
    consistency : bool
        Move the result towards the low resolution that was measured (`back_projected`); not in the paper.
    weights : str
        Name (``ixi-hh-2mm.3d-x2``), path, or ``auto``: those trained for the data set and track.
    """

    presets: ClassVar[tuple[Mapping[str, Any], ...]] = ({}, {"consistency": False})
    quick_presets = ({},)
    reference = "Liu et al., Fusing multi-scale information in convolution network for MR SR, BioMed. Eng. OnLine 2018"

    def __init__(
        self,
        *,
        kernels: str = "3+5",
        features: int = 32,
        units: int = 6,
        context: int = 2,
        planes: str = "auto",
        consistency: bool = True,
        weights: str = "auto",
    ) -> None:
        self.kernels = str(kernels)
        self.features = features
        self.units = units
        self.context = context
        self.planes = planes
        self.consistency = consistency
        self.weights = weights
        if planes not in PLANES:
            raise unknown_name("planes of multi-scale-fusion", str(planes), PLANES)
        if not all(side.isdigit() and int(side) % 2 for side in self.kernels.split("+")):
            raise ValueError(f"kernels={kernels}: write odd sides joined by +, such as 3+5+7")

    @property
    def network(self) -> str:
        axial = "-axial" if self.planes == "axial" else ""
        return f"mfcn-k{self.kernels.replace('+', '')}f{self.features}u{self.units}c{self.context}{axial}"

    def new_network(self, tracks: Sequence[SuperResolutionTrack]) -> FusionNetwork:
        from mrbench_methods.super_resolution.fusion_network import FusionNetwork

        sides = [int(side) for side in self.kernels.split("+")]
        return FusionNetwork(sides, self.features, self.units, self.context)

    def predict(self, inputs: SuperResolutionInputs) -> np.ndarray:
        """Return the volume ``(z, y, x)``."""
        start = upsampled(inputs.image, inputs.degradation)
        planes = self._planes(inputs.degradation)
        sharp = restore(self.network_, start, context=self.context, planes=planes, device=self.resources.device)
        sharp = np.maximum(sharp, 0)
        # what is noisy is not to be fitted
        return back_projected(sharp, inputs) if self.consistency and not inputs.sigma else sharp

    def _planes(self, degradation: Degradation) -> int:
        return 3 if self.planes == "auto" and len(set(degradation.factors)) == 1 else 1

    def recipe(self, examples: TrainingVolumes, seed: int) -> FusionRecipe:
        planes = min(self._planes(track.degradation) for track in examples.tracks)
        return FusionRecipe(self.network_, Pairs(examples, seed), self.context, planes)  # type: ignore[arg-type]


class FusionRecipe:
    """Random blocks of the interpolated volume, the truth of their middle slices as target."""

    side = 64
    slices = 4

    def __init__(self, network: FusionNetwork, pairs: Sequence[Pair], context: int, planes: int) -> None:
        import torch

        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.pairs, self.context, self.planes = pairs, context, planes
        self.settings = {
            "crop": self.side,
            "slices": self.slices,
            "planes": planes,
            "augmentation": "left-right mirror image",
            "loss": "squared error",
            "precision": precision_of(self.network),
        }

    def loss(self, rng: np.random.Generator) -> torch.Tensor:
        import torch

        pair = self.pairs[int(rng.integers(len(self.pairs)))]
        axis = int(rng.integers(self.planes))
        wanted = [self.side] * 3
        wanted[axis] = self.slices + 2 * self.context
        size = [-(-side // factor) for side, factor in zip(wanted, pair.degradation.factors, strict=True)]
        _, *block = (np.ascontiguousarray(across(part, axis)) for part in pair.cut(size, rng))
        start, truth = tensors_for(self.network, *block)
        slices = stacks(start, self.context)
        with half_convolutions(self.network):
            sharp = self.network(slices.contiguous(memory_format=torch.channels_last))
        target = truth[self.context : len(truth) - self.context]
        inside = (slice(None), slice(4, -4), slice(4, -4))  # at its rim a block misses what lies beside it
        return 1000 * ((sharp[:, 0].float() - target)[inside] ** 2).mean()
