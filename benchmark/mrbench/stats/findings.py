"""What rows say of claims: supported, refuted, not separable, not tested, or refused because it would not be fair."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import isnan, nan

import numpy as np
import pandas as pd

from mrbench.core.errors import RequestError
from mrbench.core.method import TRAINED
from mrbench.core.metric import Metric
from mrbench.core.weights import seen_among
from mrbench.stats.claims import COST, Claim, Test, matching
from mrbench.stats.design import Design
from mrbench.stats.intervals import LEVEL, interval, patterns
from mrbench.stats.scores import grid, scores
from mrbench.stats.side_by_side import side_by_side
from mrbench.stats.training import Training

SUPPORTED, REFUTED, OPEN = "supported", "refuted", "not separable"
ABSENT, REFUSED, PART = "not tested here", "refused", "in part"
VERDICTS = (SUPPORTED, REFUTED, PART, OPEN, REFUSED, ABSENT)

SAMPLES, SECONDS = 1.05, 1.25
"""Up to which ratio two trainings count as alike."""


@dataclass(frozen=True)
class Rows:
    """The rows of one board.

    Attributes
    ----------
    frame : DataFrame
        From `stats.frame`, of one board, data and protocol.
    metrics : mapping of str to Metric
    limited : bool
        Whether only the first cases were run.
    """

    frame: pd.DataFrame = field(repr=False)
    metrics: Mapping[str, Metric]
    limited: bool = False

    @property
    def name(self) -> str:
        """``task/track/dataset``, and the split where it is not the test split."""
        first = self.frame.iloc[0]
        parts = [str(first[key]) for key in ("task", "track", "dataset")]
        return "/".join(parts if first["split"] == "test" else [*parts, str(first["split"])])

    @cached_property
    def ran(self) -> pd.DataFrame:
        """Without the skipped rows."""
        ran = self.frame[self.frame["status"] != "skipped"]
        return ran.assign(**{name: ran[name].cat.remove_unused_categories() for name in ("case", "method")})

    @cached_property
    def lines(self) -> pd.DataFrame:
        """The first row of each method, by its name."""
        return self.ran.drop_duplicates("method").set_index("method")

    def values(self, metric: str) -> pd.DataFrame:
        """Cases by methods; of CPU time, its logarithm where a method did not fail."""
        place = grid(self.ran)
        if metric != COST:
            return scores(self.ran, place, self.metrics[metric])
        table = np.full(place.scored.shape, np.nan)
        table[place.at] = np.log(self.ran[COST].clip(lower=1e-3))
        return pd.DataFrame(np.where(place.scored, table, np.nan), index=place.cases, columns=place.methods)

    def design(self, cases: Iterable[str]) -> Design:
        """Who is in each case."""
        first = self.ran.drop_duplicates("case").set_index("case")["subjects"]
        return Design([first[case] for case in cases])


@dataclass(frozen=True)
class Line:
    """What one board says of one test.

    Attributes
    ----------
    board, verdict : str
    reason : str
        Why it was not tested, or refused.
    metric, first, second : str
    means : tuple of float
        Of first and second on the cases that both have; of CPU time geometric means.
    difference, low, high : float
        By how much first is better, in the metric's unit (of CPU time, how many times as fast), with its interval over
        subjects; where nothing is compared, the mean of first.
    level : float
        Of the interval: 0.95, more where ``first`` was chosen among several.
    wins, n : int
        On how many of how many subjects, or sets of them, first was better.
    notes : tuple of str
        What a reader must know beside the numbers.
    simulated : bool
    """

    board: str
    verdict: str
    reason: str = ""
    metric: str = ""
    first: str = ""
    second: str = ""
    means: tuple[float, float] = (nan, nan)
    difference: float = nan
    low: float = nan
    high: float = nan
    level: float = LEVEL
    wins: int = 0
    n: int = 0
    notes: tuple[str, ...] = ()
    simulated: bool = False


@dataclass(frozen=True)
class Finding:
    """A claim, its verdict, and the lines that it rests on: those of each of its tests."""

    claim: Claim
    verdict: str
    lines: tuple[tuple[Line, ...], ...]

    @property
    def simulated(self) -> bool:
        """Whether there is a verdict, and nothing but simulated data speaks."""
        decided = [line for lines in self.lines for line in lines if line.verdict in (SUPPORTED, REFUTED, OPEN)]
        return bool(decided) and all(line.simulated for line in decided)


def judge(claims: Sequence[Claim], boards: Sequence[Rows], trainings: Mapping[str, Training]) -> tuple[Finding, ...]:
    """Hold claims against the rows of boards.

    Parameters
    ----------
    claims : sequence of Claim
        What is judged.
    boards : sequence of Rows
        Rows of each board that it is judged by.
    trainings : mapping
        From the sha256 of weights to what they have been through.

    Raises
    ------
    RequestError
        If a claim names a metric that the boards it names do not know.

    Notes
    -----
    A test is *supported* where the 95 % interval over subjects of the difference lies above its margin, *refuted* where
    it lies below, else *not separable*. Each is one comparison that was written down beforehand, so nothing is
    corrected over claims. Under 5 subjects there is no interval and no verdict. A comparison is *refused* where weights
    have seen a subject of the board, tell no history, share an ancestor, or had another budget or other data.
    """
    by_name = {board.name: board for board in boards}
    findings = []
    for claim in claims:
        lines = tuple(tuple(_lines(test, claim, by_name, trainings)) for test in claim.tests)
        findings.append(Finding(claim, _together([_over_boards(one) for one in lines]), lines))
    return tuple(findings)


def _over_boards(lines: Sequence[Line]) -> str:
    verdicts = {line.verdict for line in lines} & {SUPPORTED, REFUTED, OPEN}
    if not verdicts:
        return REFUSED if any(line.verdict == REFUSED for line in lines) else ABSENT
    if len(verdicts) == 1:
        return verdicts.pop()
    return PART if verdicts >= {SUPPORTED, REFUTED} else OPEN


def _together(verdicts: Sequence[str]) -> str:
    """The verdict of several tests that must all hold; one that is not told leaves the rest in part."""
    decided = set(verdicts) - {REFUSED, ABSENT}
    if not decided:
        return REFUSED if REFUSED in verdicts else ABSENT
    if decided == {SUPPORTED}:
        return SUPPORTED if decided == set(verdicts) else PART
    return next(one for one in (REFUTED, PART, OPEN) if one in decided)


def _lines(test: Test, claim: Claim, boards: Mapping[str, Rows], trainings: Mapping[str, Training]) -> Iterable[Line]:
    wanted = [name for pattern in test.boards for name in matching([pattern], _of_a_split(boards, pattern))]
    if not wanted:
        return [Line(" or ".join(test.boards), ABSENT, "there is no such board")]
    lines = [_line(test, claim, boards[name], boards, trainings) for name in wanted]
    shown = [line for line in lines if line is not None]
    return shown or [Line(" or ".join(test.boards), ABSENT, "every board is of data that the weights were trained on")]


def _of_a_split(boards: Iterable[str], pattern: str) -> list[str]:
    """Boards of the test split, unless the pattern itself names a split."""
    return [name for name in boards if name.count("/") == 2 or pattern.count("/") >= 3]


def _line(
    test: Test, claim: Claim, board: Rows, boards: Mapping[str, Rows], trainings: Mapping[str, Training]
) -> Line | None:
    """None of a board that is home to the weights, where strangers are asked for."""
    blank = Line(board.name, ABSENT, metric=test.metric, simulated=bool(board.frame["simulated"].iloc[0]))
    if test.metric != COST and test.metric not in board.metrics:
        raise RequestError(
            f"claim {claim.id} asks for {test.metric}, which is no metric of {board.name}; "
            f"choose from: {', '.join([*board.metrics, COST])}."
        )
    if test.metric != COST and test.metric not in board.frame:
        return replace(blank, reason=f"its rows have no {test.metric}")
    values = board.values(test.metric)
    values = values[[name for name in values if values[name].notna().any()]]
    sides = [matching(names, values) for names in (test.first, test.second) if names]
    if test.second:
        sides[1] = [name for name in sides[1] if name not in sides[0]]
    for names, side in zip((test.first, test.second), sides, strict=False):
        if not side:
            return replace(blank, reason=f"it has no row of {' or '.join(names)}")
    sign = -1 if test.metric == COST else board.metrics[test.metric].sign
    chosen = [(sign * values[side].mean()).idxmax() for side in sides]
    first, second = str(chosen[0]), str(chosen[1]) if len(chosen) > 1 else ""
    line = replace(blank, first=first, second=second, notes=_notes(board, [first, second], sides))
    training = trainings.get(str(board.lines.at[first, "weights"]))
    dataset = str(board.frame["dataset"].iloc[0])
    if test.strangers and training is not None and training.is_home(dataset):
        return None
    if fault := _objection(test, board, [first, *filter(None, [second])], trainings):
        return replace(line, verdict=REFUSED, reason=fault)
    if test.than_split:
        return _excess(line, test, board, boards)
    return _measured(line, test, values, board, sign, choices=len(sides[0]))


def _notes(board: Rows, methods: Sequence[str], sides: Sequence[Sequence[str]]) -> tuple[str, ...]:
    rows = board.ran[board.ran["method"].isin(methods)]
    failed = rows[rows["status"] != "ok"]["method"].astype(str).value_counts()
    notes = ["only the first cases"] if board.limited else []
    notes += [f"{name} failed on {count}" for name, count in sorted(failed.items())]
    words = ("the best of {}, and the interval widened for that", "the best of {}")
    for name, side, text in zip(methods, sides, words, strict=False):
        if len(side) > 1:
            notes.append(f"{name} is {text.format(len(side))}")
    return tuple(notes)


def _objection(test: Test, board: Rows, methods: Sequence[str], trainings: Mapping[str, Training]) -> str:
    """Why a comparison would not be fair; empty where nothing speaks against it."""
    lines, dataset = board.lines.loc[list(methods)], str(board.frame["dataset"].iloc[0])
    known: dict[str, Training] = {}
    for name, line in lines[lines["kind"].isin(TRAINED)].iterrows():
        training = trainings.get(str(line["weights"]))
        if training is None:
            return f"no manifest at hand tells what trained the weights of {name}"
        known[str(name)] = training
        if leaked := seen_among(training.seen, dataset, _subjects(board)):
            return f"{name} has been trained on {_some(leaked)} of this board"
        if test.strangers and training.knows(dataset):
            return f"{name} descends from weights trained on subjects of {dataset}"
    if test.metric == COST and any(len(set(lines[name])) > 1 for name in ("device", "threads")):
        return f"{' and '.join(methods)} ran on different devices or numbers of threads"
    if len(known) == 2:
        (one, first), (other, second) = known.items()
        if first.weights != second.weights:
            return _unequal(test, one, first, other, second)
    return ""


def _subjects(board: Rows) -> set[str]:
    return {subject for who in board.ran["subjects"] for subject in who}


def _some(names: Iterable[str]) -> str:
    ordered = sorted(names)
    return ", ".join(ordered[:3]) + (f" and {len(ordered) - 3} more" if len(ordered) > 3 else "")


def _unequal(test: Test, one: str, first: Training, other: str, second: Training) -> str:
    """In what two trainings differ that must be alike."""
    if first.related(second):
        return f"the weights of {one} and {other} share an ancestor, so they are no two trainings"
    if test.same_data and (first.seen, first.extra_subjects) != (second.seen, second.extra_subjects):
        return f"{one} and {other} were trained on other data ({_data(first)}; {_data(second)})"
    if test.budget == "flat" and first.flat and second.flat:
        return ""
    if test.budget == "seconds":
        if first.hardware != second.hardware:
            return f"{one} and {other} were trained on other hardware ({first.hardware}; {second.hardware})"
        return _apart(one, other, "seconds", first.seconds, second.seconds, SECONDS)
    key = "samples" if first.samples is not None and second.samples is not None else "steps"
    return _apart(one, other, key, getattr(first, key), getattr(second, key), SAMPLES)


def _data(training: Training) -> str:
    parts = [f"{len(subjects)} of {name}" for name, subjects in training.seen.items()]
    return " + ".join(parts + ([f"{training.extra_subjects} more"] if training.extra_subjects else []))


def _apart(one: str, other: str, what: str, first: float | None, second: float | None, most: float) -> str:
    if first is None or second is None:
        silent = one if first is None else other
        return f"nobody knows the budget of {silent}: an ancestor of its weights is not at hand, or tells no {what}"
    if max(first, second) > most * min(first, second):
        return f"unequal budgets: {first:,.0f} {what} of {one}, {second:,.0f} of {other}"
    return ""


def _measured(line: Line, test: Test, values: pd.DataFrame, board: Rows, sign: int, *, choices: int) -> Line:
    both = values[[line.first, *filter(None, [line.second])]].dropna()
    if both.empty:
        return replace(line, reason=f"{line.first} and {line.second} share no case")
    numbers = both[line.first] - both[line.second] if line.second else both[line.first]
    turned = sign * numbers.to_numpy() if line.second else numbers.to_numpy()
    (_, design, units), *_ = patterns(turned[:, None], board.design(both.index))
    back = np.exp if test.metric == COST else np.asarray
    means = tuple(float(back(both[name].mean())) for name in both)
    line = replace(
        line,
        means=(means[0], means[1] if len(means) > 1 else nan),
        difference=float(back(turned.mean())),
        wins=int((units > 0).sum()) if line.second else 0,
        n=design.n_units,
    )
    if not design.enough:
        return replace(line, reason=f"{_count(design.n_subjects)} are too few for an interval")
    level = 1 - (1 - LEVEL) / choices
    low, high = (float(back(bound[0])) for bound in interval(design.moments(units), level=level))
    return replace(line, low=low, high=high, level=level, verdict=_verdict(test, low, high))


def _count(subjects: int) -> str:
    return f"{subjects} subject{'s' if subjects != 1 else ''}"


def _verdict(test: Test, low: float, high: float) -> str:
    if isnan(low) or isnan(high):
        return OPEN
    if test.at_least is not None or test.at_most is not None:
        least, most = (nan if bound is None else bound for bound in (test.at_least, test.at_most))
        inside, outside = not (low < least or high > most), high < least or low > most
    elif test.within is not None:
        around = (1 / test.within, test.within) if test.metric == COST else (-test.within, test.within)
        inside, outside = around[0] < low and high < around[1], high < around[0] or low > around[1]
    else:
        inside, outside = low > test.least, high < test.least
    return SUPPORTED if inside else REFUTED if outside else OPEN


def _excess(line: Line, test: Test, board: Rows, boards: Mapping[str, Rows]) -> Line:
    """How much more first gains on the other split than classical methods do."""
    other = boards.get(f"{board.name}/{test.than_split}")
    if other is None:
        return replace(line, reason=f"there is no board {board.name}/{test.than_split}")
    metric = board.metrics[test.metric]
    table = side_by_side(board.frame, other.frame, metric).table
    table = table[table["name_first"] == line.first]
    if table.empty:
        return replace(line, reason=f"{line.first} is not on {other.name}")
    if (gain := table.iloc[0])["kind"] not in TRAINED or isnan(gain["excess"]):
        return replace(line, reason="no classical method on both boards says how much easier the other split is")
    ends = sorted(metric.sign * float(gain[f"excess_{end}"]) for end in ("low", "high"))
    line = replace(
        line,
        means=(float(gain["mean_first"]), float(gain["mean_second"])),
        difference=metric.sign * float(gain["excess"]),
        n=int(gain["n_cases_second"]),
    )
    if isnan(ends[0]):
        return replace(line, reason="too few subjects for an interval")
    return replace(line, low=ends[0], high=ends[1], verdict=_verdict(test, *ends))
