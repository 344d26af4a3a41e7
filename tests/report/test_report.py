"""Tables, figures and page of a small board."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from tests.settings import setting_of

from mrbench.core.candidate import candidates
from mrbench.core.metric import Metric
from mrbench.core.row import Row
from mrbench.core.setting import Setting
from mrbench.datasets.folder import Folder
from mrbench.engine.run import run_board
from mrbench.report.board import write_board
from mrbench.report.figures import _share, pareto_front
from mrbench.report.tables import caption, csv_table, latex_table, markdown_table
from mrbench.stats.frame import frame
from mrbench.stats.leaderboard import Leaderboard, leaderboard
from mrbench.tasks.registration import Registration


@pytest.fixture(scope="module")
def made(cohort: Path, tmp_path_factory) -> tuple[Path, Setting, list[Row], Leaderboard]:
    """A board of two methods on two of three cases, run for real."""
    patch = pytest.MonkeyPatch()
    patch.setenv("MRBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
    folder = tmp_path_factory.mktemp("board")
    board = setting_of(Registration(), Folder(cohort), "inter-subject")
    rows = run_board(board, candidates(board, ["identity", "demons[smooth_voxels=1.5]"]), folder=folder, limit=2)
    about = about_of(leaderboard(frame(rows), board.task.metrics))
    write_board(folder, board, rows, leaderboard(frame(rows), board.task.metrics), about, figures=True)
    patch.undo()
    return folder, board, rows, leaderboard(frame(rows), board.task.metrics)


def about_of(table: Leaderboard, *, simulation: str = ""):
    return caption(
        table, task="registration", track="inter-subject", dataset="blobs", simulation=simulation, split="test",
        all_cases=3,
    )  # fmt: skip


def test_csv_has_the_documented_columns(made) -> None:
    table = made[3]
    lines = list(csv.DictReader(io.StringIO(csv_table(table))))
    expected = ["rank", "method", "kind", "n_cases", "n_failed"]
    for metric in ("dice", "dice_all", "dice30", "hd95_mm", "folds_percent", "ndv_percent", "sdlogj"):
        expected += [metric, f"{metric}_low", f"{metric}_high"]
    expected += ["seconds_median", "seconds_iqr", "cpu_seconds_median", "contended", "device", "threads", "protocol"]
    assert list(lines[0]) == expected
    assert [line["method"] for line in lines] == ["demons[smooth_voxels=1.5]", "identity"]
    assert all(line["protocol"] == table.protocol for line in lines)


def test_every_table_says_what_is_limited_and_simulated(made) -> None:
    table = made[3]
    about = about_of(table, simulation="simulated data")
    for text in (markdown_table(table, about), latex_table(table, about)):
        assert "LIMITED to 2 of 3 cases" in text and "simulated data" in text and table.protocol in text


def test_a_failure_is_told_in_every_table(made) -> None:
    rows = [replace(row, status="error", metrics={}, details={}) if i == 0 else row for i, row in enumerate(made[2])]
    table = leaderboard(frame(rows), made[1].task.metrics)
    for text in (markdown_table(table, about_of(table)), latex_table(table, about_of(table))):
        assert "2 (1 failed)" in text and "A failed case counts as the worst value" in text


def test_shares_of_a_heatmap_are_readable() -> None:
    assert [_share(value) for value in (0.0, 0.5, 0.994, 0.997, 1.0, float("nan"))] == [
        ".00",
        ".50",
        ".99",
        "1",
        "1",
        "–",
    ]


def test_latex_escapes_what_latex_would_eat(made) -> None:
    text = latex_table(made[3], about_of(made[3]))
    assert r"smooth\_voxels" in text and r"\toprule" in text and r"\%" in text
    assert not re.search(r"(?<!\\)[_%#]", text.replace("%\n", ""))
    assert text.isascii() or "≤" not in text


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_terminal_shows_whole_columns_whatever_its_width(made, width: int) -> None:
    from rich.console import Console

    from mrbench.report.terminal import print_leaderboard

    console = Console(width=width, record=True, file=io.StringIO())
    print_leaderboard(console, made[3], about_of(made[3]))
    text = console.export_text()
    assert "…" not in text and "demons[smooth_voxels=1.5]" in text and "Dice ↑" in text
    assert ("not shown for want of width" in text) == ("SD log|J| ↓" not in text)


def test_page_is_one_file_that_opens_offline(made) -> None:
    html = (made[0] / "report.html").read_text()
    assert not re.search(r"(src|href)=[\"'](?!data:)", html)
    assert html.count("data:image/webp;base64,") >= 10
    for words in ("demons[smooth_voxels=1.5]", "Protocol", "The worst case", "Dice by structure"):
        assert words in html


def test_every_figure_is_png_and_pdf(made) -> None:
    figures = made[0] / "figures"
    names = {path.stem for path in figures.glob("*.png")}
    assert names >= {"quality_against_time", "panel_median", "panel_worst", "box_dice", "dice_by_structure"}
    for name in names:
        with Image.open(figures / f"{name}.png") as image:
            assert min(image.size) > 150 and len(image.convert("L").getcolors() or ()) > 2
        assert (figures / f"{name}.pdf").read_bytes().startswith(b"%PDF")


def test_nothing_is_drawn_again_for_the_same_rows(made) -> None:
    folder, board, rows, table = made
    stamp = (folder / "report.html").stat().st_mtime_ns
    write_board(folder, board, rows, table, about_of(table), figures=True)
    assert (folder / "report.html").stat().st_mtime_ns == stamp


def test_pareto_front_by_hand() -> None:
    points = [(1, 0.5), (2, 0.4), (3, 0.7), (3, 0.6), (9, 0.7)]
    assert pareto_front(points, higher_is_better=True) == [(1, 0.5), (3, 0.7)]
    assert pareto_front(points, higher_is_better=False) == [(1, 0.5), (2, 0.4)]


def test_headings_say_which_way_is_better() -> None:
    from mrbench.report.tables import heading

    assert heading(Metric("hd95_mm", "HD95", "mm", False)) == "HD95, mm ↓"
