"""The API: the command line's words, objects back, nothing printed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import mrbench
from mrbench.core.binding import bind
from mrbench.core.candidate import resolve
from mrbench.core.errors import RequestError

METHOD = """
import numpy as np
from mrbench import method

@method(task="registration")
def still(inputs, gain=0.0):
    return np.full((3, *inputs.fixed.shape), gain, np.float32)
"""


class Heard:
    """Progress, as a notebook would show it."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, int, int]] = []
        self.sentences: list[str] = []

    def said(self, sentence: str) -> None:
        self.sentences.append(sentence)

    def preparing(self, dataset: str, done: int, total: int) -> None: ...

    def running(self, method: str, case: str, done: int, total: int) -> None: ...

    def finished(self, row, done: int, total: int) -> None:
        self.rows.append((row.method, done, total))


@pytest.fixture(scope="module")
def api_run(cohort: Path, tmp_path_factory: pytest.TempPathFactory):
    """A board of two methods, with what was heard of it and what was printed."""
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("api")
    patch.setenv("MRBENCH_CACHE", str(folder / "cache"))
    (folder / "mine.py").write_text(METHOD)
    heard = Heard()
    board = mrbench.run(
        "registration",
        dataset=f"folder:{cohort}",
        methods=["identity", f"Ours={folder}/mine.py:still"],
        out=folder / "out",
        progress=heard,
    )
    patch.undo()
    return folder, board, heard


def test_a_run_returns_what_stands_on_disk(api_run) -> None:
    folder, board, heard = api_run
    assert [row.method for row in board.rows] == ["identity"] * 3 + ["Ours"] * 3 and not board.failed
    assert [done for _, done, _ in heard.rows] == [1, 2, 3, 4, 5, 6] and {total for *_, total in heard.rows} == {6}
    frame = mrbench.load(board.folder)
    assert isinstance(frame, pd.DataFrame) and len(frame) == 6 and frame["dice"].notna().all()
    assert mrbench.load(folder / "out").equals(frame)
    table = mrbench.leaderboard(frame)
    assert list(table.summary.index) == list(board.leaderboard.summary.index)


@pytest.mark.slow
def test_how_files_were_read_is_said_and_stands_under_the_table(cohort: Path, tmp_path: Path) -> None:
    """how a folder was read, and what was noted of a subject -> said before the run, and under the table for good"""
    import nibabel as nib
    import numpy as np

    folder = tmp_path / "noisy"
    folder.mkdir()
    for name, person in (("a", 3), ("b", 4)):
        image = nib.load(cohort / f"{person}_t1.nii.gz")
        values = image.get_fdata(dtype=np.float32)
        noise = np.random.default_rng(1).normal(0, 0.01, values.shape).astype(np.float32)
        nib.Nifti1Image(np.where(values > 0, values, noise), image.affine).to_filename(folder / f"{name}_T1.nii.gz")
        (folder / f"{name}_labels.nii.gz").write_bytes((cohort / f"{person}_labels.nii.gz").read_bytes())
    heard = Heard()
    board = mrbench.run(
        "registration", dataset=f"folder:{folder}", methods=["identity"], out=tmp_path / "out", progress=heard
    )
    assert any(sentence.startswith("Read as") for sentence in heard.sentences)
    for words in (board.report.caption.text, mrbench.api.rebuild(board.folder).report.caption.text):
        assert heard.sentences[0] in words and "a, b: No constant background" in words


