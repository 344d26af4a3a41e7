"""fastMRI's U-Net baseline: an image filter that knows nothing of k-space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mrbench.tasks.reconstruction import TrainingScans
from mrbench_methods.reconstruction.learned import LearnedReconstruction

if TYPE_CHECKING:
    import torch


class UNet(LearnedReconstruction):
    """U-Net from the zero-filled root-sum-of-squares magnitude to the clean one, slice by slice.

    Trained with the mean absolute error. The published network has 256 features (32 in the demonstration);
    the shipped weights have 12.

    Parameters
    ----------
    features : int
        Of the first level.
    pools : int
    random_physics : bool
        Trained on slices as many scanners would measure them (`RandomPhysicsRecipe`), not as the data were simulated;
        not in the paper.
    weights : str
        Name (``ixi-hh-2mm.singlecoil-4x``), path, or ``auto``: those trained for the data set and track.
    """

    reference = "Zbontar et al., fastMRI, arXiv:1811.08839"
    quick_presets = ({},)
    batch = 4

    def __init__(
        self, *, features: int = 12, pools: int = 4, random_physics: bool = False, weights: str = "auto"
    ) -> None:
        self.features = features
        self.pools = pools
        self.random_physics = random_physics
        self.weights = weights

    @property
    def network(self) -> str:
        return f"unet-f{self.features}p{self.pools}{'-random-physics' if self.random_physics else ''}"

    def new_network(self, tracks: Sequence[Any]) -> torch.nn.Module:
        from mrbench_methods.reconstruction.unet_reconstruction import MagnitudeUnet

        return MagnitudeUnet(self.features, self.pools)

    def recipe(self, examples: TrainingScans, seed: int) -> object:
        if not self.random_physics:
            return super().recipe(examples, seed)
        from mrbench_methods.reconstruction.random_physics import RandomPhysicsRecipe

        return RandomPhysicsRecipe(self, examples, None)
