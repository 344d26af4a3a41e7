"""DCGAN of axial slices (Bermudez et al. 2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Never

import numpy as np

from mrbench.core.errors import RequestError
from mrbench.core.track import Track
from mrbench.tasks.generation import TRACKS, GenerationInputs, TrainingSlices
from mrbench_methods.network import NetworkMethod

if TYPE_CHECKING:
    import torch

    from mrbench_methods.generation.dcgan_training import DcganRecipe

CHUNK = 32


class DCGAN(NetworkMethod):
    """A generator of slices from noise, trained against a discriminator.

    The paper gives its networks as a figure only; sizes are ours. The discriminator has spectral instead of batch
    normalisation, and sees real and made slices through the same random changes: the authors had 528 people, we 40.

    Parameters
    ----------
    latent : int
        Length of the noise vector; 100 as in DCGAN.
    base : int
        Features before the last layer of the generator, and after the first of the discriminator.
    weights : str
        Name (``ixi-hh-2mm``), path, or ``auto``: those trained for the data set.
    """

    task = "generation"
    reference = (
        "Radford et al., ICLR 2016; Bermudez et al., Learning implicit brain MRI manifolds with deep learning, "
        "SPIE Medical Imaging 2018"
    )
    settings: Mapping[str, Any] = TRACKS
    quick_presets = ({},)

    def __init__(self, *, latent: int = 100, base: int = 16, weights: str = "auto") -> None:
        self.latent = latent
        self.base = base
        self.weights = weights

    @property
    def network(self) -> str:
        return f"dcgan-z{self.latent}f{self.base}"

    def fallback_weights(self, track: Track[Any]) -> str | None:
        return None  # slices of other people's scanner are no answer to how these look

    def new_network(self, tracks: Sequence[Any]) -> torch.nn.Module:
        from mrbench_methods.generation.dcgan_network import Generator, initialise

        return initialise(Generator(self.latent, self.base, self.shape_))

    def network_for(self, weights: Mapping[str, torch.Tensor], tracks: Sequence[Any]) -> torch.nn.Module:
        if weights.get("size") is None or weights["size"].numel() != 2:
            raise RequestError(f"{self.weights_path} tells no size of slices; give weights of {self.network}.")
        y, x = weights["size"].int().tolist()
        self.shape_ = (y, x)
        return super().network_for(weights, tracks)

    def predict(self, inputs: GenerationInputs) -> np.ndarray:
        """Return the slices ``(count, y, x)``."""
        import torch

        rng = np.random.default_rng(inputs.seed)
        noise = torch.from_numpy(rng.standard_normal((inputs.count, self.latent)).astype(np.float32))
        with torch.no_grad():
            slices = [self.network_(part.to(self.resources.device)).cpu() for part in noise.split(CHUNK)]
        return torch.cat(slices)[:, 0].numpy()

    def recipe(self, examples: TrainingSlices, seed: int) -> DcganRecipe:
        from mrbench_methods.generation.dcgan_training import DcganRecipe

        return DcganRecipe(self.network_, examples.images, self.base)  # type: ignore[arg-type]

    def training_recipe(self, examples: Never, *, seed: int) -> object:
        self.shape_ = examples.images.shape[1:]
        return super().training_recipe(examples, seed=seed)
