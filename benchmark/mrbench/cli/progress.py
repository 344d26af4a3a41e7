"""Progress on a terminal as a bar with time left; elsewhere one line a case as it happens."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from mrbench.core.row import Row


def bar(console: Console) -> RichProgress:
    """A bar with count and time left; nothing where it could not move."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    return RichProgress(*columns, console=console, disable=not (console.is_terminal or console.is_jupyter))


@contextmanager
def progress_bar(console: Console | None = None) -> Iterator[Bars | Lines]:
    """What `mrbench.run` reports to: bars on a terminal and in a notebook, lines elsewhere.

    Examples
    --------
    >>> with progress_bar() as progress:  # doctest: +SKIP
    ...     board = mrbench.run("registration", limit=5, progress=progress)
    """
    console = console or Console()
    if not (console.is_terminal or console.is_jupyter):
        yield Lines()
        return
    with bar(console) as drawn:
        yield Bars(drawn)


class Bars:
    """A bar for preparation and one for rows."""

    def __init__(self, drawn: RichProgress) -> None:
        self.drawn = drawn
        self.tasks: dict[str, object] = {}

    def _bar(self, name: str, total: int) -> object:
        if name not in self.tasks:
            self.tasks[name] = self.drawn.add_task(escape(name), total=total)
        return self.tasks[name]

    def said(self, sentence: str) -> None:
        self.drawn.console.print(escape(sentence), soft_wrap=True)

    def preparing(self, dataset: str, done: int, total: int) -> None:
        self.drawn.update(self._bar(f"preparing {dataset}", total), completed=done)  # type: ignore[arg-type]

    def running(self, method: str, case: str, done: int, total: int) -> None:
        text = escape(f"{method}  {case}")
        self.drawn.update(self._bar("methods", total), completed=done, description=text)  # type: ignore[arg-type]

    def finished(self, row: Row, done: int, total: int) -> None:
        self.drawn.update(self._bar("methods", total), completed=done)  # type: ignore[arg-type]
        if row.failed:
            self.drawn.console.print(f"[red]{row.status}[/] {escape(f'{row.method} {row.case}: {row.message}')}")


class Lines:
    """One line a subject and a case, with what is left."""

    def __init__(self) -> None:
        self.started: dict[str, float] = {}

    def _left(self, what: str, done: int, total: int) -> str:
        started = self.started.setdefault(what, time.monotonic())
        if not done or done == total:
            return ""
        return f", {(time.monotonic() - started) / done * (total - done):.0f} s left"

    def said(self, sentence: str) -> None:
        self._say(sentence)

    def preparing(self, dataset: str, done: int, total: int) -> None:
        self._say(f"preparing {dataset}: {done}/{total}{self._left('preparing', done, total)}")

    def running(self, method: str, case: str, done: int, total: int) -> None:
        self.started.setdefault("rows", time.monotonic())

    def finished(self, row: Row, done: int, total: int) -> None:
        outcome = "ok" if row.status == "ok" else f"{row.status}: {row.message}"
        seconds = f", {row.seconds:.2f} s" if row.seconds is not None and row.status == "ok" else ""
        self._say(f"{done}/{total} {row.method}  {row.case}: {outcome}{seconds}{self._left('rows', done, total)}")

    @staticmethod
    def _say(text: str) -> None:
        print("".join(c if c.isprintable() else "?" for c in text), file=sys.stdout, flush=True)
