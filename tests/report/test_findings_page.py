"""The page of findings: each line says which test it is of, what was asked, and no more than the numbers show."""

from __future__ import annotations

from mrbench.report.findings import as_json, as_markdown
from tests.stats.rows import DICE, HD95
from tests.stats.test_claims import asked, board, of_split, rows, training


def test_words_and_numbers() -> None:
    rows_of_two = (rows("net", 0.75, simulated=True), rows("old", 0.70, simulated=True))
    finding = asked([board(*rows_of_two, limited=True)], second=("old",))
    page = as_markdown([finding], {"registration": {"dice": DICE}})
    assert "**Supported, on simulated data alone.** Source: folklore. Would be refuted by: bad nets." in page
    assert "Dice of `net` 0.7" in page and "better on 12 of 12. (simulated; asked for: more than 0" in page
    (entry,) = as_json([finding])["findings"]
    assert entry["verdict"] == "supported" and entry["simulated"]
    assert entry["tests"][0]["lines"][0]["low"] > 0 and entry["tests"][0]["at_most"] is None


def test_a_line_without_numbers_says_which_test_it_is_of() -> None:
    """Lines of two tests on a board without the rows were the same; stars of a pattern became emphasis."""
    boards = [board(rows("net", 0.75), rows("old", 0.70))]
    lost = asked(boards, first=("net[*b_1=false*",), second=("old",), metric="hd95_mm", margin=0.1)
    page = as_markdown([lost], {"registration": {"hd95_mm": HD95}})
    assert "it has no row of net[\\*b\\_1=false\\*. (HD95 of `net[*b_1=false*` against `old`; asked for: " in page
    assert "asked for: more than 0.1 mm.)" in page


def test_boards_that_lack_the_same_rows_are_one_line() -> None:
    """Every fold of a dataset had a line of its own that said the same; what has numbers keeps its own."""
    boards = [board(rows("old", 0.7, dataset=name)) for name in "de"]
    boards.append(board(rows("net", 0.75, dataset="f"), rows("old", 0.7, dataset="f")))
    page = as_markdown([asked(boards, second=("old",))], {"registration": {"dice": DICE}})
    told = [line for line in page.splitlines() if line.startswith("- ")]
    assert len(told) == 2 and told[0].startswith("- registration/t/d, registration/t/e: *not tested here*, it has no")
    assert told[1].startswith("- registration/t/f: *supported*")


def test_the_gain_of_a_leak_is_told_as_what_it_is() -> None:
    """It stood as if it were the difference of the two means beside it."""
    boards = [
        board(of_split(split, [*rows("net", mean, kind="learned"), *rows("old", 0.65 + mean / 100)]))
        for split, mean in (("test", 0.7), ("train", 0.9))
    ]
    seen = {"d": frozenset(f"train-c{i}" for i in range(12))}
    page = as_markdown(
        [asked(boards, [training("net", seen=seen)], than_split="train")], {"registration": {"dice": DICE}}
    )
    assert "; its gain there less that of classical methods +0.198 [" in page


def test_one_subject_is_told_in_the_singular_and_without_an_interval() -> None:
    one = asked([board(rows("net", 0.75, n=1), rows("old", 0.6, n=1), rows("old[b=2]", 0.7, n=1))], second=("old*",))
    page = as_markdown([one], {"registration": {"dice": DICE}})
    assert "*not tested here*, 1 subject is too few for an interval. Dice of" in page
    assert "old[b=2] is the best of 2.)" in page and "widened for" not in page.partition("## ")[2]
