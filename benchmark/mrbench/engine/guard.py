"""The guard of one process: it ends it with all that it started, bounds its memory and its log, and says how it ended.

A method may fork, detach, stop or kill as it likes. Its guard is the parent that all its descendants fall back to when
their own parents end (`PR_SET_CHILD_SUBREAPER`), so that none escapes; and it hears of the end of the main process,
even by SIGKILL, from a socket that the kernel then closes.
"""

from __future__ import annotations

import ctypes
import fcntl
import importlib
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import astuple, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

import psutil

from mrbench.engine.request import SERVED_BY, Request
from mrbench.io.files import open_regular

PREFIX = "mrbench-"
"""Of the folders for the temporary files of a process, below that of the system."""

LOG_LIMIT = 10 * 2**20
"""Bytes that a log may hold; the rest is dropped, and the log says so."""

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
_MEMORY_INTERVAL, _PATIENCE, _YOUNG = 0.05, 10.0, 60.0  # seconds


@dataclass(frozen=True)
class Ending:
    """How a process ended.

    Attributes
    ----------
    exit_code : int or None
        Negative of a signal.
    memory : bool
        Whether its guard ended it for its memory.
    machine_full : bool
        Whether the kernel did, or was ending others for theirs.
    """

    exit_code: int | None
    memory: bool = False
    machine_full: bool = False


def adopt_orphans() -> None:
    """Become the parent of all descendants whose own parents end."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    with suppress(OSError, AttributeError):  # Linux alone
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def end_copies(process: int) -> None:
    """End this process unless it is that one: a copy that a method forked would answer, and write, a second time."""
    if os.getpid() != process:
        os._exit(0)


def end_strangers(known: set[int]) -> None:
    """End the children that are not known, which a killed guard left behind, and forget those that ended."""
    with suppress(psutil.Error):
        for child in psutil.Process().children():
            if child.pid not in known:
                with suppress(psutil.Error):
                    child.kill()
    with suppress(ChildProcessError):
        while (pid := os.waitpid(-1, os.WNOHANG)[0]) != 0:
            known.discard(pid)


def guard(request: Request, descriptors: list[int]) -> NoReturn:
    """Fork the process of a request and see it through to the end of all that it starts."""
    channel, lifeline, *files = descriptors
    os.setsid()
    adopt_orphans()
    temporary = _temporary_folder()
    reading, writing = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        with suppress(BaseException):
            os.close(lifeline)
            os.close(reading)
            _become(request, Connection(channel), files, writing, temporary, parent)
        os._exit(70)
    for descriptor in (channel, writing, *files):
        os.close(descriptor)
    ending = _watch(pid, lifeline, reading, request)
    shutil.rmtree(temporary, ignore_errors=True)
    with suppress(OSError):
        os.write(lifeline, json.dumps(astuple(ending)).encode())
    os._exit(0)


def _become(request: Request, channel: Connection, files: list[int], output: int, temporary: Path, parent: int) -> None:
    """Turn the forked child into what was asked for."""
    os.setsid()
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the line above
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(request.environment, TMPDIR=str(temporary))
    tempfile.tempdir = None
    sys.path[:] = request.path
    with suppress(OSError):
        os.chdir(request.folder)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.close(output)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    if request.cores:
        with suppress(OSError):
            os.sched_setaffinity(0, request.cores)
    importlib.import_module(SERVED_BY[request.role]).serve(channel, *files)


def remove_left_behind() -> None:
    """Remove the temporary folders of processes that are gone."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}{os.getuid()}-*"):
        with suppress(OSError):
            if time.time() - left.lstat().st_mtime < _YOUNG:
                continue
            handle = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(handle)


def _temporary_folder() -> Path:
    """A folder that the kernel marks as held while this process lives."""
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getuid()}-"))
    fcntl.flock(os.open(folder, os.O_RDONLY), fcntl.LOCK_EX)
    return folder


class _Log:
    """What a process prints, from any language, up to a limit."""

    def __init__(self, path: Path | None) -> None:
        self.file = self.size = -1
        if path is not None:
            with suppress(Exception):  # a log that cannot be written is no reason to fail
                path.parent.mkdir(parents=True, exist_ok=True)
                self.file = open_regular(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
                self.size = os.fstat(self.file).st_size

    def take(self, text: bytes) -> None:
        if self.file < 0 or self.size >= LOG_LIMIT:
            return
        kept = text[: LOG_LIMIT - self.size]
        if len(kept) < len(text):
            kept += b"\n[this log is full: the rest was dropped]\n"
        with suppress(OSError):
            os.write(self.file, kept)
        self.size += len(kept)


def _watch(pid: int, lifeline: int, output: int, request: Request) -> Ending:
    """Wait for the end of a process, or end it: when told to, when nobody listens, or for its memory."""
    log, memory, ended, killed = _Log(request.log), False, os.pidfd_open(pid), _killed_for_memory()
    os.set_blocking(output, False)
    poll = select.poll()
    for descriptor in (ended, lifeline, output):
        poll.register(descriptor, select.POLLIN)
    while True:
        events = {descriptor for descriptor, _ in poll.poll(_MEMORY_INTERVAL * 1000 if request.memory else None)}
        if output in events and not _pump(output, log):
            poll.unregister(output)
        if ended in events or lifeline in events:
            break
        if request.memory and _exceeds(request.memory):
            memory = True
            break
    exit_code = _end_all(pid)
    _pump(output, log)
    return Ending(exit_code, memory, exit_code == -signal.SIGKILL and _killed_for_memory() > killed)


def _pump(output: int, log: _Log) -> bool:
    """Move what was printed to the log; False at its end."""
    with suppress(BlockingIOError):
        while text := os.read(output, 65536):
            log.take(text)
            if len(text) < 65536:
                return True
        return False
    return True


def _killed_for_memory() -> int:
    """How many processes the kernel has ended for want of memory since it started; 0 where it does not say."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def _exceeds(limit: int) -> bool:
    """Whether the descendants hold more than that; what they share is counted once."""
    descendants = psutil.Process().children(recursive=True)
    resident = 0
    for process in descendants:
        with suppress(psutil.Error):
            resident += process.memory_info().rss
    if resident <= limit:
        return False
    proportional = 0
    for process in descendants:  # slower, and exact
        with suppress(psutil.Error):
            proportional += process.memory_full_info().pss
    return proportional > limit


def _end_all(pid: int) -> int | None:
    """Kill a process and all its descendants; its exit code, had it one already."""
    exit_code = None
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                process.kill()
        try:
            while (reaped := os.waitpid(-1, os.WNOHANG))[0] != 0:
                if reaped[0] == pid:
                    exit_code = os.waitstatus_to_exitcode(reaped[1])
        except ChildProcessError:
            break
        time.sleep(0.001)
    return exit_code
