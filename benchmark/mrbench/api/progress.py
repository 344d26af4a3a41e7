"""Who hears how something proceeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mrbench.core.row import Row

if TYPE_CHECKING:
    pass


class Progress(Protocol):
    """Hears how a run proceeds."""

    def said(self, sentence: str) -> None:
        """Something that a reader must know before the numbers: how files were read."""

    def preparing(self, dataset: str, done: int, total: int) -> None:
        """Subjects of a dataset are made ready."""

    def running(self, method: str, case: str, done: int, total: int) -> None:
        """A case starts; ``done`` of ``total`` rows are there."""

    def finished(self, row: Row, done: int, total: int) -> None:
        """A row was written."""


class Silent:
    """Progress that nobody hears."""

    def said(self, sentence: str) -> None: ...

    def preparing(self, dataset: str, done: int, total: int) -> None: ...

    def running(self, method: str, case: str, done: int, total: int) -> None: ...

    def finished(self, row: Row, done: int, total: int) -> None: ...


SILENT = Silent()
