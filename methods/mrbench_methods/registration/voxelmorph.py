"""VoxelMorph, dense and diffeomorphic, alone or followed by instance optimisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mrbench.core.track import Track
from mrbench.datasets.dataset import Subject
from mrbench.tasks.registration import RegistrationInputs
from mrbench.tasks.registration_rules import TRACKS
from mrbench_methods.network import NetworkMethod

if TYPE_CHECKING:
    from mrbench_methods.registration.network import FieldNetwork
    from mrbench_methods.registration.training import VoxelMorphRecipe

SQUARINGS = 5
"""Integration steps of the diffeomorphic form; 7 as published changes the field by less than 0.01 voxel."""


class VoxelMorph(NetworkMethod):
    """Unsupervised registration network, trained without labels unless ``labels`` says so.

    Minimises ``-LNCC(fixed, moving o phi) + smooth * |grad v|^2``, where phi is the displacement itself, or
    in the diffeomorphic form the flow of a stationary velocity. Instance optimisation continues the same
    minimisation for one pair, from the network's output.

    Parameters
    ----------
    diffeomorphic : bool
        Integrate a stationary velocity (Dalca et al.) instead of predicting the displacement.
    full_resolution : bool
        The network as published, on the images' own grid, at eight times the cost; else on 2x2x2 blocks of them.
    width : int
        Channels of all levels but the finest; 32 as published.
    labels : bool
        Trained with the Dice of warped labels besides, the paper's form with auxiliary segmentations; the network sees
        none when it predicts.
    instance_steps : int
        Adam steps of instance optimisation; 0 for the network alone.
    smooth : float
        Weight of the smoothness term, in training and in instance optimisation.
    learning_rate : float
        Of instance optimisation, in half-resolution voxels; chosen on the validation split of ixi-hh-2mm.
    weights : str
        Name (``icbm-sim``, ``ixi-hh-2mm``), path, or ``auto``: those trained for the data set.
    """

    task = "registration"
    settings: Mapping[str, Any] = TRACKS
    network_: FieldNetwork
    reference = (
        "Balakrishnan et al., VoxelMorph, IEEE TMI 2019; diffeomorphic form: Dalca et al., Med. Image Anal. 2019"
    )
    presets: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {},
        {"instance_steps": 40},
        {"diffeomorphic": True},
        {"diffeomorphic": True, "instance_steps": 40},
        {"labels": True},
        {"full_resolution": True},
    )
    quick_presets = ({}, {"instance_steps": 10})

    def __init__(
        self,
        *,
        diffeomorphic: bool = False,
        full_resolution: bool = False,
        width: int = 32,
        labels: bool = False,
        instance_steps: int = 0,
        smooth: float = 1.0,
        learning_rate: float = 0.3,
        weights: str = "auto",
    ) -> None:
        self.diffeomorphic = diffeomorphic
        self.full_resolution = full_resolution
        self.width = width
        self.labels = labels
        self.instance_steps = instance_steps
        self.smooth = smooth
        self.learning_rate = learning_rate
        self.weights = weights
        if instance_steps:
            self.kind = "learned + optimised"

    def fallback_weights(self, track: Track[Any]) -> str | None:
        """Those of real heads."""
        return self.foreign

    @property
    def network(self) -> str:
        parts = [
            "-full" if self.full_resolution else "",
            f"-w{self.width}" if self.width != 32 else "",
            "-diff" if self.diffeomorphic else "",
            "-labels" if self.labels else "",
        ]
        return "voxelmorph" + "".join(parts)

    def new_network(self, tracks: Sequence[Any]) -> FieldNetwork:
        from mrbench_methods.registration.network import FieldNetwork

        steps = SQUARINGS if self.diffeomorphic else 0
        return FieldNetwork(width=self.width, integration_steps=steps, full_resolution=self.full_resolution)

    def warm_up(self) -> None:
        import torch

        with torch.no_grad():
            blank = torch.zeros(1, 1, 32, 32, 32, device=self.resources.device)
            self.network_.displacement(self.network_(blank, blank))

    def predict(self, inputs: RegistrationInputs) -> np.ndarray:
        """Return the displacement ``(3, z, y, x)`` in voxels."""
        import torch

        from mrbench_methods.registration.instance import refine
        from mrbench_methods.registration.network import padded
        from mrbench_methods.registration.training import WINDOW

        shape = inputs.fixed.shape
        fixed, moving = (padded(image, self.resources.device) for image in (inputs.fixed, inputs.moving))
        with torch.no_grad():
            raw = self.network_(moving, fixed)
        if self.instance_steps:
            raw = refine(
                self.network_,
                raw,
                moving,
                fixed,
                steps=self.instance_steps,
                rate=self.learning_rate,
                smooth=self.smooth,
                window=WINDOW,
            )
        with torch.no_grad():
            field = self.network_.displacement(raw)[0].cpu().numpy()
        return field[:, : shape[0], : shape[1], : shape[2]]

    def recipe(self, examples: Sequence[Subject], seed: int) -> VoxelMorphRecipe:
        """Return the network with its loss over random ordered pairs of subjects."""
        from mrbench_methods.registration.training import LabelledRecipe, VoxelMorphRecipe

        return (LabelledRecipe if self.labels else VoxelMorphRecipe)(self.network_, examples, self.smooth)
