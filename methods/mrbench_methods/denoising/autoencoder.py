"""The denoising autoencoder with additive skip connections (Bermudez et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mrbench.core.errors import unknown_name
from mrbench.tasks.denoising import TRACKS, DenoisingInputs, DenoisingTrack, noisy
from mrbench.tasks.restoration import TrainingVolumes
from mrbench_methods.network import NetworkMethod
from mrbench_methods.slices import PLANES, across, restore
from mrbench_methods.training_device import half_convolutions, precision_of, tensors_for

if TYPE_CHECKING:
    import torch

    from mrbench_methods.denoising.autoencoder_network import Autoencoder


class SkipAutoencoder(NetworkMethod):
    """Convolutional autoencoder whose skip connections add, slice by slice with its neighbours.

    Minimises the mean squared error to the clean magnitude, so it learns the Rician bias by itself. The paper
    trains one network a noise level, on single slices; ``blind`` is one network for all levels of a kind of
    noise, ``context`` shows it the neighbouring slices, and what it makes of axial, coronal and sagittal slices is
    averaged.

    Parameters
    ----------
    blind : bool
        Weights that were trained for several noise levels at once; false for those of one level, as published, of which
        none are shipped.
    width : int
        Features of the first level; the second has 1.5, the third twice as many.
    context : int
        Neighbouring slices on each side; 0 as published.
    planes : {"all", "axial"}
        All three orientations, or axial slices as published.
    weights : str
        Name (``ixi-hh-2mm.rician-10``), path, or ``auto``: those trained for the data set and track.
    """

    task = "denoising"
    reference = "Bermudez et al., Learning implicit brain MRI manifolds with deep learning, SPIE Med. Imaging 2018"
    settings = TRACKS
    quick_presets = ({},)

    def __init__(
        self, *, blind: bool = True, width: int = 32, context: int = 2, planes: str = "all", weights: str = "auto"
    ) -> None:
        self.blind = blind
        self.width = width
        self.context = context
        self.planes = planes
        self.weights = weights
        if planes not in PLANES:
            raise unknown_name("planes of autoencoder", str(planes), PLANES)

    @property
    def network(self) -> str:
        axial = "-axial" if self.planes == "axial" else ""
        return f"autoencoder{'-blind' if self.blind else ''}-f{self.width}c{self.context}{axial}"

    def new_network(self, tracks: Sequence[DenoisingTrack]) -> Autoencoder:
        from mrbench_methods.denoising.autoencoder_network import Autoencoder

        return Autoencoder(self.width, self.context)

    def predict(self, inputs: DenoisingInputs) -> np.ndarray:
        """Return the clean volume ``(z, y, x)``."""
        from mrbench_methods.denoising.autoencoder_network import STRIDE

        return restore(
            self.network_,
            inputs.image,
            context=self.context,
            planes=PLANES[self.planes],
            stride=STRIDE,
            device=self.resources.device,
        )

    def recipe(self, examples: TrainingVolumes, seed: int) -> AutoencoderRecipe:
        return AutoencoderRecipe(self.network_, examples, self.context, PLANES[self.planes])  # type: ignore[arg-type]


Example = tuple[np.ndarray, np.ndarray, float]
"""Noisy slices, the clean one, and the noise SD."""


class AutoencoderRecipe:
    """Random crops of slices with their neighbours, under fresh noise of the tracks trained for; left-right flips.

    The squared error is divided by the noise SD, so that no level drowns the others.
    """

    batch = 12
    side = 88

    def __init__(self, network: Autoencoder, examples: TrainingVolumes, context: int, planes: int) -> None:
        import torch

        from mrbench_methods.denoising.autoencoder_network import STRIDE

        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.examples, self.context, self.planes = examples, context, planes
        smallest = np.min([volume.shape for volume in examples.volumes], axis=0)
        self.sides = np.minimum(self.side, smallest // STRIDE * STRIDE).tolist()  # of all volumes, to share a batch
        self.settings = {
            "batch": self.batch,
            "crop": self.side,
            "planes": planes,
            "augmentation": "left-right flip, fresh noise",
            "loss": "squared error over noise SD",
            "precision": precision_of(self.network),
        }

    def loss(self, rng: np.random.Generator) -> torch.Tensor:
        return self.loss_of(self.draw(rng))

    def draw(self, rng: np.random.Generator) -> list[Example]:
        """Return the examples of one batch."""
        axis = int(rng.integers(self.planes))
        return [self._example(axis, rng) for _ in range(self.batch)]

    def loss_of(self, drawn: Sequence[Example]) -> torch.Tensor:
        import torch

        image, clean = tensors_for(self.network, *(np.stack([example[part] for example in drawn]) for part in (0, 1)))
        with half_convolutions(self.network):
            denoised = self.network(image.contiguous(memory_format=torch.channels_last))
        error = ((denoised[:, 0].float() - clean) ** 2).mean((1, 2))
        return (error * error.new_tensor([10 / max(sigma, 1e-3) for _, _, sigma in drawn])).mean()

    def _example(self, axis: int, rng: np.random.Generator) -> Example:
        """Noisy slices across an axis, ``(2 context + 1, y, x)``, the clean middle one, and the noise SD."""
        track = self.examples.tracks[int(rng.integers(len(self.examples.tracks)))]
        volume = self.examples.volumes[int(rng.integers(len(self.examples.volumes)))]
        size = list(self.sides)
        size[axis] = 2 * self.context + 1
        while True:
            first = [int(rng.integers(n - s + 1)) for n, s in zip(volume.shape, size, strict=True)]
            clean = volume[tuple(slice(a, a + s) for a, s in zip(first, size, strict=True))]
            if clean.max() > 0.1:  # crops of air teach little
                break
        clean = across(clean[..., ::-1] if rng.random() < 0.5 else clean, axis)
        image, sigma = noisy(track, clean, rng)
        return image, clean[len(clean) // 2], sigma
