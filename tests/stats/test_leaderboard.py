"""A table in which failures count, equal means share a rank, and bold is what no test separates."""

from __future__ import annotations

import numpy as np
import pytest
from tests.stats.rows import DICE, HD95, PSNR, dice, row

from mrbench.core.errors import RequestError
from mrbench.core.metric import Metric
from mrbench.core.row import Row
from mrbench.stats.comparison import COLUMNS
from mrbench.stats.frame import frame
from mrbench.stats.leaderboard import SAME, Leaderboard, leaderboard

METRICS = (DICE, HD95)


def bold(table: Leaderboard) -> list[str]:
    """Methods among the best in Dice."""
    return list(table.cells.index[table.cells["dice"]["best"]])


def board(means: dict[str, float], cases: int, **changes: object) -> list[Row]:
    """Every method has its mean; each case is a little easier than the one before, for all alike."""
    return [
        dice(method, c, mean + 0.001 * c, subjects=[f"s{c}"], **changes)
        for method, mean in means.items()
        for c in range(cases)
    ]


def test_table_ranks_by_the_first_metric() -> None:
    table = leaderboard(frame(board({"low": 0.5, "high": 0.8}, 10)), METRICS)
    assert list(table.summary.index) == ["high", "low"] and list(table.summary["rank"]) == [1, 2]
    assert bold(table) == ["high"]
    cell = table.cells.loc["high", "dice"]
    assert cell["low"] <= cell["mean"] <= cell["high"] and cell["n"] == 10
    assert table.summary.loc["high", "seconds_median"] == 5.5 and table.summary.loc["high", "seconds_iqr"] == 4.5


def test_every_frame_has_its_documented_columns() -> None:
    table = leaderboard(frame(board({"low": 0.5, "high": 0.8}, 7)), METRICS)
    assert list(table.cells.columns) == [
        (m, c) for m in ("dice", "hd95_mm") for c in ("mean", "low", "high", "n", "best")
    ]
    assert list(table.summary)[:4] == ["rank", "kind", "n_cases", "n_failed"]
    assert table.summary.index.name == table.cells.index.name == table.ranks.index.name == "method"
    assert table.values["dice"].shape == (7, 2) and list(table.values["dice"].index) == table.cases
    assert list(table.comparisons) == list(COLUMNS) and len(table.comparisons) == 2
    assert set(table.ranks.loc["high", ["rank_low", "rank_high", "p_best"]]) == {1}


def test_bold_is_the_group_that_no_test_separates() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.02, (2, 12))
    rows = [dice(m, c, 0.8 + noise[i, c], subjects=[f"s{c}"]) for i, m in enumerate("ab") for c in range(12)]
    assert bold(leaderboard(frame(rows), METRICS)) == list(leaderboard(frame(rows), METRICS).summary.index)


@pytest.mark.parametrize(("methods", "cases", "named"), [(2, 5, False), (2, 6, True), (14, 11, False), (14, 12, True)])
def test_so_many_methods_need_so_many_subjects(methods: int, cases: int, named: bool) -> None:
    """Of 91 pairs after Holm's correction, 11 subjects reach 0.089 at the best: all 14 would be bold."""
    table = leaderboard(frame(board({f"m{m}": 0.3 + 0.04 * m for m in range(methods)}, cases)), METRICS)
    assert bold(table) == ([f"m{methods - 1}"] if named else [])
    assert (table.units >= table.fewest) == named


def test_methods_with_failures_make_no_test_stricter() -> None:
    rows = board({"low": 0.5, "high": 0.8}, 6)
    rows += [dice(f"f{n}", c, 0.1 if c else None, subjects=[f"s{c}"]) for n in range(8) for c in range(6)]
    assert bold(leaderboard(frame(rows), METRICS)) == ["high"]


def test_equal_means_share_a_rank() -> None:
    rows = [
        dice(m, c, v)
        for m, values in {"a": (0.1, 0.2, 0.7), "b": (0.7, 0.1, 0.2), "c": (0.3, 0.3, 0.3)}.items()
        for c, v in enumerate(values)
    ]
    assert dict(leaderboard(frame(rows), METRICS).summary["rank"]) == {"a": 1, "b": 1, "c": 3}


