"""Examples of train subjects, loaded when they are asked for: a train split may be larger than memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, overload

Example = TypeVar("Example")

HELD_BYTES = 4 * 2**30
"""Of examples that are held at a time; a train split below it is read once."""


class AsNeeded(Sequence[Example], Generic[Example]):
    """A sequence whose items are loaded at each access, unless they are still held.

    Parameters
    ----------
    load : callable
        Makes the example of a subject.
    subjects : sequence of str
    size : callable
        Bytes of an example.
    held : int, optional
        Bytes to hold, `HELD_BYTES` by default; those that were not used for longest make room. The last one is held
        whatever its size.
    """

    def __init__(
        self,
        load: Callable[[str], Example],
        subjects: Sequence[str],
        size: Callable[[Example], int],
        *,
        held: int | None = None,
    ) -> None:
        self._load, self._subjects, self._size = load, subjects, size
        self._most = HELD_BYTES if held is None else held
        self._held: OrderedDict[str, Example] = OrderedDict()
        self._bytes = 0

    def checked(self) -> AsNeeded[Example]:
        """The same, after each was loaded once: a faulty file is told before hours of training, not within them."""
        for _ in self:
            pass
        return self

    def __len__(self) -> int:
        return len(self._subjects)

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> AsNeeded[Example]: ...
    def __getitem__(self, index: int | slice) -> Example | AsNeeded[Example]:
        if isinstance(index, slice):
            return AsNeeded(self._load, self._subjects[index], self._size, held=self._most)
        subject = self._subjects[index]
        if subject in self._held:
            self._held.move_to_end(subject)
            return self._held[subject]
        example = self._load(subject)
        self._held[subject] = example
        self._bytes += self._size(example)
        while self._bytes > self._most and len(self._held) > 1:
            _, oldest = self._held.popitem(last=False)
            self._bytes -= self._size(oldest)
        return example
