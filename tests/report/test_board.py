"""The files of a board: one page that opens offline, tables, an index; nothing else is touched."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mrbench.core.errors import RequestError
from mrbench.core.row import Row
from mrbench.engine.provenance import read_runs
from mrbench.report import page as pages
from mrbench.report.board import write_board, write_index
from mrbench.report.facts import Facts
from mrbench.report.pictures import load, save
from mrbench.report.report import Report
from mrbench.stats.frame import frame
from tests.report import boards
from tests.report.boards import HOSTILE, LONG


@pytest.fixture(scope="module")
def folder(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board whose files were written."""
    folder = tmp_path_factory.mktemp("board") / "registration" / "inter subject" / "toy#1"
    assert write_board(folder, report) == folder / "report.html"
    return folder


def page_of(folder: Path) -> str:
    return (folder / "report.html").read_text()


def data_in(html: str, name: str) -> dict:
    match = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', html, re.DOTALL)
    assert match is not None
    return json.loads(match.group(1))


def test_a_board_has_these_files_and_no_other(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    assert names == {"leaderboard.csv", "leaderboard.md", "leaderboard.tex", "comparisons.csv", "report.html"}


def test_the_page_asks_for_nothing_and_stays_small(folder: Path) -> None:
    html = page_of(folder)
    assert not re.search(r"(?:src|href)\s*=\s*[\"'](?!data:)", html) and not re.search(r"https?://", html)
    assert "Content-Security-Policy" in html and "default-src 'none'" in html
    assert len(html) < 3_000_000
    assert html.count("<figure") == 8 and html.count("data:image/svg+xml;base64,") == 7


def test_the_page_says_data_protocol_runs_failures_and_comparisons(folder: Path) -> None:
    text = re.sub(r"<wbr>", "", page_of(folder))
    for words in (
        LONG,
        "LIMITED to 14 of 15 cases",
        "Simulated toys: no number here stands for real patients",
        "Nobody 2026",
        "Licence: CC0",
        "<dt>label warp</dt><dd>nearest</dd>",
        "mrbench run",
        "numpy==2",
        "pip install [cyan]it[/]",
        "it &lt;b&gt;broke&lt;/b&gt;",
        ">different<",
        "14 of 14",
    ):
        assert words in text, words


def test_nothing_hostile_reaches_the_page_as_markup(folder: Path) -> None:
    html = page_of(folder)
    assert "<script>alert" not in html and "\x1b" not in html and "<b>broke" not in html
    assert HOSTILE in data_in(html, "data")["methods"]  # as data, not as markup


def test_every_table_can_be_downloaded(folder: Path) -> None:
    html = page_of(folder)
    import base64

    for name in ("leaderboard.csv", "leaderboard.md", "leaderboard.tex", "comparisons.csv", "cases.csv"):
        match = re.search(rf'download="{re.escape(name)}" href="data:[^;]+;base64,([^"]+)"', html)
        assert match is not None
        content = base64.b64decode(match.group(1))
        assert (
            content == (folder / name).read_bytes()
            if name != "cases.csv"
            else content.startswith(b"method,case,status")
        )


def test_single_scores_of_a_large_board_stay_out_of_the_page(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(pages.page_data(report)["values"]) == 3
    monkeypatch.setattr(pages, "MOST_NUMBERS", 60)
    data = pages.page_data(report)
    assert list(data["values"]) == ["dice"] and len(data["cases"]) == boards.CASES
    monkeypatch.setattr(pages, "MOST_NUMBERS", 10)
    assert pages.page_data(report)["cases"] == []
    assert "cases.csv" not in dict(pages.downloads(report))


def test_nothing_is_drawn_again_for_the_same_rows(
    folder: Path, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Path] = []
    monkeypatch.setattr("mrbench.report.board.write_page", lambda path, report, stamp: drawn.append(path))
    assert write_board(folder, report) == folder / "report.html" and not drawn
    write_board(folder, report, force=True)
    assert len(drawn) == 1
    other = replace(report, caption=replace(report.caption, notes=("another",)))
    assert write_board(folder, other, figures=False) is None and len(drawn) == 1
    write_board(folder, other)
    assert len(drawn) == 2
    write_board(folder, replace(report, pictures=boards.pictures(shape=(20, 16))))
    assert len(drawn) == 3


def test_files_of_others_are_left_alone(report: Report, tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "mine.pdf").write_text("mine")
    (tmp_path / "notes.png").write_text("mine")
    outside = tmp_path.parent / "outside.csv"
    outside.write_text("mine")
    (tmp_path / "leaderboard.csv").symlink_to(outside)
    write_board(tmp_path, report, figures=False)
    assert (
        (tmp_path / "figures" / "mine.pdf").read_text()
        == (tmp_path / "notes.png").read_text()
        == outside.read_text()
        == "mine"
    )
    assert not (tmp_path / "leaderboard.csv").is_symlink()


def test_a_report_is_made_from_files_alone(report: Report, tmp_path: Path) -> None:
    """No dataset, no cache: rows, run.json, pictures.npz."""
    rows = [Row.from_json(row.to_json()) for row in boards.rows()]
    about = {
        "title": "Toy data",
        "citation": "Nobody 2026",
        "licence": "CC0",
        "simulation": "simulated toys",
        "cases": 15,
    }
    runs = {rows[0].run: {"about": about, "protocol": {"name": "registration/toy"}}, "another": {}}
    (tmp_path / "run.json").write_text(json.dumps({"schema": 1, "runs": runs}))
    save(tmp_path / "pictures.npz", report.pictures)
    facts = Facts.recorded(frame(rows), read_runs(tmp_path / "run.json"))
    again = Report.from_rows(frame(rows), boards.Toy(), facts=facts, pictures=load(tmp_path / "pictures.npz"))
    assert again.caption.title == report.caption.title and list(facts.runs) == [rows[0].run]
    assert list(again.pictures.shots["median"].views) == list(report.pictures.shots["median"].views)


def test_older_records_still_say_simulated_and_limited() -> None:
    rows = boards.rows(cases=2)
    facts = Facts.recorded(frame(rows), {rows[0].run: {"limit": 2}})
    title = Report.from_rows(frame(rows), boards.Toy(), facts=facts).caption.title
    assert "(simulated data)" in title and title.endswith("LIMITED to 2 cases")


def test_no_rows_no_report() -> None:
    with pytest.raises(RequestError, match="no rows to report"):
        Report.from_rows(frame([]), boards.Toy())


def test_an_index_has_a_line_for_each_board(folder: Path, tmp_path: Path) -> None:
    root = folder.parents[2]
    (root / "registration" / "stranger").mkdir()
    (root / "registration" / "stranger" / "report.html").write_text("<p>not ours</p>")
    html = write_index(root).read_text()
    assert "<h1>1 board</h1>" in html and 'href="registration/inter%20subject/toy%231/report.html"' in html
    assert "simulated toys" in html and "Dice ↑ 0.9" in html and "abc123def456" in html
    with pytest.raises(RequestError, match="has no boards"):
        write_index(tmp_path / "nothing")


def _playwright() -> str | None:
    """Where node finds playwright-core, or None."""
    if not (shutil.which("node") and shutil.which("npm") and shutil.which("chromium")):
        return None
    places = [
        os.environ.get("NODE_PATH", ""),
        subprocess.run(["npm", "root", "-g"], capture_output=True, text=True).stdout.strip(),
    ]
    return next((place for place in places if place and (Path(place) / "playwright-core").is_dir()), None)


@pytest.mark.slow
def test_the_page_works_in_a_browser_by_keyboard_on_desktop_and_phone(folder: Path) -> None:
    modules = _playwright()
    if modules is None:
        pytest.skip("needs chromium, node and playwright-core (npm install -g playwright-core)")
    done = subprocess.run(
        ["node", str(Path(__file__).with_name("page.cjs")), str(shutil.which("chromium")), str(folder / "report.html")],
        capture_output=True,
        text=True,
        env={**os.environ, "NODE_PATH": modules},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["errors"] == [] and seen["requests"] == []
    for size, width in (("desktop", 1280), ("phone", 390)):
        tab = seen[size]
        assert tab["width"] <= width
        assert tab["sorted"] == tab["reversed"][::-1] != tab["first"] and sorted(tab["sorted"]) == sorted(tab["first"])
        assert tab["filtered"] == [LONG] and tab["fewer"] == tab["columns"] - 1
        assert tab["scores"] == 4 and tab["caseChanges"] and tab["views"] == 4
        assert tab["download"].startswith("rank,method,kind")