def test_a_line_tells_every_device_and_number_of_threads() -> None:
    rows = [dice("a", c, 0.5, device="cuda" if c else "cpu", threads=1 + c % 2) for c in range(3)]
    line = leaderboard(frame(rows), METRICS).summary.loc["a"]
    assert line["device"] == "cpu + cuda" and line["threads"] == (1, 2)


def test_a_warning_says_on_how_many_cases_it_was() -> None:
    """One chance resemblance on a case stood like a mistake in all of them."""
    rows = [dice("a", case, 0.5, message=f"odd by {case}" if case in (2, 3) else "") for case in range(4)]
    rows += [dice("b", case, 0.5, message="old file") for case in range(4)]
    messages = leaderboard(frame(rows), METRICS).summary["message"]
    assert messages.to_dict() == {"a": "on 2 of 4 cases, first: odd by 2", "b": "old file"}


def test_a_failure_counts_and_ranks_last() -> None:
    rows = [dice("steady", c, 0.5) for c in range(4)] + [dice("flaky", c, 0.9 if c < 3 else None) for c in range(4)]
    table = leaderboard(frame(rows), METRICS)
    assert list(table.summary.index) == ["steady", "flaky"]
    assert list(table.summary["n_failed"]) == [0, 1] and list(table.summary["n_cases"]) == [4, 4]
    means = table.cells.xs("mean", axis=1, level=1).loc["flaky"]
    assert means["dice"] == pytest.approx(0.9 * 3 / 4)  # the failure is a Dice of 0
    assert means["hd95_mm"] == pytest.approx((1 + 1 + 1 + 5) / 4)  # no bound: the worst on that case
    assert "flaky" not in bold(table)


def test_a_failure_on_a_case_that_nobody_did_is_the_worst_of_the_board() -> None:
    rows = [dice("alone", c, 0.9 if c < 3 else None) for c in range(4)]
    assert leaderboard(frame(rows), METRICS).cells.loc["alone", ("hd95_mm", "mean")] == pytest.approx(1)


def test_a_failure_where_the_metric_is_undefined_counts_nothing() -> None:
    """A tumour without an enhancing part has no Dice of one, whether a method fails there or not."""
    present = Metric("dice_enhancing_present", "Dice", "", True, (0, 1))
    values = {"a": [0.8, np.nan, 0.6], "b": [0.5, None, 0.5], "c": [0.9, 0.9, None]}
    undefined = [
        row(m, c, None if v is None else {"dice_enhancing_present": v}) for m in "ab" for c, v in enumerate(values[m])
    ]
    table = leaderboard(frame(undefined), [present])
    assert list(table.cells[present.name]["mean"]) == pytest.approx([0.7, 0.5])
    assert list(table.cells[present.name]["n"]) == [2, 2] and table.summary.loc["b", "n_failed"] == 1
    defined = undefined + [
        row("c", c, None if v is None else {"dice_enhancing_present": v}) for c, v in enumerate(values["c"])
    ]
    table = leaderboard(frame(defined), [present])
    assert table.cells.loc["b", (present.name, "mean")] == pytest.approx((0.5 + 0 + 0.5) / 3)
    assert table.cells.loc["c", (present.name, "mean")] == pytest.approx((0.9 + 0.9 + 0) / 3)


def test_an_infinite_value_counts_as_the_best_that_anyone_reached() -> None:
    rows = [row("perfect", c, {"psnr_db": np.inf if c == 0 else 30.0}) for c in range(3)]
    rows += [row("other", c, {"psnr_db": 20.0 + c}) for c in range(3)]
    table = leaderboard(frame(rows), [PSNR])
    assert table.cells.loc["perfect", ("psnr_db", "mean")] == 30
    assert table.values["psnr_db"].notna().all(axis=None) and np.isfinite(table.values["psnr_db"]).all(axis=None)
    worst = leaderboard(frame([row("a", c, {"hd95_mm": np.inf if c else 2.0}) for c in range(2)]), [HD95])
    assert worst.cells.loc["a", ("hd95_mm", "mean")] == 2


