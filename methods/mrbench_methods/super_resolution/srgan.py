"""3-D and 2-D SRGAN, and their generators without the adversary (Sanchez and Vilaplana 2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mrbench.core.errors import RequestError, unknown_name
from mrbench.core.track import Track
from mrbench.physics.resolution import upsampled
from mrbench.tasks.restoration import TrainingVolumes
from mrbench.tasks.super_resolution import SuperResolutionInputs, SuperResolutionTrack
from mrbench_methods.super_resolution.learned import LearnedSuperResolution, Pairs

if TYPE_CHECKING:
    import torch

    from mrbench_methods.super_resolution.srgan_network import Generator
    from mrbench_methods.super_resolution.srgan_training import GeneratorRecipe

UPSAMPLING = ("subpixel", "resize", "subpixel-nn")

BLOCK = 40
"""Side in low-resolution voxels of the blocks that a volume is predicted in."""


class SRGAN(LearnedSuperResolution):
    """Residual generator at low resolution, upsampled at its end, with or without an adversary.

    Minimises ``MSE + GDL + adversarial * LSGAN``: the mean squared error, the mean squared difference of the gradients'
    magnitudes, and the least-squares adversarial loss. The authors' code *sums* the first two over some 3 million
    voxels beside ``0.1 LSGAN``, which is ``adversarial = 3e-8`` here: no adversary at all. Unlike
    the paper's, the generator has no batch normalisation unless ``published``, and what it makes is added to the
    interpolated volume: so it trains in minutes.

    Parameters
    ----------
    adversarial : float
        Weight of the adversary; 0 trains the same generator without one.
    dimensions : {3, 2}
        3-D convolutions, or 2-D ones slice by slice for tracks that keep every slice.
    upsampling : {"subpixel", "resize", "subpixel-nn"}
        Sub-pixel convolution, nearest-neighbour resize and convolution, or sub-pixel convolution that starts as
        nearest-neighbour (the paper's three).
    features, blocks : int
        Of the generator; 6 blocks of 32 features as published.
    published : bool
        The paper's batch normalisation in the generator and the full width of its discriminator.
    weights : str
        Name (``ixi-hh-2mm.3d-x2``), path, or ``auto``: those trained for the data set and track.
    """

    reference = "Sanchez and Vilaplana, Brain MRI super-resolution using 3D GANs, MIDL 2018"
    presets: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"adversarial": 0.0},
        {},
        {"dimensions": 2, "adversarial": 0.0},
        {"dimensions": 2},
    )

    def __init__(
        self,
        *,
        adversarial: float = 0.001,
        dimensions: int = 3,
        upsampling: str = "subpixel",
        features: int = 32,
        blocks: int = 6,
        published: bool = False,
        weights: str = "auto",
    ) -> None:
        if upsampling not in UPSAMPLING:
            raise unknown_name("upsampling of srgan", upsampling, UPSAMPLING)
        if dimensions not in (2, 3):
            raise ValueError(f"dimensions={dimensions}: choose 3 or 2")
        self.adversarial = float(adversarial)
        self.dimensions = dimensions
        self.upsampling = upsampling
        self.features = features
        self.blocks = blocks
        self.published = published
        self.weights = weights

    def skip_reason(self, track: Track[Any]) -> str | None:
        if self.dimensions == 2 and track.settings.degradation.factors[0] > 1:
            return "slices are lost on this track, and 2-D convolutions cannot make any"
        return None

    @property
    def network(self) -> str:
        kind = f"srgan{self.dimensions}d-a{self.adversarial:g}" if self.adversarial else f"srgen{self.dimensions}d"
        variant = "" if self.upsampling == "subpixel" else f"-{self.upsampling}"
        form = "-published" if self.published else ""
        return f"{kind}{variant}-f{self.features}b{self.blocks}{form}"

    def new_network(self, tracks: Sequence[SuperResolutionTrack]) -> Generator:
        from mrbench_methods.super_resolution.srgan_network import Generator

        factors = {track.degradation.factors for track in tracks}
        if len(factors) > 1:
            raise RequestError(
                f"one generator has one factor of upsampling, not {sorted(factors)}; train each track alone."
            )
        last = factors.pop()[3 - self.dimensions :]
        return Generator(last, self.features, self.blocks, self.upsampling, self.published)

    def predict(self, inputs: SuperResolutionInputs) -> np.ndarray:
        """Return the volume ``(z, y, x)``."""
        import torch

        start = upsampled(inputs.image, inputs.degradation)
        low = torch.from_numpy(inputs.image).to(self.resources.device)
        with torch.no_grad():
            if self.dimensions == 2:
                added = torch.cat([self.network_(part[:, None])[:, 0] for part in low.split(4)])
            else:
                added = self._by_blocks(low, inputs.degradation.factors)
        return np.maximum(start + added.cpu().numpy(), 0)

    def _by_blocks(self, low: torch.Tensor, factors: tuple[int, ...]) -> torch.Tensor:
        """What the generator adds, block by block with overlap, so that memory does not grow with the volume."""
        import torch

        out = torch.empty([n * f for n, f in zip(low.shape, factors, strict=True)])
        reach = 2 * self.blocks + 4  # how far the generator sees: with this overlap, blocks have no seams
        for corner in np.ndindex(*(-(-n // BLOCK) for n in low.shape)):
            first = [c * BLOCK for c in corner]
            last = [min(a + BLOCK, n) for a, n in zip(first, low.shape, strict=True)]
            wide = [(max(0, a - reach), min(n, b + reach)) for a, b, n in zip(first, last, low.shape, strict=True)]
            block = self.network_(low[tuple(slice(a, b) for a, b in wide)][None, None])[0, 0]
            inner = [
                slice((a - w) * f, (b - w) * f) for a, b, (w, _), f in zip(first, last, wide, factors, strict=True)
            ]
            place = [slice(a * f, b * f) for a, b, f in zip(first, last, factors, strict=True)]
            out[tuple(place)] = block[tuple(inner)]
        return out

    def recipe(self, examples: TrainingVolumes, seed: int) -> GeneratorRecipe:
        from mrbench_methods.super_resolution.srgan_training import GanRecipe, GeneratorRecipe

        degraded = Pairs(examples, seed)
        if self.adversarial:
            adversary = self.adversarial, self.published
            return GanRecipe(self.network_, degraded, self.dimensions, *adversary)  # type: ignore[arg-type]
        return GeneratorRecipe(self.network_, degraded, self.dimensions)  # type: ignore[arg-type]
