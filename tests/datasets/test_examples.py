"""Examples that are loaded as needed: equal to a list of them, and never more in memory than was allowed."""

from __future__ import annotations

import weakref

import numpy as np
import pytest

from mrbench.datasets.examples import AsNeeded

IDS = [str(number) for number in range(20)]


def examples(held: int) -> tuple[AsNeeded[np.ndarray], list[str], weakref.WeakValueDictionary[str, np.ndarray]]:
    loaded: list[str] = []
    alive: weakref.WeakValueDictionary[str, np.ndarray] = weakref.WeakValueDictionary()

    def load(subject: str) -> np.ndarray:
        loaded.append(subject)
        alive[subject] = array = np.full(100, int(subject), np.uint8)
        return array

    return AsNeeded(load, IDS, lambda array: array.nbytes, held=held), loaded, alive


def test_a_split_that_fits_is_read_once() -> None:
    lazy, loaded, _ = examples(held=2000)
    assert len(lazy) == 20 and not loaded
    assert [int(array[0]) for array in lazy] == list(range(20))
    assert lazy[-1][0] == 19 and [int(array[0]) for array in lazy[3:5]] == [3, 4]
    assert loaded == [*IDS, "3", "4"], "a part is a sequence of its own"


def test_what_does_not_fit_leaves_memory_by_last_use() -> None:
    lazy, loaded, alive = examples(held=350)
    for number in (0, 1, 2, 0, 3):
        assert lazy[number][0] == number
        assert len(alive) <= 3
    assert set(alive) == {"0", "2", "3"} and loaded == ["0", "1", "2", "3"]
    assert lazy[1][0] == 1 and loaded[-1] == "1"


def test_a_faulty_subject_is_told_at_once() -> None:
    lazy = AsNeeded(lambda subject: np.zeros(int(subject)), ["1", "two"], lambda array: array.nbytes)
    with pytest.raises(ValueError, match="two"):
        lazy.checked()
    small, loaded, alive = examples(held=300)
    assert small.checked() is small and loaded == IDS and set(alive) == {"17", "18", "19"}


def test_one_that_is_larger_than_allowed_is_held_alone() -> None:
    lazy, loaded, alive = examples(held=10)
    assert lazy[4] is lazy[4] and loaded == ["4"]
    assert lazy[5][0] == 5 and list(alive) == ["5"]
