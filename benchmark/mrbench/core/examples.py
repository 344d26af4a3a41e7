"""Examples of train subjects, loaded when they are asked for: a train split may be larger than memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from typing import Any, Generic, TypeVar, overload

Key = TypeVar("Key")
Example = TypeVar("Example")
Derived = TypeVar("Derived")

HELD_BYTES = 4 * 2**30
"""Of examples that a process holds at a time; a train split below it is read once."""


class AsNeeded(Sequence[Example], Generic[Example]):
    """A sequence whose items are loaded when they are indexed, unless they are still held.

    Those that were not used for longest make room; the last one is held whatever its size. Iterating holds nothing
    more: it is for what goes through the examples once.

    Parameters
    ----------
    load : callable
        Makes an example from its key.
    keys : sequence
        One for each example: the subjects.
    held : int, optional
        Bytes to hold, `HELD_BYTES` by default.
    """

    def __init__(self, load: Callable[[Key], Example], keys: Sequence[Key], *, held: int | None = None) -> None:
        self._load: Callable[[int], Example] = lambda number: load(keys[number])
        self._numbers = range(len(keys))
        self._held = _Held(HELD_BYTES if held is None else held)
        self._name = object()
        """Among the sequences that hold together."""

    @classmethod
    def of(cls, examples: Sequence[Example]) -> AsNeeded[Example]:
        """The examples themselves where they are loaded as needed, else a sequence that takes them from a list."""
        return examples if isinstance(examples, AsNeeded) else AsNeeded(examples.__getitem__, range(len(examples)))

    def then(self, derive: Callable[[Example, int], Derived]) -> AsNeeded[Derived]:
        """What is made of each example and its number; held instead of it, within the same bytes.

        Of the examples that are held it is made at once, and they make room for it.
        """
        derived = AsNeeded(lambda number: derive(self._taken(number), number), self._numbers)
        derived._held = self._held
        for number in self._numbers:
            if (self._name, number) in self._held.examples:
                derived[number]
        return derived

    def each(self, fact: Callable[[Example], Derived]) -> list[Derived]:
        """Something small about each example; they are held afterwards as far as they fit."""
        return [fact(self[number]) for number in self._numbers]

    def checked(self) -> AsNeeded[Example]:
        """The same, after each was loaded once: a faulty file is told before hours of training, not within them."""
        self.each(lambda _: None)
        return self

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[Example]:
        return map(self._held_or_loaded, self._numbers)

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> AsNeeded[Example]: ...
    def __getitem__(self, index: int | slice) -> Example | AsNeeded[Example]:
        if isinstance(index, slice):
            return AsNeeded(self._load, self._numbers[index], held=self._held.most)
        number = self._numbers[index]
        example = self._held_or_loaded(number)
        self._held.keep((self._name, number), example)
        return example

    def _held_or_loaded(self, number: int) -> Example:
        key = self._name, number
        return self._held.examples[key][0] if key in self._held.examples else self._load(number)

    def _taken(self, number: int) -> Example:
        example = self._held_or_loaded(number)
        self._held.drop((self._name, number))
        return example


class _Held:
    """What is in memory of sequences that hold together, the last used last."""

    def __init__(self, most: int) -> None:
        self.most, self.bytes = most, 0
        self.examples: OrderedDict[object, tuple[Any, int]] = OrderedDict()

    def keep(self, key: object, example: object) -> None:
        self.drop(key)
        self.examples[key] = example, bytes_of(example)  # measured at each use: what is cached in an example counts
        self.bytes += self.examples[key][1]
        while self.bytes > self.most and len(self.examples) > 1:
            self.drop(next(iter(self.examples)))

    def drop(self, key: object) -> None:
        self.bytes -= self.examples.pop(key, (None, 0))[1]


def bytes_of(example: object) -> int:
    """Bytes of the arrays and tensors in an example: a dataclass, mapping or sequence of them, or one alone."""
    if hasattr(example, "nbytes"):
        return int(example.nbytes)
    if is_dataclass(example):
        example = vars(example)
    if isinstance(example, Mapping):
        example = list(example.values())
    return sum(map(bytes_of, example)) if isinstance(example, list | tuple) else 0
