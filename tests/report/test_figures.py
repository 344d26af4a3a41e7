"""Every figure at the widths of print: whole titles, names that never overlap, text of 7 to 9 pt."""

from __future__ import annotations

import logging
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from mrbench.core.errors import RequestError
from mrbench.report.figures import figure, kinds, style
from mrbench.report.figures.break_even import pays_after
from mrbench.report.figures.by_structure import share
from mrbench.report.figures.quality_time import apart, pareto_front
from mrbench.report.names import fold
from mrbench.report.pictures import Pictures
from mrbench.report.report import Report
from tests.report import boards
from tests.report.boards import HOSTILE, LONG

KINDS = (
    "break-even",
    "by-structure",
    "distribution",
    "panels",
    "quality-time",
    "rank-stability",
    "significance",
    "spread",
)


def test_figures_are_what_lies_in_the_folder(report: Report) -> None:
    assert tuple(kinds()) == (*KINDS, "training-size")
    assert all(kinds()[name].applies(report) and kinds()[name].title for name in KINDS)
    assert not kinds()["training-size"].applies(report)  # its weights are of one size of training set


@pytest.mark.parametrize("width", [3.4, 7.0])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_cut_or_overlaps_and_text_is_readable(report: Report, kind: str, width: float) -> None:
    drawn = figure(report, kind, width=width)
    canvas = FigureCanvasAgg(drawn)
    canvas.draw()
    assert drawn.get_figwidth() == width
    axes = [axis for axes in drawn.axes for axis in (axes.xaxis, axes.yaxis)]
    ticks = [(axis, tick) for axis in axes for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())]
    unseen = [
        label
        for axis, tick in ticks
        for label in (tick.label1, tick.label2)
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    ]
    renderer, texts = canvas.get_renderer(), []
    for text in drawn.findobj(lambda artist: hasattr(artist, "get_fontsize")):
        if not text.get_text().strip() or not text.get_visible() or text in unseen:
            continue
        assert 7 <= text.get_fontsize() <= 9, text.get_text()
        box = text.get_window_extent(renderer)
        assert box.x0 > -2 and box.y0 > -2 and box.x1 < drawn.bbox.x1 + 2 and box.y1 < drawn.bbox.y1 + 2, (
            text.get_text()
        )
        texts.append((text.get_text(), box))
    whole = "".join(name for name, _ in texts).replace("\n", "")
    assert "LIMITED to 14 of 15 cases" in " ".join(" ".join(name.split()) for name, _ in texts)
    assert "voxelmorph" in whole and "singlecoil-8x" in whole and "alert(1)" in whole and "\x1b" not in whole
    for (first, a), (second, b) in combinations(texts, 2):
        overlap = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert min(overlap) < 2, f"{first!r} and {second!r}"


@pytest.mark.slow
def test_files_embed_their_fonts_and_are_the_same_for_the_same_rows(report: Report) -> None:
    pdf = [style.saved(figure(report, "rank-stability"), "pdf", stamp="mrbench-1") for _ in range(2)]
    assert pdf[0] == pdf[1] and b"/FontFile2" in pdf[0] and b"/Type3" not in pdf[0] and b"mrbench-1" in pdf[0]
    svg = [style.saved(figure(report, "rank-stability"), "svg") for _ in range(2)]
    assert svg[0] == svg[1] and b"Verdana" in svg[0] and b"<text" in svg[0]


def test_failed_cases_are_marked(report: Report) -> None:
    drawn = figure(report, "distribution")
    crosses = [line for line in drawn.axes[0].lines if line.get_marker() == "x" and len(line.get_xdata())]
    assert len(crosses) == 1 and crosses[0].get_xdata()[0] == 0  # the worst bound of Dice
    assert "failed case" in [text.get_text() for text in drawn.legends[0].get_texts()]


def test_panels_show_metric_zoom_and_one_scale(report: Report) -> None:
    drawn = figure(report, "panels", case="c7")
    texts = [text.get_text() for text in drawn.axes[0].texts]
    assert sum("Dice 0." in text for text in texts) == 4 and any("case c7" in text for text in texts)
    errors = [image for image in drawn.axes[0].images if image.get_cmap().name == style.DIVERGING]
    assert len(errors) == 4 and len({image.get_clim() for image in errors}) == 1
    without = figure(report, "panels", zoom=False, errors=False, methods=[LONG])
    assert len(without.axes[0].images) == 2 and len(without.axes) == 1


def test_colours_do_not_depend_on_the_users_style(report: Report) -> None:
    import matplotlib

    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "black"}):
        drawn = figure(report, "spread")
    assert drawn.axes[0].xaxis.label.get_fontsize() == style.NORMAL


