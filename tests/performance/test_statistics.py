"""Intervals, tests and rankings of large boards against scipy's bootstrap."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tests.performance.conftest import Versus, seconds
from tests.rows import row_of

from mrbench.core.metric import Metric
from mrbench.core.row import Row
from mrbench.engine.store import RowStore
from mrbench.stats.comparison import compare_all
from mrbench.stats.design import Design
from mrbench.stats.frame import frame
from mrbench.stats.intervals import mean_intervals
from mrbench.stats.leaderboard import leaderboard
from mrbench.stats.ranking import ranking

CASES, METHODS = 10_000, 20
METRICS = [Metric(f"m{n}", f"m{n}", "", True) for n in range(10)]


@pytest.fixture(scope="module")
def values() -> list[pd.DataFrame]:
    """Ten metrics of 20 methods on 10,000 subjects."""
    rng = np.random.default_rng(0)
    names = [f"a{n}" for n in range(METHODS)]
    return [pd.DataFrame(rng.normal(np.arange(METHODS) / 50, 1, (CASES, METHODS)), columns=names) for _ in METRICS]


def test_intervals_against_scipys_bootstrap(versus: Versus, values: list[pd.DataFrame]) -> None:
    """The intervals of one metric and of all its pairs, against scipy's of its methods alone, 1,000 draws each."""
    design, metric = Design([(f"s{n}",) for n in range(CASES)]), METRICS[0]
    table = values[0]

    def ours() -> None:
        mean_intervals(table.to_numpy(), design)
        compare_all(table, metric, design, set(table))

    def peer() -> None:
        for name in table:
            stats.bootstrap((table[name].to_numpy(),), np.mean, n_resamples=1000, batch=100, method="percentile")

    assert versus(ours, peer, name="scipy.stats.bootstrap", goal=50, repeats=1) > 20


def test_a_large_board_is_ranked_in_seconds(values: list[pd.DataFrame]) -> None:
    """20 methods, 10 metrics, 10,000 cases: intervals, all pairs, and the ranking on 1,000 cohorts."""

    def everything() -> None:
        design = Design([(f"s{n}",) for n in range(CASES)])
        mean_intervals(np.concatenate([table.to_numpy() for table in values], axis=1), design)
        for metric, table in zip(METRICS, values, strict=True):
            compare_all(table, metric, design, set(table))
        ranking(values[0], METRICS[0], design, pd.Series(False, index=values[0].columns))

    assert seconds(everything) < 5


def board_rows(cases: int) -> list[Row]:
    """A board of 20 methods and 10 metrics."""
    scores = np.random.default_rng(0).normal(np.arange(METHODS) / 50, 1, (cases, METHODS))
    return [
        row_of(f"a{method}", case, {metric.name: score for metric in METRICS}, seconds=1.0, cpu_seconds=1.0)
        for (case, method), score in np.ndenumerate(scores)
    ]


def test_many_rows_are_ranked_at_a_few_microseconds_each() -> None:
    """40,000 rows of 20 methods; a million takes 25 times as long, in 1.2 GiB."""
    rows = board_rows(2000)
    spent = seconds(lambda: leaderboard(frame(rows), METRICS))
    assert 1e6 * spent / len(rows) < 40


def test_reading_rows_against_pandas(versus: Versus, tmp_path: Path) -> None:
    """20,000 rows on disk, each checked field by field; the peer takes them as they come."""
    store = RowStore(tmp_path / "rows.jsonl")
    store.path.write_text("".join(row.to_json() + "\n" for row in board_rows(1000)))

    def peer() -> pd.DataFrame:
        rows = pd.read_json(store.path, lines=True)
        return rows.join(pd.json_normalize(rows["metrics"]))

    ours, theirs = store.frame(), peer()
    assert np.allclose(ours["m3"], theirs["m3"], atol=1e-9) and list(ours["case"]) == list(theirs["case"])
    versus(store.frame, peer, name="pandas.read_json and json_normalize", goal=1.8)
