"""Methods of others are listed and cited without being imported here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.rows import row_of
from typer.testing import CliRunner

from mrbench.api.boards import report_of
from mrbench.cli import app
from mrbench.engine.describing import Description, described
from mrbench.engine.store import RowStore

METHOD = """
from mrbench import method
@method(task="registration", reference="Stranger et al., Odd, 2025")
def theirs(inputs, strength=0.5): return 0
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The module of an installed package of somebody, with the entry point ``registration.theirs``."""
    about = tmp_path / "stranger-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Name: stranger\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[mrbench.methods]\nregistration.theirs = stranger_module:theirs\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    return tmp_path / "stranger_module.py"


def test_a_plug_in_is_described_and_not_imported_here(plugin: Path) -> None:
    """a plug-in is listed or cited -> it is imported in a process of its own"""
    plugin.write_text(METHOD)
    said = described(["identity", "theirs"], "registration")
    assert said["theirs"] == Description("classical", "strength=0.5", "Stranger et al., Odd, 2025", "")
    assert isinstance(said["identity"], Description) and "stranger_module" not in sys.modules


def test_a_board_with_rows_of_a_plug_in_is_published_without_importing_it(plugin: Path, tmp_path: Path) -> None:
    """a board holds rows of a plug-in -> its page is made, and the plug-in is not imported"""
    plugin.write_text("raise SystemExit('imported')")
    folder = tmp_path / "board"
    store = RowStore(folder / "rows.jsonl")
    for method, kind in {"theirs": "learned", "voxelmorph": "learned", "identity": "classical"}.items():
        store.append(row_of(method, 0, {"dice": 0.5}, kind=kind))
    report = report_of(folder)
    assert set(report.methods) == {"theirs", "voxelmorph", "identity"} and report.trainings
    assert "stranger_module" not in sys.modules


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("import os; os._exit(3)", "ended the process (exit code 3)"),
        ("raise SystemExit(2)", "cannot be imported: SystemExit: 2"),
        ("import time; time.sleep(60)", "took longer than 1 s"),
        ("1 / 0", "cannot be imported: ZeroDivisionError"),
        ("", "cannot be imported: AttributeError"),
        (METHOD + "theirs.parameters = lambda: 1 / 0", "cannot be read: ZeroDivisionError"),
    ],
)
def test_a_plug_in_that_cannot_be_imported_is_a_line_of_the_list(
    plugin: Path, text: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """importing a plug-in exits, hangs or raises under `mrbench list methods` -> a sentence in its line of the list"""
    plugin.write_text(text)
    monkeypatch.setattr("mrbench.engine.describing.LONGEST", 1.0 if "sleep" in text else 30.0)
    done = CliRunner().invoke(app, ["list", "methods", "--task", "registration"])
    assert done.exit_code == 0
    (line,) = (line for line in done.output.splitlines() if line.startswith("theirs"))
    assert sentence in line and "elastix" in done.output
