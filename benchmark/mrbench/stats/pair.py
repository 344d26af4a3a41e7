"""Two methods of one board: what a sentence about them needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mrbench.core.errors import RequestError, unknown_name
from mrbench.core.metric import Metric
from mrbench.stats.leaderboard import Leaderboard


@dataclass(frozen=True)
class Pair:
    """The better of two methods against the other one, by the mean of one metric on the cases that both have.

    Attributes
    ----------
    metric : Metric
    better, other : str
    means : tuple of float
        Of either, in the same order, each over the cases that it has.
    difference, low, high : float
        Mean difference, better less other, in the metric's unit (negative where lower is better), with its 95 %
        interval over subjects; NaN under 5 subjects.
    wins, n : int
        On how many of how many subjects (or sets of them) it was better.
    p, p_holm : float
        Of the two alone, and after Holm's correction over all pairs of the board.
    effect_size : float
        Difference in standard deviations of the subjects' differences.
    detectable : float
        Smallest difference that as many subjects show with 80 % power at 5 %.
    note : str
        What else must be said of the two; empty where nothing must.
    """

    metric: Metric
    better: str
    other: str
    means: tuple[float, float]
    difference: float
    low: float
    high: float
    wins: int
    n: int
    p: float
    p_holm: float
    effect_size: float
    detectable: float
    note: str = ""

    @property
    def sentence(self) -> str:
        """All of it in words, with the digits that the metric is shown with."""
        return f"{self._numbers} {self.note}".rstrip()

    @property
    def _numbers(self) -> str:
        digits, unit = self.metric.decimals, f" {self.metric.unit}" if self.metric.unit else ""
        text = f"{self.better} is better than {self.other} on {self.wins} of {self.n} subjects in {self.metric.label}"
        text += f": difference {self.difference:+.{digits}f}{unit}"
        if np.isnan(self.p):
            return f"{text}. These are too few for an interval or a test."
        text += f" [{self.low:+.{digits}f}, {self.high:+.{digits}f}], p = {self.p:.2g}"
        text += f" ({self.p_holm:.2g} after Holm's correction over all pairs of the board), d = {self.effect_size:.2f}."
        return f"{text} {self.n} subjects can detect {self.detectable:.{digits}f}{unit} with 80 % power."


def pair(board: Leaderboard, first: str, second: str, metric: str | None = None) -> Pair:
    """Compare two methods of a board.

    Parameters
    ----------
    board : Leaderboard
        Scores of all methods.
    first, second : str
        In any order.
    metric : str, optional
        Default: the one that ranks.

    Raises
    ------
    RequestError
        If the board does not have the methods or the metric, if the methods are one, if they share no case, or if
        neither value of the metric is better.
    """
    for name in (first, second):
        if name not in board.summary.index:
            raise unknown_name("method of this board", name, list(board.summary.index))
    if first == second:
        raise RequestError(f"'{first}' cannot be compared with itself; give two methods.")
    known = {one.name: one for one in board.metrics}
    if not known:
        raise RequestError("this board has no scores to compare.")
    chosen = known.get(metric or board.primary.name)
    if chosen is None:
        raise unknown_name("metric of this board", str(metric), list(known))
    if not chosen.ranked:
        raise RequestError(f"no value of {chosen.name} is better than another; choose a metric that ranks.")
    pair = board.comparisons[board.comparisons["metric"] == chosen.name]
    pair = pair[pair["first"].isin((first, second)) & pair["second"].isin((first, second))].iloc[0]
    if not pair["n"]:
        raise RequestError(f"'{first}' and '{second}' share no case with {chosen.name}.")
    means = tuple(float(board.cells.loc[pair[side], (chosen.name, "mean")]) for side in ("first", "second"))
    numbers: dict[str, Any] = {
        name: float(pair[name]) for name in ("low", "high", "p", "p_holm", "effect_size", "detectable")
    }
    return Pair(
        chosen,
        pair["first"],
        pair["second"],
        (means[0], means[1]),
        float(pair["difference"]),
        wins=int(pair["wins"]),
        n=int(pair["n"]),
        **numbers,
    )
