"""Claims held against rows: the verdict follows from the interval, and what is not fair is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.stats.rows import DICE, HD95, row

from mrbench.core.errors import RequestError
from mrbench.core.row import Row
from mrbench.report.findings import verdict_of
from mrbench.stats.claims import Claim, Test
from mrbench.stats.evidence import Rows
from mrbench.stats.findings import Finding, Line, judge
from mrbench.stats.frame import frame
from mrbench.stats.training import Training

SUBJECTS = 12
HOME = frozenset(f"train{i}" for i in range(20))


def rows(method: str, mean: float, *, kind: str = "classical", n: int = SUBJECTS, **changes: object) -> list[Row]:
    """Dice around a mean; HD95 and CPU seconds with it."""
    noise = np.random.default_rng(list(method.encode())).normal(0, 0.01, n)
    weights = f"sha-{method}" if kind == "learned" else None
    return [
        row(
            method,
            case,
            {"dice": 0.1 * np.sin(case) + mean + noise[case], "hd95_mm": 10 * (1 - mean) + noise[case]},
            **{"kind": kind, "weights": weights, "cpu_seconds": float(np.exp(mean + noise[case])), **changes},
        )
        for case in range(n)
    ]


def board(*parts: Sequence[Row], **options: object) -> Rows:
    return Rows(frame([one for part in parts for one in part]), {"dice": DICE, "hd95_mm": HD95}, **options)


def training(method: str, **changes: object) -> tuple[str, Training]:
    own = Training("d", ("t",), ("d",), f"sha-{method}", (), {"d": HOME}, 20, 1000, 600, False, "one core")
    return own.weights, replace(own, **changes)


def asked(boards: Sequence[Rows], trainings: Sequence[tuple[str, Training]] = (), **test: object) -> Finding:
    options = {"boards": ("registration/t/*",), "metric": "dice", "first": ("net",), **test}
    claim = Claim("c", "registration", "Nets are good.", "folklore", "bad nets", (Test(**options),))
    return judge([claim], boards, dict(trainings))[0]


def line(finding: Finding) -> Line:
    ((own,),) = finding.lines
    return own


@pytest.mark.parametrize(
    ("net", "margin", "verdict"),
    [
        (0.75, None, "supported"),
        (0.65, None, "refuted"),
        (0.70, None, "not separable"),
        (0.75, 0.03, "supported"),
        (0.75, 0.10, "refuted"),
        (0.65, -0.10, "supported"),
    ],
)
def test_the_interval_against_the_margin_decides(net: float, margin: float | None, verdict: str) -> None:
    finding = asked([board(rows("net", net), rows("old", 0.70))], second=("old",), margin=margin)
    own = line(finding)
    assert finding.verdict == own.verdict == verdict and own.n == SUBJECTS
    assert own.low < own.difference < own.high and own.difference == pytest.approx(net - 0.70, abs=0.01)


def test_lower_is_better_where_it_is() -> None:
    finding = asked([board(rows("net", 0.75), rows("old", 0.70))], second=("old",), metric="hd95_mm")
    assert finding.verdict == "supported" and line(finding).difference > 0 and line(finding).wins == SUBJECTS


def test_equal_within_a_margin() -> None:
    for within, verdict in ((0.05, "supported"), (0.001, "not separable")):
        finding = asked([board(rows("net", 0.70), rows("old", 0.70))], second=("old",), within=within)
        assert finding.verdict == verdict
    assert asked([board(rows("net", 0.8), rows("old", 0.7))], second=("old",), within=0.05).verdict == "refuted"


def test_a_bound_of_one_method() -> None:
    for bounds, verdict in (
        ({"at_least": 0.6}, "supported"),
        ({"at_most": 0.6}, "refuted"),
        ({"at_least": 0.6, "at_most": 0.72}, "not separable"),
    ):
        assert asked([board(rows("net", 0.70))], **bounds).verdict == verdict


def test_time_is_a_ratio() -> None:
    boards = [board(rows("net", -1.0), rows("old", 2.0))]
    finding = asked(boards, second=("old",), metric="cpu_seconds", margin=10)
    assert finding.verdict == "supported" and line(finding).difference == pytest.approx(np.exp(3), rel=0.02)
    assert asked(boards, second=("old",), metric="cpu_seconds", margin=30).verdict == "refuted"
    mixed = [board(rows("net", -1.0), rows("old", 2.0, threads=2))]
    assert "different devices" in line(asked(mixed, second=("old",), metric="cpu_seconds")).reason
    (same,) = boards
    for other, verdict in (("this CPU", "supported"), ("another CPU", "refused"), ("", "refused")):
        timed = same.frame.assign(processor=["this CPU" if name == "net" else other for name in same.frame["method"]])
        assert asked([replace(same, frame=timed)], second=("old",), metric="cpu_seconds").verdict == verdict
    assert asked([replace(same, frame=timed)], second=("old",)).verdict != "refused"  # scores do not hang on it


def test_a_time_is_of_one_known_processor() -> None:
    """A bound on the time of one method was held against rows of two processors, of an unknown one, and of a GPU."""

    def reason(processors: tuple[str, ...], **changes: object) -> str:
        own = board(rows("net", -1.0, **changes))
        timed = own.frame.assign(processor=[processors[i % len(processors)] for i in range(len(own.frame))])
        return line(asked([replace(own, frame=timed)], metric="cpu_seconds", at_most=5)).reason

    assert reason(("this CPU",)) == ""
    assert reason(("this CPU", "another CPU")) == "rows of net are of several processors; run it again"
    assert reason(("",)) == "no run.json tells which processor timed net"
    assert reason(("this CPU",), device="cuda:0") == "net ran on cuda:0, where CPU time is not what it costs"
    busy = asked([board(rows("net", -1.0, contended=True))], metric="cpu_seconds", at_most=5)
    assert "net was timed beside other work on 12" in line(busy).notes


def test_the_best_of_several_has_to_be_beaten_and_to_choose_costs() -> None:
    boards = [board(rows("net", 0.75), rows("old", 0.6), rows("old[grid=5]", 0.7))]
    finding = asked(boards, second=("old*",))
    (note,) = line(finding).notes
    assert line(finding).second == "old[grid=5]" and note.startswith("old[grid=5] is the best of 2")
    chosen = line(asked(boards, first=("old*",), second=("net",)))
    alone = line(asked(boards, first=("old[grid=5]",), second=("net",)))
    assert chosen.levels == (0.975, 0.95) and chosen.low < alone.low and chosen.high == alone.high
    rival = line(finding)
    assert rival.levels == (0.95, 0.975)  # what would refute the claim is what the choice of a rival favours
    asked_alone = line(asked(boards, second=("old[grid=5]",)))
    assert rival.high > asked_alone.high and rival.low == asked_alone.low


def test_who_is_ahead_is_ahead_of_every_rival() -> None:
    """The best rival by its mean was beaten; the next, of scattered scores, cannot be told from the method at all."""
    noise = np.random.default_rng(0).normal(0, 0.08, SUBJECTS)
    ours, rival = rows("net", 0.75), rows("old", 0.735)
    scattered = [
        replace(one, method="older", metrics={**one.metrics, "dice": 0.725 + float(by)})
        for one, by in zip(rival, noise, strict=True)
    ]
    boards = [board(ours, rival, scattered)]
    assert asked(boards, second=("old",)).verdict == "supported"
    assert asked(boards, second=("older",)).verdict == "not separable"
    own = line(asked(boards, second=("old", "older")))
    assert (own.verdict, own.second) == ("not separable", "old")
    assert "the lower bound is that against older" in own.notes
    own = line(asked(boards, first=("old", "older"), second=("net",)))  # nor do all of them stay behind
    assert (own.verdict, own.first) == ("not separable", "old")
    assert "the upper bound is that of older" in own.notes


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"samples": 2000}, "unequal budgets: 1,000 samples of net, 2,000 of twin"),
        ({"samples": None}, "nobody knows the budget of twin"),
        ({"ancestors": ("sha-net",)}, "share an ancestor"),
        ({"seen": {"d": HOME - {"train0"}}}, "trained on other data (20 of d; 19 of d)"),
        ({"seen": {"d": HOME | {"s3"}}}, "twin has been trained on s3 of this board"),
    ],
)
def test_what_is_not_fair_is_refused_with_the_reason(changes: dict[str, Any], reason: str) -> None:
    boards = [board(rows("net", 0.75, kind="learned"), rows("twin", 0.70, kind="learned"))]
    fair = asked(boards, [training("net"), training("twin")], second=("twin",))
    assert fair.verdict == "supported"
    finding = asked(boards, [training("net"), training("twin", **changes)], second=("twin",))
    assert finding.verdict == "refused" and reason in line(finding).reason


def test_a_common_ancestor_is_refused_and_one_set_of_weights_is_not() -> None:
    boards = [board(rows("net", 0.75, kind="learned"), rows("twin", 0.70, kind="learned"))]
    both = [training("net", ancestors=("old",)), training("twin", ancestors=("old",))]
    assert "share an ancestor" in line(asked(boards, both, second=("twin",))).reason
    same = [board(rows("net", 0.75, kind="learned"), rows("net[steps=4]", 0.8, kind="learned", weights="sha-net"))]
    assert asked(same, [training("net")], first=("net[steps=4]",), second=("net",)).verdict == "supported"


def test_other_ways_to_hold_a_budget_equal() -> None:
    boards = [board(rows("net", 0.75, kind="learned"), rows("twin", 0.70, kind="learned"))]

    def verdict(budget: str, **changes: object) -> str:
        pair = [training("net", flat=True), training("twin", **{"samples": 5000, **changes})]
        return asked(boards, pair, second=("twin",), budget=budget).verdict

    assert verdict("seconds") == "supported" and verdict("seconds", seconds=900) == "refused"
    assert verdict("seconds", hardware="a GPU") == "refused"
    assert verdict("flat") == "refused" and verdict("flat", flat=True) == "supported"


def test_weights_without_a_manifest_are_refused() -> None:
    boards = [board(rows("net", 0.75, kind="learned"), rows("old", 0.70))]
    assert "no manifest at hand" in line(asked(boards, second=("old",))).reason


def test_strangers_are_strangers() -> None:
    away = [
        board(rows("net", 0.75, kind="learned", dataset=name), rows("old", 0.70, dataset=name))
        for name in ("d", "elsewhere", "grandparent")
    ]
    own = [training("net", ancestry=("d", "grandparent"))]
    finding = asked(away, own, second=("old",), strangers=True)
    assert [(one.board, one.verdict) for one in finding.lines[0]] == [
        ("registration/t/elsewhere", "supported"),
        ("registration/t/grandparent", "refused"),
    ]
    assert line(asked(away[:1], own, second=("old",), strangers=True)).verdict == "not tested here"
    aged = [training("net", ancestry=("d", "grandparent"), fingerprint="of another version")]
    finding = asked(away[:2], aged, second=("old",), strangers=True)  # the board at home is not meant, however old
    assert [(one.board, one.verdict) for one in finding.lines[0]] == [("registration/t/elsewhere", "supported")]


def test_who_has_few_cases_is_not_the_best_of_several() -> None:
    few = [row("old[b=2]", case, {"dice": 0.9}) for case in range(6)]
    own = line(asked([board(rows("net", 0.75), rows("old", 0.70), few)], second=("old*",)))
    assert (own.verdict, own.second, own.n) == ("supported", "old", SUBJECTS)
    own = line(asked([board(rows("net", 0.75), few)], second=("old*",)))
    assert "old[b=2] has 6 of 12 cases" in own.notes


def test_who_may_not_stand_is_left_out_before_the_best_is_chosen() -> None:
    learned = [rows("net", 0.75, kind="learned"), rows("net[b=2]", 0.80, kind="learned"), rows("old", 0.70)]
    leaked = training("net[b=2]", seen={"d": HOME | {"s3"}})
    own = line(asked([board(*learned)], [training("net"), leaked], first=("net*",), second=("old",)))
    assert (own.verdict, own.first) == ("supported", "net")
    assert "left out: net[b=2] has been trained on s3 of this board" in own.notes
    away = training("net", dataset="e", ancestry=("e",), seen={"e": HOME})
    boards = [board(*learned[:2], rows("old", 0.78))]
    own = line(asked(boards, [away, training("net[b=2]")], first=("net*",), second=("old",), strangers=True))
    assert (own.verdict, own.first) == ("refuted", "net")  # the board vanished where weights at home were ahead


def test_weights_of_earlier_data_are_no_evidence() -> None:
    """A network loses to a PCA where the people of the board are no longer those that it was trained on."""
    boards = [board(rows("net", 0.65, kind="learned", fingerprint="new"), rows("old", 0.70, fingerprint="new"))]
    for fingerprint, tracks, verdict in (
        ("new", ("t",), "refuted"),
        ("old", ("t",), "refused"),
        ("old", ("another",), "refuted"),
        ("", ("t",), "refuted"),
    ):
        trained = training("net", fingerprint=fingerprint, tracks=tracks)
        own = line(asked(boards, [trained], second=("old",)))
        assert own.verdict == verdict, (fingerprint, tracks)
        assert verdict != "refused" or "were trained on an earlier version of d; train them again" in own.reason


def test_predictions_from_elsewhere_are_no_evidence() -> None:
    """Each of their files has a source of its own, which says nothing of the code; nobody knows what trained them."""
    outside = [replace(one, source=one.case) for one in rows("net", 0.75, kind="external")]
    own = line(asked([board(outside, rows("old", 0.70))], second=("old",)))
    assert own.verdict == "refused" and own.reason.startswith("predictions of net were made elsewhere")


def test_a_failure_is_never_a_draw() -> None:
    """HD95 has no worst value: a failure counts as the worst on that case, which may be the other method's own."""
    failed = [
        one if one.case not in ("c0", "c1") else replace(one, status="error", metrics={}) for one in rows("net", 0.75)
    ]
    assert sum(one.failed for one in failed) == 2
    for metric in ("hd95_mm", "cpu_seconds"):
        ahead = rows("old", 0.70 if metric == "hd95_mm" else 3)
        finding = asked([board(failed, ahead)], second=("old",), metric=metric)
        assert finding.verdict == "not separable" and "ahead where it did not fail" in line(finding).reason
    assert asked([board(failed)], metric="cpu_seconds", at_most=9).verdict == "not separable"
    assert asked([board(rows("net", 0.75))], metric="cpu_seconds", at_most=9).verdict == "supported"


