"""VoxelMorph's instance optimisation without its network: the steps start from no motion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mrbench.core.errors import RequestError
from mrbench.core.method import Method, Resources
from mrbench.tasks.registration import RegistrationInputs
from mrbench_methods.registration.voxelmorph import SQUARINGS


class InstanceOptimisation(Method):
    """``min_v -LNCC(fixed, moving o phi) + smooth |grad v|^2`` by Adam from ``v = 0``; nothing is learned.

    The same minimisation, step for step, as ``voxelmorph[instance_steps=...]`` adds to its network: what separates the
    two rows is what the network's start is worth. LNCC is the mean of squared local correlations in windows of 9
    voxels, phi the displacement v itself, or the flow of the stationary velocity v; v lies on 2x2x2 blocks of the
    images, in voxels of its own grid.

    Parameters
    ----------
    diffeomorphic : bool
        v is a velocity.
    steps : int
        Of Adam, with a step size that falls to zero.
    smooth : float
        Weight of the squared gradient (mean over components and voxels), without unit; VoxelMorph's.
    learning_rate : float
        In voxels of v.
    """

    task = "registration"
    reference = "Balakrishnan et al., VoxelMorph, IEEE TMI 2019 (its instance optimisation, from zero)"
    presets: ClassVar[tuple[Mapping[str, Any], ...]] = ({}, {"diffeomorphic": True})

    def __init__(
        self, *, diffeomorphic: bool = False, steps: int = 40, smooth: float = 1.0, learning_rate: float = 0.3
    ) -> None:
        if steps < 1:
            raise RequestError(f"instance-optimisation: steps is {steps}; give one at the least.")
        self.diffeomorphic = diffeomorphic
        self.steps = steps
        self.smooth = smooth
        self.learning_rate = learning_rate

    def setup(self, resources: Resources) -> None:
        super().setup(resources)
        import torch

        torch.set_num_threads(resources.threads)

    def predict(self, inputs: RegistrationInputs) -> np.ndarray:
        """Return the displacement ``(3, z, y, x)`` in voxels."""
        import torch

        from mrbench_methods.registration.instance import refine
        from mrbench_methods.registration.network import FieldNetwork, padded
        from mrbench_methods.registration.training import WINDOW

        shape, device = inputs.fixed.shape, self.resources.device
        fixed, moving = (padded(image, device) for image in (inputs.fixed, inputs.moving))
        # only its map from v to a displacement is used, which has no weights
        network = FieldNetwork(integration_steps=SQUARINGS if self.diffeomorphic else 0)
        start = torch.zeros(1, 3, *(size // 2 for size in fixed.shape[2:]), device=device)
        field = refine(
            network,
            start,
            moving,
            fixed,
            steps=self.steps,
            rate=self.learning_rate,
            smooth=self.smooth,
            window=WINDOW,
        )
        with torch.no_grad():
            displacement = network.displacement(field)[0].cpu().numpy()
        return displacement[:, : shape[0], : shape[1], : shape[2]]
