"""What a reader of a layout returns: the table that a user would have written, and what it leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mrbench.core.case import SPLITS
from mrbench.core.words import counted


@dataclass(frozen=True)
class Layout:
    """A folder as it was understood.

    Attributes
    ----------
    name : str
        For sentences: "BIDS", "a table".
    rows : mapping of str to mapping
        By subject: ``subject``, ``split``, a column for each contrast, ``labels``, ``mask``; paths from the folder.
    pairs : mapping of str to tuple
        Pairs to register, ``(moving, fixed)``, by split; empty where the layout names none.
    left_out : tuple of str
        What lies there and is not used, one sentence each.
    atlases : tuple of str
        Subjects that others are registered with and that are no case's person.
    published : str
        Beginning of the names of the tracks by which these data are published; empty for none.
    """

    name: str
    rows: Mapping[str, dict[str, str]]
    pairs: Mapping[str, tuple[tuple[str, str], ...]]
    left_out: tuple[str, ...] = ()
    atlases: tuple[str, ...] = ()
    published: str = ""

    @property
    def summary(self) -> str:
        """One sentence of what was read."""
        counts = {split: sum(row["split"] == split for row in self.rows.values()) for split in SPLITS}
        columns = dict.fromkeys(c for row in self.rows.values() for c, value in row.items() if value)
        several = ", ".join(f"{count} {split}" for split, count in counts.items() if count)
        named = ", ".join(column for column in columns if column not in ("subject", "split"))
        count = sum(map(len, self.pairs.values()))
        pairs = f", {counted(count, 'pair')}" if count else ""
        return (
            f"Read as {self.name}: {counted(len(self.rows), 'subject')} ({several or 'none'}), "
            f"{named or 'no image'}{pairs}."
        )
