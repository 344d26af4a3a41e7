"""Two boards of one task as a table and a figure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mrbench.io.files import write_atomically
from mrbench.report.lines import Cell
from mrbench.report.style import COLOURS, figure
from mrbench.report.tables import cases_text, heading, number
from mrbench.stats.side_by_side import SideBySide

NAME = "comparison"


@dataclass(frozen=True)
class Told:
    """A comparison with the words that must stand beside it."""

    found: SideBySide
    title: str
    boards: tuple[str, str]
    notes: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.notes)


def tell(found: SideBySide, first: pd.DataFrame, second: pd.DataFrame) -> Told:
    """Say what the two boards are of, and what their difference can and cannot mean."""
    boards = (_board(first, found.cases[0]), _board(second, found.cases[1]))
    title = f"{first['task'].iloc[0]}, {heading(found.metric)}: A = {boards[0]}; B = {boards[1]}"
    if found.cases[0] != found.cases[1]:
        title += f"; LIMITED: {found.cases[0]} cases against {found.cases[1]}"
    said = ["Mean [95 % interval over subjects]; a failure counts as in the leaderboards."]
    if found.same_subjects:
        said.append("B - A is paired: both boards are of the same subjects.")
    else:
        said.append("B - A is unpaired: the subjects of each board are drawn anew.")
    if len(found.classical):
        mean, low, high = (_signed(pick(found.classical), found) for pick in (fmean, min, max))
        said.append(
            f"Classical methods ({len(found.classical)}) differ by {mean} on average, from {low} to {high}: so much "
            "is the boards. Beyond classical: B - A of a learned method less that mean; its interval is over "
            "subjects, not over the choice of classical methods."
        )
    else:
        said.append("No classical method is on both boards, so nothing says how much easier B is for anyone.")
    if own := list(found.table.index[found.table["other_weights"]]):
        said.append(f"With other weights on B than on A: {', '.join(own)}.")
    return Told(found, title, boards, tuple(said))


def _board(rows: pd.DataFrame, cases: int) -> str:
    row = rows.iloc[0]
    data = f"{row.dataset} (simulated)" if row.simulated else row.dataset
    return f"{data}, {row.split}, {row.track}, {cases} case{'s' if cases != 1 else ''}"


def write_comparison(folder: Path, told: Told) -> Path:
    """Write ``comparison.md``, ``.csv`` and a figure; return the table's path."""
    for name, text in {f"{NAME}.md": markdown(told), f"{NAME}.csv": table(told)}.items():
        with write_atomically(folder / name) as file:
            file.write(text.encode())
    dumbbells(folder / NAME, told)
    return folder / f"{NAME}.md"


def print_comparison(console: Console, told: Told) -> None:
    """Print the table; a narrow terminal folds its cells rather than cutting them."""
    shown = Table(
        title=escape(told.title), title_style="bold", caption=escape(told.text), caption_justify="left", box=None,
        pad_edge=False,
    )  # fmt: skip
    for name in _HEAD:
        shown.add_column(name, justify="left" if name == "method" else "right", overflow="fold")
    for pair in told.found.table.reset_index().itertuples():
        method, _, *cells = _cells(pair, told.found)
        shown.add_row(f"[cyan]{escape(method)}[/]" if pair.kind == "learned" else escape(method), pair.kind, *cells)
    console.print(shown)


def markdown(told: Told) -> str:
    """One line a method; below, what the classical methods say of how hard the two boards are."""
    rows: list[Iterable[str]] = [_HEAD, [":--", ":--", *("--:" for _ in _HEAD[2:])]]
    for pair in told.found.table.reset_index().itertuples():
        method, *cells = _cells(pair, told.found)
        rows.append([f"`{method}`", *cells])
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([f"### {told.title}", "", *lines, "", told.text, ""])


