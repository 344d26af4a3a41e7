"""D5C5 and D5-C10(S): deep cascades of convolutions and data consistency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mrbench.core.track import Track
from mrbench_methods.reconstruction.learned import LearnedReconstruction

if TYPE_CHECKING:
    import torch

REFERENCE = "Schlemper et al., IEEE TMI 2018"


class CascadeCNN(LearnedReconstruction):
    """Deep cascade of CNNs, frame by frame (D5C5); multi-coil data coil by coil, then root sum of squares.

    Trained with the mean absolute error of the magnitude. The paper's network has 64 features; the shipped
    weights have 32.

    Parameters
    ----------
    cascades, convolutions, features : int
        D5C5 is 5 cascades of 5 convolutions.
    hard : bool
        Keep the measured samples as they are, instead of the learned compromise with noise.
    proximal : bool
        Reconstruct one image of all coils, with an exact SENSE step on ESPIRiT maps in place of the data consistency
        of each coil; not in the paper.
    weights : str
        Name (``ixi-hh-2mm.singlecoil-4x``), path, or ``auto``: those trained for the data set and track.
    """

    reference = REFERENCE
    quick_presets = ({},)

    def __init__(
        self,
        *,
        cascades: int = 5,
        convolutions: int = 5,
        features: int = 32,
        hard: bool = False,
        proximal: bool = False,
        weights: str = "auto",
    ) -> None:
        self.cascades = cascades
        self.convolutions = convolutions
        self.features = features
        self.hard = hard
        self.proximal = proximal
        self.weights = weights
        self.needs_maps = proximal
        self.coil_by_coil = not proximal
        self.batch = 1 if proximal else 4

    @property
    def network(self) -> str:
        return f"d{self.convolutions}c{self.cascades}-f{self.features}{'-proximal' if self.proximal else ''}"

    def new_network(self, tracks: Sequence[Any]) -> torch.nn.Module:
        from mrbench_methods.reconstruction.cascade_network import CascadeNetwork

        return CascadeNetwork(self.cascades, self.convolutions, self.features, self.hard, self.proximal)


class DynamicCascadeCNN(LearnedReconstruction):
    """Deep cascade for cine, all frames at once: 3-D convolutions and k-space data sharing, D5-C10(S).

    The paper's network has 64 features; the shipped weights have 16.

    Parameters
    ----------
    cascades, convolutions, features : int
    hard : bool
        Keep the measured samples as they are.
    weights : str
        Name, path, or ``auto``: those trained for the data set and track.
    """

    reference = REFERENCE
    dynamic = True

    def __init__(
        self,
        *,
        cascades: int = 10,
        convolutions: int = 5,
        features: int = 16,
        hard: bool = False,
        weights: str = "auto",
    ) -> None:
        self.cascades = cascades
        self.convolutions = convolutions
        self.features = features
        self.hard = hard
        self.weights = weights

    def skip_reason(self, track: Track[Any]) -> str | None:
        if track.settings.dynamic and track.settings.coils != 1:
            return "it shares data over the time of one coil; combine the coils"
        return None if track.settings.dynamic else "frames of this track are slices, not time points"

    @property
    def network(self) -> str:
        return f"d{self.convolutions}c{self.cascades}s-f{self.features}"

    def new_network(self, tracks: Sequence[Any]) -> torch.nn.Module:
        from mrbench_methods.reconstruction.cascade_network import DynamicCascadeNetwork

        return DynamicCascadeNetwork(self.cascades, self.convolutions, self.features, self.hard)
