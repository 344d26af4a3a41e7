"""The leaderboard in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mrbench.core.metric import Metric
from mrbench.report.lines import table_lines
from mrbench.report.tables import Caption, cases_text, costs, heading, number, rank, seconds
from mrbench.stats.leaderboard import Leaderboard

WIDE = 120
"""Characters from which a terminal shows costs by megavoxel, too; the files always do."""


def print_leaderboard(console: Console, board: Leaderboard, about: Caption) -> None:
    """Print the table, its caption, warnings and skipped methods. Intervals are in the files."""
    shown, with_costs = list(board.metrics), console.width >= WIDE
    table = _table(board, about, shown, with_costs=with_costs)
    unlimited = console.options.update(width=10_000)
    while len(shown) > 1 and console.measure(table, options=unlimited).maximum > console.width:
        shown.pop()  # a narrow terminal shows the first metrics whole rather than all of them cut short
        table = _table(board, about, shown, with_costs=with_costs)
    console.print(table)
    if hidden := [metric.label for metric in board.metrics if metric not in shown]:
        console.print(f"[dim]not shown for want of width: {escape(', '.join(hidden))}[/]")
    for line in table_lines(board):
        if line.message:
            console.print(f"[yellow]![/] {escape(line.method)}: {escape(line.message)}")
    for name, reason in board.skipped.items():
        console.print(f"[dim]- {escape(name)} skipped: {escape(reason)}[/]")


def _table(board: Leaderboard, about: Caption, metrics: Sequence[Metric], *, with_costs: bool) -> Table:
    table = Table(
        title=escape(about.title), title_style="bold", caption=escape(about.text), caption_justify="left", box=None,
        pad_edge=False,
    )  # fmt: skip
    for name in ("", "method", "n"):
        table.add_column(name, justify="left" if name == "method" else "right", no_wrap=True)
    for metric in metrics:
        table.add_column(heading(metric), justify="right", no_wrap=True)
    extra = costs(board) if with_costs else []
    for name in ("s", *(name for name, _ in extra)):
        table.add_column(name, justify="right", no_wrap=True)
    for place, line in enumerate(table_lines(board)):
        cells = []
        for metric in metrics:
            text = number(line.cells[metric.name], metric, interval=False)
            cells.append(f"[bold green]{text}[/]" if line.cells[metric.name].best else text)
        name = escape(line.method)
        name = f"[cyan]{name}[/]" if line.kind == "learned" else name
        table.add_row(
            rank(line),
            name,
            cases_text(line.n_cases, line.n_failed),
            *cells,
            seconds(line),
            *(texts[place] for _, texts in extra),
        )
    return table
