"""What all networks share: weights that know their tracks, a network from them, and a recipe to train it."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never

from mrbench.core.method import LearnedMethod, Resources
from mrbench.core.track import Track
from mrbench.core.weights import manifest_path, resolve_weights, weights_folder
from mrbench.training.weights import fill, load_weights

if TYPE_CHECKING:
    import torch


class NetworkMethod(LearnedMethod):
    """A method that is one PyTorch network.

    The tracks that the weights were trained for stand in their manifest; a network may be built by them. A subclass
    says how to build its network, what its recipe is, and how to predict.
    """

    settings: Mapping[str, Any] = {}
    """The task's tracks."""

    foreign: str | None = "ixi-hh-2mm"
    """Whose weights stand in on data that nobody trained for; None where no weights can."""

    tracks_: Sequence[Any] = ()
    """Settings of the tracks that the weights were trained for."""

    spacing_: Sequence[float] | None = None
    """mm of the voxels that they were trained on, order ``(z, y, x)``, where their manifest tells."""

    network_: torch.nn.Module

    training_only = LearnedMethod.training_only | {"recipe", "settings"}  # weights say what their tracks are

    @abstractmethod
    def new_network(self, tracks: Sequence[Any]) -> torch.nn.Module:
        """Return the network, untrained, for these track settings."""

    @abstractmethod
    def recipe(self, examples: Never, seed: int) -> object:
        """Return batches and loss for the network in ``network_``; ``examples`` are the task's training examples."""

    @property
    def weights_path(self) -> Path:
        return resolve_weights(weights_folder(type(self)), self.network, self.weights)

    def fallback_weights(self, track: Track[Any]) -> str | None:
        return f"{self.foreign}.{track.name}" if self.foreign else None

    def network_for(self, weights: Mapping[str, torch.Tensor], tracks: Sequence[Any]) -> torch.nn.Module:
        """Return the network that weights belong to; its sizes may stand among them."""
        return self.new_network(tracks)

    def setup(self, resources: Resources) -> None:
        super().setup(resources)
        import torch

        torch.set_num_threads(resources.threads)
        weights = load_weights(self.weights_path)
        manifest = json.loads(manifest_path(self.weights_path).read_text())
        self.tracks_ = [self.settings[name].settings for name in manifest["tracks"]]
        self.spacing_ = manifest.get("spacing_mm")
        self.network_ = self.network_for(weights, self.tracks_)
        fill(self.network_, weights, self.weights_path)
        self.network_.to(resources.device).eval()
        self.warm_up()

    def warm_up(self) -> None:
        """Run something small through the network where the first call of a process is slower than the rest."""

    def training_recipe(self, examples: Never, *, seed: int) -> object:
        import torch

        torch.manual_seed(seed)
        # examples of a task with one track are a plain list
        self.network_ = self.new_network(getattr(examples, "tracks", ())).to(self.resources.device)
        return self.recipe(examples, seed)
