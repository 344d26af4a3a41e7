"""The files and the terminal of two boards side by side."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from mrbench.core.metric import Metric
from mrbench.core.row import Row
from mrbench.report.side_by_side import Told, markdown, print_comparison, table, tell, write_comparison
from mrbench.stats.frame import frame
from mrbench.stats.side_by_side import side_by_side

PSNR = Metric("psnr_db", "PSNR", "dB", True, (0, np.inf), decimals=2)
NET = "net[weights=heads.rician-5+rician-10+rician-20]"


def rows(values: dict[str, float], people: range, **changes) -> list[Row]:
    return [row(method, person, value, **changes) for method, value in values.items() for person in people]


def row(method: str, person: int, value: float, **changes) -> Row:
    kind, weights = ("learned", "w") if method == NET else ("classical", None)
    made = Row(
        key=f"{method}{person}", task="denoising", track="rician-10", dataset="heads", simulated=False,
        fingerprint="f", split="test", protocol="p", method=method, kind=kind, source="s", weights=weights, seed=0,
        case=f"c{person}", subjects=[f"s{person}"], status="ok", run="r", device="cpu", threads=1,
        metrics={"psnr_db": value + person % 3},
    )  # fmt: skip
    return replace(made, **changes)


TEST = rows({"mean": 28.0, "median|x": 30.0, NET: 33.0}, range(6))
TRAIN = rows({"mean": 29.0, "median|x": 30.5, NET: 35.0}, range(20, 29), split="train", simulated=True)


def told(first: list[Row] = TEST, second: list[Row] = TRAIN) -> Told:
    return tell(side_by_side(frame(first), frame(second), PSNR), frame(first), frame(second))


def test_the_title_says_what_the_boards_are_of() -> None:
    title = told().title
    assert "denoising, PSNR, dB ↑" in title
    assert "A = heads, test, rician-10, 6 cases" in title
    assert "B = heads (simulated), train, rician-10, 9 cases" in title
    assert title.endswith("LIMITED: 6 cases against 9")
    assert "LIMITED" not in told(TEST, [replace(row, track="rician-20") for row in TEST]).title


def test_the_notes_name_the_classical_methods_their_spread_and_the_pairing() -> None:
    text = told().text
    assert "Classical methods (2) differ by +0.75 on average, from +0.50 to +1.00" in text and "unpaired" in text
    assert "other weights" not in text
    again = told(TEST, [replace(row, weights=row.weights and "v") for row in TEST]).text
    assert "B - A is paired" in again and f"With other weights on B than on A: {NET}." in again
    nets = [[row for row in side if row.kind == "learned"] for side in (TEST, TRAIN)]
    assert "No classical method is on both boards" in told(*nets).text


def test_markdown_has_one_line_a_method() -> None:
    lines = markdown(told()).splitlines()
    assert lines[0] == f"### {told().title}"
    body = [line for line in lines if line.startswith("| `")]
    assert body[0].startswith(f"| `{NET}` | learned | 6 | 34.00 [33.") and "| 9 | 36.00 [35." in body[0]
    assert "| +2.00 [" in body[0] and "| +1.25 [" in body[0]
    assert body[1].startswith(r"| `median\|x` | classical") and body[1].endswith("|  |")
    assert lines[-1] == told().text


def test_csv_is_unrounded_and_says_which_board_is_which() -> None:
    lines = {line["method"]: line for line in csv.DictReader(io.StringIO(table(told())))}
    net, mean = lines[NET], lines["mean"]
    assert net["board_a"] == told().boards[0] and net["board_b"] == told().boards[1]
    assert (net["n_cases_a"], net["n_failed_a"], net["n_cases_b"]) == ("6", "0", "9")
    assert float(net["difference"]) == pytest.approx(2) and float(net["beyond_classical"]) == pytest.approx(1.25)
    assert float(net["difference_low"]) < 2 < float(net["difference_high"]) and net["other_weights"] == "false"
    assert mean["beyond_classical"] == mean["beyond_classical_low"] == ""
    assert "nan" not in table(told(TEST[::6], TRAIN))


@pytest.mark.parametrize("width", [70, 100, 220])
def test_no_terminal_cuts_a_name_or_a_number(width: int) -> None:
    console = Console(width=width, record=True, file=io.StringIO())
    print_comparison(console, told())
    text = console.export_text()
    assert "…" not in text and "+1.25" in text and "LIMITED" in text
    if width == 220:
        assert NET in text


def test_files_are_table_and_figure(tmp_path: Path) -> None:
    path = write_comparison(tmp_path / "new", told())
    assert path.read_text() == markdown(told())
    names = {found.name for found in path.parent.iterdir()}
    assert names == {"comparison.md", "comparison.csv", "comparison.png", "comparison.pdf"}
    with Image.open(path.with_suffix(".png")) as image:
        assert min(image.size) > 150 and len(image.convert("L").getcolors() or ()) > 2
