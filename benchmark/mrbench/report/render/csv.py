"""The leaderboard unrounded, one line a method."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from mrbench.report import escape
from mrbench.report.columns import Look, data_table

if TYPE_CHECKING:
    from mrbench.report.report import Report

NAMES = ("csv",)
FILE = "leaderboard.csv"
LOOK: tuple[str, ...] = ()


def render(report: Report, look: Look) -> str:
    """Return the documented columns with six significant digits; truth values are ``true`` and ``false``."""
    return to_csv(data_table(report))


def to_csv(table: pd.DataFrame) -> str:
    """A table as CSV in which no cell of text is a formula."""
    safe = table.copy()
    for name in safe.columns:
        if pd.api.types.is_bool_dtype(safe[name].dtype):
            safe[name] = safe[name].map({True: "true", False: "false"})
        elif not pd.api.types.is_numeric_dtype(safe[name].dtype):
            safe[name] = safe[name].map(escape.csv, na_action="ignore")
    return safe.to_csv(index=False, float_format="%.6g", lineterminator="\n")
