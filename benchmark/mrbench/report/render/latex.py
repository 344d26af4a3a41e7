"""A LaTeX float with booktabs that fits its column at 8 or 7 pt, never scaled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from mrbench.core.errors import RequestError
from mrbench.report import escape
from mrbench.report.caption import SHARED
from mrbench.report.columns import ALWAYS, Cell, Column, Grid, Look, grid
from mrbench.report.names import fold

if TYPE_CHECKING:
    from jinja2 import Template

    from mrbench.report.report import Report

NAMES = ("latex", "tex")
FILE = "leaderboard.tex"
LOOK = ("digits", "intervals", "layout")


@dataclass(frozen=True)
class Page:
    """Where a table stands: float, width in points, characters of a method's name before it is folded."""

    environment: str
    width: float
    name_length: int


PAGES = {
    "single": Page("table", 229, 22),  # the narrowest in use: article 229 pt, IEEE and ACM 240 to 252
    "double": Page("table*", 469, 34),
    "landscape": Page("sidewaystable", 550, 60),
}
SIZES = (("footnotesize", 8.0), ("scriptsize", 7.0))
GAP = 3.0
"""Points on either side of a column (``tabcolsep``)."""


@dataclass(frozen=True)
class Body:
    """The text of a table, escaped: heading rows, then rows of each method."""

    head: list[list[str]]
    rows: list[list[str]]
    width: float
    """In units of the font size."""


def render(report: Report, look: Look) -> str:
    """Return the float; needs ``booktabs``, and ``rotating`` for landscape.

    What the width does not hold is left out, first costs and kind, then intervals of further metrics, then those
    metrics; a comment names it. Metrics that were asked for by name are never left out.

    Raises
    ------
    RequestError
        If the metrics that were asked for do not fit.
    """
    page = PAGES[look.layout]
    asked = len(report.metrics) < len(report.leaderboard.values)
    shown, left_out = grid(report, look), list[str]()
    while True:
        for size, points in SIZES:
            body = _body(shown, page, look)
            if body.width * points + 2 * GAP * len(shown.columns) <= page.width:
                return _document(report, shown, body, page, size, left_out)
        narrower = _narrower(shown, keep_metrics=asked)
        if narrower is None:
            raise RequestError(
                f"the table does not fit a {look.layout} layout at 7 pt; choose fewer --metrics, --no-intervals, or a "
                "wider --layout."
            )
        shown, what = narrower
        left_out.append(what)


def _narrower(shown: Grid, *, keep_metrics: bool) -> tuple[Grid, str] | None:
    """Take out what matters least: a column, or the intervals of a metric."""
    droppable = [c for c in shown.columns if c.keep < ALWAYS and not (keep_metrics and c.metric)]
    costs = [column for column in droppable if column.keep < 50]
    if costs:
        column = min(costs, key=lambda c: c.keep)
        return shown.drop(column), column.title
    with_interval = [
        at
        for at, column in enumerate(shown.columns)
        if column.metric and column.keep < ALWAYS and any(row[at].interval for row in shown.cells)
    ]
    if with_interval:
        return _without_intervals(shown, with_interval), "intervals of all metrics but the first"
    if droppable:
        column = min(droppable, key=lambda c: c.keep)
        return shown.drop(column), column.title
    first = [
        at for at, column in enumerate(shown.columns) if column.metric and any(r[at].interval for r in shown.cells)
    ]
    return (_without_intervals(shown, first), "intervals") if first else None


def _without_intervals(shown: Grid, places: Sequence[int]) -> Grid:
    cells = tuple(
        tuple(Cell(c.text, c.value, "", c.best) if at in places else c for at, c in enumerate(row))
        for row in shown.cells
    )
    return Grid(shown.columns, shown.methods, cells)


