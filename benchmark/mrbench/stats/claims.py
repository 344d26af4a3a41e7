"""Claims of the field as data: which rows, which metric, which margin, what would refute them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from math import isfinite
from typing import Any, Literal, get_args

from mrbench.core.errors import RequestError, unknown_name

Budget = Literal["samples", "seconds", "flat"]

COST = "cpu_seconds"
"""The one metric that is no score: CPU time of a case. Its margin is a factor."""


@dataclass(frozen=True)
class Test:
    """What rows must show, on every board that the patterns name; ``*`` stands for anything.

    One of three questions: is ``first`` better than ``second``; does ``first`` by itself keep ``at_least`` or
    ``at_most``; does ``first`` lose something from one split to another (``than_split``), more than classical methods.

    Attributes
    ----------
    boards : tuple of str
        Patterns of ``task/track/dataset``, with ``/split`` where it is not the test split.
    metric : str
        A metric of the task, or ``cpu_seconds``.
    first : tuple of str
        Methods; of several that have rows the best one is taken, and its interval is widened for the choice.
    second : tuple of str
        Methods; the best of them by the same rows is the one to beat. That makes the claim harder to support; what
        would refute it is widened for the choice.
    margin : float
        By how much first must be ahead, in the metric's unit; of CPU time, how many times as fast it must be.
    within : float or None
        Ask instead whether the two differ by less than this.
    at_least, at_most : float or None
        Of the mean of ``first``.
    than_split : str
        Of the same board: whether first gains more on that split than the mean of the classical methods does.
    budget : str
        What two learned rows must have had alike: ``samples`` seen within 5 %; ``seconds`` within 25 %, on the same
        hardware; ``flat``: samples, or validation curves that had both come to rest.
    same_data : bool
        Whether two learned rows must have been trained on the same subjects.
    strangers : bool
        Only boards of datasets that no ancestor of the weights was trained on.
    """

    __test__ = False

    boards: tuple[str, ...]
    metric: str
    first: tuple[str, ...]
    second: tuple[str, ...] = ()
    margin: float | None = None
    within: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    than_split: str = ""
    budget: Budget = "samples"
    same_data: bool = True
    strangers: bool = False

    @property
    def least(self) -> float:
        """The margin, or what stands for none."""
        return (1.0 if self.metric == COST else 0.0) if self.margin is None else self.margin


@dataclass(frozen=True)
class Claim:
    """One claim of the field.

    Attributes
    ----------
    id, task : str
    claim : str
        One sentence.
    source : str
        Who says so.
    refuted_by : str
        What rows would refute it, in words.
    tests : tuple of Test
        All of them must hold.
    """

    id: str
    task: str
    claim: str
    source: str
    refuted_by: str
    tests: tuple[Test, ...]


def parse_claims(table: Mapping[str, Any], name: str) -> tuple[Claim, ...]:
    """Read claims from what a TOML file holds: ``[[claims]]``, each with ``[[claims.tests]]``.

    Raises
    ------
    RequestError
        Names the file, the claim and what is wrong with it.
    """
    entries = table.get("claims")
    if not isinstance(entries, list) or not entries or set(table) != {"claims"}:
        raise RequestError(f"{name} holds no [[claims]], or something beside them; see the one that ships.")
    claims: list[Claim] = []
    for number, entry in enumerate(entries, start=1):
        label = str(entry.get("id", f"number {number}")) if isinstance(entry, dict) else f"number {number}"
        where = f"claim {label} of {name}"
        values = _checked(entry, Claim, where)
        for key in ("id", "task", "claim", "source", "refuted_by"):
            if not isinstance(values[key], str) or not values[key].strip():
                raise RequestError(f"{where}: {key} is a text; give one.")
        tests = values["tests"]
        if not isinstance(tests, list) or not tests:
            raise RequestError(f"{where} has no [[claims.tests]]; say which rows would show it.")
        claims.append(Claim(**{**values, "tests": tuple(_test(one, values["task"], where) for one in tests)}))
    if len({claim.id for claim in claims}) < len(claims):
        raise RequestError(f"{name} has two claims of one id; ids must differ.")
    return tuple(claims)


def _checked(entry: object, kind: type[Claim | Test], where: str) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise RequestError(f"{where} is no table; see the file that ships.")
    known = {one.name: one for one in fields(kind)}
    for key in entry:
        if key not in known:
            raise unknown_name(f"key in {where}", key, known)
    for key, one in known.items():
        if one.default is MISSING and key not in entry:
            raise RequestError(f"{where} lacks {key}; add it.")
    return entry


def _test(entry: object, task: str, where: str) -> Test:
    values = dict(_checked(entry, Test, where))
    for key in ("boards", "first", "second"):
        if key in values:
            names = [values[key]] if isinstance(values[key], str) else values[key]
            if not isinstance(names, list | tuple) or not all(isinstance(one, str) and one for one in names):
                raise RequestError(f"{where}: {key} is a name or a list of names; mend it.")
            values[key] = tuple(names)
    test = Test(**values)
    if not test.boards or not test.first:
        raise RequestError(f"{where}: a test needs boards and first; name some.")
    if elsewhere := next((one for one in test.boards if not matching([one.partition("/")[0]], [task])), None):
        raise RequestError(f"{where} is about {task} and asks for boards of {elsewhere}; name boards as {task}/*.")
    if not isinstance(test.metric, str) or not isinstance(test.than_split, str):
        raise RequestError(f"{where}: metric and than_split are names; mend them.")
    if not isinstance(test.same_data, bool) or not isinstance(test.strangers, bool):
        raise RequestError(f"{where}: same_data and strangers are true or false; mend them.")
    _check_numbers(test, where)
    if test.budget not in get_args(Budget):
        raise unknown_name(f"budget in {where}", test.budget, get_args(Budget))
    return test


def _check_numbers(test: Test, where: str) -> None:
    """Raises `RequestError` where a test asks for nothing, for several things, or for what no rows can show."""
    numbers = [one for one in (test.margin, test.within, test.at_least, test.at_most) if one is not None]
    if any(isinstance(one, bool) or not isinstance(one, int | float) or not isfinite(one) for one in numbers):
        raise RequestError(f"{where}: margin, within, at_least and at_most are numbers; mend them.")
    questions = [bool(test.second), test.at_least is not None or test.at_most is not None, bool(test.than_split)]
    if sum(questions) != 1:
        raise RequestError(f"{where}: a test asks for second, or at_least or at_most, or than_split; give one of them.")
    if (test.margin is not None) + (test.within is not None) + questions[1] > 1:
        raise RequestError(f"{where}: a margin, within and bounds ask for different things; give one of them.")
    if test.at_least is not None and test.at_most is not None and test.at_least > test.at_most:
        raise RequestError(f"{where}: at_least is above at_most, and nothing is both; mend them.")
    least = 1 if test.metric == COST else 0
    if test.within is not None and test.within <= least:
        raise RequestError(f"{where}: nothing is apart by less than {test.within:g}; give within above {least}.")
    if test.metric == COST and (test.than_split or test.least <= 0):
        raise RequestError(f"{where}: {COST} takes no than_split, and a factor above 0 as its margin; mend it.")


def matching(patterns: Iterable[str], names: Iterable[str]) -> list[str]:
    """The names that a pattern fits as a whole; brackets, which names of methods have, stand for themselves."""
    forms = [re.compile(".*".join(map(re.escape, pattern.split("*")))) for pattern in patterns]
    return [name for name in names if any(form.fullmatch(name) for form in forms)]