def test_a_run_prints_nothing(cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    mrbench.run("registration", dataset=f"folder:{cohort}", methods=["identity"], limit=1, out=tmp_path)
    assert capsys.readouterr() == ("", "")


@pytest.mark.slow
def test_rows_of_older_code_stay_and_are_named(api_run, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, board, _ = api_run
    monkeypatch.setenv("MRBENCH_CACHE", str(folder / "cache"))
    (folder / "other").mkdir()
    (folder / "other/mine.py").write_text(METHOD.replace("gain, np", "gain + 1e-3, np"))
    again = mrbench.run(
        "registration",
        dataset=bind_address(board),
        methods=[f"Ours={folder}/other/mine.py:still"],
        limit=1,
        out=folder / "out",
    )
    assert {row.method for row in again.rows} == {"identity", "Ours"}
    whole = mrbench.run("registration", dataset=bind_address(board), methods=["identity"], out=folder / "out")
    assert [row.case for row in whole.rows if row.method == "Ours"] and not whole.older


@pytest.mark.slow
def test_a_run_with_nothing_to_do_ranks_nothing(cohort: Path, tmp_path: Path) -> None:
    """the same command again -> the same table, without pandas; a file of the board touched -> it is written anew"""
    asked = ["--task", "registration", "--dataset", f"folder:{cohort}", "-m", "identity", "--out", str(tmp_path)]
    board = mrbench.run("registration", dataset=f"folder:{cohort}", methods=["identity"], out=tmp_path)
    code = (
        "import sys, runpy\n"
        "try: runpy.run_module('mrbench', run_name='__main__')\n"
        "except SystemExit as left: assert not left.code\n"
        "heavy = {'torch', 'scipy', 'pandas', 'matplotlib', 'numba'} & set(sys.modules)\n"
        "if heavy: sys.exit(f'imported {heavy}')"
    )
    done = subprocess.run([sys.executable, "-c", code, "run", *asked], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert mrbench.table(board.folder, format="terminal").splitlines()[0] in done.stdout
    assert str(board.page) in done.stdout

    before = board.page.stat().st_mtime_ns
    (board.folder / "leaderboard.md").write_text("edited")
    again = mrbench.run("registration", dataset=f"folder:{cohort}", methods=["identity"], out=tmp_path)
    assert (board.folder / "leaderboard.md").read_text() != "edited" and again.shown == board.shown
    third = mrbench.run("registration", dataset=f"folder:{cohort}", methods=["identity"], out=tmp_path)
    assert third.shown == board.shown and third.page == board.page and not third.failed
    assert third.report.caption == board.report.caption and third.leaderboard.summary.equals(board.leaderboard.summary)
    assert board.page.stat().st_mtime_ns == before


def bind_address(board: mrbench.api.Board) -> str:
    runs = json.loads((board.folder / "run.json").read_text())["runs"]
    return next(iter(runs.values()))["dataset"]


def test_keys_hold_the_content_of_files_that_parameters_name(cohort: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(METHOD.replace("gain=0.0", "gain=0.0, table=''"))
    (tmp_path / "table.txt").write_text("1")
    setting = bind("registration", f"folder:{cohort}")
    text = f"{tmp_path}/mine.py:still[table='{tmp_path}/table.txt']"
    before = resolve(setting, text).row_key(setting.cases()[0])
    assert resolve(setting, text).row_key(setting.cases()[0]) == before
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "table.txt").rename(tmp_path / "elsewhere/moved.txt")
    moved = text.replace("table.txt", "elsewhere/moved.txt")
    assert resolve(setting, moved).row_key(setting.cases()[0]) == before
    (tmp_path / "elsewhere/moved.txt").write_text("2")
    assert resolve(setting, moved).row_key(setting.cases()[0]) != before


def test_words_that_are_files_too_stay_apart(cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``l1`` and ``l2`` are words; that files of these names lie about, with the same content, changes nothing."""
    (tmp_path / "mine.py").write_text(METHOD.replace("gain=0.0", "gain=0.0, norm=''"))
    for name in ("l1", "l2"):
        (tmp_path / name).write_text("")
    monkeypatch.chdir(tmp_path)
    setting = bind("registration", f"folder:{cohort}")
    keys = {resolve(setting, f"mine.py:still[norm={name}]").row_key(setting.cases()[0]) for name in ("l1", "l2")}
    assert len(keys) == 2


def test_a_board_that_names_a_python_file_is_not_rebuilt(api_run, tmp_path: Path) -> None:
    """a board's file names a Python file -> it is not imported"""
    _, board, _ = api_run
    rows = (board.folder / "rows.jsonl").read_text().replace('"task": "registration"', '"task": "evil.py:Task"')
    (tmp_path / "rows.jsonl").write_text(rows)
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    with pytest.raises(RequestError, match="a Python file, which only `mrbench run` imports"):
        mrbench.rebuild(tmp_path)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda path: mrbench.load(path), "has no rows.jsonl"),
        (lambda path: mrbench.rebuild(path), "has no rows.jsonl"),
        (lambda path: mrbench.run("registratoin", out=path), "did you mean 'registration'"),
        (lambda path: mrbench.run("registration", methods=["identity", "identity"], out=path), "asked for twice"),
        (lambda path: mrbench.run("registration", methods=["A=identity", "A=affine"], out=path), "called 'A'"),
        (lambda path: mrbench.run("registration", limit=-1, out=path), r"limit=-1: give a whole number from 1 up"),
        (lambda path: mrbench.run("registration", limit=0, out=path), r"limit=0: give a whole"),
        (lambda path: mrbench.run("registration", limit=1.5, out=path), r"limit=1\.5: give a whole"),
        (lambda path: mrbench.run("registration", limit="2", out=path), r"limit='2': give a whole"),
        (lambda path: mrbench.run("registration", limit=True, out=path), r"limit=True: give a whole"),
        (lambda path: mrbench.run("registration", methods=[], out=path), r"methods=\[\]: the list is empty"),
        (lambda path: mrbench.run("registration", methods="noisy", out=path), r"such as \['noisy'\]"),
        (lambda path: mrbench.run("registration", methods=[3], out=path), "3 is no name"),
        (lambda path: mrbench.run("registration", methods=3, out=path), "give a list of names"),
        (lambda path: mrbench.run(3, out=path), "task=3: give a name as text"),
        (lambda path: mrbench.run("registration", out=None), "out=None: give a path"),
        (lambda path: mrbench.run("registration", out=path, options=mrbench.Options(workers=0)), "workers=0: give a"),
        (lambda path: mrbench.Options(mrbench.Resources(threads=0)), "threads=0: give a whole"),
        (lambda path: mrbench.Options(timeout=float("nan")), "timeout=nan: give a number"),
        (lambda path: mrbench.score("registration", predictions=None, out=path), "predictions=None: give a path"),
        (lambda path: mrbench.Schedule(0, 1e-3), "steps=0: give a whole number from 1 up"),
        (lambda path: mrbench.tune("registration", "demons", limit=0, out=path), "limit=0"),
        (lambda path: mrbench.train("registration", "m", schedule=None, validation_limit=0), "validation_limit=0"),
        (lambda path: mrbench.export(path, None), "out=None"),
        (lambda path: mrbench.compare(path, 3), "second=3: give a path"),
        (lambda path: mrbench.load(3), "folder=3: give a path"),
        (lambda path: mrbench.findings(path, only=[]), r"only=\[\]: the list is empty"),
        (lambda path: mrbench.dataset(3), "name=3: give a name"),
        (lambda path: mrbench.dataset("ixi-hh-2mm").load("nope"), "unknown subject of ixi-hh-2mm 'nope'"),
        (lambda path: mrbench.dataset("ixi-hh-2mm").load(3), "unknown subject of ixi-hh-2mm '3'"),
        (lambda path: mrbench.train("registration", "identity", schedule=None), "nothing to train"),
        (lambda path: mrbench.dataset("ixi"), "did you mean 'ixi-hh-2mm'"),
    ],
)
def test_wrong_requests_write_nothing(call, message: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=message):
        call(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda board: mrbench.figure(board, "panels", case="worst", slice=-1), "slice=-1: give a whole number from 0"),
        (lambda board: mrbench.figure(board, "panels", slice=3.7), r"slice=3\.7: give a whole"),
        (lambda board: mrbench.figure(board, "panels", slice="a"), "slice='a'"),
        (lambda board: mrbench.figure(board, "panels", case=3), "case=3: give a name"),
        (lambda board: mrbench.figure(board, "panels", width="a"), "width='a': give a number"),
        (lambda board: mrbench.figure(board, "panels", methods=[]), r"methods=\[\]: the list is empty"),
        (lambda board: mrbench.table(board, digits=-3), "digits=-3: give a whole number from 0 to 10"),
        (lambda board: mrbench.table(board, digits=2.5), r"digits=2\.5"),
        (lambda board: mrbench.table(board, digits=999), "digits=999"),
        (lambda board: mrbench.table(board, fastest_above="a"), "fastest_above='a': give a number"),
        (lambda board: mrbench.table(board, metrics="dice"), r"metrics='dice': .*such as \['dice'\]"),
        (lambda board: mrbench.leaderboard(mrbench.load(board).iloc[:0]), "there are no rows to rank"),
        (lambda board: mrbench.leaderboard(mrbench.load(board)[["method"]]), "the rows lack the column"),
        (lambda board: mrbench.leaderboard(3), "folder=3: give a path"),
    ],
)
def test_wrong_arguments_of_a_board_are_one_sentence(draw, message: str, api_run) -> None:
    with pytest.raises(RequestError, match=message) as fault:
        draw(api_run[1].folder)
    assert "\n" not in str(fault.value)


def test_every_name_of_the_package_is_there() -> None:
    assert [name for name in mrbench.__all__ if not hasattr(mrbench, name)] == []
