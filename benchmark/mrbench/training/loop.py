"""The training loop of all learned methods: resumable, validated under the scoring protocol."""

from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from mrbench.core.arguments import check_number, check_whole
from mrbench.core.errors import RequestError, brief
from mrbench.io.files import write_atomically
from mrbench.training.group import ALONE, Group
from mrbench.training.loading import DrawingRecipe, drawn_ahead, naming_dead_loaders, step_rng
from mrbench.training.stopping import TrainingStopped

if TYPE_CHECKING:
    import torch


CURVE_LINES = 200
"""Lines of a curve, besides those of validations."""


class Recipe(Protocol):
    """What a learned method brings to the loop."""

    network: torch.nn.Module
    settings: Mapping[str, Any]
    """Hyperparameters, for the manifest; ``batch`` is how many examples a step sees, 1 where absent.

    A gradient longer than ``gradient_norm``, where it is given, is shortened to it.
    """

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
    ema : float
        Decay per step of a running mean of the weights, which is then what is validated and kept; 0 for none. It
        starts lower, ``(1 + step) / (10 + step)``, so that the random start is forgotten.
    """

    steps: int
    learning_rate: float
    validate_every: int = 500
    checkpoint_seconds: float = 60.0
    keep_last: bool = False
    ema: float = 0.0

    def __post_init__(self) -> None:
        check_whole(1, steps=self.steps, validate_every=self.validate_every)
        check_number(0, learning_rate=self.learning_rate, ema=self.ema)

    def rate(self, step: int) -> float:
        warmup = max(1, round(0.02 * self.steps))
        if step < warmup:
            return self.learning_rate * (step + 1) / warmup
        progress = (step - warmup) / max(1, self.steps - warmup)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


@dataclass(frozen=True)
class CurvePoint:
    """One line of a training's curve: the mean loss since the line before, and the score if one was measured."""

    step: int
    seconds: float
    rate: float
    loss: float
    score: float | None


@dataclass
class Progress:
    """Where a training stands; all of it survives a resume."""

    step: int = 0
    seconds: float = 0.0
    best_score: float = -math.inf
    best_step: int = 0
    curve: list[CurvePoint] = field(default_factory=list)
    hardware: list[str] = field(default_factory=list)
    """What it ran on, in order; several where it was resumed elsewhere."""

    @property
    def flat(self) -> bool | None:
        """Whether the last fifth of the steps gained less than a twentieth of the whole gain of the best score.

        None where fewer than five validations cannot tell.
        """
        scores = [(point.step, point.score) for point in self.curve if point.score is not None]
        if len(scores) < 5:
            return None
        best = np.maximum.accumulate([score for _, score in scores])
        late = sum(step <= 0.8 * self.step for step, _ in scores)
        whole = best[-1] - best[0]
        return bool(best[-1] - best[max(late, 1) - 1] <= whole / 20)


Report = Callable[[Progress, float, float | None], None]


