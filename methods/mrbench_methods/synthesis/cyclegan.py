"""CycleGAN (Welander et al. 2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mrbench.tasks.synthesis import TRACKS, SynthesisInputs, TrainingScans
from mrbench_methods.network import NetworkMethod
from mrbench_methods.slices import restore

if TYPE_CHECKING:
    import torch

    from mrbench_methods.synthesis.unpaired_training import CycleRecipe


class CycleGAN(NetworkMethod):
    """Two generators, one each way, trained on slices of different people.

    Minimises ``LSGAN(A) + LSGAN(B) + cycle * (|A - A''| + |B - B''|)``, where ``A''`` is A sent there and back. One
    training serves both tracks. The published form is ``base=32, blocks=9, skips=false, pool=50``.

    Parameters
    ----------
    cycle : float
        Weight of the error of going there and back; 10 as published.
    base : int
        Features at full resolution; 32 as published.
    blocks : int
        Residual blocks; 9 as published.
    skips : bool
        Lead fine features around the blocks and start from the inverted image (`InverseGenerator`): T1 and T2 rank
        tissues the other way round. False as published; in the steps that two cores allow, detail then finds no way
        through the blocks.
    pool : int
        Images made earlier among which the discriminators' are drawn, in training; 50 as published. A training that is
        stopped and resumed fills it anew, so that with 0 alone it is the same training.
    there_and_back : bool
        Return the source made again as well, whose error is then on the board; takes twice as long.
    weights : str
        Name (``open-ms.t1-to-t2+t2-to-t1``), path, or ``auto``: those trained for the data set and track.
    """

    task = "synthesis"
    reference = "Welander et al., Generative adversarial networks for image-to-image translation on MR, arXiv 2018"
    settings = TRACKS
    foreign = "icbm-sim"
    presets: ClassVar[tuple[Mapping[str, Any], ...]] = ({}, {"there_and_back": True})

    def __init__(
        self,
        *,
        cycle: float = 10.0,
        base: int = 16,
        blocks: int = 4,
        skips: bool = True,
        pool: int = 0,
        there_and_back: bool = False,
        weights: str = "auto",
    ) -> None:
        self.cycle = float(cycle)
        self.base = base
        self.blocks = blocks
        self.skips = skips
        self.pool = pool
        self.there_and_back = there_and_back
        self.weights = weights

    @property
    def network(self) -> str:
        skips, pool = "s" if self.skips else "", f"p{self.pool}" if self.pool else ""
        return f"cyclegan-l{self.cycle:g}-f{self.base}b{self.blocks}{skips}{pool}"

    def new_network(self, tracks: Sequence[tuple[str, str]]) -> torch.nn.Module:
        from torch import nn

        from mrbench_methods.synthesis.translation_network import Generator, InverseGenerator, initialise

        targets = sorted({target for track in TRACKS.values() for target in track.settings})
        kind = InverseGenerator if self.skips else Generator
        return nn.ModuleDict({target: initialise(kind(self.base, self.blocks)) for target in targets})

    def predict(self, inputs: SynthesisInputs) -> np.ndarray:
        """Return the image ``(z, y, x)``, or it and the source made again from it, ``(2, z, y, x)``."""
        synthesised = self._translate(inputs.image, inputs.target, inputs.mask)
        if not self.there_and_back:
            return synthesised
        return np.stack([synthesised, self._translate(synthesised, inputs.source, inputs.mask)])

    def _translate(self, image: np.ndarray, target: str, mask: np.ndarray) -> np.ndarray:
        from mrbench_methods.synthesis.translation_network import STRIDE

        generator: torch.nn.Module = self.network_[target]  # type: ignore[index]
        translated = restore(generator, image, context=0, planes=1, stride=STRIDE, device=self.resources.device)
        return np.where(mask, np.maximum(translated, 0), 0)

    def recipe(self, examples: TrainingScans, seed: int) -> CycleRecipe:
        from mrbench_methods.synthesis.unpaired_training import CycleRecipe

        return CycleRecipe(self.network_, examples, self.cycle, self.pool)  # type: ignore[arg-type]