def test_a_cause_outside_is_charged_to_nobody() -> None:
    outside = [
        replace(one, status="error", metrics={}, outside=True) if one.case == "c0" else one for one in rows("net", 0.75)
    ]
    own = line(asked([board(outside, rows("old", 0.70))], second=("old",)))
    assert (own.verdict, own.n) == ("supported", SUBJECTS - 1) and not any("failed" in note for note in own.notes)


def test_rows_of_a_method_must_be_alike() -> None:
    mixed = [*rows("net", 0.75, kind="learned")[:6], *rows("net", 0.75, kind="learned", weights="other")[6:]]
    own = line(asked([board(mixed, rows("old", 0.70))], [training("net")], second=("old",)))
    assert own.verdict == "refused" and own.reason == "rows of net are of several weights; run it again"
    moved = [*rows("net", -1.0)[:6], *rows("net", -1.0, device="cuda")[6:]]
    own = line(asked([board(moved, rows("old", 2.0))], second=("old",), metric="cpu_seconds"))
    assert own.reason == "rows of net are of several devices; run it again"


def test_draws_of_a_model_are_no_subjects() -> None:
    drawn = board(rows("net", 0.75, kind="learned"), rows("old", 0.70), draws=True, held_out=frozenset({"p1"}))
    finding = asked([drawn], [training("net")], second=("old",))
    assert finding.verdict == "in part" and "over draws of one training, not over subjects" in line(finding).notes
    leaked = line(asked([drawn], [training("net", seen={"d": HOME | {"p1"}})], second=("old",)))
    assert leaked.reason == "net has been trained on p1 of this board"


