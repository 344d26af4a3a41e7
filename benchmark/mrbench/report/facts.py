"""What the rows of a board do not carry, as ``run.json`` records it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Facts:
    """What the rows of a board do not carry and its readers need; every run records it.

    Attributes
    ----------
    title, citation, licence : str
        Of the dataset; empty where no run recorded them.
    simulation : str
        What tables say of simulated data; empty of real ones.
    all_cases : int or None
        How many cases the board has in all; None where unknown.
    limited : bool
        Whether only the first cases were asked for.
    protocol : mapping
        The scoring settings, as `Protocol.as_dict`.
    runs : mapping
        ``run.json``: what each run recorded, by its id.
    notes : tuple of str
        Sentences that must stand under the tables beside those of the task.
    """

    title: str = ""
    citation: str = ""
    licence: str = ""
    simulation: str = ""
    all_cases: int | None = None
    limited: bool = False
    protocol: Mapping[str, Any] = field(default_factory=dict)
    runs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @classmethod
    def recorded(cls, rows: pd.DataFrame, runs: Mapping[str, Mapping[str, Any]]) -> Facts:
        """Take from ``run.json`` what the runs that made these rows recorded; the last of them counts."""
        used = set(rows["run"].unique())
        shown = {name: run for name, run in runs.items() if name in used}
        last: Mapping[str, Any] = next(reversed(shown.values()), {})
        about: Mapping[str, Any] = last.get("about", {})
        simulation = about.get("simulation") or "simulated data" if rows["simulated"].iloc[-1] else ""
        limited = bool(shown) and all(run.get("limit") is not None for run in shown.values())
        return cls(
            title=about.get("title", ""),
            citation=about.get("citation", ""),
            licence=about.get("licence", ""),
            simulation=simulation,
            all_cases=about.get("cases"),
            limited=limited,
            protocol=last.get("protocol", {}),
            runs=shown,
            notes=tuple(about.get("notes", ())),
        )

    def processors(self, rows: pd.DataFrame) -> pd.Series:
        """The processor that each row was measured on, as its run recorded it; empty where none did."""
        known = {name: str(run.get("machine", {}).get("cpu", "")) for name, run in self.runs.items()}
        return rows["run"].map(lambda run: known.get(run, "")).astype(str)
