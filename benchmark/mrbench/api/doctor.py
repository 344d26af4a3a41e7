"""What is wrong with a method, before hours are spent on it: the contract suite, with explanations."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np

from mrbench.api.data import prepare
from mrbench.api.progress import SILENT, Progress
from mrbench.core.binding import bind
from mrbench.core.candidate import resolve
from mrbench.core.case import Case
from mrbench.core.errors import RequestError
from mrbench.core.method import Resources
from mrbench.core.task import Setting
from mrbench.testing import METHOD_CHECKS, MethodUnderTest

TRIED = 3
"""Cases of which the smallest is used."""


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
    """

    name: str
    what: str
    passed: bool
    message: str = ""


def doctor(
    method: str, *, task: str, dataset: str = "icbm-sim", track: str | None = None, progress: Progress = SILENT
) -> list[Finding]:
    """Run the contract suite on a method, on the smallest of the first validation cases.

    Parameters
    ----------
    method : str
        As on the command line: a name, ``file.py:function``, ``cmd:...``.
    task, dataset, track
        As `mrbench.core.binding.bind` resolves them.
    progress : Progress
        Told how far it is; silent by default.

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
    candidate = resolve(setting, method)
    if candidate.skipped:
        return [Finding("available", "It can run here.", False, f"{candidate.skipped}.")]
    cases = setting.cases(TRIED)
    learned_from = setting.dataset.subjects("train") if candidate.method.fitted else ()
    prepare(setting.dataset, [*learned_from, *setting.task.subjects_for(setting, cases)], progress)
    case = min((setting.load(one) for one in cases), key=lambda loaded: _size(loaded.inputs))
    test = MethodUnderTest(str(replace(candidate.resolved, alias="")), setting, case)
    findings = [_checked(_words(check.__name__), check, test) for check in METHOD_CHECKS]
    if all(finding.passed for finding in findings):
        findings += [_units(setting, case, test), _time(case, test), *_device(test)]
    return findings


def _words(name: str) -> str:
    return name.removeprefix("check_").replace("_", " ")


def _checked(name: str, check: Callable[[MethodUnderTest], None], test: MethodUnderTest) -> Finding:
    what = " ".join((check.__doc__ or "").split())
    try:
        check(test)
    except AssertionError as fault:
        return Finding(name, what, False, str(fault))
    except Exception as fault:  # whatever the method raises is what it is asked for
        return Finding(name, what, False, f"{type(fault).__name__}: {fault}")
    return Finding(name, what, True)


def _units(setting: Setting, case: Case[Any, Any], test: MethodUnderTest) -> Finding:
    what = "Units, axes and signs are those that the task documents."
    warning = setting.task.diagnose(case, test.predict(test.ready()))
    return Finding("units and axes", what, warning is None, warning or "")


def _time(case: Case[Any, Any], test: MethodUnderTest) -> Finding:
    started = time.perf_counter()
    method = test.ready()
    ready = time.perf_counter()
    method.predict(case.inputs)
    seconds = time.perf_counter() - ready
    message = f"{seconds:.2f} s on one thread for case {case.id}, after {ready - started:.2f} s of set-up"
    return Finding("time", "How long one case takes.", True, message)


def _device(test: MethodUnderTest) -> list[Finding]:
    """Of learned methods, whether a GPU gives the same, where there is one."""
    method = test.ready()
    if method.kind != "learned":
        return []
    import torch

    what = "It computes on the device that it is lent, and the same there."
    if not torch.cuda.is_available():
        return [Finding("device", what, True, "no GPU here: tried on the CPU alone")]
    on_cpu = test.predict(method)
    method.setup(Resources(threads=1, device="cuda"))
    torch.cuda.reset_peak_memory_stats()
    apart = float(np.abs(test.predict(method).astype(np.float64) - on_cpu).max())
    if not torch.cuda.max_memory_allocated():
        return [Finding("device", what, False, "the GPU was not used; move network and inputs to resources.device.")]
    close = apart <= 0.01 * float(np.abs(on_cpu).max())
    return [Finding("device", what, close, f"GPU and CPU are {apart:.3g} apart")]


def _size(value: object) -> int:
    if isinstance(value, np.ndarray):
        return value.nbytes
    if is_dataclass(value):
        return sum(_size(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, Mapping):
        return sum(map(_size, value.values()))
    return sum(map(_size, value)) if isinstance(value, list | tuple) else 0
