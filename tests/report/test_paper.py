"""A paper made by commands alone: tables and figures of the shipped boards, compiled by a real LaTeX."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mrbench.cli.app import app
from mrbench.report.figures import kinds

RESULTS = Path(__file__).parents[2] / "results"
BOARDS = sorted(path.parent for path in RESULTS.rglob("rows.jsonl"))
REGISTRATION = next(board for board in BOARDS if "registration" in board.parts)
GEOMETRY = "letterpaper,textwidth=7in,textheight=9.4in,columnsep=.2in"
PREAMBLE = rf"\documentclass[twocolumn]{{article}}\usepackage[{GEOMETRY}]{{geometry}}" + (
    r"\usepackage{booktabs,graphicx,rotating}\begin{document}"
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex here"),
]


def by_command(*arguments: str | Path) -> None:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output or done.exception


def compiled(folder: Path, body: str) -> str:
    """Compile a document; returns what LaTeX said."""
    (folder / "paper.tex").write_text(PREAMBLE + body + r"\end{document}")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-1500:]
    return done.stdout


@pytest.mark.slow
def test_the_default_table_of_every_shipped_board_compiles(tmp_path: Path) -> None:
    for number, board in enumerate(BOARDS):
        by_command("table", board, "-f", "latex", "--out", tmp_path / f"t{number}.tex")
    said = compiled(tmp_path, "".join(rf"\input{{t{number}.tex}}\clearpage " for number in range(len(BOARDS))))
    assert f"({len(BOARDS)} pages" in said.replace("\n", "") and "Overfull" not in said


def test_three_tables_and_four_figures_make_a_page(tmp_path: Path) -> None:
    few = ["-m", "identity", "-m", "voxelmorph", "-m", "affine", "--metrics", "dice", "--metrics", "hd95_mm"]
    by_command("table", REGISTRATION, "-f", "latex", "--layout", "single", *few, "--out", tmp_path / "a.tex")
    by_command("table", REGISTRATION, "-f", "latex", "--metrics", "dice", "--out", tmp_path / "b.tex")
    by_command("table", REGISTRATION, "-f", "latex", "--layout", "landscape", "--out", tmp_path / "c.tex")
    for kind in ("distribution", "quality-time", "significance", "by-structure"):
        assert kind in kinds()
        wide = "7" if kind == "by-structure" else "3.4"
        by_command("figure", REGISTRATION, kind, "--width", wide, "--out", tmp_path / f"{kind}.pdf")
    single = "".join(
        rf"\begin{{figure}}\includegraphics{{{kind}.pdf}}\caption{{{kind}}}\end{{figure}}"
        for kind in ("distribution", "quality-time", "significance")
    )
    double = r"\begin{figure*}\includegraphics{by-structure.pdf}\caption{by structure}\end{figure*}"
    said = compiled(tmp_path, rf"\input{{a.tex}}\input{{b.tex}}{single}{double}\input{{c.tex}}")
    assert "Overfull" not in said
    if shutil.which("pdffonts"):
        listed = subprocess.run(["pdffonts", "paper.pdf"], cwd=tmp_path, capture_output=True, text=True).stdout
        embedded = [line.split()[-5] for line in listed.splitlines()[2:]]
        assert embedded and set(embedded) == {"yes"}
