"""MoDL: unrolled reconstruction whose data consistency is an exact SENSE solution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mrbench.core.errors import unknown_name
from mrbench.tasks.reconstruction import TrainingScans
from mrbench_methods.reconstruction.learned import LearnedReconstruction

if TYPE_CHECKING:
    import torch

    from mrbench_methods.reconstruction.random_physics import RandomPhysicsRecipe

DENOISERS = ("unet", "cnn")

BAND = 72
"""Rows of a slice in a training step."""


class MoDL(LearnedReconstruction):
    """Model-based deep learning: a denoiser and a SENSE step with ESPIRiT maps in turn, frame by frame.

    Minimises in each step ``|M F S x - y|^2 + weight |x - z|^2``, z the denoised image, exactly. Trained with the mean
    absolute error under randomised physics (`RandomPhysicsRecipe`), so that it carries over to other scanners. The
    paper's form is ``iterations=10, denoiser=cnn, features=64, shared=true``; the shipped one has a U-Net without
    biases of its own in each of five iterations. The weight is fixed here and learned in the paper: the inverse that
    solves a step is then computed once a slice.

    Parameters
    ----------
    iterations : int
    denoiser : {"unet", "cnn"}
    features : int
        Of the denoiser's first level.
    shared : bool
        One denoiser for all iterations, as published.
    weight : float
        Of the denoised image against the measurement.
    weights : str
        Name (``ixi-hh-2mm.multicoil-4x``), path, or ``auto``: those trained for the data set and track.
    """

    reference = "Aggarwal et al., MoDL: Model-based deep learning architecture for inverse problems, IEEE TMI 2019"
    needs_maps = True

    def __init__(
        self,
        *,
        iterations: int = 5,
        denoiser: str = "unet",
        features: int = 16,
        shared: bool = False,
        weight: float = 0.05,
        weights: str = "auto",
    ) -> None:
        if denoiser not in DENOISERS:
            raise unknown_name("denoiser of modl", str(denoiser), DENOISERS)
        self.iterations = iterations
        self.denoiser = denoiser
        self.features = features
        self.shared = shared
        self.weight = weight
        self.weights = weights

    @property
    def network(self) -> str:
        shared = "-shared" if self.shared else ""
        return f"modl-i{self.iterations}-{self.denoiser}-f{self.features}{shared}"

    def new_network(self, tracks: Sequence[Any]) -> torch.nn.Module:
        from mrbench_methods.reconstruction.modl_network import ModlNetwork

        return ModlNetwork(self.iterations, self.denoiser, self.features, self.shared, self.weight)

    def recipe(self, examples: TrainingScans, seed: int) -> RandomPhysicsRecipe:
        from mrbench_methods.reconstruction.random_physics import RandomPhysicsRecipe

        return RandomPhysicsRecipe(self, examples, BAND)
