"""What a table shows: one list of columns, from which every format is rendered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from mrbench.core.metric import Metric
from mrbench.report.shown import ALWAYS

if TYPE_CHECKING:
    from mrbench.report.report import Report


@dataclass(frozen=True)
class Look:
    """How a table is to look.

    Attributes
    ----------
    digits : int or None
        Decimals of every metric; None: what each metric asks for.
    intervals : bool
    layout : str
        ``single`` or ``double`` column of a page, or ``landscape``; only print asks.
    """

    digits: int | None = None
    intervals: bool = True
    layout: str = "double"


@dataclass(frozen=True)
class Cell:
    """One cell: text, its interval, the number behind it, whether it belongs to the best group."""

    text: str
    value: Any = None
    interval: str = ""
    best: bool = False


@dataclass(frozen=True)
class Column:
    """One column of every format.

    Attributes
    ----------
    name : str
        With its unit; where a table of data has a column of this name, its value is the number shown.
    heading, unit, arrow : str
        For people: what, in what, and which way is better.
    cell : callable
        From the line of a method to what is shown; None for a column of data alone.
    data : mapping of str to callable
        Columns of the unrounded table, in order.
    left : bool
        Names stand left, numbers right.
    keep : int
        A table too wide for its medium drops the column of the lowest first.
    metric : Metric or None
    """

    name: str
    heading: str
    unit: str
    cell: Callable[[Line, Look], Cell] | None
    data: Mapping[str, Callable[[Line], Any]]
    applies: Callable[[pd.DataFrame], bool] = lambda summary: True
    left: bool = False
    keep: int = ALWAYS
    metric: Metric | None = None

    @property
    def arrow(self) -> str:
        """Which way is better; empty where neither is."""
        return self.metric.arrow if self.metric else ""

    @property
    def title(self) -> str:
        """Heading with unit and arrow: ``HD95, mm ↓``."""
        return f"{self.heading}{f', {self.unit}' if self.unit else ''} {self.arrow}".strip()


@dataclass(frozen=True)
class Line:
    """One method: its line of the summary, and its cells by metric."""

    method: str
    summary: Mapping[str, Any]
    scores: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Grid:
    """The columns that apply to a board, with a cell for each method."""

    columns: tuple[Column, ...]
    methods: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]

    def drop(self, column: Column) -> Grid:
        """Leave one column out."""
        at = self.columns.index(column)
        return Grid(
            self.columns[:at] + self.columns[at + 1 :],
            self.methods,
            tuple(row[:at] + row[at + 1 :] for row in self.cells),
        )


def grid(report: Report, look: Look = Look()) -> Grid:
    """Every column to show, and a cell for each method."""
    shown = [column for column in columns(report) if column.cell is not None]
    table = lines(report)
    cells = tuple(tuple(column.cell(line, look) for column in shown if column.cell) for line in table)
    return Grid(tuple(shown), tuple(line.method for line in table), cells)


def data_table(report: Report) -> pd.DataFrame:
    """The same, unrounded, with bounds of intervals and what rows were made with."""
    table = lines(report)
    return pd.DataFrame(
        {name: [value(line) for line in table] for column in columns(report) for name, value in column.data.items()},
    )


def lines(report: Report) -> list[Line]:
    """The methods of a report, best first."""
    return [
        Line(str(method), facts, {name: cells[method] for name, cells in report.scores.items()})
        for method, facts in report.by_method.items()
    ]


def columns(report: Report) -> list[Column]:
    """The columns that apply to a board: the list below, with a column for each metric in its place."""
    metrics = [_metric_column(metric, place) for place, metric in enumerate(report.metrics)]
    everything = [*BEFORE, *metrics, *AFTER, _protocol(report.leaderboard.protocol)]
    return [column for column in everything if column.applies(report.summary)]


def number(value: float, digits: int) -> str:
    """Fixed decimals; a dash where there is no number."""
    return "–" if pd.isna(value) else f"{value:.{digits}f}"


def seconds_text(value: float) -> str:
    """Seconds in three significant digits, never in exponents."""
    if pd.isna(value):
        return "–"
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f}"


def count_text(facts: Mapping[str, Any]) -> str:
    """Number of cases, and of failures where there are any."""
    return f"{facts['n_cases']} ({facts['n_failed']} failed)" if facts["n_failed"] else str(facts["n_cases"])


def heading(metric: Metric) -> str:
    """Label, unit and which way is better: what axes and headings say."""
    return f"{metric.label}{f', {metric.unit}' if metric.unit else ''} {metric.arrow}".strip()


def _metric_column(metric: Metric, place: int) -> Column:
    def cell(line: Line, look: Look) -> Cell:
        score = line.scores[metric.name]
        digits = metric.decimals if look.digits is None else look.digits
        interval = ""
        if look.intervals and not pd.isna(score["low"]):
            interval = f"[{score['low']:.{digits}f}, {score['high']:.{digits}f}]"
        return Cell(number(score["mean"], digits), score["mean"], interval, bool(score["best"]))

    def bound(line: Line, name: str) -> object:
        return line.scores[metric.name][name]

    return Column(
        metric.name,
        metric.label,
        metric.unit,
        cell,
        {
            metric.name: partial(bound, name="mean"),
            f"{metric.name}_low": partial(bound, name="low"),
            f"{metric.name}_high": partial(bound, name="high"),
        },
        keep=ALWAYS if place == 0 else 80 - place,
        metric=metric,
    )


def _fact(name: str) -> dict[str, Callable[[Line], Any]]:
    return {name: lambda line: line.summary[name]}


def _known(name: str) -> Callable[[pd.DataFrame], bool]:
    return lambda summary: bool(summary[name].notna().any())


def _rank(line: Line, look: Look) -> Cell:
    rank = line.summary["rank"]
    return Cell("–", None) if pd.isna(rank) else Cell(str(rank), int(rank))


def _seconds(line: Line, look: Look) -> Cell:
    value = line.summary["seconds_median"]
    star = "*" if line.summary["contended"] and not pd.isna(value) else ""
    return Cell(seconds_text(value) + star, value)


def _cpu_seconds(line: Line, look: Look) -> Cell:
    value = line.summary["cpu_seconds_median"]
    return Cell(seconds_text(value), value)


def _significant(name: str) -> Callable[[Line, Look], Cell]:
    def cell(line: Line, look: Look) -> Cell:
        value = line.summary[name]
        return Cell("–" if pd.isna(value) else f"{value:.3g}", value)

    return cell


def _protocol(value: str) -> Column:
    return Column("protocol", "", "", None, {"protocol": lambda line: value})


BEFORE: Sequence[Column] = (
    Column("rank", "", "", _rank, _fact("rank")),
    Column(
        "method",
        "method",
        "",
        lambda line, look: Cell(line.method, line.method),
        {"method": lambda line: line.method},
        left=True,
    ),
    Column(
        "kind",
        "kind",
        "",
        lambda line, look: Cell(line.summary["kind"], line.summary["kind"]),
        _fact("kind"),
        left=True,
        keep=20,
    ),
    Column(
        "n_cases",
        "n",
        "",
        lambda line, look: Cell(count_text(line.summary), line.summary["n_cases"]),
        _fact("n_cases") | _fact("n_failed"),
    ),
)

AFTER: Sequence[Column] = (
    Column("seconds_median", "time", "s", _seconds, _fact("seconds_median") | _fact("seconds_iqr"), keep=85),
    Column(
        "cpu_seconds_median",
        "CPU time",
        "s",
        _cpu_seconds,
        _fact("cpu_seconds_median")
        | _fact("contended")
        | _fact("device")
        | {"threads": lambda line: " + ".join(map(str, line.summary["threads"]))},
        keep=90,
    ),
    Column(
        "cpu_seconds_per_megavoxel",
        "CPU time",
        "s/Mvox",
        _significant("cpu_seconds_per_megavoxel"),
        _fact("cpu_seconds_per_megavoxel"),
        _known("cpu_seconds_per_megavoxel"),
        keep=30,
    ),
    Column(
        "memory_mib_per_megavoxel",
        "memory",
        "MiB/Mvox",
        _significant("memory_mib_per_megavoxel"),
        _fact("memory_mib_per_megavoxel"),
        _known("memory_mib_per_megavoxel"),
        keep=31,
    ),
    Column("weights", "", "", None, _fact("weights"), _known("weights")),
)
