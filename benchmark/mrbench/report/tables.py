"""The leaderboard as CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

from mrbench.core.metric import Metric
from mrbench.report.lines import Cell, Line, table_lines
from mrbench.stats.leaderboard import Leaderboard


@dataclass(frozen=True)
class Caption:
    """What must stand beside every table, so that no number travels without it."""

    title: str
    notes: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.notes)


def caption(
    board: Leaderboard,
    *,
    task: str,
    track: str,
    dataset: str,
    simulation: str,
    split: str,
    all_cases: int,
    notes: Sequence[str] = (),
) -> Caption:
    """Say what the table shows: data, number of cases, protocol, and what is limited or simulated.

    ``simulation`` is what the title says of simulated data, or empty; ``notes`` are the task's own.
    """
    title = f"{task}, {track}, {dataset}{f' ({simulation})' if simulation else ''}"
    shown = len(board.cases)
    repeats = f" of {board.units} subject{'s' if board.units != 1 else ''}" if board.units < shown else ""
    said = [f"{shown} {split} case{'s' if shown != 1 else ''}{repeats}."]
    if shown < all_cases:
        title += f", LIMITED to {shown} of {all_cases} cases"
    if short := [line.method for line in table_lines(board) if line.n_cases < shown]:
        said.append(f"On fewer cases, so not comparable with the rest: {', '.join(short)}.")
    said += notes
    if board.metrics:
        said.append("Mean [95 % interval over subjects].")
    if board.metrics and board.units < board.fewest:
        what = "subjects" if repeats else "cases"
        said.append(f"Nothing is bold: fewer than {board.fewest} {what} cannot tell so many methods apart.")
    elif board.metrics:
        said.append("Bold: not separable from the best (paired test over subjects, Holm over all pairs, 5 %).")
    if any(line.n_failed for line in table_lines(board)):
        said.append("A failed case counts as the worst value of the metric, or as the worst that any method had there.")
    threads = sorted({number for line in table_lines(board) for number in line.threads})
    said.append(f"Seconds: median of predict alone on {' or '.join(map(str, threads)) or '?'} thread(s).")
    if elsewhere := [f"{line.method} ({line.device})" for line in table_lines(board) if line.device not in ("cpu", "")]:
        said.append(f"Not on the CPU alone: {', '.join(elsewhere)}; CPU seconds are the host's.")
    if any(text for _, text in costs(board)):
        said.append("Per megavoxel of the volume: median CPU seconds; peak memory beyond what the process held before.")
    if any(line.contended for line in table_lines(board)):
        said.append("*: measured while other work shared the machine; CPU seconds are the fairer figure.")
    said.append(f"Protocol {board.protocol}.")
    return Caption(title, tuple(said))


def costs(board: Leaderboard) -> list[tuple[str, list[str]]]:
    """Columns of cost by size: heading and one text a line; only those that any line knows."""
    columns = [
        ("CPU s/Mvox", [line.cpu_seconds_per_megavoxel for line in table_lines(board)]),
        ("MiB/Mvox", [line.memory_mib_per_megavoxel for line in table_lines(board)]),
    ]
    shown = [(name, values) for name, values in columns if not all(map(isnan, values))]
    return [(name, ["–" if isnan(value) else f"{value:.3g}" for value in values]) for name, values in shown]


def csv_table(board: Leaderboard) -> str:
    """One line a method: the documented columns, unrounded."""
    names = [m.name for m in board.metrics]
    header = ["rank", "method", "kind", "n_cases", "n_failed"]
    header += [column for n in names for column in (n, f"{n}_low", f"{n}_high")]
    header += [
        "seconds_median",
        "seconds_iqr",
        "cpu_seconds_median",
        "contended",
        "device",
        "threads",
        "protocol",
    ]
    exact = {
        name: [getattr(line, name) for line in table_lines(board)]
        for name in ("cpu_seconds_per_megavoxel", "memory_mib_per_megavoxel")
    }
    exact = {name: values for name, values in exact.items() if not all(map(isnan, values))}
    header += exact
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    for place, line in enumerate(table_lines(board)):
        numbers = [v for n in names for v in (line.cells[n].mean, line.cells[n].low, line.cells[n].high)]
        times = [line.seconds_median, line.seconds_iqr, line.cpu_seconds_median]
        writer.writerow(
            [line.rank or "", line.method, line.kind, line.n_cases, line.n_failed, *map(_exact, [*numbers, *times]),
             str(line.contended).lower(), line.device, " + ".join(map(str, line.threads)), board.protocol,
             *(_exact(values[place]) for values in exact.values())]
        )  # fmt: skip
    return out.getvalue()


def _exact(value: float) -> str:
    return "" if isnan(value) else f"{value:.6g}"


def number(cell: Cell, metric: Metric, *, interval: bool = True) -> str:
    """A mean with its interval, as tables show it."""
    if isnan(cell.mean):
        return "–"
    text = f"{cell.mean:.{metric.decimals}f}"
    if interval and not isnan(cell.low):
        text += f" [{cell.low:.{metric.decimals}f}, {cell.high:.{metric.decimals}f}]"
    return text


def seconds(line: Line) -> str:
    """Median seconds with the mark of contended times."""
    if isnan(line.seconds_median):
        return "–"
    digits = 0 if line.seconds_median >= 100 else 1 if line.seconds_median >= 10 else 2
    return f"{line.seconds_median:.{digits}f}{'*' if line.contended else ''}"


def rank(line: Line) -> str:
    """Rank, or a dash for a method on fewer cases than the table."""
    return str(line.rank or "–")


def cases_text(n_cases: int, n_failed: int) -> str:
    """Number of cases, and of failures where there are any."""
    return f"{n_cases} ({n_failed} failed)" if n_failed else str(n_cases)


def heading(metric: Metric) -> str:
    """Column heading: label, unit, and which way is better."""
    return f"{metric.label}{f', {metric.unit}' if metric.unit else ''} {metric.arrow}".rstrip()


def markdown_table(board: Leaderboard, about: Caption) -> str:
    """A GitHub table with its caption and the methods that could not run."""
    extra = costs(board)
    head = ["", "method", "kind", "n", *map(heading, board.metrics), "s", "CPU s", *(name for name, _ in extra)]
    rows = [head, ["--:", ":--", ":--", "--:", *("--:" for _ in head[4:])]]
    for place, line in enumerate(table_lines(board)):
        cells = [number(line.cells[m.name], m) for m in board.metrics]
        cells = [f"**{t}**" if line.cells[m.name].best else t for t, m in zip(cells, board.metrics, strict=True)]
        rows.append(
            [
                rank(line),
                f"`{line.method}`",
                line.kind,
                cases_text(line.n_cases, line.n_failed),
                *cells,
                seconds(line),
                _cpu(line),
                *(texts[place] for _, texts in extra),
            ]
        )
    table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)
    skipped = "".join(f"\n- `{name}` skipped: {reason}" for name, reason in board.skipped.items())
    return f"### {about.title}\n\n{table}\n\n{about.text}\n{skipped}".rstrip() + "\n"


def _cpu(line: Line) -> str:
    return "–" if isnan(line.cpu_seconds_median) else f"{line.cpu_seconds_median:.3g}"


def latex_table(board: Leaderboard, about: Caption) -> str:
    """A table float; needs ``\\usepackage{booktabs,graphicx}``."""
    extra = costs(board)
    columns = "rllr" + "r" * (len(board.metrics) + 2 + len(extra))
    head = [
        "",
        "Method",
        "Kind",
        "$n$",
        *(_latex(heading(m)) for m in board.metrics),
        "s",
        "CPU s",
        *(n for n, _ in extra),
    ]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_latex(about.title)}. {_latex(about.text)}}}",
        r"\resizebox{\linewidth}{!}{%",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        " & ".join(head) + r" \\",
        r"\midrule",
    ]
    for place, line in enumerate(table_lines(board)):
        cells = [_latex(number(line.cells[m.name], m)) for m in board.metrics]
        cells = [
            rf"\textbf{{{t}}}" if line.cells[m.name].best else t for t, m in zip(cells, board.metrics, strict=True)
        ]
        row = [
            rank(line),
            rf"\texttt{{{_latex(line.method)}}}",
            line.kind,
            cases_text(line.n_cases, line.n_failed),
            *cells,
            seconds(line),
            _cpu(line),
            *(_latex(texts[place]) for _, texts in extra),
        ]
        lines.append(" & ".join(row) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}}", r"\end{table}"]
    return "\n".join(lines) + "\n"


_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "|": r"$|$", "≤": r"$\leq$", "↑": r"$\uparrow$",
    "↓": r"$\downarrow$", "–": "--", "<": r"$<$", ">": r"$>$",
}  # fmt: skip


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
