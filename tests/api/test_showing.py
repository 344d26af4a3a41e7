"""Any case and slice of a board, from the predictions in the cache: panels, a page of volumes, an index."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import mrbench
from mrbench import api
from mrbench.api import boards
from mrbench.api.boards import report_of
from mrbench.cli.app import app
from mrbench.core.errors import RequestError
from mrbench.core.registry import find_dataset
from mrbench.report import page
from mrbench.report.volumes import Volumes, write_volumes
from mrbench.stats.training import Training

METHOD = """
import numpy as np
from mrbench import method

@method(task="registration")
def shift(inputs, by=1.0):
    return np.full((3, *inputs.fixed.shape), by, np.float32)
"""


@pytest.fixture(scope="module")
def board_run(cohort: Path, tmp_path_factory: pytest.TempPathFactory):
    """A board of two methods, and the cache that holds their predictions."""
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("shown")
    patch.setenv("MRBENCH_CACHE", str(folder / "cache"))
    patch.setattr(page, "drawn", lambda report: [])  # figures have tests of their own
    (folder / "mine.py").write_text(METHOD)
    methods = ["identity", f"Ours={folder}/mine.py:shift"]
    board = mrbench.run("registration", dataset=f"folder:{cohort}", methods=methods, out=folder / "out")
    patch.undo()
    return folder, board


@pytest.fixture
def cache(board_run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MRBENCH_CACHE", str(board_run[0] / "cache"))


def test_a_run_brings_the_index_up_to_date(board_run) -> None:
    folder, board = board_run
    text = (folder / "out" / "index.html").read_text()
    assert str(board.page.relative_to(folder / "out").as_posix()) in text


@pytest.mark.usefixtures("cache")
def test_panels_of_any_case_and_slice(board_run) -> None:
    _, board = board_run
    kept = {shot.case for shot in board.report.pictures.shots.values()}
    other = next(case for case in board.leaderboard.cases if case not in kept)
    drawn = mrbench.figure(board.folder, "panels", case=other, slice=9)
    heading = " ".join(drawn.axes[0].texts[0].get_text().split())
    assert heading.endswith(f"case {other}, slice 9")
    shots = [api.showing.shots_of(board.folder, board.report, other, index).shots[other] for index in (9, 10)]
    assert not np.array_equal(shots[0].reference, shots[1].reference) and set(shots[0].views) == {"identity", "Ours"}
    assert not np.array_equal(shots[0].views["Ours"].prediction, shots[0].views["identity"].prediction)


@pytest.mark.usefixtures("cache")
def test_what_is_not_there_is_said(board_run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, board = board_run
    for options, message in (
        ({"slice": 99}, "has no slice 99; choose from 0 to 31"),
        ({"case": "nobody"}, "unknown case of registration"),
    ):
        with pytest.raises(RequestError, match=message):
            mrbench.figure(board.folder, "panels", **options)
    with pytest.raises(RequestError, match="only the panels"):
        mrbench.figure(board.folder, "distribution", slice=3)
    with pytest.raises(RequestError, match="unknown method"):
        api.view(board.folder, tmp_path / "v.html", methods=["Theirs"])
    monkeypatch.setenv("MRBENCH_CACHE", str(tmp_path / "empty"))
    for ask in (
        lambda: mrbench.figure(board.folder, "panels", slice=3),
        lambda: api.view(board.folder, tmp_path / "v.html"),
    ):
        with pytest.raises(RequestError, match=r"no prediction of case .* is in the cache"):
            ask()
    assert not (tmp_path / "v.html").exists()
    assert mrbench.figure(board.folder, "panels", case="median")  # kept with the rows


def test_panels_without_errors_by_command(board_run, tmp_path: Path) -> None:
    _, board = board_run
    heights = []
    for options in ([], ["--no-zoom", "--no-errors"]):
        done = CliRunner().invoke(app, ["figure", str(board.folder), "panels", *options, "--out", f"{tmp_path}/f.svg"])
        assert done.exit_code == 0, done.exception
        heights.append(float(re.search(r'height="([\d.]+)pt"', (tmp_path / "f.svg").read_text())[1]))
    assert heights[1] < heights[0] / 1.5
    done = CliRunner().invoke(app, ["figure", str(board.folder), "distribution", "--no-zoom"])
    assert (
        str(done.exception) == "unknown option of the figure distribution 'zoom': choose from: methods, metric, width."
    )


@pytest.mark.usefixtures("cache")
def test_a_case_that_was_not_run_is_not_offered(board_run, tmp_path: Path) -> None:
    _, board = board_run
    gone = board.leaderboard.cases[-1]
    part = tmp_path / "part"
    shutil.copytree(board.folder, part)
    lines = (part / "rows.jsonl").read_text().splitlines(keepends=True)
    (part / "rows.jsonl").write_text("".join(line for line in lines if json.loads(line)["case"] != gone))
    with pytest.raises(RequestError, match=f"unknown case of .* '{gone}'") as refused:
        mrbench.figure(part, "panels", case=gone)
    assert gone not in str(refused.value).partition(f"'{gone}'")[2]


@pytest.mark.usefixtures("cache")
def test_a_page_of_volumes_asks_for_nothing(board_run, tmp_path: Path) -> None:
    _, board = board_run
    text = api.view(board.folder, tmp_path / "v.html", case="worst").read_text()
    assert not re.search(r"(?:src|href)=.(?!data:)", text) and "http" not in text.replace("http-equiv", "")
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])
    assert data["shape"] == [32, 40, 36] and set(data["methods"]) == {"identity", "Ours"}
    assert len(data["volumes"]) == 4 and data["spacing"] == [2, 2, 2] and all("Dice" in one for one in data["scores"])


def test_a_mosaic_holds_every_slice_without_loss(tmp_path: Path) -> None:
    import base64
    import io

    from PIL import Image

    rng = np.random.default_rng(0)
    volume = rng.integers(0, 256, (5, 4, 6)).astype(np.float32) / 255
    shown = Volumes("<b>", "c", volume, volume, {"a": volume}, ("reference", "input"), (1.0, 1.0, 2.0))
    write_volumes(tmp_path / "v.html", shown)
    text = (tmp_path / "v.html").read_text()
    assert "<b>" not in text
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(data["volumes"][2].partition(",")[2]))))[..., 0]
    for place, image in enumerate(volume):
        y, x = 4 * (place // data["across"]), 6 * (place % data["across"])
        np.testing.assert_array_equal(sheet[y : y + 4, x : x + 6], np.rint(image * 255))


def test_rows_of_earlier_data_say_so(board_run, tmp_path: Path) -> None:
    _, board = board_run
    text = (board.folder / "rows.jsonl").read_text()
    (tmp_path / "rows.jsonl").write_text(text)
    assert not any("earlier version" in note for note in report_of(tmp_path).facts.notes)
    (tmp_path / "rows.jsonl").write_text(text.replace('"blobs"', '"icbm-sim"'))
    (note,) = (note for note in report_of(tmp_path).facts.notes if "earlier version" in note)
    assert find_dataset("icbm-sim", "images").fingerprint in note and "run them again" in note


def test_weights_of_earlier_data_say_so(board_run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, board = board_run
    rows = [json.loads(line) for line in (board.folder / "rows.jsonl").read_text().splitlines()]
    trained = [row | {"kind": "learned", "weights": "w" * 64} if row["method"] == "Ours" else row for row in rows]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in trained))
    for fingerprint, said in ((rows[0]["fingerprint"], False), ("0" * 12, True)):
        training = Training(rows[0]["dataset"], (rows[0]["track"],), weights="w" * 64, fingerprint=fingerprint)
        monkeypatch.setattr(boards, "trainings", lambda task, names, one=training: {one.weights: one})
        notes = report_of(tmp_path).facts.notes
        assert ("Trained on an earlier version of these data: Ours." in notes) == said
