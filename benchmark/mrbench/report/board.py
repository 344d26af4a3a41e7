"""The files of a board, written from its report; and the index of a folder of boards."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mrbench.core.errors import RequestError
from mrbench.io.files import write_atomically
from mrbench.report.columns import Look
from mrbench.report.page import FILE as PAGE
from mrbench.report.page import stamp_in, stamp_of, write_page
from mrbench.report.render import formats
from mrbench.report.render.html import environment

if TYPE_CHECKING:
    from mrbench.report.report import Report

INDEX = "index.html"


def write_board(folder: Path, report: Report, *, figures: bool = True, force: bool = False) -> Path | None:
    """Write tables and page of a board; the page is not drawn again for what it shows already, unless forced.

    Nothing is deleted, and no file but those named here is touched.

    Parameters
    ----------
    folder : Path
        Where the files go.
    report : Report
        What tables and figures of a board are drawn from.
    figures : bool
        False leaves the page, and with it all drawing, for later.
    force : bool
        Draw the page again though nothing has changed.

    Returns
    -------
    Path or None
        The page, if it shows this report.

    Raises
    ------
    DataError
        If a file cannot be written.
    """
    for module in formats().values():
        if module.FILE is not None:
            with write_atomically(folder / module.FILE) as file:
                file.write(module.render(report, Look()).encode("utf-8", "replace"))
    if not report.methods:
        return None
    page, stamp = folder / PAGE, stamp_of(report)
    current = stamp_in(page) == stamp
    if figures and (force or not current):
        write_page(page, report, stamp)
        current = True
    return page if current else None


def write_index(folder: Path, pages: Sequence[Path] | None = None) -> Path:
    """Write one page with a line for each board below a folder, from what their pages say of themselves.

    Parameters
    ----------
    folder : Path
        Of boards.
    pages : sequence of Path, optional
        Of boards; default: every one below the folder, at any depth.

    Raises
    ------
    RequestError
        If there is no page of a board below the folder.
    """
    known = sorted(folder.rglob(PAGE)) if pages is None else pages
    cards = [(path, card) for path in known if (card := _card(path)) is not None]
    if not cards:
        raise RequestError(f"{folder} has no boards with a {PAGE}; run boards, or report them, first.")
    boards = [{**card, "address": _address(path.relative_to(folder))} for path, card in cards]
    with write_atomically(folder / INDEX) as file:
        file.write(environment().get_template("index.html.j2").render(boards=boards, css=_css()).encode())
    return folder / INDEX


def _card(path: Path) -> dict[str, Any] | None:
    if stamp_in(path) is None:
        return None
    with path.open("rb") as file:
        head = file.read(20_000).decode("utf-8", "replace")
    match = re.search(r'<script type="application/json" id="card">(.*?)</script>', head, re.DOTALL)
    try:
        card = json.loads(html.unescape(match.group(1))) if match else None
    except ValueError:
        return None
    return card if isinstance(card, dict) else None


def _address(path: Path) -> str:
    from urllib.parse import quote

    return quote(path.as_posix())


def _css() -> str:
    source, _, _ = environment().loader.get_source(environment(), "page.css")  # type: ignore[union-attr]
    return str(source)
