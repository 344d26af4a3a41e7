"""What the harness asks of a dataset, whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol


class Dataset(Protocol):
    """A cohort with fixed splits; `mrbench.datasets.dataset.Dataset` is the base class to derive from."""

    name: str
    address: str
    title: str
    simulated: bool
    simulation: str

    @property
    def fingerprint(self) -> str:
        """Changes whenever a subject's arrays or the splits do."""

    def subjects(self, split: str) -> tuple[str, ...]:
        """Subject ids of a split, in a fixed order."""

    def load(self, subject: str) -> Any:
        """Load one subject."""

    def content_key(self, subject: str) -> str:
        """Hash of all that one subject's arrays depend on: content of its files, how they are prepared."""

    def is_prepared(self, subject: str) -> bool:
        """Whether `load` is quick."""

    def prepare(self, subjects: Iterable[str]) -> Iterable[str]:
        """Make what is missing, yielding each id when it is ready."""
