"""pix2pix, and its generator trained with the absolute error alone (Isola et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mrbench.core.errors import MethodSkipped, unknown_name
from mrbench.tasks.synthesis import TRACKS, SynthesisInputs, TrainingScans
from mrbench_methods.network import NetworkMethod
from mrbench_methods.slices import PLANES, restore
from mrbench_methods.synthesis.scans import position_maps

if TYPE_CHECKING:
    from mrbench_methods.synthesis.paired_training import PairedRecipe
    from mrbench_methods.synthesis.translation_network import SkipGenerator


class Pix2Pix(NetworkMethod):
    """A residual generator with features led around its blocks, trained on pairs of slices.

    Minimises ``L1 + adversarial * LSGAN``, the discriminator seeing the source beside the target. The published weight
    of L1 is 100 times that of the adversary. ``adversarial=0`` trains the same generator without one: what the
    adversary adds is the difference. The generator has no instance normalisation, which would take from each slice the
    scale that the absolute error asks for.

    Parameters
    ----------
    adversarial : float
        Weight of the adversary; 0 for none.
    base : int
        Features at full resolution (Welander et al. 2018: 32).
    blocks : int
        Residual blocks (Welander: 9).
    context : int
        Neighbouring slices on each side; 0 as published.
    planes : {"all", "axial"}
        Mean over slices of all three orientations, or axial slices as published.
    position : bool
        Also show where each pixel lies in the brain and how deep, as regressions of voxels see it (`position_in`).
    weights : str
        Name (``open-ms.t1-to-t2``), path, or ``auto``: those trained for the data set and track.
    """

    task = "synthesis"
    reference = "Isola et al., Image-to-image translation with conditional adversarial networks, CVPR 2017"
    settings = TRACKS
    foreign = "open-ms"
    presets: ClassVar[tuple[Mapping[str, Any], ...]] = ({}, {"adversarial": 0.0})
    quick_presets = ({"adversarial": 0.0},)

    def __init__(
        self,
        *,
        adversarial: float = 0.01,
        base: int = 12,
        blocks: int = 4,
        context: int = 1,
        planes: str = "all",
        position: bool = True,
        weights: str = "auto",
    ) -> None:
        if planes not in PLANES:
            raise unknown_name("planes of pix2pix", str(planes), PLANES)
        self.adversarial = float(adversarial)
        self.base = base
        self.blocks = blocks
        self.context = context
        self.planes = planes
        self.position = position
        self.weights = weights

    @property
    def network(self) -> str:
        kind = f"pix2pix-a{self.adversarial:g}" if self.adversarial else "l1-generator"
        axial = "-axial" if self.planes == "axial" else ""
        position = "p" if self.position else ""
        return f"{kind}-f{self.base}b{self.blocks}c{self.context}{position}{axial}"

    def new_network(self, tracks: Sequence[tuple[str, str]]) -> SkipGenerator:
        from mrbench_methods.synthesis.translation_network import SkipGenerator, initialise

        channels = 2 * self.context + 1 + 4 * self.position
        return initialise(SkipGenerator(channels, self.base, self.blocks))  # type: ignore[return-value]

    def predict(self, inputs: SynthesisInputs) -> np.ndarray:
        """Return the image ``(z, y, x)``."""
        if self.tracks_ and (inputs.source, inputs.target) not in self.tracks_:
            raise MethodSkipped(f"its weights were not trained to make {inputs.target} from {inputs.source}")
        from mrbench_methods.synthesis.translation_network import STRIDE

        synthesised = restore(
            self.network_,
            inputs.image,
            maps=position_maps(inputs.mask, inputs.spacing) if self.position else None,
            context=self.context,
            planes=PLANES[self.planes],
            stride=STRIDE,
            device=self.resources.device,
        )
        return np.where(inputs.mask, np.maximum(synthesised, 0), 0)

    def recipe(self, examples: TrainingScans, seed: int) -> PairedRecipe:
        from mrbench_methods.synthesis.paired_training import AdversarialPairedRecipe, PairedRecipe

        about = (self.network_, examples, self.context, PLANES[self.planes], self.position)
        if self.adversarial:
            return AdversarialPairedRecipe(*about, self.adversarial)  # type: ignore[arg-type]
        return PairedRecipe(*about)  # type: ignore[arg-type]
