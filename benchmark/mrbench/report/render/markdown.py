"""The leaderboard as a GitHub table, with its caption."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mrbench.report import escape
from mrbench.report.columns import Cell, Column, Look, grid
from mrbench.report.sheet import github_table

if TYPE_CHECKING:
    from mrbench.report.report import Report

NAMES = ("markdown", "md")
FILE = "leaderboard.md"
LOOK = ("digits", "intervals")


def render(report: Report, look: Look) -> str:
    """Return title, table, caption, and the methods that could not run."""
    shown = grid(report, look)
    head = [escape.markdown(column.title) for column in shown.columns]
    body = [[_text(*pair) for pair in zip(shown.columns, cells, strict=True)] for cells in shown.cells]
    parts = [
        f"### {escape.markdown(report.caption.title)}",
        github_table(head, body, left=[column.left for column in shown.columns]),
        escape.markdown(report.caption.text),
        "\n".join(
            f"- {escape.markdown_code(name)} skipped: {escape.markdown(reason)}"
            for name, reason in report.leaderboard.skipped.items()
        ),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _text(column: Column, cell: Cell) -> str:
    if column.name == "method":
        return escape.markdown_code(cell.text)
    text = escape.markdown(" ".join(filter(None, (cell.text, cell.interval))))
    return f"**{text}**" if cell.best else text
