"""Batches drawn ahead in processes of their own, so that an accelerator does not wait for the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np

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
    )
    return iter(loader)


def _as_drawn(drawn: Drawn) -> Drawn:
    return drawn
