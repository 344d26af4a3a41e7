"""The verbs that print and draw, on a board's folder alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mrbench import api
from mrbench.cli.app import app
from mrbench.core.errors import RequestError
from tests.report import boards


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows and nothing else."""
    folder = tmp_path_factory.mktemp("board")
    rows = [replace(row, details={}) for row in boards.rows(cases=2)]
    (folder / "rows.jsonl").write_text("".join(f"{row.to_json()}\n" for row in rows))
    return folder


def test_table_is_printed_or_written(folder: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["table", str(folder), "-f", "csv", "-m", "elastix[grid_mm=10]"])
    assert done.exit_code == 0 and done.stdout.startswith("rank,method") and len(done.stdout.splitlines()) == 2
    arguments = ["table", str(folder), "-f", "tex", "--layout", "single", "--metrics", "dice", "--no-intervals"]
    assert CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "t.tex")]).exit_code == 0
    text = (tmp_path / "t.tex").read_text()
    assert r"\begin{table}" in text and "HD95" not in text and "[" not in text.partition(r"\midrule")[2].split("&")[3]


def test_figure_is_written_in_the_format_of_its_ending(folder: Path, tmp_path: Path) -> None:
    for suffix, start in {"pdf": b"%PDF", "svg": b"<?xml"}.items():
        path = tmp_path / f"f.{suffix}"
        done = CliRunner().invoke(
            app, ["figure", str(folder), "distribution", "--metric", "hd95_mm", "--out", str(path)]
        )
        assert done.exit_code == 0 and path.read_bytes().startswith(start)


def test_what_cannot_be_drawn_writes_nothing(folder: Path, tmp_path: Path) -> None:
    for kind, name in (("panels", "f.pdf"), ("distribution", "f.docx"), ("boxes", "f.pdf")):
        done = CliRunner().invoke(app, ["figure", str(folder), kind, "--out", str(tmp_path / name)])
        assert isinstance(done.exception, RequestError)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_rows_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"has no rows.jsonl"):
        api.table(tmp_path)
