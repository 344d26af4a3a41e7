"""How wide lines may be: a terminal has a width, a file and a pipe have none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

WHOLE = 10_000
"""Characters of a line in a file or a pipe, where nothing is cut for want of width."""


@contextmanager
def uncut(console: Console) -> Iterator[None]:
    """Let lines of a file or pipe be as long as they are; a terminal keeps its width."""
    before = console.width
    if not console.is_terminal:
        console.width = WHOLE
    try:
        yield
    finally:
        console.width = before
