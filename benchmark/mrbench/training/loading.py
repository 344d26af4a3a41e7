"""Batches drawn ahead in processes of their own, so that an accelerator does not wait for the CPU."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np

from mrbench.core.errors import RequestError, brief
from mrbench.core.random import rng_for

if TYPE_CHECKING:
    from torch import Tensor

Drawn = TypeVar("Drawn")
"""A batch as a recipe draws it."""


@runtime_checkable
class DrawingRecipe(Protocol[Drawn]):
    """A recipe that draws its batches without the network: arrays, which another process may make."""

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Draw one batch of NumPy arrays; touches no tensor on an accelerator."""
        ...

    def loss_of(self, drawn: Drawn) -> Tensor:
        """Return the loss of a batch that was drawn."""
        ...


def step_rng(step: int, seed: int) -> np.random.Generator:
    """The random numbers of one step, whatever was drawn before it."""
    return rng_for(f"step {step}", "training", seed)


class _Draws(Generic[Drawn]):
    """A map-style dataset whose items are batches by step."""

    def __init__(self, recipe: DrawingRecipe[Drawn], seed: int) -> None:
        self.recipe, self.seed = recipe, seed

    def __getitem__(self, step: int) -> Drawn:
        return self.recipe.draw(step_rng(step, self.seed))


def drawn_ahead(recipe: DrawingRecipe[Drawn], steps: range, *, seed: int, loaders: int) -> Iterator[Drawn]:
    """Yield the batches of the steps in order, made by ``loaders`` processes; the same ones as without them."""
    from torch.utils.data import DataLoader

    loader: DataLoader[Drawn] = DataLoader(
        _Draws(recipe, seed),  # type: ignore[arg-type]
        batch_size=None,
        sampler=steps,
        num_workers=loaders,
        collate_fn=_as_drawn,
        multiprocessing_context="fork",  # what was prepared is shared, not copied; no worker touches the accelerator
        worker_init_fn=_leave_signals,
    )
    return iter(loader)


@contextmanager
def naming_dead_loaders() -> Iterator[None]:
    """Make the death of a process that draws batches one sentence; PyTorch raises it wherever the training stands.

    Raises
    ------
    RequestError
        If one died.
    """
    try:
        yield
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker"):
            raise
        raise RequestError(
            f"a process that drew batches died ({brief(error)}); the same command continues from the last checkpoint; "
            "if memory ran out, with fewer --loaders."
        ) from None


def _leave_signals(worker: int) -> None:
    """Terminals and schedulers signal the whole group; the training stops its workers itself, after the checkpoint."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def _as_drawn(drawn: Drawn) -> Drawn:
    return drawn