def of_split(split: str, rows: Sequence[Row]) -> list[Row]:
    return [replace(one, split=split, subjects=[f"{split}-{one.case}"]) for one in rows]


def test_subjects_seen_under_the_name_of_another_dataset_are_a_leak() -> None:
    boards = [board(rows("net", 0.75, kind="learned", dataset="open-ms", subjects=["patient26"]))]
    other = {"dataset": "open-ms-07", "ancestry": ("open-ms-07",), "seen": {"open-ms-07": frozenset({"patient26"})}}
    assert line(asked(boards, [training("net", **other)])).reason == "net has been trained on patient26 of this board"
    assert line(asked(boards, [training("net", **other)], strangers=True)).verdict == "not tested here"
    assert line(asked(boards, [training("net", **{**other, "dataset": "d"})], strangers=True)).verdict == "refused"


def test_a_leak_is_what_classical_methods_do_not_gain() -> None:
    seen = {one.subjects[0] for one in of_split("train", rows("net", 0.7))}
    own = [training("net", seen={"d": frozenset(seen)})]

    def both(gain: float) -> list[Rows]:
        test = [rows("net", 0.7, kind="learned"), rows("old", 0.65), rows("older", 0.60)]
        train = [rows("net", 0.7 + gain, kind="learned"), rows("old", 0.66), rows("older", 0.61)]
        return [board(*(of_split("test", own) for own in test)), board(*(of_split("train", own) for own in train))]

    assert asked(both(0.2), own, than_split="train").verdict == "supported"
    assert asked(both(-0.2), own, than_split="train").verdict == "refuted"
    assert "no board" in line(asked(both(0)[:1], own, than_split="train")).reason
    stranger = line(asked(both(0.2), [training("net")], than_split="train"))
    assert stranger.reason == "net was not trained on the train split"
    partly = [training("net", seen={"d": frozenset(sorted(seen)[:3])})]
    assert "net was trained on 3 of the 12 subjects" in line(asked(both(0.2), partly, than_split="train")).reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"weights": "sha-other"}, "are of several weights; run it again"),
        ({"source": "another"}, "are of several versions of its code; run it again"),
        ({"fingerprint": "another"}, "are of different versions of the data; run them again"),
        ({"protocol": "another"}, "are of different protocols; run them again"),
    ],
)
def test_a_leak_is_told_by_boards_that_differ_in_their_subjects_alone(changes: dict[str, Any], reason: str) -> None:
    """The gain of other weights, or on other data, passed for what a network owes to having seen the subjects."""
    seen = frozenset(one.subjects[0] for one in of_split("train", rows("net", 0.7)))
    here = board(of_split("test", [*rows("net", 0.7, kind="learned"), *rows("old", 0.65)]))
    shared = {key: value for key, value in changes.items() if key in ("fingerprint", "protocol")}
    net, old = rows("net", 0.9, **{"kind": "learned", **changes}), rows("old", 0.66, **shared)
    there = board(of_split("train", [*net, *old]))
    finding = asked([here, there], [training("net", seen={"d": seen})], than_split="train")
    assert finding.verdict == "refused" and reason in line(finding).reason
    alike = board(of_split("train", [*rows("net", 0.9, kind="learned"), *rows("old", 0.66)]), limited=True)
    own = line(asked([here, alike], [training("net", seen={"d": seen})], than_split="train"))
    assert own.verdict == "supported" and "only the first cases of train" in own.notes


