"""The denoising autoencoder with additive skip connections (Bermudez et al. 2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mrbench.tasks.denoising import TRACKS, DenoisingInputs, DenoisingTrack, noisy
from mrbench.tasks.restoration import TrainingVolumes
from mrbench_methods.restoration import LearnedRestoration

if TYPE_CHECKING:
    import torch

    from mrbench_methods.denoising.autoencoder_network import Autoencoder

CHUNK = 8
"""Slices predicted at once: bounds memory, changes no number."""


class SkipAutoencoder(LearnedRestoration):
    """Convolutional autoencoder whose skip connections add: slice by slice with its neighbours, or in 3-D.

    Minimises the mean squared error to the clean magnitude, so it learns the Rician bias by itself. The paper
    trains one network a noise level, on single slices; ``blind`` is one network for all levels of a kind of
    noise, ``context`` shows it the neighbouring slices, and ``dimensions=3`` is the same idea with 3-D convolutions.

    Parameters
    ----------
    blind : bool
        Use weights that were trained for several noise levels at once.
    dimensions : {2, 3}
        2 as published.
    width : int
        Features: of the first, second and third level 1, 1.5 and 2 times as many in 2-D, 0.5, 1 and 1.5 in 3-D.
    context : int
        Neighbouring slices on each side of a 2-D one; 0 as published.
    weights : str
        Name (``ixi-hh-2mm.rician-10``), path, or ``auto``: those trained for the data set and track.
    """

    task = "denoising"
    reference = "Bermudez et al., Learning implicit brain MRI manifolds with deep learning, SPIE Med. Imaging 2018"
    settings = TRACKS
    board: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"blind": True},
        {"dimensions": 3},
        {"dimensions": 3, "blind": True},
    )

    def __init__(
        self, *, blind: bool = False, dimensions: int = 2, width: int = 32, context: int = 2, weights: str = "auto"
    ) -> None:
        if dimensions not in (2, 3):
            raise ValueError(f"dimensions={dimensions}: choose 2 or 3")
        self.blind = blind
        self.dimensions = dimensions
        self.width = width
        self.context = context
        self.weights = weights

    @property
    def network(self) -> str:
        kind, size = ("3d", "") if self.dimensions == 3 else ("", f"c{self.context}")
        return f"autoencoder{kind}{'-blind' if self.blind else ''}-f{self.width}{size}"

    def new_network(self, tracks: Sequence[DenoisingTrack]) -> Autoencoder:
        from mrbench_methods.denoising.autoencoder_network import Autoencoder

        halves = (1, 2, 3) if self.dimensions == 3 else (2, 3, 4)
        widths = tuple(self.width * half // 2 for half in halves)
        return Autoencoder(self.dimensions, widths, 0 if self.dimensions == 3 else self.context)  # type: ignore[arg-type]

    def predict(self, inputs: DenoisingInputs) -> np.ndarray:
        """Return the clean volume ``(z, y, x)``."""
        import torch

        from mrbench_methods.denoising.autoencoder_network import STRIDE

        if self.dimensions == 3:
            margin = [(0, -side % STRIDE) for side in inputs.image.shape]
            whole = torch.from_numpy(np.pad(inputs.image, margin, mode="edge")).to(self.resources.device)
            with torch.no_grad():
                clean = self.network_(whole[None, None])[0, 0]
            return clean[tuple(map(slice, inputs.image.shape))].cpu().numpy()
        rows, columns = inputs.image.shape[1:]
        margin = [(self.context, self.context), (0, -rows % STRIDE), (0, -columns % STRIDE)]
        padded = torch.from_numpy(np.pad(inputs.image, margin, mode="edge")).to(self.resources.device)
        stacks = padded.unfold(0, 2 * self.context + 1, 1).movedim(-1, 1)
        with torch.no_grad():
            clean = torch.cat([self.network_(part)[:, 0] for part in stacks.split(CHUNK)])
        return clean[:, :rows, :columns].cpu().numpy()

    def recipe(self, examples: TrainingVolumes, seed: int) -> SliceRecipe | VolumeRecipe:
        if self.dimensions == 3:
            return VolumeRecipe(self.network_, examples)  # type: ignore[arg-type]
        return SliceRecipe(self.network_, examples, self.context)  # type: ignore[arg-type]


class _NoisyCrops:
    """Random crops under fresh noise of the tracks trained for; left-right flips.

    The squared error is divided by the noise SD, so that no level drowns the others.
    """

    batch: int
    crop: tuple[int, int, int]

    def __init__(self, examples: TrainingVolumes) -> None:
        self.examples = examples
        self.settings = {
            "batch": self.batch, "crop": list(self.crop), "augmentation": "left-right flip, fresh noise",
            "loss": "squared error over noise SD", "precision": "bfloat16 convolutions",
        }  # fmt: skip

    def _drawn(self, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Noisy crops and clean ones, ``(batch, z, y, x)``, and the weight of each."""
        import torch

        drawn = [self._example(rng) for _ in range(self.batch)]
        image, clean = (torch.from_numpy(np.stack([example[part] for example in drawn])) for part in (0, 1))
        return image, clean, torch.tensor([10 / max(sigma, 1e-3) for _, _, sigma in drawn])

    def _example(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
        track = self.examples.tracks[int(rng.integers(len(self.examples.tracks)))]
        volume = self.examples.volumes[int(rng.integers(len(self.examples.volumes)))]
        size = [min(side, n) for side, n in zip(self.crop, volume.shape, strict=True)]
        while True:
            first = [int(rng.integers(n - s + 1)) for n, s in zip(volume.shape, size, strict=True)]
            clean = volume[tuple(slice(a, a + s) for a, s in zip(first, size, strict=True))]
            if clean.max() > 0.1:  # crops of air teach little
                break
        clean = np.ascontiguousarray(clean[..., ::-1] if rng.random() < 0.5 else clean)
        image, sigma = noisy(track, clean, rng)
        return image, clean, sigma


class SliceRecipe(_NoisyCrops):
    """Slices with their neighbours."""

    batch = 12

    def __init__(self, network: Autoencoder, examples: TrainingVolumes, context: int) -> None:
        import torch

        self.crop = (2 * context + 1, 88, 88)
        super().__init__(examples)
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def loss(self, rng: np.random.Generator) -> torch.Tensor:
        import torch

        image, clean, weight = self._drawn(rng)
        with torch.autocast("cpu", torch.bfloat16):
            made = self.network(image.contiguous(memory_format=torch.channels_last))
        error = (made[:, 0].float() - clean[:, clean.shape[1] // 2]) ** 2
        return (weight * error.mean((1, 2))).mean()


class VolumeRecipe(_NoisyCrops):
    """Blocks."""

    batch = 3
    crop = (40, 40, 40)

    def __init__(self, network: Autoencoder, examples: TrainingVolumes) -> None:
        import torch

        super().__init__(examples)
        self.network = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def loss(self, rng: np.random.Generator) -> torch.Tensor:
        import torch

        image, clean, weight = self._drawn(rng)
        with torch.autocast("cpu", torch.bfloat16):
            made = self.network(image[:, None])
        return (weight * ((made[:, 0].float() - clean) ** 2).mean((1, 2, 3))).mean()
