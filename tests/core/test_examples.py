"""Examples that are loaded as needed: equal to a list of them, and never more in memory than was allowed."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytest
import torch

from mrbench.core.examples import AsNeeded, bytes_of

IDS = [str(number) for number in range(20)]


def examples(held: int) -> tuple[AsNeeded[np.ndarray], list[str], weakref.WeakValueDictionary[str, np.ndarray]]:
    loaded: list[str] = []
    alive: weakref.WeakValueDictionary[str, np.ndarray] = weakref.WeakValueDictionary()

    def load(subject: str) -> np.ndarray:
        loaded.append(subject)
        alive[subject] = array = np.full(100, int(subject), np.uint8)
        return array

    return AsNeeded(load, IDS, held=held), loaded, alive


def test_a_split_that_fits_is_read_once() -> None:
    lazy, loaded, _ = examples(held=2000)
    assert len(lazy) == 20 and not loaded
    assert lazy.each(lambda array: int(array[0])) == list(range(20)) == [int(array[0]) for array in lazy]
    assert lazy[-1][0] == 19 and [int(array[0]) for array in lazy[3:5]] == [3, 4]
    assert loaded == [*IDS, "3", "4"], "a part is a sequence of its own"
    with pytest.raises(IndexError):
        lazy[20]


def test_iterating_holds_nothing() -> None:
    lazy, loaded, alive = examples(held=2000)
    for array in lazy:
        assert list(alive) == [str(array[0])]
    del array
    assert loaded == IDS and not alive


def test_what_does_not_fit_leaves_memory_by_last_use() -> None:
    lazy, loaded, alive = examples(held=350)
    for number in (0, 1, 2, 0, 3):
        assert lazy[number][0] == number
        assert len(alive) <= 3
    assert set(alive) == {"0", "2", "3"} and loaded == ["0", "1", "2", "3"]
    assert lazy[1][0] == 1 and loaded[-1] == "1"


def test_a_faulty_subject_is_told_at_once() -> None:
    lazy = AsNeeded(lambda subject: np.zeros(int(subject)), ["1", "two"])
    with pytest.raises(ValueError, match="two"):
        lazy.checked()
    small, loaded, alive = examples(held=300)
    assert small.checked() is small and loaded == IDS and set(alive) == {"17", "18", "19"}


def test_one_that_is_larger_than_allowed_is_held_alone() -> None:
    lazy, loaded, alive = examples(held=10)
    assert lazy[4] is lazy[4] and loaded == ["4"]
    assert lazy[5][0] == 5 and list(alive) == ["5"]


def test_what_is_derived_takes_the_place_of_the_examples() -> None:
    """Of a split that fits, nothing is read or derived twice, and the examples leave memory."""
    lazy, loaded, alive = examples(held=2000)
    numbers: list[int] = []
    derived = lazy.checked().then(lambda array, number: numbers.append(number) or array[:10] + number)  # type: ignore[func-returns-value]
    assert numbers == list(range(20)) and not alive
    assert [int(array[0]) for array in derived] == [2 * n for n in range(20)] and derived[3] is derived[3]
    assert loaded == IDS and numbers == list(range(20))
    assert lazy[3][0] == 3 and loaded[-1] == "3", "the sequence itself goes on"


@pytest.mark.parametrize("size", [50, 300])
def test_examples_and_what_is_derived_share_the_bytes(size: int) -> None:
    lazy, loaded, alive = examples(held=600)
    made: weakref.WeakValueDictionary[int, np.ndarray] = weakref.WeakValueDictionary()

    def derive(array: np.ndarray, number: int) -> np.ndarray:
        made[number] = one = np.full(size, array[0])
        return one

    derived = lazy.checked().then(derive)
    assert loaded == IDS, "what is not held is not read ahead of its turn"
    for number in (*range(20), *range(0, 20, 3)):
        assert derived[number][0] == number
        assert 100 * len(alive) + size * len(made) <= 600
    assert derived[18] is derived[18] and derived[18] is not derived[2]


def test_a_list_is_a_sequence_too() -> None:
    lazy = AsNeeded.of(["a", "b"])
    assert AsNeeded.of(lazy) is lazy
    assert list(lazy.then(lambda text, number: text * (number + 1))) == ["a", "bb"]


@dataclass(frozen=True)
class Scan:
    images: dict[str, np.ndarray]
    mask: torch.Tensor
    name: str = "x"

    @cached_property
    def brain(self) -> np.ndarray:
        return np.zeros(50, np.uint8)


def test_bytes_are_those_of_arrays_and_tensors_wherever_they_stand() -> None:
    scan = Scan({"T1": np.zeros(10, np.float32)}, torch.zeros(5, dtype=torch.int16))
    assert bytes_of(scan) == 50 and bytes_of([scan, (scan, None, "text", 3)]) == 100


def test_what_an_example_computes_later_counts() -> None:
    lazy = AsNeeded(lambda _: Scan({}, torch.zeros(10, dtype=torch.uint8)), range(5), held=75)
    held = lazy.each(lambda scan: scan)
    assert len(held[0].brain) == 50
    assert lazy[0] is held[0] and lazy[4] is held[4] and lazy[1] is not held[1]
