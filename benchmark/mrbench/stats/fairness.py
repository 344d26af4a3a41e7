"""Whether rows may be compared at all: who may stand on a board, and which two trainings are alike."""

from __future__ import annotations

from collections.abc import Mapping

from mrbench.core.method import EXTERNAL, TRAINED
from mrbench.core.weights import seen_among
from mrbench.core.words import some
from mrbench.stats.claims import COST, Test
from mrbench.stats.evidence import Rows
from mrbench.stats.training import Training

SAMPLES, SECONDS = 1.05, 1.25
"""Up to which ratio two trainings count as alike."""

CPU = "cpu"
"""The device whose time is CPU time."""

_MADE_ALIKE = {"weights": "several weights", "source": "several versions of its code"}
_TIMED_ALIKE = {"device": "several devices", "threads": "several numbers of threads", "processor": "several processors"}

AT_HOME = "its weights were trained on this data"
"""No fault: where strangers are asked for, who is at home is not meant."""


def may_not_stand(method: str, test: Test, board: Rows, trainings: Mapping[str, Training], other: Rows | None) -> str:
    """Why the rows of a method are no evidence; empty where nothing speaks against them.

    ``other`` is the board of the split that a test for a leak compares with.
    """
    if EXTERNAL in board.facts(method, "kind"):
        return f"predictions of {method} were made elsewhere, so that nobody here knows by what"
    for column, what in {**_MADE_ALIKE, **(_TIMED_ALIKE if test.metric == COST else {})}.items():
        if len(board.facts(method, column)) > 1:
            return f"rows of {method} are of {what}; run it again"
    if test.metric == COST and (fault := _untold_time(method, board)):
        return fault
    if board.facts(method, "kind").isdisjoint(TRAINED):
        return ""
    training = trainings.get(weights_of(method, board))
    if training is None:
        return f"no manifest at hand tells what trained the weights of {method}"
    if test.strangers and training.is_home(board.dataset):
        return AT_HOME
    if training.is_outdated(board.dataset, board.track, board.fingerprint):
        return f"the weights of {method} were trained on an earlier version of {board.dataset}; train them again"
    if leaked := seen_among(training.seen, board.dataset, board.subjects):
        return f"{method} has been trained on {some(leaked)} of this board"
    if test.strangers and training.knows(board.dataset):
        return f"{method} descends from weights trained on subjects of {board.dataset}"
    return "" if other is None else _unseen(method, test, training, other)


def _untold_time(method: str, board: Rows) -> str:
    """Why the CPU time of a method is not what it costs."""
    if elsewhere := board.facts(method, "device") - {CPU}:
        return f"{method} ran on {min(elsewhere)}, where CPU time is not what it costs"
    return f"no run.json tells which processor timed {method}" if "" in board.facts(method, "processor") else ""


def _unseen(method: str, test: Test, training: Training, other: Rows) -> str:
    """Why the subjects of another split are not those that a method was trained on."""
    if not (seen := seen_among(training.seen, other.dataset, other.subjects)):
        return f"{method} was not trained on the {test.than_split} split"
    if len(seen) < len(other.subjects):
        return (
            f"{method} was trained on {len(seen)} of the {len(other.subjects)} subjects of the {test.than_split} board"
        )
    return ""


def made_otherwise(first: str, second: str, board: Rows, other: Rows) -> str:
    """Why rows of one method on the boards of two splits are no comparison of the splits alone."""
    for column, what in {"fingerprint": "versions of the data", "protocol": "protocols"}.items():
        if board.frame[column].iloc[0] != other.frame[column].iloc[0]:
            return f"{board.name} and {other.name} are of different {what}; run them again"
    for column, what in _MADE_ALIKE.items():
        if len(board.facts(first, column) | other.facts(second, column)) > 1:
            return f"rows of {first} on {board.name} and {other.name} are of {what}; run it again"
    return ""


def unequal(first: str, second: str, test: Test, board: Rows, trainings: Mapping[str, Training]) -> str:
    """Why a comparison of two methods would not be fair; empty where nothing speaks against it."""
    pair = (first, second)
    if test.metric == COST and any(
        len(set.union(*(board.facts(name, key) for name in pair))) > 1 for key in ("device", "threads", "processor")
    ):
        return f"{first} and {second} ran on different devices, processors or numbers of threads"
    one, two = (trainings.get(weights_of(name, board)) for name in pair)
    if one is None or two is None or one.weights == two.weights:
        return ""
    return _different(test, first, one, second, two)


def weights_of(method: str, board: Rows) -> str:
    """sha256 of a method's weights; empty where it has none."""
    return next(iter(board.facts(method, "weights")), "")


def _different(test: Test, one: str, first: Training, other: str, second: Training) -> str:
    """In what two trainings differ that must be alike."""
    if first.related(second):
        return f"the weights of {one} and {other} share an ancestor, so they are no two trainings"
    if test.same_data and first.seen != second.seen:
        return f"{one} and {other} were trained on other data ({_data(first)}; {_data(second)})"
    if test.budget == "flat" and first.flat and second.flat:
        return ""
    if test.budget == "seconds":
        if first.hardware != second.hardware:
            return f"{one} and {other} were trained on other hardware ({first.hardware}; {second.hardware})"
        return _apart(one, other, "seconds", first.seconds, second.seconds, SECONDS)
    return _apart(one, other, "samples", first.samples, second.samples, SAMPLES)


def _apart(one: str, other: str, what: str, first: float | None, second: float | None, most: float) -> str:
    if first is None or second is None:
        silent = one if first is None else other
        return f"nobody knows the budget of {silent}: an ancestor of its weights is not at hand, or tells no {what}"
    if max(first, second) > most * min(first, second):
        return f"unequal budgets: {first:,.0f} {what} of {one}, {second:,.0f} of {other}"
    return ""


def _data(training: Training) -> str:
    return " + ".join(f"{len(subjects)} of {name}" for name, subjects in training.seen.items())
