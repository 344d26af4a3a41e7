"""One board as the verbs return it; nothing here needs pandas until its report is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mrbench.core.candidate import Candidate
from mrbench.core.errors import RequestError
from mrbench.core.row import Row
from mrbench.core.task import Setting
from mrbench.engine.provenance import read_runs
from mrbench.engine.store import RowStore

if TYPE_CHECKING:
    from mrbench.report.report import Report
    from mrbench.report.shown import Shown
    from mrbench.stats.leaderboard import Leaderboard

RESULTS = Path("mrbench-results")
"""Where results go unless told otherwise: a folder that git ignores."""

ROWS = "rows.jsonl"


@dataclass(frozen=True)
class Board:
    """A table with all that stands behind it.

    Attributes
    ----------
    folder : Path
        Where its rows, tables, figures and page lie.
    stored : sequence of Row or None
        Its rows; None: they are read when they are asked for.
    make_report : callable or None
        Makes what its tables, figures and page are made from; None without rows.
    shown : Shown or None
        What a terminal shows of it; None without rows.
    page : Path or None
    older : dict of str to int
        Methods whose rows are of older code or data, and how many; they stand marked until they are run again.
    interrupted : bool
    notices : tuple of str
        What to tell the user beside the table.
    setting : Setting or None
        What it is of, where a run has resolved that.
    """

    folder: Path
    stored: Sequence[Row] | None = field(default=None, repr=False)
    make_report: Callable[[], Report] | None = field(default=None, repr=False)
    shown: Shown | None = field(default=None, repr=False)
    page: Path | None = None
    older: Mapping[str, int] = field(default_factory=dict)
    interrupted: bool = False
    notices: tuple[str, ...] = ()
    setting: Setting | None = field(default=None, repr=False)

    @cached_property
    def report(self) -> Report | None:
        """What its tables, figures and page are made from; None without rows."""
        return self.make_report() if self.make_report else None

    @cached_property
    def rows(self) -> list[Row]:
        """The rows of its last data and protocol."""
        if self.stored is not None:
            return list(self.stored)
        rows = RowStore(self.folder / ROWS).read()
        return [row for row in rows if (row.protocol, row.fingerprint) == (rows[-1].protocol, rows[-1].fingerprint)]

    @property
    def failed(self) -> bool:
        """Whether a row failed."""
        if self.stored is None and self.report is not None:
            return not self.report.frame["status"].isin(["ok", "skipped"]).all()
        return any(row.failed for row in self.rows)

    @property
    def leaderboard(self) -> Leaderboard:
        """Its ranking, as DataFrames; raises `RequestError` without rows."""
        if self.report is None:
            raise RequestError(f"{self.folder} has no rows yet; run the board first.")
        return self.report.leaderboard


def shown_rows(
    setting: Setting, wanted: Sequence[Candidate], rows: Sequence[Row], limit: int | None
) -> tuple[list[Row], dict[str, int], dict[str, int]]:
    """The rows of a board that share its protocol and data, how many of each method are of older code, and how many of
    its cases do not share these.

    Methods that were not asked for stand as they are stored, and nothing of them is imported.
    """
    cases = {case.id: case for case in setting.cases(limit)}
    known = {candidate.name: candidate for candidate in wanted}
    facts = (setting.protocol.hash, setting.dataset.fingerprint)
    rows = [row for row in rows if row.case in cases]
    shown = [row for row in rows if (row.protocol, row.fingerprint) == facts]
    hidden = Counter(row.method for row in rows if (row.protocol, row.fingerprint) != facts)
    older: dict[str, int] = {}
    for row in shown:
        if row.method in known and row.key != known[row.method].row_key(cases[row.case]):
            older[row.method] = older.get(row.method, 0) + 1
    order = {name: place for place, name in enumerate([*known, *(row.method for row in shown)][::-1])}
    places = {case: place for place, case in enumerate(cases)}
    return sorted(shown, key=lambda row: (-order[row.method], places[row.case])), older, hidden


def runs_of(folder: Path) -> Mapping[str, Any]:
    """The run records of a board; raises `DataError` where run.json is damaged."""
    return read_runs(folder / "run.json")


def recorded_dataset(folder: Path, row: Row) -> str:
    """What the dataset of a row was asked for as: its name, or the folder that run.json recorded."""
    return str(runs_of(folder).get(row.run, {}).get("dataset", row.dataset))
