"""What is kept of predictions: small, whole, and only what the rows stand behind."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mrbench.core.case import Case
from mrbench.core.errors import DataError, RequestError
from mrbench.core.task import Picture
from mrbench.report import pictures as module
from mrbench.report.pictures import Pictures, chosen_cases, load, save, update
from mrbench.report.report import Report
from tests.report import boards
from tests.report.boards import HOSTILE, LONG


def test_pictures_come_back_to_a_grey_level(tmp_path: Path) -> None:
    before = boards.pictures()
    save(tmp_path / "p.npz", before)
    after = load(tmp_path / "p.npz").shots["median"]
    shot = before.shots["median"]
    assert after.case == "c7" and after.names == shot.names and list(after.views) == list(shot.views)
    assert after.keys == shot.keys
    np.testing.assert_allclose(after.reference, shot.reference, atol=0.5 / 255 + 1e-6)
    for method, view in shot.views.items():
        limit = max(float(np.abs(own.difference).max()) for own in shot.views.values())
        np.testing.assert_allclose(after.views[method].prediction, view.prediction, atol=0.5 / 255 + 1e-6)
        np.testing.assert_allclose(after.views[method].difference, view.difference, atol=limit / 254 + 1e-6)
        np.testing.assert_allclose(after.views[method].grid, view.grid, atol=0.01)


def test_the_same_pictures_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(tmp_path / name, boards.pictures())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_file_never_outgrows_its_budget(tmp_path: Path) -> None:
    large = boards.pictures(tuple("abcdef"), shape=(512, 400))  # noise, which nothing compresses
    save(tmp_path / "p.npz", large)
    assert (tmp_path / "p.npz").stat().st_size <= module.BUDGET
    back = load(tmp_path / "p.npz").shots["median"]
    grid = back.views["a"].grid
    assert back.reference.shape in {(256, 200), (128, 100)} and grid is not None
    assert grid.shape[1:] == tuple(-(-n // 2) for n in back.reference.shape)
    assert np.abs(grid - np.indices(grid.shape[1:]) * 2).max() < 0.05  # still nearly at rest, in the smaller pixels


@pytest.mark.parametrize("damage", ["text", "cut", "pickle", "shapes", "bomb", "no index"])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pictures.npz"
    save(path, boards.pictures())
    content = path.read_bytes()
    arrays = dict(np.load(path))
    if damage == "text":
        path.write_text("hello")
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "pickle":
        np.savez(path, index=np.array({"a": 1}, dtype=object))
    elif damage == "shapes":
        np.savez(path, **{**arrays, "median.difference": arrays["median.difference"][:, :5]})
    elif damage == "no index":
        np.savez(path, other=np.zeros(3))
    else:
        monkeypatch.setattr(module, "LARGEST", 1000)
    with pytest.raises(DataError, match=r"pictures.npz holds no pictures of mrbench .*run the board again"):
        load(path)


def test_no_file_is_no_pictures(tmp_path: Path) -> None:
    assert not load(tmp_path / "pictures.npz") and Pictures().shots == {}


def test_a_prediction_that_no_row_scored_is_not_shown() -> None:
    rows = [replace(r, prediction="newer") if r.method == HOSTILE else r for r in boards.rows()]
    shown = boards.report([row for row in rows if row.case == "c7"], boards.pictures()).pictures.shots["median"]
    assert HOSTILE not in shown.views and LONG in shown.views


def test_the_chosen_cases_are_the_median_and_the_worst_by_the_first_metric(report: Report) -> None:
    board = report.leaderboard
    means = board.values["dice"].mean(axis=1).sort_values()
    assert chosen_cases(board) == {"median": means.index[len(means) // 2], "worst": means.index[0]}


class Drawing(boards.Toy):
    def picture(self, case: Case, prediction: np.ndarray) -> Picture:
        return Picture(case.reference, case.reference / 2, prediction, prediction - case.reference)


def test_a_board_keeps_old_pictures_and_adds_new_ones(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "pictures.npz"
    loaded: list[str] = []

    def load_case(case: str) -> Case:
        loaded.append(case)
        return Case(case, (case,), None, np.full((8, 6), 0.5, np.float32), (1.0, 1.0, 1.0))

    cached = {f"p-{LONG}-": 0.25, f"p-{HOSTILE}-": 0.75}

    def predicted(key: str) -> np.ndarray | None:
        return next(
            (np.full((8, 6), value, np.float32) for start, value in cached.items() if key.startswith(start)), None
        )

    predictions = report.predictions(report.leaderboard.cases)
    first = update(path, report.leaderboard, predictions, Drawing(), load_case, predicted)
    assert set(first.shots) == {"median", "worst"}
    assert set(first.shots["worst"].views) == {LONG, HOSTILE}
    cached.clear()
    cached["p-elastix"] = 1.0
    second = update(path, report.leaderboard, predictions, Drawing(), load_case, predicted)
    assert set(second.shots["worst"].views) == {LONG, HOSTILE, "elastix[grid_mm=10]"}
    written = load(path).shots["median"].views
    assert written[LONG].prediction[0, 0] == pytest.approx(0.25, abs=0.01)
    before = path.read_bytes()
    cached.clear()
    update(path, report.leaderboard, predictions, Drawing(), load_case, predicted)
    assert path.read_bytes() == before


def test_a_case_without_pictures_is_named() -> None:
    with pytest.raises(RequestError, match="unknown case with pictures 'c99'"):
        boards.pictures().shot("c99")
    assert boards.pictures().shot("c7").case == boards.pictures().shot().case == "c7"


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    out = io.BytesIO()
    np.savez(out, index=np.array([open], dtype=object))
    (tmp_path / "pictures.npz").write_bytes(out.getvalue())
    with pytest.raises(DataError):
        load(tmp_path / "pictures.npz")
