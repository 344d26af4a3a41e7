"""The command line, as a user types it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mrbench.cli import app
from mrbench.cli.lists import print_table
from mrbench.report import escape
from tests.command import mrbench

METHOD = """
import time
import numpy as np
from mrbench import method

@method(task="registration", reference="a test")
def slow(inputs, seconds=0.0):
    time.sleep(seconds)
    return np.full((3, *inputs.fixed.shape), 0.25, np.float32)

@method(task="registration")
def broken(inputs):
    raise RuntimeError("out of luck")
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(METHOD)
    return path


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess:
    return mrbench("run", "--task", "registration", *arguments, cwd=cwd)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--task", "registraton"], "did you mean 'registration'"),
        (["run", "--task", "registration", "--method", "elastic"], "did you mean 'elastix'"),
        (["run", "--task", "registration", "--dataset", "ixi"], "did you mean 'ixi-hh-2mm'"),
        (["run", "--task", "registration", "--track", "intersubject"], "did you mean 'inter-subject'"),
        (["run", "--task", "registration", "--split", "tests"], "did you mean 'test'"),
        (["run", "--task", "registration", "--dataset", "folder:nowhere"], "nowhere is not a folder"),
        (["run", "--task", "registration", "--device", "gpu"], "unknown device 'gpu'"),
        (["run", "--task", "registration", "--device", "cpu,cpu"], "cpu,cpu: a CPU is one device here; give cpu once"),
        (["run", "--task", "registration", "--device", "cpu,cuda"], "a CPU and GPUs do not go together"),
        (["train", "--recipes", "--device", "cuda:0,cuda:1"], "one device is used here"),
        (["train", "--task", "registration", "--method", "identity"], "nothing to train"),
        (["train", "--task", "registration", "--method", "voxelmorph", "--device", "gpu"], "unknown device 'gpu'"),
        (
            ["train", "--task", "registration", "--method", "voxelmorph", "-d", "ixi-hh-2mm", "--extra-subjects", "3"],
            "ixi-hh-2mm can simulate no extra subjects",
        ),
        (["report", "nowhere"], "nowhere has no boards"),
        (["data", "prepare", "icbm"], "did you mean 'icbm-sim'"),
    ],
)
def test_wrong_requests_are_one_sentence(arguments: list[str], message: str, tmp_path: Path) -> None:
    """a wrong request -> one sentence and exit code 2"""
    done = mrbench(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_unknown_option_is_exit_code_2(tmp_path: Path) -> None:
    assert run("--metod", "identity", cwd=tmp_path).returncode == 2


@pytest.mark.figures
@pytest.mark.slow
def test_run_ends_with_a_table_and_files(cohort: Path, mine: Path, tmp_path: Path) -> None:
    done = run("--dataset", f"folder:{cohort}", "-m", "identity", "-m", f"{mine}:slow", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    board = tmp_path / "mrbench-results/registration/inter-subject/blobs"
    assert "identity" in done.stdout and str(Path("mrbench-results/registration/inter-subject/blobs")) in done.stdout
    kept = {"rows.jsonl", "run.json", "pictures.npz"}
    names = kept | {"leaderboard.csv", "leaderboard.md", "leaderboard.tex", "comparisons.csv", "report.html"}
    assert names <= {path.name for path in board.iterdir()}
    rebuilt = (board / "leaderboard.csv").read_text()
    assert "<figure" in (board / "report.html").read_text()
    for name in names - kept:
        (board / name).unlink()
    assert mrbench("report", str(board), cwd=tmp_path).returncode == 0
    assert (board / "leaderboard.csv").read_text() == rebuilt and (board / "report.html").is_file()


@pytest.mark.slow
def test_failed_rows_are_exit_code_1_and_in_the_table(cohort: Path, mine: Path, tmp_path: Path) -> None:
    """a method fails on its cases -> rows in the table, and exit code 1"""
    done = run("--dataset", f"folder:{cohort}", "-m", "mine.py:broken", "-m", "identity", "--limit", "1", cwd=tmp_path)
    assert done.returncode == 1
    assert "RuntimeError: out of luck" in done.stdout and "1 (1 failed)" in done.stdout
    assert "LIMITED to 1 of 3 cases" in done.stdout


@pytest.mark.slow
def test_two_folders_of_one_name_do_not_overwrite_each_other(cohort: Path, tmp_path: Path) -> None:
    """two folders of data have one name -> the second run is refused; nothing is overwritten"""
    other = tmp_path / "other" / "blobs"
    shutil.copytree(cohort, other)
    table = other / "subjects.csv"
    table.write_text(table.read_text().replace("b6,train", "b6,test"))
    assert run("-d", f"folder:{cohort}", "-m", "identity", "--limit", "1", cwd=tmp_path).returncode == 0
    (rows,) = tmp_path.glob("mrbench-results/registration/*/blobs/rows.jsonl")
    before = rows.read_bytes()
    done = run("-d", f"folder:{other}", "-m", "identity", "--limit", "1", cwd=tmp_path)
    assert done.returncode == 2 and f"holds rows of folder:{cohort}; give another --out" in done.stderr
    assert rows.read_bytes() == before


@pytest.mark.slow
def test_a_lone_failing_method_still_makes_a_page(cohort: Path, mine: Path, tmp_path: Path) -> None:
    done = run("--dataset", f"folder:{cohort}", "-m", "mine.py:broken", "--limit", "1", cwd=tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "out of luck" in (tmp_path / "mrbench-results/registration/inter-subject/blobs/report.html").read_text()


@pytest.mark.slow
def test_kill_9_loses_at_most_the_case_in_flight(cohort: Path, mine: Path, tmp_path: Path) -> None:
    """`kill -9` in the middle of a run -> at most the case in flight is lost

    The same command then gives the rows that an undisturbed run gives, none twice.
    """
    method = f"{mine}:slow[seconds=0.3]"
    command = ["run", "--task", "registration", "--dataset", f"folder:{cohort}", "-m", method, "-m", "identity"]
    rows = tmp_path / "mrbench-results/registration/inter-subject/blobs/rows.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-m", "mrbench", *command],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not (rows.is_file() and rows.read_text().count("\n") >= 1):
        assert time.monotonic() < deadline, "no row came"
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = [json.loads(line) for line in rows.read_text().splitlines()]
    assert 1 <= len(before) < 6
    assert mrbench(*command, cwd=tmp_path).returncode == 0
    after = [json.loads(line) for line in rows.read_text().splitlines()]
    assert after[: len(before)] == before
    assert len({row["key"] for row in after}) == len(after) == 6
    (tmp_path / "calm").mkdir()
    assert mrbench(*command, cwd=tmp_path / "calm").returncode == 0
    calm = (tmp_path / "calm/mrbench-results/registration/inter-subject/blobs/rows.jsonl").read_text().splitlines()
    scores = [{row["key"]: row["metrics"] for row in map(json.loads, calm)}, {r["key"]: r["metrics"] for r in after}]
    assert scores[0] == scores[1]


@pytest.mark.slow
def test_interrupt_shows_the_table_so_far(cohort: Path, mine: Path, tmp_path: Path) -> None:
    """Ctrl-C in the middle of a run -> the table so far is shown"""
    command = [
        "run",
        "--task",
        "registration",
        "--dataset",
        f"folder:{cohort}",
        "-m",
        "identity",
        "-m",
        "mine.py:slow[seconds=300]",
    ]
    rows = tmp_path / "mrbench-results/registration/inter-subject/blobs/rows.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-m", "mrbench", *command],
        cwd=tmp_path,
        text=True,
        env={**os.environ, "COLUMNS": "160"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # a shell's background job ignores the signal, and its children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 120
    while not (rows.is_file() and rows.read_text().count("\n") >= 3):
        assert time.monotonic() < deadline, "no rows came"
        time.sleep(0.05)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "interrupted" in out and "identity" in out


@pytest.mark.parametrize("command", ["run --task registration", "data fetch icbm-sim", "list tasks"])
def test_ctrl_c_gets_a_sentence_in_every_command(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while nothing is computed yet, in any command -> a sentence, and exit code 130"""
    for name in ("mrbench.api.run", "mrbench.api.fetch", "mrbench.cli.lists.print_table"):
        monkeypatch.setattr(name, interrupted)
    ended = CliRunner().invoke(app, command.split())
    assert ended.exit_code == 130 and "interrupted; what was finished stays" in ended.stderr


def interrupted(*given: object, **named: object) -> None:
    raise KeyboardInterrupt


def test_list_prints_each_row_on_one_line_of_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    long = "a description that is longer than a terminal is wide " * 3
    print_table(["dataset", "what"], [("first", long), ("second", long)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["dataset", "first", "second"]


def test_list_prints_rows_as_paragraphs_where_columns_would_be_narrow(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    print_table(["dataset", "what", "cite"], [("first", "word " * 12, "paper " * 12)])
    lines = [escape.plain(line).strip() for line in capsys.readouterr().out.splitlines()]
    assert "first" in lines[0]
    assert any("paper" in line for line in lines)
    assert not any("paper" in line and "word" in line for line in lines)


def test_lists_name_everything(tmp_path: Path) -> None:
    assert "inter-subject" in mrbench("list", "tasks", cwd=tmp_path).stdout
    assert "ixi-hh-2mm" in mrbench("list", "datasets", cwd=tmp_path).stdout
    methods = mrbench("list", "methods", "--task", "registration", cwd=tmp_path).stdout
    assert "voxelmorph" in methods and "Klein" in methods and "grid_mm" in methods
    assert "non-positive Jacobian" in mrbench("list", "metrics", "--task", "registration", cwd=tmp_path).stdout


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    """No help text may wait for torch, numpy or ITK."""
    code = (
        "import sys, runpy\n"
        "for verb in ('', 'run', 'train', 'compare', 'data', 'list'):\n"
        "    sys.argv = ['mrbench', *verb.split(), '--help']\n"
        "    try: runpy.run_module('mrbench', run_name='__main__')\n"
        "    except SystemExit as left: assert not left.code, verb\n"
        "    heavy = {'numpy', 'torch', 'itk', 'SimpleITK', 'scipy', 'pandas', 'matplotlib'} & set(sys.modules)\n"
        "    if heavy: sys.exit(f'{verb} imported {heavy}')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Usage") == 6


def test_help_shows_the_grammar_of_parameters(tmp_path: Path) -> None:
    text = mrbench("run", "--help", cwd=tmp_path).stdout
    assert "name[param=value]" in text and "elastix:grid_mm=10" in text


@pytest.mark.slow
def test_training_from_the_command_line(cohort: Path, tmp_path: Path) -> None:
    done = mrbench(
        "train",
        "--task",
        "registration",
        "--method",
        "voxelmorph",
        "--dataset",
        f"folder:{cohort}",
        "--steps",
        "4",
        "--validate-every",
        "2",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    weights = tmp_path / "weights/voxelmorph.blobs.safetensors"
    assert weights.is_file() and "validation dice" in done.stdout
    used = run("--dataset", f"folder:{cohort}", "-m", f"voxelmorph[weights={weights}]", "--limit", "1", cwd=tmp_path)
    assert used.returncode == 0, used.stdout
