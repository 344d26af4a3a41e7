"""Shards: parts of the cases of a board, each computed and written by a run of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mrbench.core.errors import RequestError

T = TypeVar("T")

_WRITTEN = re.compile(r"(\d+)/(\d+)")
_FILE = re.compile(r"rows\.(\d+)-of-(\d+)\.jsonl")


@dataclass(frozen=True, order=True)
class Shard:
    """Part ``number`` of ``of``: every so many cases, so that a shard needs few subjects and all methods share them."""

    of: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``i/n``; raises `RequestError` unless 1 <= i <= n."""
        written = _WRITTEN.fullmatch(text.strip())
        number, of = (int(part) for part in written.groups()) if written else (0, 0)
        if not 1 <= number <= of:
            raise RequestError(f"--shard '{text}' is no part of a whole; give i/n with i from 1 to n, such as 2/8.")
        return cls(of, number)

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @property
    def mark(self) -> str:
        """What names of its files hold."""
        return f"{self.number}-of-{self.of}"

    def part(self, cases: Sequence[T]) -> list[T]:
        """Its share."""
        return list(cases[self.number - 1 :: self.of])


def shards_of(folder: Path) -> list[Shard]:
    """The shards whose rows lie in the folder of a board."""
    names = (_FILE.fullmatch(path.name) for path in folder.glob("rows.*.jsonl"))
    return sorted(Shard(int(name[2]), int(name[1])) for name in names if name)


def missing_of(runs: Iterable[Mapping[str, Any]], cases: int) -> list[Shard]:
    """The shards that are not among the runs that made a board; none where the runs were no shards of one whole.

    Parameters
    ----------
    runs : iterable of mapping
        As ``run.json`` records them.
    cases : int
        Of the whole board; shards beyond them have none.
    """
    written = [_WRITTEN.fullmatch(str(run.get("shard"))) for run in runs]
    there = {Shard(int(part[2]), int(part[1])) for part in written if part}
    if None in written or len({shard.of for shard in there}) != 1:
        return []
    of = next(iter(there)).of
    return [shard for number in range(1, min(of, cases) + 1) if (shard := Shard(of, number)) not in there]


def refuse_overlap(folder: Path, shard: Shard | None) -> None:
    """Refuse a run beside shards that would compute the same cases.

    Raises
    ------
    RequestError
        If the folder holds shards of another number, or shards at all where the whole is asked for.
    """
    others = sorted({other.of for other in shards_of(folder)} - ({shard.of} if shard else set()))
    if others:
        asked = f"shard {shard}" if shard else "a run of all cases"
        again = f"give --shard i/{others[0]}, or " if shard else ""
        raise RequestError(
            f"{folder} holds shards of {others[0]}, with which {asked} overlaps; {again}merge them first: "
            f"mrbench merge {folder}"
        )
