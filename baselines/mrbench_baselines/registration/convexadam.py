"""ConvexAdam: coupled convex optimisation over MIND features, refined by Adam."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mrbench.core.method import Method, Resources
from mrbench.tasks.registration import RegistrationInputs


class ConvexAdam(Method):
    """ConvexAdam with MIND features, by the authors' package.

    ``min_u |MIND(fixed) - MIND(moving o u)|^2 + smooth |grad u|^2``: first over discrete displacements of the grid,
    coupled to a smooth field in steps, then by Adam on a grid of 2 voxels. The features have no unit, u is in voxels of
    its grid.

    Parameters
    ----------
    smooth : float
        Weight of the regularisation (``lambda_weight``).
    grid : int
        Spacing in voxels of the convex stage's grid (``grid_sp``).
    """

    task = "registration"
    on_device = True
    reference = "Siebert et al., ConvexAdam, IEEE TMI 2024"
    needs: ClassVar[Mapping[str, str]] = {"convexAdam": "pip install 'mrbench[convexadam]'"}
    presets: ClassVar[tuple[Mapping[str, Any], ...]] = ({}, {"smooth": 0.75, "grid": 4})

    def __init__(self, *, smooth: float = 1.25, grid: int = 6) -> None:
        self.smooth = smooth
        self.grid = grid

    def setup(self, resources: Resources) -> None:
        super().setup(resources)
        import torch
        from convexAdam.convex_adam_MIND import convex_adam_pt  # noqa: F401

        torch.set_num_threads(resources.threads)

    def predict(self, inputs: RegistrationInputs) -> np.ndarray:
        import torch
        from convexAdam.convex_adam_MIND import convex_adam_pt

        # half precision, its default, is emulated on a CPU
        field = convex_adam_pt(
            torch.from_numpy(inputs.fixed),
            torch.from_numpy(inputs.moving),
            lambda_weight=self.smooth,
            grid_sp=self.grid,
            dtype=torch.float32,
            device=torch.device(self.resources.device),
        )
        return np.ascontiguousarray(np.moveaxis(field, -1, 0), np.float32)
