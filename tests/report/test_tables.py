"""What every format says, and what it must not let through."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml
from rich.console import Console

from mrbench.core.errors import RequestError
from mrbench.report import escape
from mrbench.report.columns import grid
from mrbench.report.render import formats, table
from mrbench.report.render.latex import PAGES
from mrbench.report.render.terminal import shown
from mrbench.report.report import Report
from mrbench.report.shown import print_shown
from tests.report import boards
from tests.report.boards import HOSTILE, LONG, MEANS

TEXTS = ("markdown", "latex", "html", "terminal")


def test_formats_are_what_lies_in_the_folder() -> None:
    assert set(formats()) == {
        "csv",
        "markdown",
        "latex",
        "html",
        "terminal",
        "comparisons",
        "published",
        "challenger",
        "grand-challenge",
        "hugging-face",
    }
    assert {module.FILE for module in formats().values()} == {
        "leaderboard.csv",
        "leaderboard.md",
        "leaderboard.tex",
        "comparisons.csv",
        None,
    }


def test_csv_has_the_documented_columns_unrounded(report: Report) -> None:
    lines = list(csv.DictReader(io.StringIO(table(report, format="csv"))))
    expected = ["rank", "method", "kind", "n_cases", "n_failed"]
    expected += [f"{m}{end}" for m in ("dice", "hd95_mm", "folds_percent") for end in ("", "_low", "_high")]
    expected += ["seconds_median", "seconds_iqr", "cpu_seconds_median", "contended", "device", "threads"]
    expected += ["cpu_seconds_per_megavoxel", "memory_mib_per_megavoxel", "weights", "protocol"]
    assert list(lines[0]) == expected
    first = lines[0]
    assert (first["method"], first["rank"], first["contended"], first["protocol"]) == (
        LONG,
        "1",
        "false",
        "abc123def456",
    )
    assert float(first["memory_mib_per_megavoxel"]) == 6.5
    assert float(first["dice"]) == pytest.approx(report.leaderboard.cells.at[LONG, ("dice", "mean")], rel=1e-5)


def test_no_csv_cell_of_text_is_a_formula(report: Report) -> None:
    for format in ("csv", "comparisons", "challenger"):
        cells = [cell for line in csv.reader(io.StringIO(table(report, format=format))) for cell in line]
        assert "'=1+1" in cells
        for cell in cells:
            assert not cell.startswith(("=", "+", "@", "\t", "\r")), cell
            assert not cell.startswith("-") or float(cell) < 0


@pytest.mark.parametrize("format", TEXTS)
def test_simulated_limited_failed_and_skipped_stand_in_every_table(report: Report, format: str) -> None:
    text = table(report, format=format, layout="landscape" if format == "latex" else "double")
    assert "simulated toys" in text and f"LIMITED to {boards.CASES} of {boards.CASES + 1} cases" in text
    assert "14 (1 failed)" in text and "abc123def456" in text and ("absent" in text or format == "html")
    assert "counts as the worst value" in text


@pytest.mark.parametrize("format", TEXTS)
def test_text_from_outside_is_harmless(report: Report, format: str) -> None:
    text = table(report, format=format, layout="landscape" if format == "latex" else "double")
    assert "\x1b" not in text and "alert(1)" in text
    if format == "terminal":
        assert "[/red]" in text  # printed, not obeyed
    else:
        outside_code = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", text) if format == "markdown" else text
        assert not re.search(r"(?<!\\)<script", outside_code)


def test_markdown_rows_have_as_many_cells_as_the_head(report: Report) -> None:
    lines = [line for line in table(report).splitlines() if line.startswith("|")]
    counts = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
    assert len(lines) == len(MEANS) + 2 and len(counts) == 1
    assert re.search(r"\*\*0\.9\d+ \[0\.\d+, 0\.\d+\]\*\*", table(report))


def test_letters_of_every_script_stay_apart_in_latex() -> None:
    """Two names of Chinese letters both became ????."""
    assert escape.latex("naïve_β-метод 汉字 ☃") == r"naïve\_β-метод 汉字 ?"
    assert escape.beyond_latin("汉字") and escape.beyond_latin("β") and not escape.beyond_latin("naïve ↓ µ")
    text = table(boards.report(boards.rows(("汉字", "方法"))), format="latex")
    assert re.search("LuaLaTeX and a font that has these letters: (汉字, 方法|方法, 汉字)", text) and "汉字 &" in text


def test_latex_is_ascii_and_escaped(report: Report) -> None:
    for layout in PAGES:
        text = table(report, format="latex", layout=layout)
        assert text.isascii() and r"\toprule" in text and "resizebox" not in text
        body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
        assert not re.search(r"(?<!\\)[%#]", body)
        rows = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert len({len(re.findall(r"(?<!\\)&", line)) for line in rows}) == 1
        assert (r"\scriptsize" in text) or (r"\footnotesize" in text)


def test_a_narrow_layout_names_what_it_left_out_but_never_a_metric_that_was_asked_for(report: Report) -> None:
    text = table(report, format="tex", layout="single")
    assert "Left out for want of width: " in text and "Dice" in text
    asked = table(
        report, metrics=["dice", "hd95_mm", "folds_percent"], intervals=False, digits=1, format="tex", layout="single"
    )
    assert "HD95" in asked and r"$\leq$" in asked
    wide = [f"m{n}" for n in range(12)]
    metrics = tuple(replace(report.metrics[0], name=name, label=f"Metric {name}") for name in wide)
    cells = dict.fromkeys(wide, report.leaderboard.cells["dice"])

    board = replace(
        report.leaderboard, metrics=metrics, cells=pd.concat(cells, axis=1), values=dict.fromkeys([*wide, "more"])
    )
    with pytest.raises(RequestError, match="does not fit a single layout at 7 pt"):
        formats()["latex"].render(replace(report, leaderboard=board), _look("single"))


def _look(layout: str):
    from mrbench.report.columns import Look

    return Look(layout=layout)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex here")
@pytest.mark.slow
def test_every_layout_compiles_and_fits_its_page(report: Report, tmp_path: Path) -> None:
    tables = "\n".join(table(report, format="tex", layout=layout) for layout in PAGES)
    (tmp_path / "paper.tex").write_text(
        r"\documentclass[twocolumn]{article}\usepackage{booktabs,rotating}\begin{document}x"
        + tables
        + r"\end{document}"
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-1500:]
    assert "Overfull" not in done.stdout


@pytest.mark.parametrize("width", [38, 60, 80, 120, 200])
def test_a_terminal_of_any_width_shows_rank_n_and_the_first_metric_whole(report: Report, width: int) -> None:
    console = Console(width=width, record=True, file=io.StringIO(), force_terminal=True, color_system=None)
    print_shown(console, shown(report))
    text = console.export_text()
    assert "…" not in text and "Dice ↑" in text and "(1 failed)" in text
    assert all(len(line.rstrip()) <= width for line in text.splitlines())
    table_itself, hidden, _ = text.partition("not shown for want of width")
    assert bool(hidden) == any(column.title not in table_itself for column in grid(report).columns)
    assert "grid_mm=10" in text if width > 38 else "elastix" in text


@pytest.mark.parametrize("format", ["markdown", "latex", "html"])
def test_a_table_without_intervals_speaks_of_none(report: Report, format: str) -> None:
    assert "interval over subjects" in table(report, format=format)
    bare = table(report, format=format, intervals=False)
    assert "interval over subjects" not in bare and "Mean over cases" in bare


def test_a_pipe_gets_every_column_whole(report: Report) -> None:
    console = Console(width=80, file=io.StringIO())
    print_shown(console, shown(report))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert LONG in text and "memory, MiB/Mvox" in text and "not shown" not in text
    assert report.caption.text in text


def test_times_of_several_processors_are_not_set_side_by_side_in_silence() -> None:
    rows = [boards.row(method, case) for method in ("net", "old") for case in range(3)]
    rows = [replace(row, run="first" if row.method == "net" else "second") for row in rows]
    runs = {name: {"machine": {"cpu": cpu}} for name, cpu in (("first", "EPYC"), ("second", "Xeon"))}
    said = "Measured on several processors, so compare no times across them. EPYC: net; Xeon: old."
    assert said in boards.report(rows, runs=runs).caption.notes
    same = {name: {"machine": {"cpu": "EPYC"}} for name in runs}
    assert "several processors" not in boards.report(rows, runs=same).caption.text
    elsewhere = [replace(row, kind="external") if row.method == "old" else row for row in rows]
    assert "several processors" not in boards.report(elsewhere, runs=runs).caption.text
    assert "one that was not recorded: old" in boards.report(rows, runs={"first": runs["first"]}).caption.text


def test_cpu_time_stays_where_the_caption_calls_it_fairer() -> None:
    shared = boards.report([replace(row, contended=True) for row in boards.rows(cases=2)])
    console = Console(width=60, record=True, file=io.StringIO(), force_terminal=True, color_system=None)
    print_shown(console, shown(shared))
    text = console.export_text()
    assert "CPU time is the fairer" in re.sub(r"\s+", " ", text) and "CPU time, s" in text and "*" in text


def test_threads_beyond_those_that_were_given_are_told() -> None:
    """a method computes on two threads where it may use one -> the caption names it"""
    said = "Computed on more threads than they were given"
    first, *rest = [replace(row, threads_used=row.threads) for row in boards.rows(cases=3)]
    assert said not in boards.report([first, *rest]).caption.text
    assert f"{said}: {first.method} (2)." in boards.report([replace(first, threads_used=2), *rest]).caption.text


@pytest.mark.parametrize("changed", ["source", "weights"])
def test_rows_of_several_versions_are_no_single_method(changed: str) -> None:
    """As after an upgrade and a run of the first cases alone."""
    first, *rest = boards.rows(cases=6)
    note = "Rows of several versions of code or weights, so of no single method"
    assert note not in boards.report([first, *rest]).caption.text
    mixed = boards.report([replace(first, **{changed: "another"}), *(replace(row, **{changed: "one"}) for row in rest)])
    assert f"{note}: {first.method}." in mixed.caption.text


def test_a_cost_that_no_row_knows_has_no_column() -> None:
    rows = [replace(row, memory_mib=None) for row in boards.rows(cases=2)]
    names = [column.name for column in grid(boards.report(rows)).columns]
    assert "memory_mib_per_megavoxel" not in names and "cpu_seconds_per_megavoxel" in names


def test_methods_and_metrics_are_chosen_by_name_and_keep_their_ranks(report: Report) -> None:
    text = table(report, methods=["elastix[grid_mm=10]"], metrics=["hd95_mm"], digits=1, intervals=False)
    assert (
        "| 2 | `elastix[grid_mm=10]`" in text
        and LONG not in text
        and "Dice" not in text
        and "[" not in text.split("|")[20]
    )
    assert "Shown: 1 of 4 methods; ranks and tests are over all of them." in text
    for wrong in ({"methods": ["elastic"]}, {"metrics": ["dicee"]}, {"format": "pdf"}, {"layout": "triple"}):
        with pytest.raises(RequestError, match="unknown"):
            table(report, **wrong)


def test_challenger_gets_its_four_columns_of_one_direction(report: Report) -> None:
    lines = list(csv.DictReader(io.StringIO(table(report, format="challenger"))))
    assert list(lines[0]) == ["task", "alg_name", "case", "value"] and {line["task"] for line in lines} == {"dice"}
    assert len(lines) == len(MEANS) * boards.CASES
    lower = list(csv.DictReader(io.StringIO(table(report, metrics=["hd95_mm"], format="challenger"))))
    assert {line["task"] for line in lower} == {"hd95_mm"}
    with pytest.raises(RequestError, match="one direction"):
        table(report, metrics=["dice", "hd95_mm"], format="challenger")


def test_grand_challenge_has_cases_and_aggregates_of_one_method(report: Report) -> None:
    content = json.loads(table(report, methods=[LONG], format="grand-challenge"))
    assert set(content) == {"case", "aggregates"} and len(content["case"]["dice"]) == boards.CASES
    assert set(content["aggregates"]["dice"]) == {"count", "mean", "std", "min", "25pc", "50pc", "75pc", "max"}
    assert content["aggregates"]["dice"]["mean"] == pytest.approx(sum(content["case"]["dice"].values()) / boards.CASES)
    with pytest.raises(RequestError, match="--methods"):
        table(report, format="grand-challenge")


def test_hugging_face_reads_back_as_yaml(report: Report) -> None:
    entries = yaml.safe_load(table(report, methods=[HOSTILE], format="hugging-face"))
    assert [entry["dataset"]["task_id"].rpartition("/")[2] for entry in entries] == ["dice", "hd95_mm", "folds_percent"]
    assert entries[0]["dataset"]["id"] == "toy_data" and entries[0]["date"] == "2026-11-26"
    assert "protocol abc123def456" in entries[0]["notes"] and 0.6 < entries[0]["value"] < 0.8


def test_comparisons_hold_every_pair_of_every_metric(report: Report) -> None:
    lines = list(csv.DictReader(io.StringIO(table(report, format="comparisons"))))
    assert len(lines) == 3 * 6 and {"first", "second", "difference", "low", "high", "p_holm", "separable"} <= set(
        lines[0]
    )


@pytest.mark.parametrize("text", ["\x1b]0;title\x07", "a\x00b", "line\nbreak", "\u202egnp.exe", "\ud800"])
def test_plain_text_has_no_control_characters(text: str) -> None:
    safe = escape.plain(text)
    assert "\n" not in safe and all(ord(c) >= 32 and c not in "\x7f\u202e\ud800" for c in safe)
    safe.encode()


def test_nothing_is_markup_or_an_emoji_in_the_terminal() -> None:
    for text in ("[red]x", "[/]", "x\\", "[bold]\\[/]", "[/\nred]", ":smile:"):
        console = Console(file=io.StringIO(), width=200)
        console.print(escape.terminal(text, "bold"))
        assert console.file.getvalue() == f"{text}\n"  # type: ignore[attr-defined]


def test_quality_first_then_time() -> None:
    """Good enough by the metric that is asked for, then the fastest; ranks stay those of the board."""
    report = boards.report()
    means = report.leaderboard.cells["dice", "mean"]
    bound = means.sort_values().iloc[1]
    lines = list(csv.DictReader(io.StringIO(table(report, format="csv", fastest_above=bound))))
    times = [float(line["cpu_seconds_median"]) for line in lines]
    whole = report.summary["n_failed"] == 0
    good = {escape.plain(name) for name in means.index[(means >= bound) & whole]}
    assert {line["method"] for line in lines} == good and len(lines) > 1
    assert times == sorted(times) and int(lines[0]["rank"]) > 1
    assert f"Fastest first by CPU time, of the methods with a mean Dice at least {bound:g}." in table(
        report, fastest_above=bound
    )
    worse_is_more = table(report, format="csv", metrics=["hd95_mm"], fastest_above=10 * (1 - bound) + 1e-9)
    assert [line["method"] for line in csv.DictReader(io.StringIO(worse_is_more))] == [line["method"] for line in lines]
    with pytest.raises(RequestError, match=r"has a mean Dice at least 0\.99; give another bound"):
        table(report, fastest_above=0.99)
