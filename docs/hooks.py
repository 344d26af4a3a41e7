"""mkdocs: fill the directives of each page."""

from __future__ import annotations

from typing import Any

from directives import filled


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fill in what comes from the repository."""
    return filled(markdown)
