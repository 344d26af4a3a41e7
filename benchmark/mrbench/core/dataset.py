"""What the harness asks of a dataset, whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

Loaded = TypeVar("Loaded", covariant=True)


class _SplitFile(Protocol):
    """What verbs ask of `mrbench.datasets.splits.SplitFile`."""

    source: str
    version: int
    files: Mapping[str, str]

    def leaks(self) -> list[str]:
        """Subjects of more than one split."""


class Dataset(Protocol[Loaded]):
    """A cohort with fixed splits; `mrbench.datasets.dataset.Dataset` is the base class to derive from."""

    name: str
    address: str
    title: str
    citation: str
    licence: str
    representation: str
    simulated: bool
    simulation: str
    packed: str
    files_of: str
    borrowed: Mapping[str, str]
    structures: Mapping[str, tuple[int, ...]]
    extra_subjects: tuple[str, ...]

    @property
    def split_file(self) -> _SplitFile:
        """Splits and pinned files."""

    @property
    def cache(self) -> Path:
        """Folder of the prepared subjects."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever a subject's arrays or the splits do."""

    def subjects(self, split: str) -> tuple[str, ...]:
        """Subject ids of a split, in a fixed order."""

    def person(self, subject: str) -> str:
        """Whose a subject is: the unit that statistics resample."""

    def load(self, subject: str) -> Loaded:
        """Load one subject."""

    def content_key(self, subject: str) -> str:
        """Hash of all that one subject's arrays depend on: content of its files, how they are prepared."""

    def add_extra_subjects(self, count: int) -> None:
        """Let simulated subjects of no split train as well."""

    def is_prepared(self, subject: str) -> bool:
        """Whether `load` is quick."""

    def prepare(self, subjects: Iterable[str]) -> Iterable[str]:
        """Make what is missing, yielding each id when it is ready."""
