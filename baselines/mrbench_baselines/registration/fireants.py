"""FireANTs: Riemannian adaptive optimisation of a greedy diffeomorphism."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from mrbench.core.method import Method, Resources
from mrbench.space.alignment import to_sitk
from mrbench.tasks.registration import RegistrationInputs

SCALES, ITERATIONS = [4, 2, 1], [100, 50, 20]


class FireANTs(Method):
    """FireANTs greedy registration with local cross-correlation, by the authors' package.

    Maximises the squared local correlation of ``fixed`` and ``moving o phi`` by Adam on the group of diffeomorphisms.
    No weight of a regulariser: gradients are smoothed by a Gaussian of 1 voxel (``smooth_grad_sigma``), the field by
    one of 0.5 (``smooth_warp_sigma``).

    The package has a licence of its own and pins other packages' versions; mrbench does not depend on it.

    Parameters
    ----------
    window : int
        Side in voxels of the cross-correlation window (``cc_kernel_size``).
    learning_rate : float
    """

    task = "registration"
    on_device = True
    reference = "Jena et al., FireANTs, arXiv:2404.01249, 2024"
    needs: ClassVar[Mapping[str, str]] = {
        "fireants": "pip install --no-deps fireants && pip install tqdm",
        "tqdm": "pip install tqdm",
    }

    def __init__(self, *, window: int = 5, learning_rate: float = 0.5) -> None:
        self.window = window
        self.learning_rate = learning_rate

    def setup(self, resources: Resources) -> None:
        super().setup(resources)
        import torch

        torch.set_num_threads(resources.threads)
        logging.disable(logging.WARNING)  # it announces missing CUDA kernels on every import
        with contextlib.redirect_stdout(io.StringIO()):
            from fireants.registration.greedy import GreedyRegistration  # noqa: F401

    def predict(self, inputs: RegistrationInputs) -> np.ndarray:
        import torch
        from fireants.io import BatchedImages, Image
        from fireants.registration.greedy import GreedyRegistration

        origin = (0.0, 0.0, 0.0)
        fixed, moving = (
            BatchedImages([Image(to_sitk(array, inputs.spacing, origin), device=self.resources.device)])
            for array in (inputs.fixed, inputs.moving)
        )
        registration = GreedyRegistration(
            scales=SCALES,
            iterations=ITERATIONS,
            fixed_images=fixed,
            moving_images=moving,
            loss_type="cc",
            cc_kernel_size=self.window,
            deformation_type="compositive",
            optimizer="Adam",
            optimizer_lr=self.learning_rate,
            smooth_warp_sigma=0.5,
            smooth_grad_sigma=1.0,
            progress_bar=False,
        )
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            registration.optimize()
        with torch.no_grad():
            grid = registration.get_warp_parameters(fixed, moving)["grid"][0].cpu().numpy()  # (z, y, x, 3)
        # in [-1, 1] across voxel centres (align_corners), x first
        half_extent = (np.asarray(inputs.fixed.shape) - 1) / 2
        return np.moveaxis(grid[..., ::-1] * half_extent, -1, 0).astype(np.float32)
