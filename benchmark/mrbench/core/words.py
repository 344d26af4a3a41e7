"""Words of messages, the same everywhere."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """``1 case``, ``2 cases``, ``1,000 cases``: of nouns that take an s."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
