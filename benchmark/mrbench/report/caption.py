"""What must stand beside every table and figure, so that no number travels without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mrbench.core.method import EXTERNAL
from mrbench.core.row import distinct
from mrbench.core.words import counted, some
from mrbench.stats.costs import MOVED

if TYPE_CHECKING:
    import pandas as pd

    from mrbench.report.facts import Facts
    from mrbench.stats.leaderboard import Leaderboard


@dataclass(frozen=True)
class Caption:
    """Title and notes of a board.

    Attributes
    ----------
    title : str
        Task, track, dataset, and what is simulated or limited.
    notes : tuple of str
        Sentences: data, number of cases, how to read the numbers, protocol.
    short : str
        One or two sentences for print, which say the same of data, interval and bold.
    """

    title: str
    notes: tuple[str, ...]
    short: str

    @property
    def text(self) -> str:
        """The notes as one paragraph."""
        return " ".join(self.notes)

    def without_intervals(self) -> Caption:
        """The same of a table that shows means alone."""
        notes = tuple(MEAN if note == INTERVAL else note for note in self.notes)
        return Caption(self.title, notes, self.short.replace(INTERVAL.removesuffix("."), MEAN.removesuffix(".")))


def caption(
    board: Leaderboard, facts: Facts, *, task: str, track: str, dataset: str, split: str, task_notes: Sequence[str] = ()
) -> Caption:
    """Say what the tables of a board show.

    Parameters
    ----------
    board : Leaderboard
        The table.
    facts : Facts
        Whether data are simulated, and how many cases there are in all.
    task, track, dataset, split : str
        What the table is of.
    task_notes : sequence of str
        What the task itself has to say of these rows.
    """
    subject = f"{task}, {track}, {dataset}"
    limit = limit_of(len(board.cases), facts)
    count = f"{_cases(board, split)}."
    limits = _limits(board)
    notes = [count, *limits, *task_notes, *_reading(board), *_times(board), f"Protocol {board.protocol}."]
    title = f"{subject}{f' ({facts.simulation})' if facts.simulation else ''}{f', {limit}' if limit else ''}"
    return Caption(title, tuple(notes), _short(board, title, split, limits))


def subject_notes(rows: pd.DataFrame) -> list[str]:
    """What was noted of single subjects when they were read, each note with those whom it is of."""
    subjects: dict[str, dict[str, None]] = {}
    for details in distinct(rows["details"]):
        for subject, note in details.get("notes", {}).items():
            subjects.setdefault(note, {})[subject] = None
    return [f"{some([*who])}: {note}" for note, who in subjects.items()]


def hidden_notes(hidden: Mapping[str, int]) -> list[str]:
    """What to say of the rows, by method, that are of another protocol or of other data than the table."""
    if not hidden:
        return []
    named = ", ".join(f"{method} ({counted(number, 'row')})" for method, number in hidden.items())
    return [
        f"Not shown, as they are of another protocol or of other data than the rest: {named}. "
        "Run these methods again, or score their predictions again; cases that are gone stay out."
    ]


def missing_notes(shards: Sequence[object]) -> list[str]:
    """Which shards of a board nobody has merged into it."""
    if not shards:
        return []
    *others, last = map(str, shards)
    named = f"Shards {', '.join(others)} and {last} are" if others else f"Shard {last} is"
    return [f"{named} missing: run what was not run yet, then merge again."]


def processor_notes(rows: pd.DataFrame, facts: Facts) -> list[str]:
    """Which methods ran on which processor, where there were several: their times are of no one machine."""
    timed = rows[rows["seconds"].notna() & (rows["kind"] != EXTERNAL)]
    methods = timed["method"].groupby(facts.processors(timed), sort=True).unique()
    if len(methods) < 2:
        return []
    named = "; ".join(f"{name or 'one that was not recorded'}: {', '.join(who)}" for name, who in methods.items())
    return [f"Measured on several processors, so compare no times across them. {named}."]


def limit_of(shown: int, facts: Facts) -> str:
    """Say that not all cases are shown; empty where all are."""
    if facts.all_cases is not None and shown < facts.all_cases:
        return f"LIMITED to {shown} of {facts.all_cases} cases"
    return f"LIMITED to {counted(shown, 'case')}" if facts.all_cases is None and facts.limited else ""


def _cases(board: Leaderboard, split: str) -> str:
    shown = len(board.cases)
    repeats = f" of {counted(board.units, 'subject')}" if board.units < shown else ""
    return f"{counted(shown, f'{split} case')}{repeats}"


def _limits(board: Leaderboard) -> list[str]:
    summary = board.summary
    fewer = summary.index[summary["rank"].isna()]
    said = [f"On fewer cases, so not comparable with the rest: {', '.join(fewer)}."] if len(fewer) else []
    mixed = summary.index[summary["mixed"]]
    if len(mixed):
        said.append(f"Rows of several versions of code or weights, so of no single method: {', '.join(mixed)}.")
    if board.unread:
        case, reason = next(iter(board.unread.items()))
        more = f" and {len(board.unread) - 1} more" if len(board.unread) > 1 else ""
        said.append(f"Counted for no method, because the case cannot be read: {case} ({reason.rstrip('.')}){more}.")
    if (summary["n_failed"] > 0).any():
        said.append("A failed case counts as the worst value of the metric, or as the worst that any method had there.")
    return said


def _reading(board: Leaderboard) -> list[str]:
    if not board.metrics:
        return []
    return [INTERVAL, NOTHING_BOLD.format(board.fewest) if board.units < board.fewest else BOLD]


MEAN = "Mean over cases."
INTERVAL = "Mean [95 % interval over subjects]."
SHARED = "*: the machine was shared."
BOLD = "Bold: no test separates it from the best (paired over subjects, Holm over all pairs, 5 %)."
NOTHING_BOLD = "Nothing is bold: fewer than {} subjects cannot tell so many methods apart."


def _times(board: Leaderboard) -> list[str]:
    summary = board.summary
    outside = summary.index[summary["kind"] == EXTERNAL]
    threads = sorted({number for numbers in summary["threads"] for number in numbers if number})
    said = [f"Time: median of predict alone on {' or '.join(map(str, threads))} thread(s)."] if threads else []
    if len(beyond := summary["threads_beyond"].dropna()):
        names = ", ".join(f"{method} ({count:.0f})" for method, count in beyond.items())
        said.append(f"Computed on more threads than they were given: {names}.")
    if len(outside):
        said.append(f"Made elsewhere and scored from files: {', '.join(outside)}; times are what their authors say.")
    elsewhere = summary[~summary["device"].isin(["cpu", ""])]
    if len(elsewhere):
        names = ", ".join(f"{method} ({device})" for method, device in elsewhere["device"].items())
        said.append(f"Not on the CPU alone: {names}; CPU time is the host's.")
    if summary[["cpu_seconds_per_megavoxel", "memory_mib_per_megavoxel"]].notna().any(axis=None):
        said.append("Per megavoxel of the volume: median CPU time; peak memory beyond what the process held before.")
    if summary["contended"].any():
        said.append(
            f"*: other work on the machine may have added more than {100 * MOVED:g} %; CPU time is the fairer figure."
        )
    return said


def _short(board: Leaderboard, title: str, split: str, limits: Sequence[str]) -> str:
    said = [f"{title[:1].upper()}{title[1:]}; {_cases(board, split)}.", *limits]
    if board.metrics:
        said.append(
            INTERVAL.removesuffix(".") + ("." if board.units < board.fewest else "; bold: not separable from the best.")
        )
    if board.summary["contended"].any():
        said.append(SHARED)
    return " ".join(said)
