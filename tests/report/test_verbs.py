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


@pytest.mark.parametrize("name", ["protocol", "fingerprint"])
def test_rows_of_another_protocol_or_other_data_do_not_vanish(tmp_path: Path, name: str) -> None:
    """some rows of a board are of another protocol or other data -> said under the table, and of which methods"""
    rows = [replace(row, details={}) for row in boards.rows(("a", "b", "c"), cases=6)]
    rows = [replace(row, **{name: "old"}) if row.method == "a" or row.key == "b0" else row for row in rows]
    (tmp_path / "rows.jsonl").write_text("".join(f"{row.to_json()}\n" for row in rows))
    done = CliRunner().invoke(app, ["table", str(tmp_path)])
    said = "Not shown, as they are of another protocol or of other data than the rest: {}. Run these methods again"
    assert done.exit_code == 0 and said.format("a (6 rows), b (1 row)") in done.stdout
    done = CliRunner().invoke(app, ["compare", str(tmp_path), "a", "b"])
    assert isinstance(done.exception, RequestError) and said.format("a (6 rows), b (1 row)") in str(done.exception)
    done = CliRunner().invoke(app, ["compare", str(tmp_path), "b", "c"])
    assert done.exit_code == 0 and done.stdout.startswith("c is better") and said.format("b (1 row)") in done.stdout


def test_table_is_printed_or_written(folder: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["table", str(folder), "-f", "csv", "-m", "elastix[grid_mm=10]"])
    assert done.exit_code == 0 and done.stdout.startswith("rank,method") and len(done.stdout.splitlines()) == 2
    arguments = ["table", str(folder), "-f", "tex", "--layout", "single", "--metrics", "dice", "--no-intervals"]
    assert CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "t.tex")]).exit_code == 0
    text = (tmp_path / "t.tex").read_text()
    assert r"\begin{table}" in text and "HD95" not in text and "[" not in text.partition(r"\midrule")[2].split("&")[3]


def test_the_ending_of_a_file_chooses_the_format_of_a_table(folder: Path, tmp_path: Path) -> None:
    for ending, start in {"tex": "% mrbench", "csv": "rank,method", "md": "### ", "html": "<table"}.items():
        path = tmp_path / f"t.{ending}"
        assert CliRunner().invoke(app, ["table", str(folder), "--out", str(path)]).exit_code == 0
        assert path.read_text().lstrip().startswith(start), ending
    done = CliRunner().invoke(app, ["table", str(folder), "--out", str(tmp_path / "t.docx")])
    assert "choose .md, .tex, .csv" in str(done.exception) and not (tmp_path / "t.docx").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("compare BOARD a b --out x", "--out changes nothing for two methods"),
        ("compare BOARD BOARD --metric dice", "--metric changes nothing for two boards"),
        ("findings BOARD --only x --page y", "--page changes nothing with --only"),
        ("table BOARD -f csv --digits 2", "a table as csv has no digits"),
        ("table BOARD --layout single", "a table as markdown has no layout"),
        ("table BOARD -f challenger --no-intervals", "a table as challenger has no intervals"),
        ("table BOARD --published -f tex", "--format changes nothing with --published"),
        ("run -t denoising --gather", "--gather changes nothing without --scheduler"),
        ("data prepare icbm-sim --spacing 2", "--spacing changes nothing without --strip, --align or --onto"),
        ("data prepare folder:x --strip --split test", "--split changes nothing with --strip"),
        ("train --recipe x --steps 4", "--steps changes nothing with a recipe"),
        ("train --recipe x --learning-rate 1", "--learning-rate changes nothing with a recipe"),
        ("train --recipe x --jobs 2", "--jobs changes nothing without --recipes"),
        ("train -t denoising -m autoencoder --packs x", "--packs changes nothing without --recipe"),
    ],
)
def test_what_would_change_nothing_is_refused(folder: Path, arguments: str, sentence: str) -> None:
    """They were ignored in silence."""
    done = CliRunner().invoke(app, arguments.replace("BOARD", str(folder)).split())
    assert isinstance(done.exception, RequestError) and sentence in str(done.exception)


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
