"""fastMRI's U-Net baseline: an image filter that knows nothing of k-space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

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
    weights : str
        Name (``ixi-hh-2mm.singlecoil-4x``), path, or ``auto``: those trained for the data set and track.
    """

    reference = "Zbontar et al., fastMRI, arXiv:1811.08839"
    quick_presets = ({},)
    batch = 4

    def __init__(self, *, features: int = 12, pools: int = 4, weights: str = "auto") -> None:
        self.features = features
        self.pools = pools
        self.weights = weights

    @property
    def network(self) -> str:
        return f"unet-f{self.features}p{self.pools}"

    def new_network(self, tracks: Sequence[Any]) -> torch.nn.Module:
        from mrbench_methods.reconstruction.unet_reconstruction import MagnitudeUnet

        return MagnitudeUnet(self.features, self.pools)
