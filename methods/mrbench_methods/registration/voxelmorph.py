"""VoxelMorph, dense and diffeomorphic, alone or followed by instance optimisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mrbench.core.method import LearnedMethod, Resources
from mrbench.core.weights import resolve_weights
from mrbench.datasets.dataset import Subject
from mrbench.tasks.registration import CONTRAST, RegistrationInputs
from mrbench.training.weights import load_weights
from mrbench_methods.training_device import half_convolutions, tensors_for

if TYPE_CHECKING:
    import torch

    from mrbench_methods.registration.network import FieldNetwork

WINDOW = 9
"""Side in voxels of the cross-correlation window, as published."""

SQUARINGS = 5
"""Integration steps of the diffeomorphic form; 7 as published changes the field by less than 0.01 voxel."""


class VoxelMorph(LearnedMethod):
    """Unsupervised registration network, trained without labels.

    Minimises ``-LNCC(fixed, moving o phi) + smooth * |grad v|^2``, where phi is the displacement itself, or
    in the diffeomorphic form the flow of a stationary velocity. Instance optimisation continues the same
    minimisation for one pair, from the network's output.

    Parameters
    ----------
    diffeomorphic : bool
        Integrate a stationary velocity (Dalca et al.) instead of predicting the displacement.
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
    reference = (
        "Balakrishnan et al., VoxelMorph, IEEE TMI 2019; diffeomorphic form: Dalca et al., Med. Image Anal. 2019"
    )
    presets: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {},
        {"instance_steps": 40},
        {"diffeomorphic": True},
        {"diffeomorphic": True, "instance_steps": 40},
    )
    quick_presets = ({}, {"instance_steps": 20})

    def __init__(
        self,
        *,
        diffeomorphic: bool = False,
        instance_steps: int = 0,
        smooth: float = 1.0,
        learning_rate: float = 0.3,
        weights: str = "auto",
    ) -> None:
        self.diffeomorphic = diffeomorphic
        self.instance_steps = instance_steps
        self.smooth = smooth
        self.learning_rate = learning_rate
        self.weights = weights

    @property
    def network(self) -> str:
        return "voxelmorph-diff" if self.diffeomorphic else "voxelmorph"

    @property
    def weights_path(self) -> Path:
        return resolve_weights(Path(__file__).parent / "weights", self.network, self.weights)

    def setup(self, resources: Resources) -> None:
        super().setup(resources)
        import torch

        torch.set_num_threads(resources.threads)
        self.network_ = self._new_network()
        self.network_.load_state_dict(load_weights(self.weights_path))
        self.network_.to(resources.device).eval()
        with torch.no_grad():
            blank = torch.zeros(1, 1, 32, 32, 32, device=resources.device)
            self.network_.displacement(self.network_(blank, blank))

    def _new_network(self) -> FieldNetwork:
        from mrbench_methods.registration.network import FieldNetwork

        return FieldNetwork(integration_steps=SQUARINGS if self.diffeomorphic else 0)

    def predict(self, inputs: RegistrationInputs) -> np.ndarray:
        """Return the displacement ``(3, z, y, x)`` in voxels."""
        import torch

        from mrbench_methods.registration.instance import refine
        from mrbench_methods.registration.network import STRIDE, upsample

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
                self.network_, raw, moving, fixed,
                steps=self.instance_steps, rate=self.learning_rate, smooth=self.smooth, window=WINDOW,
            )  # fmt: skip
        with torch.no_grad():
            field = upsample(self.network_.displacement(raw))[0].cpu().numpy()
        return field[:, : shape[0], : shape[1], : shape[2]]

    def training_recipe(self, subjects: Sequence[Subject], *, seed: int) -> VoxelMorphRecipe:
        """Return the network with its loss over random ordered pairs of ``subjects``."""
        import torch

        torch.manual_seed(seed)
        self.network_ = self._new_network().to(self.resources.device)
        return VoxelMorphRecipe(self.network_, [s.images[CONTRAST] for s in subjects], self.smooth)


class VoxelMorphRecipe:
    """Batches and loss of the training; augmentation is a left-right flip and a shared gamma curve."""

    def __init__(self, network: FieldNetwork, images: Sequence[np.ndarray], smooth: float) -> None:

        self.network = network
        self.images = [image[None, None] for image in tensors_for(network, *images)]
        self.settings = {"smooth": smooth, "window": WINDOW, "augmentation": "flip, gamma 0.8 to 1.25"}
        self.smooth = smooth

    def loss(self, rng: np.random.Generator) -> torch.Tensor:
        import torch

        from mrbench_methods.registration.losses import LocalCrossCorrelation, smoothness
        from mrbench_methods.registration.network import STRIDE, identity_grid, sample, upsample

        first, second = rng.choice(len(self.images), 2, replace=False)
        gamma = float(np.exp(rng.uniform(-1, 1) * np.log(1.25)))
        pair = torch.cat([self.images[first], self.images[second]]) ** gamma
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
            upsample(self.network.displacement(raw)),
            identity_grid(fixed.shape[2:], fixed.device),
            "zeros",
        )
        return LocalCrossCorrelation(fixed, WINDOW)(warped) + self.smooth * smoothness(raw)