@naming_dead_loaders()
def train(
    recipe: Recipe,
    schedule: Schedule,
    *,
    settings: Mapping[str, Any],
    validate: Callable[[], float],
    checkpoint: Path,
    seed: int = 0,
    loaders: int = 0,
    report: Report = lambda progress, loss, score: None,
    stop: Callable[[], bool] = lambda: False,
    group: Group = ALONE,
    hardware: str = "",
) -> tuple[dict[str, torch.Tensor], Progress]:
    """Train a recipe's network, resuming from ``checkpoint`` if it is there.

    Batches are drawn by step number, so a resumed training sees what an uninterrupted one would have. Of N processes, a
    step takes the batches that one process would have seen in N, and the mean of their gradients.

    Parameters
    ----------
    recipe : Recipe
        Network, batches and loss.
    schedule : Schedule
        Steps, learning rate, validation.
    settings : mapping
        JSON values that tell this training from others; a checkpoint of another one is refused.
    validate : callable
        Returns the validation score of the network as it is; higher is better.
    checkpoint : Path
        Written about once a minute.
    seed : int
        Of all that is random.
    loaders : int
        Processes that draw batches ahead, for a `DrawingRecipe`; the batches are the same.
    report : callable
        Called after each step with the progress, the loss, and the score if one was just measured.
    stop : callable
        Asked after each step; once it says True, a checkpoint is written and `TrainingStopped` raised.
    group : Group
        The processes that train together. All read the checkpoint; the first alone validates, reports and writes.
    hardware : str
        What this process runs on, kept with the progress.

    Returns
    -------
    best : dict of str to Tensor
        Weights with the best validation score, or the last; of no use where the process is not the first.
    progress : Progress

    Raises
    ------
    TrainingStopped
        If ``stop`` said so; the same call continues from the checkpoint.
    RequestError
        If the loss is not finite, the checkpoint is of another training, or a process that draws batches died.
    """

    players = _Players(recipe, schedule.learning_rate, group)
    average = Average(recipe.network, schedule.ema)
    keep_last = schedule.keep_last or isinstance(recipe, AdversarialRecipe)
    progress, best = Progress(), _copy(recipe.network)
    if checkpoint.is_file():
        progress, best = _resume(checkpoint, players, average, settings)
    if hardware not in progress.hardware:
        progress.hardware.append(hardware)
    saved = started = time.monotonic()
    before = progress.seconds
    losses: list[float] = []
    log_every = max(1, schedule.steps // CURVE_LINES)
    draws = range(progress.step * group.count + group.rank, schedule.steps * group.count, group.count)
    losses_of_steps = _losses(recipe, draws, seed, loaders)
    while progress.step < schedule.steps:
        recipe.network.train()
        rate = schedule.rate(progress.step)
        loss = next(losses_of_steps)
        losses.append(group.mean(loss.item()))
        if not math.isfinite(losses[-1]):
            raise RequestError(f"the loss is {losses[-1]} at step {progress.step}; lower --learning-rate.")
        players.step("network", loss, rate)
        if isinstance(recipe, AdversarialRecipe):
            players.step("adversary", recipe.adversary_loss(), rate)
        average.update(progress.step)
        progress.step += 1
        progress.seconds = before + time.monotonic() - started
        score, last = None, progress.step == schedule.steps
        if group.leads and (progress.step % schedule.validate_every == 0 or last):
            recipe.network.eval()
            with average.in_place():
                score = validate()
                if score > progress.best_score or keep_last:
                    progress.best_score, progress.best_step, best = score, progress.step, _copy(recipe.network)
        if score is not None or progress.step % log_every == 0:
            mean = float(np.mean(losses))
            progress.curve.append(CurvePoint(progress.step, round(progress.seconds, 1), rate, mean, score))
            losses.clear()
        report(progress, loss.item(), score)
        stopped = not last and group.agreed(stop)
        if group.leads and (time.monotonic() - saved > schedule.checkpoint_seconds or last or stopped):
            _save(checkpoint, players, average, progress, best, settings)
            saved = time.monotonic()
        if stopped:
            raise TrainingStopped(
                f"stopped at step {progress.step} of {schedule.steps}; the same command continues from {checkpoint}."
            )
    return best, progress


def _losses(recipe: Recipe, draws: range, seed: int, loaders: int) -> Iterator[torch.Tensor]:
    """The loss of each batch, by its number, computed when it is asked for."""
    if loaders and isinstance(recipe, DrawingRecipe):
        for drawn in drawn_ahead(recipe, draws, seed=seed, loaders=loaders):
            yield recipe.loss_of(drawn)
    else:
        for step in draws:
            yield recipe.loss(step_rng(step, seed))


def _copy(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


class Average:
    """A running mean of a network's weights; of decay 0, the weights themselves."""

    def __init__(self, network: torch.nn.Module, decay: float) -> None:
        self.network, self.decay = network, decay
        self.weights = _copy(network) if decay else {}

    def update(self, step: int) -> None:
        """Move the mean towards the weights after that step; counters and sizes are copied."""
        state = self.network.state_dict() if self.decay else {}
        share = 1 - min(self.decay, (1 + step) / (10 + step))
        for name, tensor in state.items():
            if tensor.is_floating_point():
                self.weights[name].lerp_(tensor.detach(), share)
            else:
                self.weights[name].copy_(tensor)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The network with its mean weights, as long as the context lasts."""
        if not self.decay:
            yield
            return
        current = _copy(self.network)
        self.network.load_state_dict(self.weights)
        try:
            yield
        finally:
            self.network.load_state_dict(current)


class _Players:
    """The network, its adversary if there is one, and an optimiser for each; alike in all processes of a group."""

    def __init__(self, recipe: Recipe, rate: float, group: Group) -> None:
        import torch

        self.group = group
        self.modules, betas = {"network": recipe.network}, (0.9, 0.999)
        if isinstance(recipe, AdversarialRecipe):
            device = next(recipe.network.parameters()).device
            self.modules["adversary"], betas = recipe.adversary.to(device), recipe.betas
        for module in self.modules.values():
            group.start_alike(module)
        self.longest = float(recipe.settings.get("gradient_norm", math.inf))
        self.optimisers = {n: torch.optim.Adam(m.parameters(), lr=rate, betas=betas) for n, m in self.modules.items()}

    def step(self, name: str, loss: torch.Tensor, rate: float) -> None:
        """Move one player down the gradient of its loss; what that does to the other's gradients is dropped."""
        import torch

        optimiser = self.optimisers[name]
        for group in optimiser.param_groups:
            group["lr"] = rate
        for module in self.modules.values():
            module.zero_grad(set_to_none=True)
        loss.backward()
        self.group.average_gradients(self.modules[name])
        if math.isfinite(self.longest):
            torch.nn.utils.clip_grad_norm_(self.modules[name].parameters(), self.longest)
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


def _save(
    path: Path,
    players: _Players,
    average: Average,
    progress: Progress,
    best: dict[str, Any],
    settings: Mapping[str, Any],
) -> None:
    import torch

    state = {
        "players": players.state(),
        "average": average.weights,
        "progress": asdict(progress),
        "best": best,
        "settings": json.dumps(settings),
    }
    buffer = io.BytesIO()
    torch.save(state, buffer)  # into a file, it hides a full disk behind a fault of its own
    with write_atomically(path) as file:
        file.write(buffer.getbuffer())


def _resume(
    path: Path, players: _Players, average: Average, settings: Mapping[str, Any]
) -> tuple[Progress, dict[str, torch.Tensor]]:
    import pickle

    import torch

    advice = "delete it, or give another --checkpoints folder."
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        of_settings = state["settings"]
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise RequestError(f"{path} is no checkpoint ({brief(error)}); {advice}") from None
    if of_settings != json.dumps(settings):
        raise RequestError(f"{path} is of another training ({of_settings}); {advice}")
    try:
        players.load(state["players"])
        for name, tensor in average.weights.items():
            tensor.copy_(state["average"][name])
        kept = state["progress"]
        return Progress(**{**kept, "curve": [CurvePoint(**point) for point in kept["curve"]]}), state["best"]
    except (RuntimeError, ValueError, KeyError, TypeError):
        raise RequestError(f"{path} does not fit the network that is trained now; {advice}") from None
