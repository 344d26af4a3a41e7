"""Two boards of one task as a table and a figure."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from math import isnan
from pathlib import Path

from mrbench.core.metric import Metric
from mrbench.data.cache import write_atomically
from mrbench.report.style import COLOURS, figure
from mrbench.report.tables import heading
from mrbench.stats.side_by_side import Pairing, Side, classical_differences

NAME = "comparison"


def write_comparison(
    folder: Path, task: str, titles: tuple[str, str], metric: Metric, found: Sequence[Pairing]
) -> Path:
    """Write ``comparison.md``, ``.csv`` and a figure; return the table's path."""
    for name, text in {
        f"{NAME}.md": markdown(task, titles, metric, found),
        f"{NAME}.csv": table(metric, found),
    }.items():
        with write_atomically(folder / name) as file:
            file.write(text.encode())
    dumbbells(folder / NAME, f"{task}: {titles[0]} (hollow), {titles[1]} (full)", metric, found)
    return folder / f"{NAME}.md"


def markdown(task: str, titles: tuple[str, str], metric: Metric, found: Sequence[Pairing]) -> str:
    """One line a method; below, what the classical methods say of how hard the two boards are."""
    lines = [
        f"### {task}, {heading(metric)}: A = {titles[0]}, B = {titles[1]}",
        "",
        "| method | kind | n A | A | n B | B | B - A | beyond classical |",
        "|:--|:--|--:|--:|--:|--:|--:|--:|",
    ]
    for pair in found:
        excess = "" if isnan(pair.excess) else f"{pair.excess:+.{metric.decimals}f}"
        lines.append(
            f"| `{pair.method}` | {pair.kind} | {pair.first.n} | {_text(pair.first, metric)} | {pair.second.n} | "
            f"{_text(pair.second, metric)} | {_signed(pair, metric)} | {excess} |"
        )
    said = "Mean [95 % bootstrap interval over subjects]; differences between different people are unpaired."
    if classical := classical_differences(found):
        mean, low, high = (f"{value:+.{metric.decimals}f}" for value in classical)
        said += (
            f" The classical methods differ by {mean} ({low} to {high}): so much easier or harder is B for anyone. "
            "Beyond classical: the difference of a learned method less that mean."
        )
    return "\n".join([*lines, "", said, ""])


def table(metric: Metric, found: Sequence[Pairing]) -> str:
    """The same as CSV, unrounded."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    ends = ("", "_low", "_high")
    writer.writerow(
        ["method", "kind", "n_a", *(f"{metric.name}_a{end}" for end in ends), "n_b",
         *(f"{metric.name}_b{end}" for end in ends), *(f"difference{end}" for end in ends), "beyond_classical"]
    )  # fmt: skip
    for p in found:
        sides = [(s.n, *(f"{value:.6g}" for value in (s.mean, s.low, s.high))) for s in (p.first, p.second)]
        numbers = [f"{value:.6g}" for value in (p.difference, p.low, p.high, p.excess)]
        writer.writerow([p.method, p.kind, *sides[0], *sides[1], *numbers])
    return out.getvalue()


def dumbbells(path: Path, title: str, metric: Metric, found: Sequence[Pairing]) -> None:
    """One line a method from its mean on the first board to that on the second."""
    with figure(path, (7, 0.9 + 0.3 * len(found))) as (_, axes):
        for place, pair in enumerate(found):
            colour = COLOURS[pair.kind]
            axes.plot([pair.first.mean, pair.second.mean], [place, place], color=colour, lw=1.5, alpha=0.5)
            axes.plot(pair.first.mean, place, "o", mec=colour, mfc="white", ms=6)
            axes.plot(pair.second.mean, place, "o", color=colour, ms=6)
        axes.set_yticks(range(len(found)), [pair.method for pair in found])
        axes.invert_yaxis()
        axes.set(xlabel=heading(metric))
        axes.set_title(title, fontsize=8, loc="left")
        axes.grid(axis="x", alpha=0.3)


def _text(side: Side, metric: Metric) -> str:
    text = f"{side.mean:.{metric.decimals}f}"
    return text if isnan(side.low) else f"{text} [{side.low:.{metric.decimals}f}, {side.high:.{metric.decimals}f}]"


def _signed(pair: Pairing, metric: Metric) -> str:
    text = f"{pair.difference:+.{metric.decimals}f}"
    return text if isnan(pair.low) else f"{text} [{pair.low:+.{metric.decimals}f}, {pair.high:+.{metric.decimals}f}]"
