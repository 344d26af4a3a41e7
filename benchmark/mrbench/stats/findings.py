"""What rows say of claims: supported, refuted, not separable, not tested, or refused because it would not be fair."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isinf, isnan, nan

import numpy as np
import pandas as pd

from mrbench.core.errors import RequestError
from mrbench.core.method import TRAINED
from mrbench.core.words import counted, some
from mrbench.stats.ahead import Ahead, extremes
from mrbench.stats.claims import COST, Claim, Test, matching
from mrbench.stats.evidence import Rows
from mrbench.stats.fairness import AT_HOME, made_otherwise, may_not_stand, unequal
from mrbench.stats.intervals import LEVEL
from mrbench.stats.matching import without_weights
from mrbench.stats.side_by_side import side_by_side
from mrbench.stats.training import Training

SUPPORTED, REFUTED, OPEN = "supported", "refuted", "not separable"
ABSENT, REFUSED, PART = "not tested here", "refused", "in part"
VERDICTS = (SUPPORTED, REFUTED, PART, OPEN, REFUSED, ABSENT)
DECIDED = (SUPPORTED, REFUTED, PART, OPEN)

DRAWN = "over draws of one training, not over subjects"


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
    levels : tuple of float
        Of the intervals whose lower and upper bound are shown: 0.95; more below where ``first``, and above where
        ``second`` was chosen among several.
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
    levels: tuple[float, float] = (LEVEL, LEVEL)
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
        decided = [line for lines in self.lines for line in lines if line.verdict in DECIDED]
        return bool(decided) and all(line.simulated for line in decided)

    @property
    def boards(self) -> tuple[int, int]:
        """On how many boards it was decided, of how many that it asks for and that are there."""
        lines = [line for lines in self.lines for line in lines if "*" not in line.board]
        return len({line.board for line in lines if line.verdict in DECIDED}), len({line.board for line in lines})


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
    corrected over claims; of several methods that a side names, the best of those that may stand and have most cases
    is taken, and the bound that such a choice favours is widened (Bonferroni). The other bound is the nearest of all
    that the side names: who is ahead is so of each of them. Under 5 subjects there is no interval and no verdict. Rows
    are *refused* where weights have seen a subject of the board or tell no history, where the rows of a method were not
    all made alike, where CPU times are not of one known processor, and where two trainings share an ancestor, or had
    another budget or other data. Where cases are draws from a model, what they show is shown *in part*.
    """
    by_name = {board.name: board for board in boards}
    findings = []
    for claim in claims:
        lines = tuple(tuple(_lines(test, claim, by_name, trainings)) for test in claim.tests)
        findings.append(Finding(claim, _together([_over_boards(one) for one in lines]), lines))
    return tuple(findings)


def _over_boards(lines: Sequence[Line]) -> str:
    """The verdict of one test on several boards; where they differ, in part."""
    decided = {line.verdict for line in lines} & set(DECIDED)
    if not decided:
        return REFUSED if any(line.verdict == REFUSED for line in lines) else ABSENT
    if len(decided) == 1:
        return decided.pop()
    return REFUTED if decided == {REFUTED, OPEN} else PART