def _body(shown: Grid, page: Page, look: Look) -> Body:
    rows: list[list[str]] = []
    widths = [0.0] * len(shown.columns)
    for cells in shown.cells:
        lines = [_lines(column, cell, page) for column, cell in zip(shown.columns, cells, strict=True)]
        widths = [max(w, *(_ems(line) for line in words)) for w, words in zip(widths, lines, strict=True)]
        for depth in range(max(map(len, lines))):
            texts = (
                _text(column, words, depth, cell)
                for column, words, cell in zip(shown.columns, lines, cells, strict=True)
            )
            rows.append(list(texts))
    heads = [_heading(column, width) for column, width in zip(shown.columns, widths, strict=True)]
    widths = [max(w, *(_ems(line) for line in head)) for w, head in zip(widths, heads, strict=True)]
    depth = max(map(len, heads))
    padded = [[""] * (depth - len(head)) + [escape.latex(line) for line in head] for head in heads]
    return Body([list(row) for row in zip(*padded, strict=True)], rows, sum(widths))


def _lines(column: Column, cell: Cell, page: Page) -> list[str]:
    if column.name == "method":
        return fold(cell.text, page.name_length)
    return [" ".join(filter(None, (cell.text, cell.interval)))]


def _text(column: Column, lines: list[str], depth: int, cell: Cell) -> str:
    if depth >= len(lines):
        return ""
    text = escape.latex(lines[depth])
    if depth:
        return rf"\quad {text}"
    if not cell.best:
        return text
    mean, _, interval = text.partition(" ")
    return rf"\textbf{{{mean}}}{f' {interval}' if interval else ''}"


def _heading(column: Column, width: float) -> list[str]:
    """Label in as few lines as its numbers are wide, then unit and arrow."""
    lines: list[str] = []
    for word in column.heading.replace(" ≤ ", "\u00a0≤\u00a0").split(" "):
        if lines and _ems(f"{lines[-1]} {word}") <= max(width, 3.5):
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    last = " ".join(filter(None, (f"({column.unit})" if column.unit else "", column.arrow)))
    if not last:
        return lines or [""]
    if lines and _ems(f"{lines[-1]} {last}") <= max(width, 3.5):
        return [*lines[:-1], f"{lines[-1]} {last}"]
    return [*lines, last]


def _ems(text: str) -> float:
    """Width of a text in Computer Modern at 7 pt, in units of its size, rounded up."""
    return 1.08 * sum(_EMS.get(character, 0.78 if character.isupper() else 0.53) for character in text)


_EMS = {
    **dict.fromkeys(".,:;'!il[]()|j", 0.3),
    **dict.fromkeys(" frt-", 0.4),
    **dict.fromkeys("mwMW%@", 0.9),
    **dict.fromkeys("↑↓", 0.55),
    **dict.fromkeys("≤≥=+<>_~^", 0.8),
}


def _document(report: Report, shown: Grid, body: Body, page: Page, size: str, left_out: Sequence[str]) -> str:
    caption = report.caption.short
    if "seconds_median" not in [column.name for column in shown.columns]:
        caption = caption.replace(SHARED, "").strip()
    return _template().render(
        environment=page.environment,
        size=size,
        gap=GAP,
        head=body.head,
        rows=body.rows,
        align="".join("l" if column.left else "r" for column in shown.columns),
        caption=escape.latex(caption),
        protocol=escape.plain(report.leaderboard.protocol),
        foreign=[escape.plain(name) for name in report.methods if escape.beyond_latin(name)],
        left_out=[escape.latex(what) for what in left_out],
        skipped=[escape.latex(name) for name in report.leaderboard.skipped],
        label=escape.file_name(f"{report.task}-{report.track}-{report.dataset}"),
    )


@lru_cache(maxsize=1)
def _template() -> Template:
    from jinja2 import Environment, PackageLoader

    # autoescape is for HTML; here every value passes escape.latex
    environment = Environment(
        loader=PackageLoader("mrbench", "report/templates"),
        trim_blocks=True,
        lstrip_blocks=True,
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        autoescape=False,
        keep_trailing_newline=True,
    )
    return environment.get_template("table.tex.j2")