def test_what_is_not_there_is_not_tested() -> None:
    full = board(rows("net", 0.75), rows("old", 0.70))
    assert line(asked([], second=("old",))).reason == "there is no such board"
    assert line(asked([full], second=("ants*",))).reason == "it has no row of ants*"
    away = board(rows("net[weights=e]", 0.75), rows("old", 0.70))
    assert line(asked([away], second=("old",))).reason == "it has no row of net, but of net[weights=e]"
    skipped = rows("ants", 0.7, status="skipped", message="pip install antspyx")
    assert line(asked([board(rows("net", 0.75), skipped)], second=("ants*",))).reason == (
        "ants was skipped (pip install antspyx)"
    )
    untimed = board(rows("net", 0.75), rows("old", 0.70, cpu_seconds=None))
    assert line(asked([untimed], second=("old",), metric="cpu_seconds")).reason == "no row of old has a CPU time"
    aged = board(rows("net", 0.75), rows("old", 0.70), hidden={"ants": 15, "net": 1})
    assert "; 15 rows of ants left out, as of another protocol" in line(asked([aged], second=("ants*",))).reason
    assert "1 row of net left out, as of another protocol" in line(asked([aged], second=("old",))).notes[-1]
    few = asked([board(rows("net", 0.75, n=4), rows("old", 0.70, n=4))], second=("old",))
    assert few.verdict == "not tested here" and line(few).reason == "4 subjects are too few for an interval"
    failed = [*rows("old", 0.7)[:-1], row("old", SUBJECTS - 1, None)]
    assert "old failed on 1" in line(asked([board(rows("net", 0.75), failed)], second=("old",))).notes
    with pytest.raises(RequestError, match="claim c asks for dise, which is no metric"):
        asked([full], second=("old",), metric="dise")


