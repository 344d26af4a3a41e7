"""Setting: all that a table is about. `mrbench.core.binding` resolves names to one; behind that only objects travel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from typing import Any

from mrbench.core.case import Case, CaseId
from mrbench.core.dataset import Dataset
from mrbench.core.protocol import Protocol
from mrbench.core.task import Task
from mrbench.core.track import Track


@dataclass(frozen=True)
class Address:
    """The names that a setting was bound from: what another process binds it from again."""

    task: str
    dataset: str
    track: str
    split: str
    seed: int


@dataclass(frozen=True, eq=False)
class Setting:
    """Rows that differ in any of these never share a table.

    Attributes
    ----------
    task : Task
    dataset : Dataset
    track : Track
    split : str
        ``train``, ``validation`` or ``test``.
    seed : int
    task_name : str
        What the task was asked for as: its name, or ``file.py:Name``.
    """

    task: Task[Any, Any]
    dataset: Dataset
    track: Track[Any]
    split: str = "test"
    seed: int = 0
    task_name: str = ""

    @classmethod
    def of(
        cls, task: Task[Any, Any], dataset: Dataset, track: str | None = None, split: str = "test", seed: int = 0
    ) -> Setting:
        """Choose the track by name, or the one that suits the dataset.

        Raises
        ------
        RequestError
            If the task has no such track.
        """
        return cls(task, dataset, task.track(track, dataset), split, seed, task.name)

    @cached_property
    def protocol(self) -> Protocol:
        """The frozen settings of scoring."""
        return self.task.protocol(self)

    @cached_property
    def all_cases(self) -> tuple[CaseId, ...]:
        """Every case, in a fixed order."""
        return tuple(self.task.cases(self))

    def cases(self, limit: int | None = None) -> list[CaseId]:
        """The cases, or the first ``limit`` of them."""
        return list(self.all_cases[:limit])

    def load(self, case: CaseId) -> Case[Any, Any]:
        """Load the arrays of one case; raises `DataError` where its files are bad."""
        return self.task.load(self, case)

    @property
    def address(self) -> Address:
        """The names to bind this setting from in another process."""
        return Address(self.task_name or self.task.name, self.dataset.address, self.track.name, self.split, self.seed)

    @property
    def folder(self) -> PurePath:
        """Where its files lie in a folder of results: task, track, dataset, and the split unless it is the test."""
        folder = PurePath(self.task.name, self.track.name, self.dataset.name)
        return folder if self.split == "test" else folder / self.split
