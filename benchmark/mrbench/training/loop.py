"""The training loop of all learned methods: resumable, validated under the scoring protocol."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from mrbench.core.errors import RequestError
from mrbench.core.random import rng_for
from mrbench.io.files import write_atomically

if TYPE_CHECKING:
    import torch


class Recipe(Protocol):
    """What a learned method brings to the loop."""

    network: torch.nn.Module
    settings: Mapping[str, Any]
    """Hyperparameters, for the manifest."""

    def loss(self, rng: np.random.Generator) -> torch.Tensor:
        """Draw one batch and return its loss."""
        ...


@runtime_checkable
class AdversarialRecipe(Protocol):
    """A recipe whose network has an adversary: the loop trains the two in turn.

    The best validation score would choose the weights that the adversary has changed least, so the last are kept.
    """

    adversary: torch.nn.Module
    betas: tuple[float, float]
    """Of Adam, for both players."""

    def adversary_loss(self) -> torch.Tensor:
        """Return the adversary's loss on the batch of the last call of ``loss``, the network's output detached."""
        ...


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Attributes
    ----------
    steps : int
    learning_rate : float
        Peak of a linear warm-up (2 % of the steps) followed by a cosine to zero.
    validate_every : int
        Steps between validations; the best weights are kept.
    keep_last : bool
        Keep the last weights instead, whose step is then chosen beforehand: for a validation split that is unlike the
        data to be tested on.
    checkpoint_seconds : float
    """

    steps: int
    learning_rate: float
    validate_every: int = 500
    checkpoint_seconds: float = 60.0
    keep_last: bool = False

    def rate(self, step: int) -> float:
        warmup = max(1, round(0.02 * self.steps))
        if step < warmup:
            return self.learning_rate * (step + 1) / warmup
        progress = (step - warmup) / max(1, self.steps - warmup)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


@dataclass
class Progress:
    """Where a training stands; all of it survives a resume."""

    step: int = 0
    seconds: float = 0.0
    best_score: float = -math.inf
    best_step: int = 0

    @property
    def as_dict(self) -> dict[str, float]:
        return dict(vars(self))


Report = Callable[[Progress, float, float | None], None]


def train(
    recipe: Recipe,
    schedule: Schedule,
    *,
    settings: Mapping[str, Any],
    validate: Callable[[], float],
    checkpoint: Path,
    seed: int = 0,
    report: Report = lambda progress, loss, score: None,
) -> tuple[dict[str, torch.Tensor], Progress]:
    """Train a recipe's network, resuming from ``checkpoint`` if it is there.

    Batches are drawn by step number, so a resumed training sees what an uninterrupted one would have.

    Parameters
    ----------
    recipe : Recipe
    schedule : Schedule
    settings : mapping
        JSON values that tell this training from others; a checkpoint of another one is refused.
    validate : callable
        Returns the validation score of the network as it is; higher is better.
    checkpoint : Path
        Written about once a minute.
    seed : int
    report : callable
        Called after each step with the progress, the loss, and the score if one was just measured.

    Returns
    -------
    best : dict of str to Tensor
        Weights with the best validation score, or the last.
    progress : Progress
    """
    import torch

    players = _Players(recipe, schedule.learning_rate)
    keep_last = schedule.keep_last or isinstance(recipe, AdversarialRecipe)
    progress, best = Progress(), _copy(recipe.network)
    if checkpoint.is_file():
        progress, best = _resume(checkpoint, players, settings)
    saved = started = time.monotonic()
    before = progress.seconds
    while progress.step < schedule.steps:
        recipe.network.train()
        loss = recipe.loss(rng_for(f"step {progress.step}", "training", seed))
        if not torch.isfinite(loss):
            raise RequestError(f"the loss is {loss.item()} at step {progress.step}; lower --learning-rate.")
        players.step("network", loss, schedule.rate(progress.step))
        if isinstance(recipe, AdversarialRecipe):
            players.step("adversary", recipe.adversary_loss(), schedule.rate(progress.step))
        progress.step += 1
        progress.seconds = before + time.monotonic() - started
        score = None
        if progress.step % schedule.validate_every == 0 or progress.step == schedule.steps:
            recipe.network.eval()
            score = validate()
            if score > progress.best_score or keep_last:
                progress.best_score, progress.best_step, best = score, progress.step, _copy(recipe.network)
        report(progress, loss.item(), score)
        if time.monotonic() - saved > schedule.checkpoint_seconds or progress.step == schedule.steps:
            _save(checkpoint, players, progress, best, settings)
            saved = time.monotonic()
    return best, progress


def _copy(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


class _Players:
    """The network, its adversary if there is one, and an optimiser for each."""

    def __init__(self, recipe: Recipe, rate: float) -> None:
        import torch

        self.modules, betas = {"network": recipe.network}, (0.9, 0.999)
        if isinstance(recipe, AdversarialRecipe):
            device = next(recipe.network.parameters()).device
            self.modules["adversary"], betas = recipe.adversary.to(device), recipe.betas
        self.optimisers = {n: torch.optim.Adam(m.parameters(), lr=rate, betas=betas) for n, m in self.modules.items()}

    def step(self, name: str, loss: torch.Tensor, rate: float) -> None:
        """Move one player down the gradient of its loss; what that does to the other's gradients is dropped."""
        optimiser = self.optimisers[name]
        for group in optimiser.param_groups:
            group["lr"] = rate
        for module in self.modules.values():
            module.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    def state(self) -> dict[str, Any]:
        return {
            name: {"weights": module.state_dict(), "optimiser": self.optimisers[name].state_dict()}
            for name, module in self.modules.items()
        }

    def load(self, state: dict[str, Any]) -> None:
        for name, module in self.modules.items():
            module.load_state_dict(state[name]["weights"])
            self.optimisers[name].load_state_dict(state[name]["optimiser"])


def _save(path: Path, players: _Players, progress: Progress, best: dict[str, Any], settings: Mapping[str, Any]) -> None:
    import torch

    state = {
        "players": players.state(),
        "progress": progress.as_dict,
        "best": best,
        "settings": json.dumps(settings),
    }
    with write_atomically(path) as file:
        torch.save(state, file)


def _resume(path: Path, players: _Players, settings: Mapping[str, Any]) -> tuple[Progress, dict[str, torch.Tensor]]:
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True)
    if state["settings"] != json.dumps(settings):
        raise RequestError(
            f"{path} is of another training ({state['settings']}); delete it, or give another --checkpoints folder."
        )
    players.load(state["players"])
    return Progress(**state["progress"]), state["best"]
