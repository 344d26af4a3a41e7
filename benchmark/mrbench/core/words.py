"""Words of messages, the same everywhere."""

from __future__ import annotations

from collections.abc import Iterable


def counted(count: int, noun: str) -> str:
    """``1 case``, ``2 cases``, ``1,000 cases``: of nouns that take an s."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def some(names: Iterable[str]) -> str:
    """The first three of them, and how many more there are."""
    ordered = sorted(names)
    return ", ".join(ordered[:3]) + (f" and {len(ordered) - 3} more" if len(ordered) > 3 else "")
