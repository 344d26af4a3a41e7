"""The process in which `mrbench doctor` tries a method: whatever the method does there, the doctor says so."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection, wait

import numpy as np

from mrbench.core.binding import bound
from mrbench.core.case import CaseId
from mrbench.core.errors import brief
from mrbench.core.method import Resources
from mrbench.core.task import Setting
from mrbench.engine.child import Child, anonymous_file
from mrbench.engine.guard import end_copies
from mrbench.engine.worker import read_array, write_array
from mrbench.testing import METHOD_CHECKS, MethodUnderTest

Verdict = tuple[bool, str]
"""Whether it passed; and what is wrong or what was measured."""


class Lost(Exception):
    """The process ended, or did not answer in time."""


class Examiner:
    """The doctor's end of it.

    Parameters
    ----------
    setting : Setting
    case : CaseId
    method : str
        As after ``--method``.
    timeout : float
        Seconds that one examination may take.
    """

    def __init__(self, setting: Setting, case: CaseId, method: str, timeout: float) -> None:
        self.timeout, self._prediction = timeout, anonymous_file()
        self._child = Child("examiner", (anonymous_file(), self._prediction), threads=1)
        self._child.send((setting.address, case, method))
        wait([self._child.channel, self._child.lifeline])  # until the case is read, on no method's time
        self._child.receive()

    def examine(self, name: str) -> Verdict:
        """Do an examination of `EXAMINATIONS`; raises `Lost`."""
        self._child.send(name)
        if not wait([self._child.channel, self._child.lifeline], self.timeout):
            self._child.end()
            raise Lost(f"no end within {self.timeout:g} s; find out what it waits for, or raise --timeout.")
        reply = self._child.receive()
        if not isinstance(reply, bytes):
            raise Lost(f"it ended its process (exit code {reply.exit_code}); a method may fail, but not exit.")
        try:
            passed, message = json.loads(reply)
            return bool(passed), str(message)
        except (ValueError, TypeError):
            raise Lost("its process sent something else than an answer.") from None

    def predict(self) -> object:
        """What the method returned: an array, or something of that type's name; raises `Lost` or `AssertionError`."""
        passed, message = self.examine("predict")
        if not passed:
            raise AssertionError(message)
        return type(message, (), {})() if message else read_array(self._prediction)

    def close(self) -> None:
        """End the process with all that it started."""
        self._child.end()


def serve(channel: Connection, inputs: int, prediction: int) -> None:
    """Answer examinations of one method until the channel closes."""
    process = os.getpid()
    address, case, method = channel.recv()
    setting = bound(address)
    test = MethodUnderTest(method, setting, setting.load(case))
    channel.send_bytes(b"ready")
    while True:
        try:
            name = channel.recv()
        except (EOFError, OSError):
            return
        answer = _answer(name, test, prediction)
        end_copies(process)
        channel.send_bytes(json.dumps(answer).encode())


def _answer(name: str, test: MethodUnderTest, prediction: int) -> Verdict:
    process = os.getpid()
    try:
        if name == "predict":
            returned = test.returned(test.ready())
            end_copies(process)  # both would write to one file
            return True, _kept(returned, prediction)
        return EXAMINATIONS[name](test)
    except AssertionError as fault:
        return False, brief(fault)
    except BaseException as fault:  # whatever the method raises is what it is asked for
        return False, f"{type(fault).__name__}: {brief(fault)}"


def _kept(returned: object, file: int) -> str:
    """Put an array into the shared file; the type of anything else."""
    if not isinstance(returned, np.ndarray):
        return type(returned).__name__
    if returned.dtype.hasobject:
        return "array of Python objects"
    write_array(file, np.asarray(returned))
    return ""


def _checks(check: Callable[[MethodUnderTest], None]) -> Callable[[MethodUnderTest], Verdict]:
    def examination(test: MethodUnderTest) -> Verdict:
        check(test)
        return True, ""

    return examination


def _time(test: MethodUnderTest) -> Verdict:
    started = time.perf_counter()
    method = test.ready()
    ready = time.perf_counter()
    method.predict(test.case.inputs)
    seconds = time.perf_counter() - ready
    return True, f"{seconds:.2f} s on one thread for case {test.case.id}, after {ready - started:.2f} s of set-up"


def _device(test: MethodUnderTest) -> Verdict:
    import torch

    if not torch.cuda.is_available():
        return True, "no GPU here: tried on the CPU alone"
    method = test.ready()
    on_cpu = test.predict(method)
    method.setup(Resources(threads=1, device="cuda"))
    torch.cuda.reset_peak_memory_stats()
    apart = float(np.abs(test.predict(method).astype(np.float64) - on_cpu).max())
    if not torch.cuda.max_memory_allocated():
        return False, "the GPU was not used; move network and inputs to resources.device."
    return apart <= 0.01 * float(np.abs(on_cpu).max()), f"GPU and CPU are {apart:.3g} apart"


EXAMINATIONS: Mapping[str, Callable[[MethodUnderTest], Verdict]] = {
    check.__name__: _checks(check) for check in METHOD_CHECKS
} | {"time": _time, "device": _device}
"""What can be asked of a method here, by name."""