@pytest.mark.slow
def test_what_a_board_cannot_draw_is_said() -> None:
    bare = boards.report([replace(row, details={}) for row in boards.rows(cases=2)], Pictures())
    assert not kinds()["by-structure"].applies(bare) and not kinds()["panels"].applies(bare)
    with pytest.raises(RequestError, match=r"nothing that the figure panels shows; choose from: .*distribution"):
        figure(bare, "panels")
    with pytest.raises(RequestError, match="unknown figure 'boxes'"):
        figure(bare, "boxes")
    with pytest.raises(RequestError, match="unknown option of the figure distribution 'metrik'"):
        figure(bare, "distribution", metrik="dice")
    with pytest.raises(RequestError, match="unknown metric of registration 'psnr'"):
        figure(bare, "distribution", metric="psnr")
    with pytest.raises(RequestError, match=r"cannot be 0\.5 inches wide"):
        figure(bare, "distribution", width=0.5)


def test_training_is_paid_for_where_the_lines_cross() -> None:
    network = pd.Series({"seconds": 1.0, "training": 900.0})
    assert pays_after(network, pd.Series({"seconds": 10.0})) == 100
    assert pays_after(network, pd.Series({"seconds": 1.0})) == np.inf
    rows = boards.rows((LONG, "elastix[grid_mm=10]"), cases=6)
    optimised = {"kind": "learned + optimised", "cpu_seconds": 2.0}  # it was trained, too
    fast = [replace(one, **(optimised if one.method == LONG else {"cpu_seconds": 50.0})) for one in rows]
    drawn = figure(boards.report(fast), "break-even")
    words = " ".join(text.get_text().replace("\n", " ") for text in drawn.legends[0].get_texts())
    assert "2 s a case, training 2 h" in words and "paid after 150 cases against elastix[grid_mm=10]" in words
    unknown = replace(boards.report(fast), trainings={})
    with pytest.raises(RequestError, match="has nothing that the figure break-even shows"):
        figure(unknown, "break-even")


def test_quality_against_the_size_of_the_training_set() -> None:
    elastix = boards.rows(("elastix[grid_mm=10]",), cases=6)
    rows = [
        replace(one, method=f"net[weights={size}]", weights=str(size), kind="learned")
        for size in (10, 80)
        for one in boards.rows((LONG,), cases=6)
        if one.method == LONG
    ]
    own = replace(
        boards.report([*rows, *elastix]),
        trainings={str(size): boards.training(size, str(size)) for size in (10, 80)},
    )
    drawn = figure(own, "training-size")
    assert [label.get_text() for label in drawn.axes[0].get_xticklabels()] == ["10", "80"]
    texts = " ".join(text.get_text().replace("\n", "") for text in drawn.legends[0].get_texts())
    assert "elastix[grid_mm=10]" in texts and "inter-subject" in texts


def test_pareto_front_by_hand() -> None:
    points = [(1, 0.5), (2, 0.4), (3, 0.7), (3, 0.6), (9, 0.7)]
    assert pareto_front(points, higher_is_better=True) == [(1, 0.5), (3, 0.7)]
    assert pareto_front(points, higher_is_better=False) == [(1, 0.5), (2, 0.4)]


def test_numbers_keep_clear_of_marks_and_of_each_other() -> None:
    marks = np.random.default_rng(0).normal(100, 12, (17, 2))
    places = apart(marks)
    between = np.linalg.norm(places[:, None] - places, axis=-1) + 1e9 * np.eye(17)
    assert between.min() >= 10.4 and np.linalg.norm(places[:, None] - marks, axis=-1).min() >= 7.4


def test_shares_of_a_heatmap_are_readable() -> None:
    values = (0.0, 0.5, 0.994, 0.997, 1.0, float("nan"))
    assert [share(value) for value in values] == [".00", ".50", ".99", "1", "1", "–"]


def test_letters_that_no_font_here_has_are_told_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """a method is called in Chinese, and no such font is installed -> one sentence; SVG leaves letters to the viewer"""
    monkeypatch.setattr(style, "_other_fonts", lambda: ["No Such Font"])
    monkeypatch.setattr(logging.getLogger("matplotlib.font_manager"), "disabled", True)
    named = boards.report([replace(row, method=f"我们的{row.method}") for row in boards.rows(cases=8)])
    drawn = figure(named, "distribution")
    with pytest.warns(UserWarning, match="no font here draws 我们的; install one") as caught:
        style.saved(drawn, "pdf")
    assert len(caught) == 1
    svg = style.saved(drawn, "svg").decode()
    assert "我们的" in svg and "No Such Font" not in svg, "the same bytes whatever is installed"


@pytest.mark.parametrize("longest", [8, 16, 40])
@pytest.mark.parametrize("name", [LONG, HOSTILE, "a" * 70, "x[y=" + "z" * 50 + ",w=1]", "plain", ""])
def test_folded_names_lose_no_letter(name: str, longest: int) -> None:
    lines = fold(name, longest)
    assert all(len(line) <= longest for line in lines)
    letters = "".join(lines).replace(" ", "")
    assert letters in (name.replace(" ", ""), name.replace("[", "", 1).removesuffix("]").replace(" ", ""))
