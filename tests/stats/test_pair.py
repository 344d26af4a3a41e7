"""Two methods of one board in a sentence."""

from __future__ import annotations

import numpy as np
import pytest
from tests.stats.rows import DICE, HD95, row

from mrbench.core.errors import RequestError
from mrbench.core.metric import Metric
from mrbench.stats.frame import frame
from mrbench.stats.leaderboard import Leaderboard, leaderboard
from mrbench.stats.pair import pair

SIZE = Metric("size_ml", "Size", "ml", True, ranked=False)


def board(subjects: int = 20) -> Leaderboard:
    rng = np.random.default_rng(0)
    gain = 0.012 + rng.normal(0, 0.012, subjects)
    base = rng.normal(0.7, 0.05, subjects)
    rows = [
        row(method, case, {"dice": dice, "hd95_mm": 10 * (1 - dice), "size_ml": 1.0})
        for method, values in {"old": base, "new": base + gain}.items()
        for case, dice in enumerate(values)
    ]
    return leaderboard(frame([*rows, row("absent", 99, {"hd95_mm": 1.0})]), [DICE, HD95, SIZE])


def test_all_that_a_sentence_needs() -> None:
    for names in (("old", "new"), ("new", "old")):
        comparison = pair(board(), *names)
        assert (comparison.better, comparison.other, comparison.n) == ("new", "old", 20) and 15 <= comparison.wins <= 20
        assert comparison.low < comparison.difference < comparison.high and comparison.low > 0
        assert comparison.means[0] - comparison.means[1] == pytest.approx(comparison.difference)
        assert (
            comparison.p <= comparison.p_holm < 0.05
            and comparison.effect_size > 0.5
            and 0 < comparison.detectable < 0.02
        )
    assert (
        "new is better than old on 1" in comparison.sentence
        and "of 20 subjects in Dice: difference +0.01" in comparison.sentence
    )
    assert "20 subjects can detect 0.00" in comparison.sentence


def test_a_metric_where_lower_is_better() -> None:
    comparison = pair(board(), "old", "new", "hd95_mm")
    assert comparison.better == "new" and comparison.difference < 0 < comparison.effect_size
    assert "in HD95: difference -0.098 mm [-0.1" in comparison.sentence


def test_too_few_subjects_are_said() -> None:
    assert pair(board(3), "old", "new").sentence.endswith("These are too few for an interval or a test.")


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(RequestError, match="unknown method of this board 'nwe': did you mean 'new'"):
        pair(board(), "nwe", "old")
    with pytest.raises(RequestError, match="unknown metric of this board 'dise'"):
        pair(board(), "new", "old", "dise")
    with pytest.raises(RequestError, match="compared with itself"):
        pair(board(), "new", "new")
    with pytest.raises(RequestError, match="no value of size_ml is better"):
        pair(board(), "new", "old", "size_ml")
    with pytest.raises(RequestError, match="share no case"):
        pair(board(), "new", "absent")
    with pytest.raises(RequestError, match="no scores"):
        pair(leaderboard(frame([row("a", 0, None), row("b", 0, None)]), [DICE]), "a", "b")
