"""What a terminal shows of a board, apart from the report that it was made from; and how it is printed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from mrbench.report import escape
from mrbench.report.console import WHOLE, uncut
from mrbench.report.names import fold

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

ALWAYS = 100
"""How long a narrow table keeps a column that it never drops."""

SHORTEST = 14
"""Characters of a method's name before a narrow terminal drops a column rather than fold it further."""


@dataclass(frozen=True)
class Heading:
    """One column: its name, what stands above it, whether it is set left, and how long a narrow table keeps it."""

    name: str
    title: str
    left: bool
    keep: int


@dataclass(frozen=True)
class Entry:
    """One cell, and whether it belongs to the best group."""

    text: str
    best: bool = False


@dataclass(frozen=True)
class Shown:
    """A leaderboard as text.

    Attributes
    ----------
    title, text : str
        The caption.
    headings : tuple of Heading
    entries : tuple of tuples of Entry
        A row a method, an entry a column.
    warnings : tuple of str
    skipped : tuple of str
    """

    title: str
    text: str
    headings: tuple[Heading, ...]
    entries: tuple[tuple[Entry, ...], ...]
    warnings: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()

    def drop(self, at: int) -> Shown:
        """Leave one column out."""
        return replace(
            self,
            headings=self.headings[:at] + self.headings[at + 1 :],
            entries=tuple(row[:at] + row[at + 1 :] for row in self.entries),
        )

    @property
    def names(self) -> int:
        """Where the column of methods stands."""
        return next(at for at, heading in enumerate(self.headings) if heading.name == "method")


def print_shown(console: Console, shown: Shown) -> None:
    """Print table, caption, warnings and skipped methods.

    A narrow terminal folds names, then leaves out kind, costs, further metrics and times, and names what it left out;
    rank, method, number of cases and the metric that ranks always stand. Files and pipes get every column whole.
    """
    with uncut(console):
        fitted, hidden, room = _fitted(console, shown)
        console.print(escape.terminal(shown.title, "bold"))
        console.print(_table(fitted, max(room, 6)))
        console.print(escape.terminal(shown.text, "dim"))
        if hidden:
            names = ", ".join(heading.title or heading.name for heading in hidden)
            console.print(escape.terminal(f"not shown for want of width: {names}", "dim"))
        for warning in shown.warnings:
            console.print(escape.terminal(warning, "yellow"))
        for sentence in shown.skipped:
            console.print(escape.terminal(sentence, "dim"))


def _fitted(console: Console, shown: Shown) -> tuple[Shown, list[Heading], int]:
    """Leave out columns until the names have room; what is left, what was left out, and the room."""
    longest = max((len(row[shown.names].text) for row in shown.entries), default=0)
    hidden: list[Heading] = []
    while (room := _room(console, shown)) < min(longest, SHORTEST):
        droppable = [at for at, heading in enumerate(shown.headings) if heading.keep < ALWAYS]
        if not droppable:
            break
        at = min(droppable, key=lambda at: shown.headings[at].keep)
        hidden.append(shown.headings[at])
        shown = shown.drop(at)
    return shown, hidden, room


def _room(console: Console, shown: Shown) -> int:
    """Characters that are left for the names of methods."""
    at = shown.names
    nameless = replace(shown, entries=tuple((*row[:at], Entry(""), *row[at + 1 :]) for row in shown.entries))
    options = console.options.update(width=WHOLE)
    return console.width - console.measure(_table(nameless, 0), options=options).maximum


def _table(shown: Shown, room: int) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in shown.headings:
        name = "" if heading.name == "method" and room < len("method") else heading.title
        justify: Literal["left", "right"] = "left" if heading.left else "right"
        table.add_column(escape.terminal(name), justify=justify, no_wrap=True, overflow="fold")
    for row in shown.entries:
        table.add_row(*(_text(*pair, room) for pair in zip(shown.headings, row, strict=True)))
    return table


def _text(heading: Heading, entry: Entry, room: int) -> Text:
    if heading.name == "method":
        return escape.terminal("\n".join(fold(escape.plain(entry.text), room)))
    return escape.terminal(entry.text, "bold green" if entry.best else "")
