"""Two boards of one task side by side: other subjects, another track, another dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan

import numpy as np

from mrbench.core.errors import RequestError
from mrbench.core.metric import Metric
from mrbench.core.row import Row
from mrbench.stats.intervals import drawn_means, percentile_interval, subject_weights
from mrbench.stats.leaderboard import Leaderboard, Line, leaderboard


@dataclass(frozen=True)
class Pairing:
    """One method on both boards.

    Attributes
    ----------
    first, second : Line
        Its line on either board; failures count there as they do in any leaderboard.
    difference, low, high : float
        Mean on the second board less mean on the first, with its 95 % interval.
    excess, excess_low, excess_high : float
        Of a learned method: the difference less the mean difference of the classical methods, who say how much
        easier the second board is for anyone. NaN of classical methods, and where there are none.
    own_weights : bool
        Whether it ran with other weights on either board, as a method with weights for each track does.
    """

    method: str
    kind: str
    first: Line
    second: Line
    difference: float
    low: float
    high: float
    excess: float
    excess_low: float
    excess_high: float
    own_weights: bool


@dataclass(frozen=True)
class SideBySide:
    """The methods of two boards, best on the second board first.

    Attributes
    ----------
    same_people : bool
        Whether both boards are of the same subjects of one dataset, so that differences are paired.
    cases : tuple of int
        How many cases the rows of either board cover.
    """

    metric: Metric
    pairings: list[Pairing]
    same_people: bool
    cases: tuple[int, int]

    @property
    def classical(self) -> list[float]:
        """Differences of the classical methods."""
        return [pair.difference for pair in self.pairings if pair.kind == "classical"]


def side_by_side(first: Sequence[Row], second: Sequence[Row], metric: Metric) -> SideBySide:
    """Compare the methods that have scores on both boards.

    Parameters
    ----------
    first, second : sequence of Row
        Each of one board, data and protocol.

    Raises
    ------
    RequestError
        If a board does not have the metric, or the two share no method.

    Notes
    -----
    The subjects of each board are resampled, those of one board for all its methods alike, so that what makes a
    board easy for everyone cancels in the excess. Where both boards are of the same people, they are drawn together.
    """
    boards = [leaderboard(rows, [metric]) for rows in (first, second)]
    for rows, board in zip((first, second), boards, strict=True):
        if not board.metrics:
            place = f"{rows[0].dataset}, {rows[0].track}, {rows[0].split}"
            raise RequestError(f"no row of {place} has {metric.name}, the task's first metric; run the board again.")
    lines = [{line.method: line for line in board.lines if not isnan(line.cells[metric.name].mean)} for board in boards]
    shared = [method for method in lines[1] if method in lines[0]]
    if not shared:
        raise RequestError(f"the two boards share no method with {metric.name}; run the same methods on both.")
    people = [_people(rows, board) for rows, board in zip((first, second), boards, strict=True)]
    drawn = [subject_weights(cases) for cases in people]
    spread = {
        method: drawn_means(boards[1].values[metric.name][method], drawn[1])
        - drawn_means(boards[0].values[metric.name][method], drawn[0])
        for method in shared
    }
    moved = {m: lines[1][m].cells[metric.name].mean - lines[0][m].cells[metric.name].mean for m in shared}
    classical = [method for method in shared if lines[1][method].kind == "classical"]
    intervals = {method: percentile_interval(draws) for method, draws in spread.items()}
    weights = [{row.method: row.weights for row in rows if row.weights} for rows in (first, second)]
    found = []
    for method in shared:
        excess = (nan, nan, nan)
        if classical and method not in classical:
            easier = np.mean([spread[name] for name in classical], axis=0)
            by_classical = float(np.mean([moved[name] for name in classical]))
            excess = (moved[method] - by_classical, *percentile_interval(spread[method] - easier))
        one, two = lines[0][method], lines[1][method]
        found.append(
            Pairing(
                method=method,
                kind=two.kind,
                first=one,
                second=two,
                difference=moved[method],
                low=intervals[method][0],
                high=intervals[method][1],
                excess=excess[0],
                excess_low=excess[1],
                excess_high=excess[2],
                own_weights=weights[0].get(method) != weights[1].get(method),
            )
        )
    same = {name for case in people[0] for name in case} == {name for case in people[1] for name in case}
    return SideBySide(metric, found, same, (len(boards[0].cases), len(boards[1].cases)))


def _people(rows: Sequence[Row], board: Leaderboard) -> list[list[str]]:
    """Who is in each case of a board, told from those of the same name in another dataset."""
    subjects = {row.case: [f"{row.dataset}/{person}" for person in row.subjects] for row in rows}
    return [subjects[case] for case in board.cases]