def test_boards_and_tests_together() -> None:
    good = board(rows("net", 0.75), rows("old", 0.70))
    bad = board(rows("net", 0.65, dataset="e"), rows("old", 0.70, dataset="e"))
    assert asked([good, bad], second=("old",)).verdict == "in part"
    tests = [
        Test(("registration/t/d",), "dice", ("net",), ("old",)),
        Test(("registration/t/e",), "dice", ("net",), ("old",)),
    ]
    claim = Claim("c", "registration", "Nets are good.", "folklore", "bad nets", tuple(tests))
    assert judge([claim], [good, bad], {})[0].verdict == "refuted"
    assert judge([claim], [good], {})[0].verdict == "in part"
    equal = board(rows("net", 0.70, dataset="f"), rows("old", 0.70, dataset="f"))
    for boards, verdict in (([bad, equal], "refuted"), ([good, equal], "in part"), ([equal], "not separable")):
        assert asked(boards, second=("old",)).verdict == verdict
    lacking = asked([good, board(rows("net", 0.75, dataset="g"))], second=("old",))
    assert verdict_of(lacking) == "supported, on 1 of 2 boards"


def test_a_metric_without_a_better_value_takes_bounds_alone() -> None:
    shown = {"dice": replace(DICE, ranked=False)}
    plain = replace(board(rows("net", 0.75), rows("old", 0.70)), metrics=shown)
    with pytest.raises(RequestError, match="compares methods by dice, of which no value is better"):
        asked([plain], second=("old",))
    assert asked([plain], at_most=0.9).verdict == "supported"
