"""E2E VarNet: unrolled optimisation in k-space with learned coil maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mrbench_methods.reconstruction.learned import LearnedReconstruction

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class VarNet(LearnedReconstruction):
    """End-to-end variational network for multi-coil data, trained with 1 - SSIM as published.

    The paper's network has 12 cascades of 18 features and 4 poolings, and 8 features for the maps; the
    shipped weights have 6 cascades of 10, 3 poolings, and 4.

    Parameters
    ----------
    cascades, features, pools, map_features : int
    weights : str
        Name (``ixi-hh-2mm.multicoil-4x``), path, or ``auto``: those trained for the data set and track.
    """

    reference = "Sriram et al., End-to-End Variational Networks, MICCAI 2020"
    needs_calibration = True

    def __init__(
        self, *, cascades: int = 6, features: int = 10, pools: int = 3, map_features: int = 4, weights: str = "auto"
    ) -> None:
        self.cascades = cascades
        self.features = features
        self.pools = pools
        self.map_features = map_features
        self.weights = weights

    @property
    def network(self) -> str:
        return f"varnet-c{self.cascades}f{self.features}p{self.pools}m{self.map_features}"

    def new_network(self) -> torch.nn.Module:
        from mrbench_methods.reconstruction.varnet_network import VarNetwork

        return VarNetwork(self.cascades, self.features, self.pools, self.map_features)

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        """1 - SSIM, uniform 7x7 window and sample covariance, data range 1: the volume's maximum."""
        from mrbench_methods.reconstruction.ssim_loss import ssim

        return 1 - ssim(prediction, target)
