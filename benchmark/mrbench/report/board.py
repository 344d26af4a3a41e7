"""All files of a board, written from its rows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from mrbench.core.row import Row
from mrbench.core.setting import Setting
from mrbench.io.files import write_atomically
from mrbench.report.lines import table_lines
from mrbench.report.tables import Caption, csv_table, latex_table, markdown_table
from mrbench.stats.leaderboard import Leaderboard


def write_board(
    folder: Path, board: Setting, rows: Sequence[Row], table: Leaderboard, about: Caption, *, figures: bool,
    force: bool = False,
) -> Path | None:  # fmt: skip
    """Write tables, figures and page; unless forced, nothing is drawn again for the rows already shown.

    Returns
    -------
    Path or None
        The page, if there is one.
    """
    for name, text in {
        "leaderboard.csv": csv_table(table),
        "leaderboard.md": markdown_table(table, about),
        "leaderboard.tex": latex_table(table, about),
    }.items():
        with write_atomically(folder / name) as file:
            file.write(text.encode())
    page = folder / "report.html"
    if not table_lines(table):
        return None
    stamp = _stamp(rows, about)
    if figures and (force or not (page.is_file() and stamp in page.read_text())):
        from mrbench.report.page import write_page

        write_page(page, board, rows, table, about, stamp)
    return page if page.is_file() and stamp in page.read_text() else None


def _stamp(rows: Sequence[Row], about: Caption) -> str:
    """Names the rows that a page was drawn from."""
    text = "|".join([about.title, about.text, *sorted(row.to_json() for row in rows)])
    return f"rows-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
