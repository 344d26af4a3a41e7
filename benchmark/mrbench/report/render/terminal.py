"""The leaderboard in the terminal."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal

from mrbench.report import escape
from mrbench.report.columns import ALWAYS, Cell, Column, Grid, Look, grid
from mrbench.report.console import WHOLE, uncut
from mrbench.report.names import fold

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from mrbench.report.report import Report

NAMES = ("terminal", "txt")
FILE = None
WITHOUT_INTERVALS = Look(intervals=False)
SHORTEST = 14
"""Characters of a method's name before a narrow terminal drops a column rather than fold it further."""


def render(report: Report, look: Look) -> str:
    """Return what a terminal without end would show."""
    from rich.console import Console

    console = Console(file=io.StringIO(), width=WHOLE, color_system=None, force_terminal=False)
    print_leaderboard(console, report, look)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"


def print_leaderboard(console: Console, report: Report, look: Look = WITHOUT_INTERVALS) -> None:
    """Print table, caption, warnings and skipped methods.

    A narrow terminal folds names, then leaves out kind, costs, further metrics and times, and names what it left out;
    rank, method, number of cases and the metric that ranks always stand. Files and pipes get every column whole.
    """
    with uncut(console):
        shown, hidden, room = _fitted(console, grid(report, look), max(map(len, report.methods), default=0))
        console.print(escape.terminal(report.caption.title, "bold"))
        console.print(_table(shown, max(room, 6)))
        console.print(escape.terminal(report.caption.text, "dim"))
        if hidden:
            names = ", ".join(column.title or column.name for column in hidden)
            console.print(escape.terminal(f"not shown for want of width: {names}", "dim"))
        for method, message in report.summary["message"].items():
            if message:
                console.print(escape.terminal(f"! {method}: {message}", "yellow"))
        for name, reason in report.leaderboard.skipped.items():
            console.print(escape.terminal(f"- {name} skipped: {reason}", "dim"))


def _fitted(console: Console, shown: Grid, longest: int) -> tuple[Grid, list[Column], int]:
    """Leave out columns until the names have room; what is left, what was left out, and the room."""
    hidden: list[Column] = []
    while (room := _room(console, shown)) < min(longest, SHORTEST):
        droppable = [column for column in shown.columns if column.keep < ALWAYS]
        if not droppable:
            break
        hidden.append(min(droppable, key=lambda column: column.keep))
        shown = shown.drop(hidden[-1])
    return shown, hidden, room


def _room(console: Console, shown: Grid) -> int:
    """Characters that are left for the names of methods."""
    at = next(place for place, column in enumerate(shown.columns) if column.name == "method")
    options = console.options.update(width=WHOLE)
    return console.width - console.measure(_table(_blank(shown, at), 0), options=options).maximum


def _blank(shown: Grid, at: int) -> Grid:
    cells = tuple((*row[:at], Cell(""), *row[at + 1 :]) for row in shown.cells)
    return Grid(shown.columns, shown.methods, cells)


def _table(shown: Grid, room: int) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in shown.columns:
        name = "" if column.name == "method" and room < len("method") else column.title
        justify: Literal["left", "right"] = "left" if column.left else "right"
        table.add_column(escape.terminal(name), justify=justify, no_wrap=True, overflow="fold")
    for cells in shown.cells:
        table.add_row(*(_text(*pair, room) for pair in zip(shown.columns, cells, strict=True)))
    return table


def _text(column: Column, cell: Cell, room: int) -> Text:
    if column.name == "method":
        return escape.terminal("\n".join(fold(escape.plain(cell.text), room)))
    return escape.terminal(" ".join(filter(None, (cell.text, cell.interval))), "bold green" if cell.best else "")
