"""E2E VarNet: unrolled optimisation in k-space with learned coil maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mrbench.core.errors import RequestError, unknown_name
from mrbench.core.track import Track
from mrbench_methods.reconstruction.learned import LearnedReconstruction

if TYPE_CHECKING:
    import torch
    from torch import Tensor

MAPS = ("learned", "espirit")


class VarNet(LearnedReconstruction):
    """End-to-end variational network for multi-coil data.

    Trained with 1 - SSIM as published, plus the mean absolute error: with SSIM alone, a training as short as ours
    lets the overall brightness drift (by 8 % after 1000 steps). The U-Nets' outputs are corrections that start near
    zero, of the calibration images in the map estimation.

    The paper's network has 12 cascades of 18 features and 4 poolings, and 8 features for the maps; the
    shipped weights have 6 cascades of 10, 3 poolings, and 4. ``published`` is fastMRI's network to the last layer, and
    ``python -m mrbench_methods.reconstruction.fastmri_weights`` makes weights of its published state dicts.
    ``consistency=false`` and ``maps=espirit`` take out one module each, to tell what it is worth; no weights of such
    forms are shipped. Without the third, the refinement, the network never leaves the measured k-space: that is the
    row ``zero-filled``.

    Parameters
    ----------
    cascades, features, pools, map_features : int
    proximal : bool
        An exact SENSE step with the network's maps in place of each gradient step; not in the paper.
    published : bool
        U-Nets as in fastMRI's code, which give images and maps themselves, not corrections of them.
    consistency : bool
        The learned step towards the measured samples in each cascade.
    maps : {"learned", "espirit"}
        Coil maps of the network's own, or ESPIRiT's.
    weights : str
        Name (``ixi-hh-2mm.multicoil-4x``), path, or ``auto``: those trained for the data set and track.
    """

    reference = "Sriram et al., End-to-End Variational Networks, MICCAI 2020"

    def __init__(
        self,
        *,
        cascades: int = 6,
        features: int = 10,
        pools: int = 3,
        map_features: int = 4,
        proximal: bool = False,
        published: bool = False,
        consistency: bool = True,
        maps: str = "learned",
        weights: str = "auto",
    ) -> None:
        if maps not in MAPS:
            raise unknown_name("maps of varnet", str(maps), MAPS)
        if proximal and not consistency:
            raise RequestError(
                "the exact step of proximal=true is the consistency of varnet; leave one of the two out."
            )
        self.cascades = cascades
        self.features = features
        self.pools = pools
        self.map_features = map_features
        self.proximal = proximal
        self.published = published
        self.consistency = consistency
        self.maps = maps
        self.weights = weights
        self.needs_maps = maps == "espirit"
        self.needs_calibration = not self.needs_maps

    def skip_reason(self, track: Track[Any]) -> str | None:
        return "one coil has no sensitivities to estimate" if track.settings.coils == 1 else None

    @property
    def network(self) -> str:
        form = ("-proximal" if self.proximal else "") + ("-published" if self.published else "")
        form += ("" if self.consistency else "-nodc") + ("-espirit" if self.needs_maps else "")
        return f"varnet-c{self.cascades}f{self.features}p{self.pools}m{self.map_features}{form}"

    def new_network(self, tracks: Sequence[Any]) -> torch.nn.Module:
        from mrbench_methods.reconstruction.varnet_network import VarNetwork

        sizes = self.cascades, self.features, self.pools, self.map_features
        return VarNetwork(
            *sizes,
            proximal=self.proximal,
            published=self.published,
            consistency=self.consistency,
            learned_maps=not self.needs_maps,
        )

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        """1 - SSIM with the volume's maximum, 1, as its range, plus the mean absolute error."""
        from mrbench_methods.reconstruction.ssim_loss import ssim

        return 1 - ssim(prediction, target) + super().loss(prediction, target)
