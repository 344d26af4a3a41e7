"""Two boards of one task as a table and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from mrbench.core.words import counted
from mrbench.io.files import write_atomically
from mrbench.report.caption import limit_of
from mrbench.report.columns import Cell, count_text, heading, number
from mrbench.report.facts import Facts
from mrbench.report.figures import style
from mrbench.report.render.csv import to_csv
from mrbench.report.sheet import Sheet
from mrbench.stats.side_by_side import SideBySide

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "comparison"
HEAD = ("method", "kind", "n A", "A", "n B", "B", "B - A", "beyond classical")


@dataclass(frozen=True)
class Comparison:
    """Two boards side by side, with the words that must stand beside the numbers."""

    result: SideBySide
    title: str
    boards: tuple[str, str]
    notes: tuple[str, ...]

    @property
    def text(self) -> str:
        """The notes as one paragraph."""
        return " ".join(self.notes)

    @property
    def sheet(self) -> Sheet:
        """One line a method; below, what the classical methods say of how hard the two boards are."""
        body = [_cells(pair, self.result) for pair in self.result.table.reset_index().to_dict("records")]
        return Sheet(self.title, HEAD, body, self.text, names=2)

    @property
    def csv(self) -> str:
        """The same, unrounded."""
        table, metric = self.result.table.reset_index(), self.result.metric.name
        columns: dict[str, Any] = {"method": table["method"], "kind": table["kind"]}
        for side, ending, board in zip("ab", ("first", "second"), self.boards, strict=True):
            columns[f"board_{side}"] = board
            for name in ("n_cases", "n_failed"):
                columns[f"{name}_{side}"] = table[f"{name}_{ending}"]
            for name, ours in (("mean", ""), ("low", "_low"), ("high", "_high")):
                columns[f"{metric}_{side}{ours}"] = table[f"{name}_{ending}"]
        for name, ours in (("difference", "difference"), ("excess", "beyond_classical")):
            columns |= {f"{ours}{ending}": table[f"{name}{ending}"] for ending in ("", "_low", "_high")}
        columns["left_out"] = table["left_out"]
        return to_csv(pd.DataFrame({**columns, "other_weights": table["other_weights"].astype(bool)}))


def comparison(
    result: SideBySide,
    first: pd.DataFrame,
    second: pd.DataFrame,
    facts: tuple[Facts, Facts],
    notes: Sequence[str] = (),
) -> Comparison:
    """Say what the two boards are of, and what their difference can and cannot mean.

    Parameters
    ----------
    result : SideBySide
        Of `mrbench.stats.side_by_side`.
    first, second : DataFrame
        The rows that it was made from.
    facts : tuple of Facts
        How many cases either board has in all.
    notes : sequence of str
        What else must be said of the two.
    """
    boards = (_board(first, result.cases[0], facts[0]), _board(second, result.cases[1], facts[1]))
    title = f"{first['task'].iloc[0]}, {heading(result.metric)}: A = {boards[0]}; B = {boards[1]}"
    return Comparison(result, title, boards, (*_notes(result), *notes))


def _notes(result: SideBySide) -> list[str]:
    notes = ["Mean [95 % interval over subjects]; a failure counts as in the leaderboards."]
    incomplete = result.table[result.table["left_out"] > 0]
    if not result.same_subjects:
        notes.append("B - A is unpaired: the subjects of each board are drawn anew.")
    elif incomplete.empty:
        notes.append("B - A is paired: both boards are of the same subjects.")
    else:
        notes.append("B - A is paired, over the subjects that both boards have.")
    for count, methods in incomplete.groupby("left_out"):
        said = f"{counted(count, 'subject')} of {', '.join(methods.index)}"
        notes.append(f"Left out of B - A, because one board alone has them: {said}.")
    if len(result.classical):
        mean, low, high = (_signed(float(pick(result.classical)), result) for pick in (pd.Series.mean, min, max))
        notes.append(
            f"Classical methods ({len(result.classical)}) differ by {mean} on average, from {low} to {high}: so much "
            "is the boards. Beyond classical: B - A of a learned method less that mean; its interval is over "
            "subjects, not over the choice of classical methods."
        )
    else:
        notes.append("No classical method is on both boards, so nothing says how much easier B is for anyone.")
    if result.rank_correlation == result.rank_correlation:
        notes.append(f"Kendall's tau of the two orders: {result.rank_correlation:.2f}.")
    if changed := list(result.table.index[result.table["other_weights"]]):
        notes.append(f"With other weights on B than on A: {', '.join(changed)}.")
    for board, lines in result.unmatched.groupby("board", sort=False):
        names = "; ".join(f"{line.method} ({line.reason})" for line in lines.itertuples())
        notes.append(f"Only on {'A' if board == 'first' else 'B'}: {names}.")
    return notes


def _board(rows: pd.DataFrame, cases: int, facts: Facts) -> str:
    row = rows.iloc[0]
    data = f"{row.dataset} (simulated)" if row.simulated else row.dataset
    shown = limit_of(cases, facts) or counted(cases, "case")
    return f"{data}, {row.split}, {row.track}, {shown}"


def write_comparison(folder: Path, shown: Comparison) -> Path:
    """Write ``comparison.md``, ``.csv`` and a figure as PDF; return the table's path."""
    texts = {
        "md": shown.sheet.markdown.encode(),
        "csv": shown.csv.encode(),
        "pdf": style.saved(dumbbells(shown), "pdf"),
    }
    for suffix, content in texts.items():
        with write_atomically(folder / f"{NAME}.{suffix}") as file:
            file.write(content)
    return folder / f"{NAME}.md"


