"""What is wrong with a method, before hours are spent on it: the contract suite, with explanations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from mrbench.api.data import prepare
from mrbench.api.examiner import Examiner, Lost, Verdict
from mrbench.api.progress import SILENT, Progress
from mrbench.core.binding import bind
from mrbench.core.candidate import Candidate
from mrbench.core.case import Case
from mrbench.core.errors import RequestError, brief
from mrbench.core.look import Look
from mrbench.core.method import TRAINED, Method
from mrbench.core.task import Task
from mrbench.engine.resolver import resolved
from mrbench.testing import METHOD_CHECKS, MethodUnderTest, check_prediction_is_accepted

TRIED = 3
"""Cases of which the smallest is used."""

TIMEOUT = 600.0
"""Seconds that one of the things that are looked at may take."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
    what : str
        What is asked of a method, in one sentence.
    passed : bool
    message : str
        What is wrong and what to do, or what was measured.
    lost : bool
        Whether its process ended over it.
    made : bool
        Whether it could be looked at; the message says why not.
    """

    name: str
    what: str
    passed: bool
    message: str = ""
    lost: bool = False
    made: bool = True


def doctor(
    method: str,
    *,
    task: str,
    dataset: str = "icbm-sim",
    track: str | None = None,
    timeout: float = TIMEOUT,
    progress: Progress = SILENT,
) -> list[Finding]:
    """Run the contract suite on a method, on the smallest of the first validation cases.

    The method runs in a process of its own and is scored in this one, which never imports it.

    Parameters
    ----------
    method : str
        As on the command line: a name, ``file.py:function``, ``cmd:...``.
    task, dataset, track
        As `mrbench.core.binding.bind` resolves them.
    timeout : float
        Seconds that each of the things that are looked at may take.
    progress : Progress
        Told how far it is; silent by default.

    Returns
    -------
    list of Finding
        The last one is the fault, where the method ended its process or did not answer: no more can be tried then.

    Raises
    ------
    RequestError
        If a name is unknown or the dataset has no case.
    """
    setting = bind(task, dataset, track, "validation")
    if not setting.all_cases:
        setting = bind(task, dataset, track, "test")
    if not setting.all_cases:
        raise RequestError(f"{dataset} has no case to try {method} on; choose another --dataset.")
    (candidate,) = resolved(setting, [method])
    if candidate.skipped:
        return [Finding("available", "It can run here.", False, f"{candidate.skipped}.")]
    cases = setting.cases(TRIED)
    learned_from = setting.dataset.subjects("train") if candidate.method.fitted else ()
    prepare(setting.dataset, [*learned_from, *setting.task.subjects_for(setting, cases)], progress)
    loaded = [(one, setting.load(one)) for one in cases]
    identity, case = min(loaded, key=lambda one: _size(one[1].inputs))
    spec = str(replace(candidate.resolved, alias=""))
    examiner = Examiner(setting, identity, spec, timeout)
    try:
        return _examined(candidate, case, examiner)
    finally:
        examiner.close()


def _examined(candidate: Candidate, case: Case[Any, Any], examiner: Examiner) -> list[Finding]:
    findings: list[Finding] = []
    setting, test = candidate.setting, _Given(str(candidate.resolved), candidate.setting, case, 0.0, examiner)
    accepted = False
    for check in METHOD_CHECKS:
        judge = test.judged if check is check_prediction_is_accepted else partial(examiner.examine, check.__name__)
        findings.append(_finding(_words(check.__name__), check.__doc__ or "", judge))
        if findings[-1].lost:
            return findings
        accepted |= check is check_prediction_is_accepted and findings[-1].passed
    if not accepted:
        later = "Units, axes and signs, and how long it takes."
        return [*findings, Finding("all else", later, True, "there is no prediction to look at.", made=False)]

    findings += _conventions(setting.task, case, test)
    if findings[-1].lost:
        return findings
    rest: list[tuple[str, str, Callable[[], Verdict]]] = [
        ("time", "How long one case takes.", partial(examiner.examine, "time")),
    ]
    if candidate.method.kind in TRAINED:
        what = "It computes on the device that it is lent, and the same there."
        rest.append(("device", what, partial(examiner.examine, "device")))
    for name, what, judge in rest:
        findings.append(_finding(name, what, judge))
        if findings[-1].lost:
            break
    return findings


def _conventions(task: Task[Any, Any], case: Case[Any, Any], test: _Given) -> list[Finding]:
    """What the task looks for of units, axes and signs, and what it could not look for."""
    name, looks = "units and axes", list[Look]()

    def predicted() -> Verdict:
        prediction = test.predict(test.ready())
        looks.extend(task.looks(case, prediction))
        warning = None if looks else task.diagnose(case, prediction)
        return warning is None, warning or ""

    whole = _finding(name, "Units, axes and signs are those that the task documents.", predicted)
    if not whole.passed:
        return [whole]
    if not looks and type(task).diagnose is Task.diagnose:
        return [replace(whole, message=f"the task {task.name} looks for no mix-ups.", made=False)]
    found = [
        Finding(f"{name}: {one.name}", one.asked, not one.warning, one.warning or one.unable, made=not one.unable)
        for one in looks
    ]
    return found or [whole]


@dataclass(frozen=True)
class _Given(MethodUnderTest):
    """A method that predicts elsewhere, so that what is judged here is the array that it returned."""

    examiner: Examiner | None = None

    def ready(self) -> Method:
        return None  # type: ignore[return-value]

    def returned(self, method: Method) -> object:
        assert self.examiner is not None
        return self.examiner.predict()

    def judged(self) -> Verdict:
        """Whether the task accepts the prediction and can score it."""
        check_prediction_is_accepted(self)
        return True, ""


def _finding(name: str, what: str, judge: Callable[[], Verdict]) -> Finding:
    what, lost = " ".join(what.split()), False
    try:
        passed, message = judge()
    except Lost as fault:
        passed, message, lost = False, str(fault), True
    except AssertionError as fault:
        passed, message = False, str(fault)
    except Exception as fault:  # of what it returned
        passed, message = False, f"{type(fault).__name__}: {brief(fault)}"
    return Finding(name, what, passed, message, lost)


def _words(name: str) -> str:
    return name.removeprefix("check_").replace("_", " ")


def _size(value: object) -> int:
    if isinstance(value, np.ndarray):
        return value.nbytes
    if is_dataclass(value):
        return sum(_size(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, Mapping):
        return sum(map(_size, value.values()))
    return sum(map(_size, value)) if isinstance(value, list | tuple) else 0