def _together(verdicts: Sequence[str]) -> str:
    """The verdict of several tests that must all hold; one that is not told leaves the rest in part."""
    decided = set(verdicts) & set(DECIDED)
    if not decided:
        return REFUSED if REFUSED in verdicts else ABSENT
    if REFUTED in decided:
        return REFUTED
    if decided == {SUPPORTED}:
        return SUPPORTED if decided == set(verdicts) else PART
    return OPEN if decided == {OPEN} else PART


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
    blank = Line(board.name, ABSENT, metric=test.metric, simulated=board.simulated)
    if test.metric != COST and test.metric not in board.metrics:
        raise RequestError(
            f"claim {claim.id} asks for {test.metric}, which is no metric of {board.name}; "
            f"choose from: {', '.join([*board.metrics, COST])}."
        )
    if test.metric != COST and not board.metrics[test.metric].ranked and (test.second or test.than_split):
        raise RequestError(
            f"claim {claim.id} compares methods by {test.metric}, of which no value is better than another; "
            "give it at_least or at_most, or another metric."
        )
    if test.metric != COST and test.metric not in board.frame:
        return replace(blank, reason=f"its rows have no {test.metric}")
    other = boards.get(f"{board.name}/{test.than_split}") if test.than_split else None
    values = board.values(test.metric)
    sides = [matching(names, values) for names in (test.first, test.second) if names]
    if test.second:
        sides[1] = [name for name in sides[1] if name not in sides[0]]
    faults = {name: may_not_stand(name, test, board, trainings, other) for side in sides for name in side}
    sign = -1 if test.metric == COST else board.metrics[test.metric].sign
    for number, (names, side) in enumerate(zip((test.first, test.second), sides, strict=False)):
        if not side:
            return replace(blank, reason="; ".join([_lacking(board, names, test.metric), *_hidden(board, names)]))
        ranked = sorted(side, key=lambda name: -sign * values[name].mean())
        if not (sound := [name for name in ranked if not faults[name]]):
            told = [name for name in ranked if faults[name] != AT_HOME]
            return replace(blank, verdict=REFUSED, first=told[0], reason=faults[told[0]]) if told else None
        most = max(values[name].count() for name in sound)
        sides[number] = [name for name in sound if values[name].count() == most]
    first, second = sides[0][0], sides[1][0] if test.second else ""
    notes = (*_notes(test, board, values, sides, faults), *_hidden(board, (*test.first, *test.second)))
    line = replace(blank, first=first, second=second, notes=notes)
    if second and (fault := unequal(first, second, test, board, trainings)):
        return replace(line, verdict=REFUSED, reason=fault)
    if test.than_split:
        return _excess(line, test, board, other, len(sides[0]))
    return _measured(line, test, values, board, sign, sides)


def _notes(
    test: Test, board: Rows, values: pd.DataFrame, sides: Sequence[Sequence[str]], faults: Mapping[str, str]
) -> tuple[str, ...]:
    notes = ["only the first cases"] if board.limited else []
    notes += [DRAWN] if board.draws else []
    for name, *others in sides:
        if count := int(board.failed[name].sum()):
            notes.append(f"{name} failed on {count}")
        if test.metric == COST and (count := int(board.ran.loc[board.ran["method"] == name, "contended"].sum())):
            notes.append(f"{name} was timed beside other work on {count}")
        if values[name].count() < len(values):
            notes.append(f"{name} has {values[name].count()} of {len(values)} cases")
        if others:
            notes.append(f"{name} is the best of {1 + len(others)}")
    notes += [f"left out: {fault}" for fault in faults.values() if fault and fault != AT_HOME]
    return tuple(notes)


def _notes_of_another(gain: pd.Series, other: Rows) -> list[str]:
    """The same of a method on the board of another split."""
    split = str(other.frame["split"].iloc[0])
    notes = [f"only the first cases of {split}"] if other.limited else []
    if failed := int(gain["n_failed_second"]):
        notes.append(f"it failed on {failed} of {split}")
    if (n := int(gain["n_cases_second"])) < len(other.place.cases):
        notes.append(f"it has {n} of {len(other.place.cases)} cases of {split}")
    return notes


def _lacking(board: Rows, names: Sequence[str], metric: str) -> str:
    """Why a side of a comparison is empty."""
    there = board.frame[board.frame["method"].isin(matching(names, board.frame["method"].unique()))]
    if there.empty:
        others = [name for name in board.frame["method"].unique() if matching(names, [without_weights(str(name))])]
        instead = f", but of {some(others, 1)}" if others else ""
        return f"it has no row of {' or '.join(names)}{instead}"
    name, message = str(there["method"].iloc[0]), str(there["message"].iloc[0])
    if (there["status"] == "skipped").all():
        return f"{name} was skipped{f' ({message})' if message else ''}"
    return f"no row of {name} has {'a CPU time' if metric == COST else metric}"


