"""Train on one thing, test on another: what learned methods keep of their lead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mrbench.core.metric import Metric
from mrbench.core.registry import MethodSpec, parse_spec
from mrbench.core.row import Row
from mrbench.stats.leaderboard import leaderboard


@dataclass(frozen=True)
class Training:
    """What a set of weights was trained on, as its manifest says."""

    dataset: str
    tracks: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.dataset}, {' + '.join(self.tracks)}"


@dataclass(frozen=True)
class Transfer:
    """One set of weights on one board.

    Attributes
    ----------
    method : str
        Without its ``weights``.
    trained_on, tested_on : str
    home : bool
        Whether the weights were trained for this board.
    mean, low, high : float
        Of the primary metric, with its 95 % interval over subjects.
    loss : float
        Mean over shared cases of how much worse it is than the weights trained for the board; NaN where
        there are none, or these are they.
    """

    method: str
    trained_on: str
    tested_on: str
    home: bool
    n_cases: int
    n_failed: int
    mean: float
    low: float
    high: float
    loss: float


def transfers(
    rows: Sequence[Row], trainings: Mapping[str, Training], metric: Metric, simulations: Mapping[str, str]
) -> list[Transfer]:
    """Compare the weights of each learned method on each board that it ran on; failures count as on the board.

    Parameters
    ----------
    rows : sequence of Row
        Of any boards of one task, those of one board of one protocol.
    trainings : mapping
        From the sha256 of weights to what they were trained on; rows of other weights are left out.
    simulations : mapping
        What tables say of simulated data, by dataset (``simulated k-space``).

    Raises
    ------
    RequestError
        As of `leaderboard`.
    """
    boards: dict[str, list[Row]] = {}
    for row in rows:
        said = f" ({simulations.get(row.dataset, 'simulated data')})" if row.simulated else ""
        boards.setdefault(f"{row.dataset}{said}, {row.track}", []).append(row)
    return sorted(
        (transfer for name, own in boards.items() for transfer in _on_board(name, own, trainings, metric)),
        key=lambda t: (t.method, t.tested_on, not t.home, t.trained_on),
    )


def _on_board(name: str, rows: Sequence[Row], trainings: Mapping[str, Training], metric: Metric) -> list[Transfer]:
    table = leaderboard(rows, [metric])
    if not table.metrics:
        return []
    first = {row.method: row for row in reversed(rows)}
    weights = {line.method: str(first[line.method].weights) for line in table.lines}
    lines = {
        (_without_weights(line.method), weights[line.method]): line
        for line in reversed(table.lines)
        if weights[line.method] in trainings
    }
    values = table.values[metric.name]
    home = {
        method: line.method for (method, sha), line in lines.items() if _is_home(trainings[sha], first[line.method])
    }
    found = []
    for (method, sha), line in lines.items():
        cell, at_home = line.cells[metric.name], home.get(method)
        loss = float("nan")
        if at_home is not None and at_home != line.method:
            apart = metric.sign * (values[at_home] - values[line.method])
            loss = float(np.nanmean(apart)) if not np.isnan(apart).all() else loss
        found.append(
            Transfer(
                method=method,
                trained_on=str(trainings[sha]),
                tested_on=name,
                home=at_home == line.method,
                n_cases=line.n_cases,
                n_failed=line.n_failed,
                mean=cell.mean,
                low=cell.low,
                high=cell.high,
                loss=loss,
            )
        )
    return found


def _without_weights(text: str) -> str:
    spec = parse_spec(text)
    return str(MethodSpec(spec.name, {key: value for key, value in spec.parameters.items() if key != "weights"}))


def _is_home(training: Training, row: Row) -> bool:
    return training.dataset == row.dataset and row.track in training.tracks
