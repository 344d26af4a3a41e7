"""A table that is no leaderboard: cells of text, rendered as Markdown or in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mrbench.report import escape
from mrbench.report.columns import Cell
from mrbench.report.console import WHOLE, uncut
from mrbench.report.names import fold

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text


@dataclass(frozen=True)
class Sheet:
    """Title, headings, cells and what must stand below.

    Attributes
    ----------
    head : sequence of str
        The first columns, as many as ``names``, stand left.
    names : int
        How many columns hold names; the first one is code.
    """

    title: str
    head: Sequence[str]
    body: Sequence[Sequence[Cell]]
    text: str
    names: int = 1

    @property
    def markdown(self) -> str:
        """A GitHub table with title and text."""
        left = [place < self.names for place in range(len(self.head))]
        body = [[_markdown(cell, code=not place) for place, cell in enumerate(row)] for row in self.body]
        parts = [f"### {escape.markdown(self.title)}", github_table([*map(escape.markdown, self.head)], body, left)]
        return "\n\n".join([*parts, escape.markdown(self.text)]) + "\n"

    def show(self, console: Console) -> None:
        """Print it; a narrow terminal folds cells rather than cutting them, a file or pipe gets them whole."""
        from rich.table import Table

        room = max(12, console.width // 4) if console.is_terminal else WHOLE
        table = Table(box=None, pad_edge=False, header_style="bold")
        for place, name in enumerate(self.head):
            justify: Literal["left", "right"] = "left" if place < self.names else "right"
            table.add_column(escape.terminal(name), justify=justify, overflow="fold")
        for row in self.body:
            table.add_row(*(_terminal(cell, room) for cell in row))
        with uncut(console):
            console.print(escape.terminal(self.title, "bold"))
            console.print(table)
            console.print(escape.terminal(self.text, "dim"))


def _markdown(cell: Cell, *, code: bool) -> str:
    if code:
        return escape.markdown_code(cell.text)
    text = escape.markdown(" ".join(filter(None, (cell.text, cell.interval))))
    return f"**{text}**" if cell.best else text


def _terminal(cell: Cell, room: int) -> Text:
    text = escape.plain(" ".join(filter(None, (cell.text, cell.interval))))
    return escape.terminal("\n".join([text] if " " in text else fold(text, room)), "bold" if cell.best else "")


def github_table(head: Sequence[str], body: Iterable[Sequence[str]], left: Sequence[bool]) -> str:
    """A table of escaped cells."""
    rule = [":--" if is_left else "--:" for is_left in left]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *body))