def _hidden(board: Rows, patterns: Sequence[str]) -> list[str]:
    """Rows that a claim asks for and that the board cannot show."""
    return [
        f"{counted(board.hidden[name], 'row')} of {name} left out, "
        "as of another protocol or of other data than the rest"
        for name in matching(patterns, board.hidden)
    ]


def _measured(
    line: Line, test: Test, values: pd.DataFrame, board: Rows, sign: int, sides: Sequence[Sequence[str]]
) -> Line:
    back = np.exp if test.metric == COST else np.asarray
    pair = Ahead.of(line.first, line.second, values, board, sign)
    if pair is None:
        return replace(line, reason=f"{line.first} and {line.second} share no case")
    means = tuple(float(back(pair.values[name].mean())) for name in pair.values)
    line = replace(
        line,
        means=(means[0], means[1] if len(means) > 1 else nan),
        difference=float(back(pair.ahead.mean())),
        wins=int((pair.units > 0).sum()) if line.second else 0,
        n=pair.design.n_units,
    )
    if not pair.design.enough:
        few = "1 subject is" if pair.design.n_subjects == 1 else f"{pair.design.n_subjects} subjects are"
        return replace(line, reason=f"{few} too few for an interval")
    levels, notes = (_widened(len(sides[0])), _widened(len(sides[-1]))), list(line.notes)
    if not line.second or test.within is not None:
        low, high = pair.bounds(levels)
    else:
        (low, nearest), (high, farthest) = extremes(line.first, line.second, sides, values, board, sign, levels)
        notes += [f"the lower bound is that against {nearest}"] if nearest != line.second else []
        notes += [f"the upper bound is that of {farthest}"] if farthest != line.first else []
    low, high = float(back(low)), float(back(high))
    line = replace(line, low=low, high=high, levels=levels, notes=tuple(notes), verdict=_verdict(test, low, high))
    return _told(line, board)


def _widened(choices: int) -> float:
    """Level of an interval whose method was chosen among several."""
    return 1 - (1 - LEVEL) / choices


def _told(line: Line, board: Rows) -> Line:
    """Take back what the numbers of a line cannot show."""
    if line.metric == COST or isinf(board.metrics[line.metric].worst):  # a failure counts for no worse than others
        ahead, behind = line.first, line.second
        if line.verdict == REFUTED and behind:
            ahead, behind = behind, ahead
        alone = board.failed[ahead] & ~board.failed[behind] if behind else board.failed[ahead]
        if line.verdict in (SUPPORTED, REFUTED) and alone.any():
            reason = f"{ahead} is ahead where it did not fail, and nothing more is known"
            return replace(line, verdict=OPEN, reason=reason)
    if board.draws and line.verdict == SUPPORTED:
        return replace(line, verdict=PART)
    return line


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


def _excess(line: Line, test: Test, board: Rows, other: Rows | None, choices: int) -> Line:
    """How much more first gains on the other split than classical methods do."""
    if other is None:
        return replace(line, reason=f"there is no board {board.name}/{test.than_split}")
    metric, level = board.metrics[test.metric], _widened(choices)
    table = side_by_side(board.frame, other.frame, metric, level=level).table
    table = table[table["name_first"] == line.first]
    if table.empty:
        return replace(line, reason=f"{line.first} is not on {other.name}")
    if fault := made_otherwise(line.first, str(table.index[0]), board, other):
        return replace(line, verdict=REFUSED, reason=fault)
    if (gain := table.iloc[0])["kind"] not in TRAINED or isnan(gain["excess"]):
        return replace(line, reason="no classical method on both boards says how much easier the other split is")
    ends = sorted(metric.sign * float(gain[f"excess_{end}"]) for end in ("low", "high"))
    line = replace(
        line,
        means=(float(gain["mean_first"]), float(gain["mean_second"])),
        difference=metric.sign * float(gain["excess"]),
        levels=(level, level),
        n=int(gain["n_cases_second"]),
        notes=(*line.notes, *_notes_of_another(gain, other)),
    )
    if isnan(ends[0]):
        return replace(line, reason="one of the boards has too few subjects for an interval")
    return replace(line, low=ends[0], high=ends[1], verdict=_verdict(test, *ends))
