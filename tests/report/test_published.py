"""Figures from the literature beside ours, never among them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from mrbench.core.errors import RequestError
from mrbench.core.registry import find_task
from mrbench.report import page
from mrbench.report.published import FILE, NOT_OURS, published
from mrbench.report.render import table
from mrbench.report.report import Report
from mrbench.stats.frame import frame
from tests.stats.rows import row

LINES = pd.read_csv(FILE, dtype=str, keep_default_na=False)


def test_every_figure_is_of_a_track_and_a_metric_and_has_a_source() -> None:
    for task, own in LINES.groupby("task"):
        known = find_task(str(task))
        assert set(own["track"]) <= set(known.tracks)
        assert set(own["metric"]) <= {metric.name for metric in known.metrics}
    assert (LINES["source"] != "").all() and set(LINES["sure"]) == {"yes", "no"}
    values = LINES["value"].str.lstrip("<").astype(float)
    assert values.between(0, 100).all()
    assert not LINES.duplicated(["task", "track", "method", "metric", "cases"]).any()


PROTOCOLS = {
    "reconstruction": [
        *("fastmri-knee-4x", "fastmri-knee-8x", "fastmri-knee-singlecoil-4x", "fastmri-knee-singlecoil-8x"),
        *("fastmri-brain-4x", "fastmri-brain-8x", "cmrxrecon-4x", "cmrxrecon-8x", "cmrxrecon-10x"),
    ],
    "registration": ["oasis-l2r", "l2r-hippocampus", "lumir", "transmorph-ixi"],
    "segmentation": ["glioma", "brats-2023"],
    "synthesis": ["t1-to-t2"],
}


@pytest.mark.parametrize(("task", "track"), [(task, track) for task, tracks in PROTOCOLS.items() for track in tracks])
def test_every_protocol_of_the_literature_has_figures(task: str, track: str) -> None:
    assert len(published(task, track)), f"{track}: nothing to stand beside ours"


def test_what_is_from_memory_or_second_hand_is_unsure() -> None:
    loose = LINES["source"].str.contains("memory|secondary|not seen")
    assert loose.any() and (LINES.loc[loose, "sure"] == "no").all()


def board(track: str) -> Report:
    rows = [
        replace(row("identity", case, {"dice": 0.4, "folds_percent": 0.0, "hd95_mm": 9.0}), track=track)
        for case in range(3)
    ]
    return Report.from_rows(frame(rows), find_task("registration"))


def test_ours_and_theirs_stand_in_one_table_and_are_told_apart() -> None:
    text = table(board("transmorph-ixi"), format="published")
    lines = text.splitlines()
    ours = next(line for line in lines if "identity" in line)
    theirs = next(line for line in lines if line.startswith("| `TransMorph` "))
    assert "measured here, 3 cases" in ours and "0.4000" in ours
    assert "published: 115 test patients" in theirs and "0.753" in theirs and "1.579" in theirs
    assert "HD95" not in lines[2] and NOT_OURS.split(":")[0] in text


def test_the_page_of_a_board_shows_them_where_some_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "drawn", lambda report: [])
    for track, shown in (("transmorph-ixi", True), ("inter-subject", False)):
        page.write_page(tmp_path / "report.html", board(track), "mrbench-0123456789abcdef")
        text = (tmp_path / "report.html").read_text()
        assert ("published: 115 test patients" in text) == ("Beside published figures" in text) == shown
        assert (NOT_OURS in text) == shown


def test_unsure_figures_are_marked() -> None:
    unsure = published("reconstruction", "fastmri-knee-singlecoil-4x").set_index("method")
    assert not unsure.at["D5C5", "sure"]
    rows = [
        replace(row("zero-filled", n, {"psnr_db": 30.0}), task="reconstruction", track="fastmri-knee-singlecoil-4x")
        for n in range(3)
    ]
    assert "32.25?" in table(Report.from_rows(frame(rows), find_task("reconstruction")), format="published")


def test_a_track_without_any_says_so() -> None:
    with pytest.raises(RequestError, match="no published figures are known for registration, inter-subject"):
        table(board("inter-subject"), format="published")
