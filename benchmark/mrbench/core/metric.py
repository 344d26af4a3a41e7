"""Metric: what a number means and how it is computed, in one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Any


@dataclass(frozen=True)
class Metric:
    """Name, unit, direction and bounds of one score.

    Attributes
    ----------
    name : str
        Column name; carries its unit where it has one (``hd95_mm``).
    label : str
        Name in tables and figures.
    unit : str
        ``""`` for a pure number.
    higher_is_better : bool
    bounds : tuple of float
        Smallest and largest possible value. A failed case counts as the worst bound, or, where that is
        infinite, as the worst value that any method reached on the same case.
    decimals : int
        Digits shown in tables.
    description : str
        One sentence for `mrbench list metrics`, with its source.
    ranked : bool
        False for a number that is shown but that no test should call better or worse.
    compute : callable
        From what the task's `evaluate` returns to the value; None or NaN where the case has no truth for it. None for
        metrics of a task that overrides `score`.
    """

    name: str
    label: str
    unit: str
    higher_is_better: bool
    bounds: tuple[float, float] = (-inf, inf)
    decimals: int = 3
    description: str = ""
    ranked: bool = True
    compute: Callable[[Any], float | None] | None = field(default=None, compare=False, repr=False)

    @property
    def sign(self) -> int:
        """What makes higher better: 1, or -1 where lower is."""
        return 1 if self.higher_is_better else -1

    @property
    def worst(self) -> float:
        """The bound that a failed case counts as; infinite where the metric has no such bound."""
        return self.bounds[0] if self.higher_is_better else self.bounds[1]

    @property
    def arrow(self) -> str:
        """Which way is better, or nothing where neither is."""
        return ("↑" if self.higher_is_better else "↓") if self.ranked else ""


@dataclass(frozen=True)
class Scale:
    """What metrics of one kind share; the attributes are those of `Metric`."""

    unit: str
    higher_is_better: bool
    bounds: tuple[float, float]
    decimals: int

    def metric(
        self,
        name: str,
        label: str,
        description: str,
        compute: Callable[[Any], float | None] | None,
        *,
        ranked: bool = True,
    ) -> Metric:
        """Return a metric on this scale; the parameters are attributes of `Metric`."""
        return Metric(
            name, label, self.unit, self.higher_is_better, self.bounds, self.decimals, description, ranked, compute
        )