def test_missing_values_leave_bold_its_minimum() -> None:
    """Eight cases, but only five on which both have a value: no test can tell them apart, so none is bold."""
    rows = board({"a": 0.8, "b": 0.3}, 8)
    gaps = [row(r.method, r.case[1:], r.metrics if c % 8 < 5 else {}, subjects=r.subjects) for c, r in enumerate(rows)]
    assert bold(leaderboard(frame(gaps), METRICS)) == []


def test_a_method_without_a_value_where_others_have_one_is_not_the_best() -> None:
    """a method has no value of the first metric where others have one -> it stands last and has no rank"""
    rows = board({"a": 0.8, "b": 0.3}, 12)
    rows = [row(r.method, r.case[1:], {} if r.method == "a" and r.case == "c0" else r.metrics) for r in rows]
    table = leaderboard(frame(rows), METRICS)
    assert table.cells.loc["a", ("dice", "n")] == 11 and "a" not in bold(table)
    assert list(table.summary.index) == ["b", "a"] and table.summary["rank"].isna().tolist() == [False, True]
    assert "a" not in table.ranks.index


def test_a_case_on_which_the_metric_is_undefined_for_all_costs_no_rank() -> None:
    rows = board({"a": 0.8, "b": 0.3}, 12)
    gaps = [row(r.method, r.case[1:], {} if r.case == "c0" else r.metrics, subjects=r.subjects) for r in rows]
    gaps.append(row("fails", 0, None, subjects=rows[0].subjects))
    gaps += [row("fails", c, {"dice": 0.9, "hd95_mm": 1.0}) for c in range(1, 12)]
    table = leaderboard(frame(gaps), METRICS)
    assert table.summary["rank"].tolist() == [1, 2, 3] and list(table.summary.index) == ["a", "b", "fails"]
    assert set(table.cells["dice", "n"]) == {11}


def test_a_method_on_fewer_cases_has_no_rank() -> None:
    rows = [dice("whole", c, 0.5) for c in range(6)] + [dice("part", c, 0.9) for c in range(5)]
    table = leaderboard(frame(rows), METRICS)
    assert list(table.summary.index) == ["whole", "part"]
    assert table.summary.loc["whole", "rank"] == 1 and table.summary["rank"].isna().loc["part"]
    assert bold(table) == ["whole"] and "part" not in table.ranks.index


def test_two_rows_for_one_case_are_refused() -> None:
    with pytest.raises(RequestError, match="two rows"):
        leaderboard(frame([dice("a", 0, 0.5), dice("a", 0, 0.6)]), METRICS)


def test_a_metric_that_failed_everywhere_is_no_number() -> None:
    table = leaderboard(frame([dice("a", 0, None)]), METRICS)
    assert table.metrics == () and list(table.summary["n_failed"]) == [1] and table.comparisons.empty


def test_no_rows_are_an_empty_table() -> None:
    table = leaderboard(frame([]), METRICS)
    assert table.summary.empty and table.cases == [] and table.metrics == ()


def test_skipped_methods_stand_beside_the_table() -> None:
    rows = [dice("here", 0, 0.5), dice("absent", 0, None, status="skipped", message="pip install x")]
    table = leaderboard(frame(rows), METRICS)
    assert table.skipped == {"absent": "pip install x"} and list(table.summary.index) == ["here"]


@pytest.mark.parametrize("attribute", SAME)
def test_rows_that_do_not_compare_share_no_table(attribute: str) -> None:
    with pytest.raises(RequestError, match=f"different {attribute}"):
        leaderboard(frame([dice("a", 0, 0.5), dice("b", 0, 0.6, **{attribute: "other"})]), METRICS)


