"""Instance optimisation: continue a network's minimisation for one pair (Balakrishnan et al., TMI 2019)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from mrbench_methods.registration.losses import LocalCrossCorrelation, smoothness
from mrbench_methods.registration.network import identity_grid, sample

if TYPE_CHECKING:
    from mrbench_methods.registration.network import FieldNetwork


def refine(
    network: FieldNetwork,
    raw: torch.Tensor,
    moving: torch.Tensor,
    fixed: torch.Tensor,
    *,
    steps: int,
    rate: float,
    smooth: float,
    window: int,
) -> torch.Tensor:
    """Minimise ``-LNCC + smooth * |grad raw|^2`` over the raw field, which replaces the network's output.

    Adam with a step size that falls to zero as the square root of what is left.

    Parameters
    ----------
    network : FieldNetwork
        Gives the field to start from.
    raw : Tensor, shape ``(1, 3, z/2, y/2, x/2)``, or of the images where the network is at full resolution
        Start: displacement or velocity in voxels of its own grid.
    moving, fixed : Tensor, shape ``(1, 1, z, y, x)``
        The image that is warped, and the one that stays.
    steps : int
        Of Adam.
    rate : float
        Learning rate of Adam.
    smooth : float
        Weight of the smoothness of the field.
    window : int
        Of the local correlation, in voxels.
    """
    field = raw.detach().clone().requires_grad_()
    optimiser = torch.optim.Adam([field], lr=rate)
    grid = identity_grid(fixed.shape[2:], fixed.device)
    similarity = LocalCrossCorrelation(fixed, window)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = rate * (1 - step / steps) ** 0.5
        warped = sample(moving, network.displacement(field), grid, "zeros")
        loss = similarity(warped) + smooth * smoothness(field)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    return field.detach()
