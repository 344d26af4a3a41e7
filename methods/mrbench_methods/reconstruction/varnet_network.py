"""End-to-end variational network: Data Consistency, Refinement and Sensitivity Map Estimation modules."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mrbench_methods.reconstruction.fourier import magnitude, root_sum_of_squares, to_image, to_kspace
from mrbench_methods.reconstruction.sense import SenseStep
from mrbench_methods.reconstruction.unet_network import NormUnet, PublishedNormUnet

PRIOR_WEIGHT = 0.05
"""Of the refined image against the measurement, where ``proximal``; as in `MoDL`."""


class SensitivityMapEstimation(nn.Module):
    """Coil maps from the calibration lines alone: each coil image, mended by a U-Net, divided by their RSS.

    As published the U-Net gives the map itself, else a correction of the coil image.
    """

    def __init__(self, features: int, pools: int, published: bool = False) -> None:
        super().__init__()
        self.published = published
        self.unet = _unet(features, pools, published)

    def forward(self, kspace: Tensor, acs: Tensor) -> Tensor:
        """Return maps ``(batch, coil, y, x)``."""
        images = to_image(torch.where(acs[:, None], kspace, 0))
        made = self.unet(images.flatten(0, 1)).reshape(images.shape)
        maps = made if self.published else images + made
        return maps / root_sum_of_squares(maps)[:, None].clamp_min(1e-6)


class Refinement(nn.Module):
    """``F E U-Net(R F^-1 k)``: combine the coils (R), filter, expand to the coils again (E)."""

    def __init__(self, features: int, pools: int, published: bool = False) -> None:
        super().__init__()
        self.unet = _unet(features, pools, published)

    def forward(self, kspace: Tensor, maps: Tensor) -> Tensor:
        combined = (to_image(kspace) * maps.conj()).sum(1)
        return to_kspace(self.unet(combined)[:, None] * maps)


def _unet(features: int, pools: int, published: bool) -> NormUnet:
    return (PublishedNormUnet if published else NormUnet)(features, pools)


class DataConsistency(nn.Module):
    """``eta M (k - k_measured)`` with a learned step size."""

    def __init__(self) -> None:
        super().__init__()
        self.eta = nn.Parameter(torch.ones(()))

    def forward(self, kspace: Tensor, measured: Tensor, mask: Tensor) -> Tensor:
        return self.eta * torch.where(mask[:, None], kspace - measured, 0)


class VarNetwork(nn.Module):
    """Cascades of ``k <- k - DC(k) - R(k)``, then the root sum of squares of the coil images.

    With 12 cascades of 18 features and a map estimation of 8 (4 poolings each) it has the 29.9 M parameters of
    fastMRI's; where ``published`` it computes the same from them. ``proximal`` replaces the gradient step of DC by an
    exact SENSE step with the same maps; without ``consistency`` there is no DC, and without ``learned_maps`` no map
    estimation: maps are then given.
    """

    def __init__(
        self,
        cascades: int,
        features: int,
        pools: int,
        map_features: int,
        proximal: bool = False,
        published: bool = False,
        consistency: bool = True,
        learned_maps: bool = True,
    ) -> None:
        super().__init__()
        self.proximal = proximal
        if learned_maps:
            self.sensitivity_map_estimation = SensitivityMapEstimation(map_features, pools, published)
        self.refinement = nn.ModuleList(Refinement(features, pools, published) for _ in range(cascades))
        steps = cascades if consistency and not proximal else 0
        self.data_consistency = nn.ModuleList(DataConsistency() for _ in range(steps))

    def forward(self, kspace: Tensor, mask: Tensor, acs: Tensor | None = None, maps: Tensor | None = None) -> Tensor:
        """Return magnitudes ``(batch, y, x)`` of k-space ``(batch, coil, y, x)``, with ``maps`` or ``acs`` for them."""
        scale = root_sum_of_squares(to_image(kspace)).amax((1, 2))[:, None, None, None].clamp_min(1e-12)
        measured = kspace / scale
        if maps is None:
            maps = self.sensitivity_map_estimation(measured, acs)
        if self.proximal:
            return magnitude(self.combined_image(measured, mask, maps)) * scale[:, 0]
        current = measured
        for number, refinement in enumerate(self.refinement):
            held = current
            if self.data_consistency:
                held = current - self.data_consistency[number](current, measured, mask)
            current = held - refinement(current, maps)
        return root_sum_of_squares(to_image(current)) * scale[:, 0]

    def combined_image(self, measured: Tensor, mask: Tensor, maps: Tensor) -> Tensor:
        """Return one complex image of all coils, ``(batch, y, x)``."""
        step = SenseStep(measured, mask, maps, PRIOR_WEIGHT)
        image = step(torch.zeros_like(step.adjoint))
        for refinement in self.refinement:
            image = step(image - refinement.unet(image))  # type: ignore[operator]
        return image
