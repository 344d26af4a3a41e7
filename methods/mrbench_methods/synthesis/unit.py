"""UNIT (Liu et al. 2017, as Welander et al. 2018 used it)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mrbench.tasks.synthesis import TRACKS, SynthesisInputs, TrainingScans
from mrbench_methods.network import NetworkMethod
from mrbench_methods.slices import restore

if TYPE_CHECKING:
    from mrbench_methods.synthesis.unit_network import Unit
    from mrbench_methods.synthesis.unpaired_training import UnitRecipe


class UNIT(NetworkMethod):
    """Two variational autoencoders with a shared latent space, trained on slices of different people.

    Minimises ``10 GAN + 0.1 |z|^2 + 100 |A - A'| + 0.1 |z''|^2 + 100 |A - A''|`` for each contrast (the published
    weights): ``A'`` is A through its own generator, ``A''`` A sent there and back. One training serves both tracks.

    Parameters
    ----------
    base : int
        Features at full resolution; 64 as published.
    blocks : int
        Residual blocks of each encoder and generator; 3 as published, one more each is shared.
    inverse : bool
        Show T2 to the shared space inverted: T1 and T2 rank tissues the other way round, and what makes grey matter
        darker than white in one contrast makes it brighter in the other. False as published; a discriminator of a
        tenth of the weight of an error then has to find that out, which takes more steps than two cores allow.
    weights : str
        Name (``open-ms.t1-to-t2+t2-to-t1``), path, or ``auto``: those trained for the data set and track.
    """

    task = "synthesis"
    reference = (
        "Liu et al., Unsupervised image-to-image translation networks, NeurIPS 2017; Welander et al., arXiv 2018"
    )
    settings = TRACKS
    foreign = "open-ms"
    presets: ClassVar[tuple[Mapping[str, Any], ...]] = ({},)

    def __init__(self, *, base: int = 16, blocks: int = 1, inverse: bool = True, weights: str = "auto") -> None:
        self.base = base
        self.blocks = blocks
        self.inverse = inverse
        self.weights = weights

    @property
    def network(self) -> str:
        return f"unit-f{self.base}b{self.blocks}{'i' if self.inverse else ''}"

    def new_network(self, tracks: Sequence[tuple[str, str]]) -> Unit:
        from mrbench_methods.synthesis.translation_network import initialise
        from mrbench_methods.synthesis.unit_network import Unit

        targets = sorted({target for track in TRACKS.values() for target in track.settings})
        return initialise(Unit(targets, self.base, self.blocks, ("T2",) if self.inverse else ()))  # type: ignore[return-value]

    def predict(self, inputs: SynthesisInputs) -> np.ndarray:
        """Return the image ``(z, y, x)``."""
        from mrbench_methods.synthesis.translation_network import STRIDE

        network: Unit = self.network_  # type: ignore[assignment]
        synthesised = restore(
            lambda image: network.generate(network.encode(image, inputs.source), inputs.target),
            inputs.image,
            context=0,
            planes=1,
            stride=STRIDE,
            device=self.resources.device,
        )
        return np.where(inputs.mask, np.maximum(synthesised, 0), 0)

    def recipe(self, examples: TrainingScans, seed: int) -> UnitRecipe:
        from mrbench_methods.synthesis.unpaired_training import UnitRecipe

        return UnitRecipe(self.network_, examples)  # type: ignore[arg-type]
