"""VoxelMorph, dense and diffeomorphic, alone or followed by instance optimisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mrbench.core.track import Track
from mrbench.datasets.dataset import Subject
from mrbench.tasks.registration import CONTRAST, Registration, RegistrationInputs
from mrbench_methods.network import NetworkMethod
from mrbench_methods.training_device import half_convolutions, tensors_for

if TYPE_CHECKING:
    import torch

    from mrbench_methods.registration.network import FieldNetwork

WINDOW = 9
"""Side in voxels of the cross-correlation window, as published."""

SQUARINGS = 5
"""Integration steps of the diffeomorphic form; 7 as published changes the field by less than 0.01 voxel."""


class VoxelMorph(NetworkMethod):
    """Unsupervised registration network, trained without labels.

    Minimises ``-LNCC(fixed, moving o phi) + smooth * |grad v|^2``, where phi is the displacement itself, or
    in the diffeomorphic form the flow of a stationary velocity. Instance optimisation continues the same
    minimisation for one pair, from the network's output.

    Parameters
    ----------
    diffeomorphic : bool
        Integrate a stationary velocity (Dalca et al.) instead of predicting the displacement.
    full_resolution : bool
        The network as published, on the images' own grid, at eight times the cost; else on 2x2x2 blocks of them.
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
    settings: Mapping[str, Any] = Registration.tracks
    network_: FieldNetwork
    reference = (
        "Balakrishnan et al., VoxelMorph, IEEE TMI 2019; diffeomorphic form: Dalca et al., Med. Image Anal. 2019"
    )
    presets: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {},
        {"instance_steps": 40},
        {"diffeomorphic": True},
        {"diffeomorphic": True, "instance_steps": 40},
    )
    quick_presets = ({}, {"instance_steps": 10})

    def __init__(
        self,
        *,
        diffeomorphic: bool = False,
        full_resolution: bool = False,
        instance_steps: int = 0,
        smooth: float = 1.0,
        learning_rate: float = 0.3,
        weights: str = "auto",
    ) -> None:
        self.diffeomorphic = diffeomorphic
        self.full_resolution = full_resolution
        self.instance_steps = instance_steps
        self.smooth = smooth
        self.learning_rate = learning_rate
        self.weights = weights

    def fallback_weights(self, track: Track[Any]) -> str | None:
        """Those of real heads."""
        return self.foreign

    @property
    def network(self) -> str:
        full, diffeomorphic = "-full" if self.full_resolution else "", "-diff" if self.diffeomorphic else ""
        return f"voxelmorph{full}{diffeomorphic}"

    def new_network(self, tracks: Sequence[Any]) -> FieldNetwork:
        from mrbench_methods.registration.network import FieldNetwork

        steps = SQUARINGS if self.diffeomorphic else 0
        return FieldNetwork(integration_steps=steps, full_resolution=self.full_resolution)

    def warm_up(self) -> None:
        import torch

        with torch.no_grad():
            blank = torch.zeros(1, 1, 32, 32, 32, device=self.resources.device)
            self.network_.displacement(self.network_(blank, blank))

    def predict(self, inputs: RegistrationInputs) -> np.ndarray:
        """Return the displacement ``(3, z, y, x)`` in voxels."""
        import torch

        from mrbench_methods.registration.instance import refine
        from mrbench_methods.registration.network import STRIDE

        shape = inputs.fixed.shape
        margin = [(0, -size % STRIDE) for size in shape]
        fixed, moving = (
            torch.from_numpy(np.pad(image, margin))[None, None].to(self.resources.device)
            for image in (inputs.fixed, inputs.moving)
        )
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
        return VoxelMorphRecipe(self.network_, [s.images[CONTRAST] for s in examples], self.smooth)


TRIM = 3
"""Voxels that a training pair may lose at most along an axis, so that its box needs no further block of voxels."""


def occupied(images: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Cut ``(image, channel, z, y, x)`` to the box of what is not zero, trimmed to sides that suit the network.

    Air costs time and teaches nothing: at 2 mm a brain fills six tenths of its grid.
    """
    from mrbench_methods.registration.network import STRIDE

    inside = images.amax((0, 1)).numpy(force=True) > 0
    for axis in range(3):
        at = np.flatnonzero(inside.any(axis=tuple({0, 1, 2} - {axis})))
        if not at.size:
            return images
        first, side = int(at[0]), int(at[-1] - at[0]) + 1
        over = side % STRIDE if side % STRIDE <= TRIM < side - TRIM else 0
        images = images.narrow(2 + axis, first + int(rng.integers(over + 1)), side - over)
    return images


class VoxelMorphRecipe:
    """Batches and loss of the training; augmentation is a left-right flip and a shared gamma curve."""

    def __init__(self, network: FieldNetwork, images: Sequence[np.ndarray], smooth: float) -> None:

        self.network = network
        self.images = [image[None, None] for image in tensors_for(network, *images)]
        self.settings = {
            "batch": 1,
            "smooth": smooth,
            "window": WINDOW,
            "augmentation": "flip, gamma 0.8 to 1.25",
            "crop": f"box of both brains, trimmed by {TRIM} voxels at most",
            "precision": "bfloat16 convolutions",
        }
        self.smooth = smooth

    def loss(self, rng: np.random.Generator) -> torch.Tensor:
        import torch

        from mrbench_methods.registration.losses import LocalCrossCorrelation, smoothness
        from mrbench_methods.registration.network import STRIDE, identity_grid, sample

        first, second = rng.choice(len(self.images), 2, replace=False)
        gamma = float(np.exp(rng.uniform(-1, 1) * np.log(1.25)))
        pair = occupied(torch.cat([self.images[first], self.images[second]]), rng) ** gamma
        if rng.random() < 0.5:
            pair = pair.flip(-1)
        depth, height, width = (-size % STRIDE for size in pair.shape[2:])
        moving, fixed = torch.nn.functional.pad(pair, (0, width, 0, height, 0, depth)).split(1)
        # oneDNN's bfloat16 weight gradient reads stray memory where a side is 2 voxels, as at the deepest level
        # of small volumes (seen with PyTorch 2.13)
        fits = min(fixed.shape[2:]) >= 4 * STRIDE
        with half_convolutions(self.network, enabled=fits):
            raw = self.network(moving, fixed)
        raw = raw.float()
        warped = sample(
            moving,
            self.network.displacement(raw),
            identity_grid(fixed.shape[2:], fixed.device),
            "zeros",
        )
        return LocalCrossCorrelation(fixed, WINDOW)(warped) + self.smooth * smoothness(raw)
