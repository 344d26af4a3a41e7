"""The files and the terminal of two boards side by side."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from mrbench.core.metric import Metric
from mrbench.core.row import Row
from mrbench.report.facts import Facts
from mrbench.report.side_by_side import Comparison, comparison, dumbbells, write_comparison
from mrbench.stats.frame import frame
from mrbench.stats.side_by_side import side_by_side
from tests.rows import row_of

PSNR = Metric("psnr_db", "PSNR", "dB", True, (0, np.inf), decimals=2)
NET = "net[weights=heads.rician-5+rician-10+rician-20]"


def rows(values: dict[str, float], subjects: range, **changes) -> list[Row]:
    return [row(method, person, value, **changes) for method, value in values.items() for person in subjects]


def row(method: str, person: int, value: float, **changes) -> Row:
    kind, weights = ("learned", "w") if method == NET else ("classical", None)
    board = {"task": "denoising", "track": "rician-10", "dataset": "heads", "kind": kind, "weights": weights}
    return row_of(method, person, {"psnr_db": value + person % 3}, **{**board, **changes})


TEST = rows({"mean": 28.0, "median|x": 30.0, NET: 33.0}, range(6))
TRAIN = rows({"mean": 29.0, "median|x": 30.5, NET: 35.0}, range(20, 29), split="train", simulated=True)


@cache
def shown() -> Comparison:
    return of(TEST, TRAIN)


def of(first: list[Row], second: list[Row]) -> Comparison:
    facts = (Facts(all_cases=6), Facts(all_cases=40))
    return comparison(side_by_side(frame(first), frame(second), PSNR), frame(first), frame(second), facts)


def test_the_title_says_what_the_boards_are_of() -> None:
    title = shown().title
    assert "denoising, PSNR, dB ↑" in title
    assert "A = heads, test, rician-10, 6 cases" in title
    assert title.endswith("B = heads (simulated), train, rician-10, LIMITED to 9 of 40 cases")


def test_what_one_board_lacks_is_left_out_and_said() -> None:
    text = of(TEST, [replace(row, track="u") for row in TEST if (row.method, row.case) != ("mean", "c5")]).text
    assert "B - A is paired, over the subjects that both boards have." in text
    assert "Left out of B - A, because one board alone has them: 1 subject of mean." in text
    assert "Classical methods (2) differ by +0.00 on average, from +0.00 to +0.00" in text


def test_the_notes_name_the_classical_methods_their_spread_and_the_pairing() -> None:
    text = shown().text
    assert "Classical methods (2) differ by +0.75 on average, from +0.50 to +1.00" in text and "unpaired" in text
    assert "other weights" not in text
    again = of(TEST, [replace(row, weights=row.weights and "v") for row in TEST]).text
    assert "B - A is paired" in again and f"With other weights on B than on A: {NET}." in again
    nets = [[row for row in side if row.kind == "learned"] for side in (TEST, TRAIN)]
    assert "No classical method is on both boards" in of(*nets).text


def test_markdown_has_one_line_a_method() -> None:
    lines = shown().sheet.markdown.splitlines()
    assert lines[0] == f"### {shown().title}"
    body = [line for line in lines if line.startswith("| `")]
    assert body[0].startswith(f"| `{NET}` | learned | 6 | 34.00 [33.") and "| 9 | 36.00 [35." in body[0]
    assert "| +2.00 [" in body[0] and "| +1.25 [" in body[0]
    assert body[1].startswith(r"| `median\|x` | classical") and body[1].endswith("|  |")
    assert lines[-1].replace("\\", "") == shown().text and "Kendall's tau of the two orders: 1.00." in shown().text


def test_csv_is_unrounded_and_says_which_board_is_which() -> None:
    lines = {line["method"]: line for line in csv.DictReader(io.StringIO(shown().csv))}
    net, mean = lines[NET], lines["mean"]
    assert net["board_a"] == shown().boards[0] and net["board_b"] == shown().boards[1]
    assert (net["n_cases_a"], net["n_failed_a"], net["n_cases_b"]) == ("6", "0", "9")
    assert float(net["difference"]) == pytest.approx(2) and float(net["beyond_classical"]) == pytest.approx(1.25)
    assert float(net["difference_low"]) < 2 < float(net["difference_high"]) and net["other_weights"] == "false"
    assert mean["beyond_classical"] == mean["beyond_classical_low"] == ""
    assert "nan" not in of(TEST[::6], TRAIN).csv


@pytest.mark.parametrize("width", [70, 100, 220])
def test_no_terminal_cuts_a_name_or_a_number(width: int) -> None:
    console = Console(width=width, record=True, file=io.StringIO())
    shown().sheet.show(console)
    text = console.export_text()
    assert "…" not in text and "+1.25" in text and "LIMITED" in text
    if width == 220:
        assert NET in text


def test_files_are_table_and_figure(tmp_path: Path) -> None:
    path = write_comparison(tmp_path / "new", shown())
    assert path.read_text() == shown().sheet.markdown
    names = {entry.name for entry in path.parent.iterdir()}
    assert names == {"comparison.md", "comparison.csv", "comparison.pdf"}
    assert path.with_suffix(".pdf").read_bytes().startswith(b"%PDF")


def test_methods_of_one_board_alone_are_named() -> None:
    more = rows({"extra": 20.0}, range(6))
    assert "Only on A: extra (not on the other board)." in of([*TEST, *more], TRAIN).text


def test_the_figure_has_two_marks_a_method() -> None:
    drawn = dumbbells(shown())
    marks = [line for line in drawn.axes[0].lines if line.get_marker() not in ("None", None)]
    assert len(marks) == 2 * 3 and {line.get_markerfacecolor() for line in marks} > {"white"}
    assert NET.replace("[", "").replace("]", "") in "".join(
        label.get_text().replace("\n", "") for label in drawn.axes[0].get_yticklabels()
    )
