"""The leaderboard in the terminal."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from mrbench.report.columns import Look, grid
from mrbench.report.console import WHOLE
from mrbench.report.shown import Entry, Heading, Shown, print_shown

if TYPE_CHECKING:
    from mrbench.report.report import Report

NAMES = ("terminal", "txt")
FILE = None
LOOK = ("digits", "intervals")
WITHOUT_INTERVALS = Look(intervals=False)


def render(report: Report, look: Look) -> str:
    """Return what a terminal without end would show."""
    from rich.console import Console

    console = Console(file=io.StringIO(), width=WHOLE, color_system=None, force_terminal=False)
    print_shown(console, shown(report, look))
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"


def shown(report: Report, look: Look = WITHOUT_INTERVALS) -> Shown:
    """Return what a terminal shows of a report."""
    table = grid(report, look)
    return Shown(
        report.caption.title,
        report.caption.text,
        tuple(Heading(column.name, column.title, column.left, column.keep) for column in table.columns),
        tuple(
            tuple(Entry(" ".join(filter(None, (cell.text, cell.interval))), cell.best) for cell in cells)
            for cells in table.cells
        ),
        tuple(f"! {method}: {message}" for method, message in report.summary["message"].items() if message),
        tuple(f"- {name} skipped: {reason}" for name, reason in report.leaderboard.skipped.items()),
    )