@style.styled
def dumbbells(shown: Comparison, *, width: float = 3.4) -> Figure:
    """Draw a line for each method from its mean on the first board (hollow) to that on the second (full)."""
    from matplotlib.lines import Line2D

    table = shown.result.table
    labels = style.names(list(table.index), style.name_width(list(table.index), width))
    rows = style.heights(labels)
    figure, axes = style.canvas(shown.title, (width, sum(rows) + 0.75))
    for middle, pair in zip(style.centres(rows), table.itertuples(), strict=True):
        colour, mark = style.colour(str(pair.kind)), style.marker(str(pair.kind))
        axes.plot([pair.mean_first, pair.mean_second], [middle, middle], color=colour, lw=1.2, alpha=0.5)
        axes.plot(pair.mean_first, middle, mark, mec=colour, mfc="white", ms=4.5)
        axes.plot(pair.mean_second, middle, mark, color=colour, ms=4.5)
    style.row_axis(axes, labels, rows)
    axes.set_xlabel(heading(shown.result.metric))
    axes.grid(axis="x")
    sides = [
        Line2D([], [], marker="o", ls="", color="0.35", mfc=fill, ms=4.5, label=label)
        for label, fill in (("A", "white"), ("B", "0.35"))
    ]
    style.kind_legend(figure, list(table["kind"]), extra=sides)
    return figure


def _cells(pair: dict[str, Any], result: SideBySide) -> list[Cell]:
    cells = [Cell(pair["method"]), Cell(pair["kind"])]
    digits = result.metric.decimals
    for side in ("first", "second"):
        numbers = {name: pair[f"{name}_{side}"] for name in ("n_cases", "n_failed", "mean", "low", "high")}
        interval = (
            "" if numbers["low"] != numbers["low"] else f"[{numbers['low']:.{digits}f}, {numbers['high']:.{digits}f}]"
        )
        cells += [Cell(count_text(numbers)), Cell(number(numbers["mean"], digits), numbers["mean"], interval)]
    return [*cells, *(_moved(pair, name, result) for name in ("difference", "excess"))]


def _moved(pair: dict[str, Any], name: str, result: SideBySide) -> Cell:
    value, low, high = (pair[f"{name}{ending}"] for ending in ("", "_low", "_high"))
    if value != value:
        return Cell("")
    interval = "" if low != low else f"[{_signed(low, result)}, {_signed(high, result)}]"
    return Cell(_signed(value, result), value, interval)


def _signed(value: float, result: SideBySide) -> str:
    return f"{value:+.{result.metric.decimals}f}"