@pytest.mark.parametrize(
    ("shared", "wall", "computed", "threads", "starred"),
    [
        (0, 1.0, 1.0, 1, False),
        (1, 9.0, 1.0, 1, False),  # a median does not mind
        (6, 2.0, 1.0, 1, True),
        (10, 1.04, 1.0, 1, False),  # nothing to speak of was lost
        (10, 2.0, 2.0, 1, False),
        (10, 2.0, 2.0, 2, True),  # each thread computed for a second
        (6, 2.0, None, 1, True),
    ],
)
def test_a_median_time_is_starred_where_other_work_may_have_moved_it(
    shared: int, wall: float, computed: float | None, threads: int, starred: bool
) -> None:
    """some of ten cases shared the machine -> a star where the median can have grown by more than 5 %"""
    alone = {"seconds": 1.0, "cpu_seconds": 1.0, "contended": False, "threads": threads}
    other = {**alone, "seconds": wall, "cpu_seconds": computed, "contended": True}
    rows = [dice("a", c, 0.5, subjects=[f"s{c}"], **(other if c < shared else alone)) for c in range(10)]
    assert leaderboard(frame(rows), METRICS).summary.loc["a", "contended"] == starred


def test_costs_are_medians_by_megavoxel() -> None:
    details = [{"megavoxels": 2.0}, {"megavoxels": 4.0}, {"megavoxels": 1.0}, {}]
    costs = [(4.0, 100.0), (4.0, None), (9.0, 30.0), (1e6, 1e6)]
    rows = [
        row("mean", case, {"psnr_db": 30.0}, details=detail, cpu_seconds=cpu, memory_mib=memory)
        for case, (detail, (cpu, memory)) in enumerate(zip(details, costs, strict=True))
    ]
    rows.append(row("mean", 9, None, details={"megavoxels": 1.0}, cpu_seconds=1e6, memory_mib=1e6))
    line = leaderboard(frame(rows), [PSNR]).summary.loc["mean"]
    assert line["cpu_seconds_per_megavoxel"] == 2.0  # of 2, 1 and 9; a failure and a case of unknown size do not count
    assert line["memory_mib_per_megavoxel"] == 40.0  # of 50 and 30
    plain = leaderboard(frame([row("mean", 0, {"psnr_db": 30.0}, cpu_seconds=1.0, memory_mib=1.0)]), [PSNR])
    assert plain.summary.loc["mean", ["cpu_seconds_per_megavoxel", "memory_mib_per_megavoxel"]].isna().all()


def test_a_case_that_cannot_be_read_is_charged_to_no_method() -> None:
    bad = {"outside": True, "message": "scan.h5 has 8 coils but the folder's first file has 4."}
    rows = [row(m, c, {"dice": 0.5 + 0.1 * c}) for m in "ab" for c in range(4)]
    rows += [row(m, 9, None, **bad) for m in "ab"] + [row("c", c, None, **bad) for c in range(4)]
    table = leaderboard(frame(rows), (DICE,))
    assert table.summary["n_failed"].sum() == 0 and list(table.summary.index) == ["a", "b"]
    assert table.unread == {"c9": bad["message"]} and table.skipped == {"c": bad["message"]}
    assert table.values["dice"].notna().all(axis=None) and len(table.cases) == 4


def test_a_method_that_missed_a_case_by_accident_is_on_fewer_cases() -> None:
    rows = [row(m, c, {"dice": 0.5}, outside=False) for m in "ab" for c in range(3)]
    rows[-1] = row("b", 2, None, outside=True, message="the process that read the case died")
    table = leaderboard(frame(rows), (DICE,))
    assert list(table.summary["n_cases"]) == [3, 2] and table.summary["rank"].isna().tolist() == [False, True]
    assert table.unread == {} and table.summary["n_failed"].sum() == 0


def test_where_nothing_can_be_read_every_row_says_so() -> None:
    table = leaderboard(frame([row(m, c, None, outside=True, message="no") for m in "ab" for c in range(3)]), (DICE,))
    assert list(table.summary["n_failed"]) == [3, 3]
