"""By how much one method is ahead of others on a board, with the bounds that a sentence about all of them needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isnan, nan

import numpy as np
import pandas as pd

from mrbench.stats.design import Design
from mrbench.stats.evidence import Rows
from mrbench.stats.intervals import interval, patterns

Levels = tuple[float, float]
"""Of the intervals whose lower and upper bound are meant."""


@dataclass(frozen=True)
class Ahead:
    """By how much one method is ahead of another on each case, or the values of one alone.

    Attributes
    ----------
    values : DataFrame
        Of the one or two methods, on the cases that they share.
    ahead, units : ndarray
        The same by case, and by unit of the design.
    design : Design
    """

    values: pd.DataFrame
    ahead: np.ndarray
    units: np.ndarray
    design: Design

    @classmethod
    def of(cls, first: str, second: str, values: pd.DataFrame, board: Rows, sign: int) -> Ahead | None:
        """Compare two methods, or, without ``second``, take one; None where the two share no case.

        ``sign`` is that of the metric: what makes higher better.
        """
        both = values[[first, *filter(None, [second])]].dropna()
        if both.empty:
            return None
        ahead = (sign * (both[first] - both[second]) if second else both[first]).to_numpy()
        (_, design, units), *_ = patterns(ahead[:, None], board.design(both.index))
        return cls(both, ahead, units, design)

    def bounds(self, levels: Levels) -> tuple[float, float]:
        """Of the mean, over subjects; NaN where these are too few."""
        if not self.design.enough:
            return nan, nan
        moments = self.design.moments(self.units)
        low, high = (interval(moments, level=level)[end][0] for end, level in enumerate(levels))
        return float(low), float(high)


def extremes(
    first: str,
    second: str,
    sides: Sequence[Sequence[str]],
    values: pd.DataFrame,
    board: Rows,
    sign: int,
    levels: Levels,
) -> tuple[tuple[float, str], tuple[float, str]]:
    """The least lower bound of ``first`` against any of the second side, and the most upper one of any of the first
    side against ``second``, each with the method that it is of.

    The best rival by its mean is not always the one that is hardest to tell apart: of one whose scores scatter more, a
    smaller lead is left. NaN, where two share too few subjects, is the extreme of all.
    """

    def bounds(one: str, other: str) -> tuple[float, float]:
        pair = Ahead.of(one, other, values, board, sign)
        return (nan, nan) if pair is None else pair.bounds(levels)

    lows = [(bounds(first, name)[0], name) for name in sides[1]]
    highs = [(bounds(name, second)[1], name) for name in sides[0]]
    least = min(lows, key=lambda one: -inf if isnan(one[0]) else one[0])
    return least, max(highs, key=lambda one: inf if isnan(one[0]) else one[0])
