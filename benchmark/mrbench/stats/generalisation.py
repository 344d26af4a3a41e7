"""Train on one thing, test on another: what learned methods keep of their lead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mrbench.core.metric import Metric
from mrbench.core.registry import MethodSpec, parse_spec
from mrbench.core.row import Row
from mrbench.stats.intervals import mean_interval, subject_weights


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
    mean: float
    low: float
    high: float
    loss: float


def transfers(rows: Sequence[Row], trainings: Mapping[str, Training], metric: Metric) -> list[Transfer]:
    """Compare the weights of each learned method on each board that it ran on.

    Parameters
    ----------
    rows : sequence of Row
        Of any boards of one task.
    trainings : mapping
        From the sha256 of weights to what they were trained on; rows of other weights are left out.
    """
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        if row.status == "ok" and row.weights in trainings and metric.name in row.metrics:
            groups.setdefault((_without_weights(row.method), _board(row), str(row.weights)), []).append(row)
    homes = {(method, board): own for (method, board, sha), own in groups.items() if _is_home(trainings[sha], own[0])}
    found = []
    for (method, board, sha), own in groups.items():
        values = np.asarray([row.metrics[metric.name] for row in own])
        mean, low, high = mean_interval(values, subject_weights([row.subjects for row in own]))
        home = homes.get((method, board))
        is_home = _is_home(trainings[sha], own[0])
        loss = float("nan") if home is None or is_home else _paired_loss(own, home, metric)
        found.append(Transfer(method, str(trainings[sha]), board, is_home, len(own), mean, low, high, loss))
    return sorted(found, key=lambda t: (t.method, t.tested_on, not t.home, t.trained_on))


def _without_weights(text: str) -> str:
    spec = parse_spec(text)
    return str(MethodSpec(spec.name, {key: value for key, value in spec.parameters.items() if key != "weights"}))


def _board(row: Row) -> str:
    return f"{row.dataset}, {row.track}"


def _is_home(training: Training, row: Row) -> bool:
    return training.dataset == row.dataset and row.track in training.tracks


def _paired_loss(own: Sequence[Row], home: Sequence[Row], metric: Metric) -> float:
    at_home = {row.case: row.metrics[metric.name] for row in home}
    sign = metric.sign
    shared = [sign * (at_home[row.case] - row.metrics[metric.name]) for row in own if row.case in at_home]
    return float(np.mean(shared)) if shared else float("nan")
