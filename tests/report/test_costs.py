"""Costs by megavoxel: shown wherever one is known, and nowhere else."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from tests.settings import setting_of

from mrbench.core.candidate import candidates
from mrbench.core.row import Row
from mrbench.core.setting import Setting
from mrbench.datasets.folder import Folder
from mrbench.engine.run import run_board
from mrbench.report import page as pages
from mrbench.report.tables import Caption, caption, csv_table, latex_table, markdown_table
from mrbench.report.terminal import print_leaderboard
from mrbench.stats.frame import frame
from mrbench.stats.leaderboard import Leaderboard, leaderboard
from mrbench.tasks.registration import Registration

SECONDS, MEMORY = "CPU s/Mvox", "MiB/Mvox"


@pytest.fixture(scope="module")
def made(cohort: Path, tmp_path_factory) -> tuple[Setting, list[Row]]:
    patch = pytest.MonkeyPatch()
    patch.setenv("MRBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
    board = setting_of(Registration(), Folder(cohort), "inter-subject")
    rows = run_board(board, candidates(board, ["identity", "demons"]), folder=tmp_path_factory.mktemp("board"), limit=1)
    patch.undo()
    return board, rows


def sized(rows: list[Row], memory: dict[str, float | None]) -> list[Row]:
    return [
        replace(row, details={**row.details, "megavoxels": 0.5}, cpu_seconds=2.0, memory_mib=memory[row.method])
        for row in rows
    ]


def texts(rows: list[Row]) -> dict[str, str]:
    table = leaderboard(frame(rows), Registration().metrics)
    about = about_of(table)
    console = Console(width=300, record=True, file=io.StringIO())
    print_leaderboard(console, table, about)
    return {
        "csv": csv_table(table), "md": markdown_table(table, about), "tex": latex_table(table, about),
        "terminal": console.export_text(),
    }  # fmt: skip


def about_of(table: Leaderboard) -> Caption:
    return caption(
        table, task="registration", track="inter-subject", dataset="blobs", simulation="", split="test", all_cases=3
    )


def draw(made: tuple[Setting, list[Row]], rows: list[Row], path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The page without its figures."""
    monkeypatch.setattr(pages, "draw_figures", lambda *arguments: [])
    table = leaderboard(frame(rows), Registration().metrics)
    pages.write_page(path, made[0], rows, table, about_of(table), "stamp")
    return path.read_text()


def test_known_costs_have_their_columns_everywhere(made, tmp_path, monkeypatch) -> None:
    rows = sized(made[1], {"identity": 3.25, "demons": None})
    found = {**texts(rows), "page": draw(made, rows, tmp_path / "page.html", monkeypatch)}
    lines = {line["method"]: line for line in csv.DictReader(io.StringIO(found.pop("csv")))}
    assert list(lines["identity"])[-2:] == ["cpu_seconds_per_megavoxel", "memory_mib_per_megavoxel"]
    assert float(lines["identity"]["cpu_seconds_per_megavoxel"]) == 4
    assert float(lines["identity"]["memory_mib_per_megavoxel"]) == 6.5
    assert lines["demons"]["memory_mib_per_megavoxel"] == ""
    for where, text in found.items():
        assert SECONDS in text and MEMORY in text and "6.5" in text and "Per megavoxel" in text, where
    tabular = [line for line in found["tex"].splitlines() if " & " in line]
    assert len({line.count(" & ") for line in tabular}) == 1
    assert found["tex"].partition(r"\begin{tabular}{")[2].partition("}")[0].count("r") == tabular[0].count(" & ") - 1
    head, rule, *body = [line for line in found["md"].splitlines() if line.startswith("|")]
    assert len({line.count(" | ") for line in (head, rule, *body)}) == 1
    assert any(line.endswith("| 4 | – |") for line in body) and any(line.endswith("| 4 | 6.5 |") for line in body)


def test_a_cost_that_no_line_knows_has_no_column(made) -> None:
    found = texts(sized(made[1], {"identity": None, "demons": None}))
    assert "memory_mib_per_megavoxel" not in found["csv"] and "cpu_seconds_per_megavoxel" in found["csv"]
    assert all(SECONDS in text and MEMORY not in text for where, text in found.items() if where != "csv")


def test_boards_of_other_tasks_are_as_they_were(made, tmp_path, monkeypatch) -> None:
    """Their rows do not tell sizes, so memory alone adds nothing."""
    rows = [replace(row, memory_mib=9.0) for row in made[1]]
    found = {**texts(rows), "page": draw(made, rows, tmp_path / "page.html", monkeypatch)}
    assert found["csv"].splitlines()[0].endswith("threads,protocol")
    for where, text in found.items():
        assert "Mvox" not in text and "megavoxel" not in text, where
    assert leaderboard(frame(rows), Registration().metrics).summary["memory_mib_per_megavoxel"].isna().all()