def table(told: Told) -> str:
    """The same as CSV, unrounded."""
    out, metric = io.StringIO(), told.found.metric.name
    writer = csv.writer(out, lineterminator="\n")
    header = ["method", "kind"]
    for side in ("a", "b"):
        header += [f"board_{side}", f"n_cases_{side}", f"n_failed_{side}"]
        header += [f"{metric}_{side}", f"{metric}_{side}_low", f"{metric}_{side}_high"]
    for name in ("difference", "beyond_classical"):
        header += [name, f"{name}_low", f"{name}_high"]
    writer.writerow([*header, "other_weights"])
    for pair in told.found.table.reset_index().itertuples():
        row: list[object] = [pair.method, pair.kind]
        for board, (n_cases, n_failed, *cell) in zip(told.boards, _sides(pair), strict=True):
            row += [board, n_cases, n_failed, *map(_exact, cell)]
        row += map(_exact, (pair.difference, pair.difference_low, pair.difference_high))
        row += map(_exact, (pair.excess, pair.excess_low, pair.excess_high))
        writer.writerow([*row, str(pair.other_weights).lower()])
    return out.getvalue()


def dumbbells(path: Path, told: Told) -> None:
    """One line a method from its mean on the first board (hollow) to that on the second (full)."""
    from matplotlib.lines import Line2D

    found = told.found
    with figure(path, (7, 1.5 + 0.3 * len(found.table))) as (drawn, axes):
        for place, pair in enumerate(found.table.itertuples()):
            colour, ends = COLOURS[pair.kind], [pair.mean_first, pair.mean_second]
            axes.plot(ends, [place, place], color=colour, lw=1.5, alpha=0.5)
            axes.plot(ends[0], place, "o", mec=colour, mfc="white", ms=6)
            axes.plot(ends[1], place, "o", color=colour, ms=6)
        axes.set_yticks(range(len(found.table)), list(found.table.index))
        axes.invert_yaxis()
        axes.set(xlabel=heading(found.metric))
        head, *boards = told.title.replace(": A =", "\nA =").replace("; ", "\n").split("\n")
        drawn.suptitle("\n".join([head, *boards]), fontsize=8, ha="left", x=0.01)
        axes.grid(axis="x", alpha=0.3)
        marks = [
            Line2D([], [], marker="o", ls="", color="0.4", mfc=fill, label=label)
            for label, fill in (("A", "white"), ("B", "0.4"))
        ]
        kinds = found.table["kind"].unique()
        marks += [Line2D([], [], marker="o", ls="", color=COLOURS[kind], label=kind) for kind in kinds]
        drawn.legend(handles=marks, frameon=False, fontsize=8, ncols=len(marks), loc="outside lower right")


_HEAD = ("method", "kind", "n A", "A", "n B", "B", "B - A", "beyond classical")


def _sides(pair: Any) -> list[tuple[int, int, float, float, float]]:
    """Cases, failures, mean and interval on either board."""
    names = ("n_cases", "n_failed", "mean", "low", "high")
    first, second = (tuple(getattr(pair, f"{name}_{side}") for name in names) for side in ("first", "second"))
    return [first, second]


def _cells(pair: Any, found: SideBySide) -> list[str]:
    sides = []
    for n_cases, n_failed, mean, low, high in _sides(pair):
        sides += [cases_text(n_cases, n_failed), number(Cell(mean, low, high), found.metric)]
    moved = _interval(pair.difference, pair.difference_low, pair.difference_high, found)
    return [pair.method, pair.kind, *sides, moved, _interval(pair.excess, pair.excess_low, pair.excess_high, found)]


def _interval(value: float, low: float, high: float, found: SideBySide) -> str:
    if isnan(value):
        return ""
    text = _signed(value, found)
    return text if isnan(low) else f"{text} [{_signed(low, found)}, {_signed(high, found)}]"


def _signed(value: float, found: SideBySide) -> str:
    return f"{value:+.{found.metric.decimals}f}"


def _exact(value: float) -> str:
    return "" if isnan(value) else f"{value:.6g}"
