"""The process that workers and scorers are forked from: warm, single-threaded, and without any code of a user.

Run as ``python -m mrbench.engine.server FD`` by `mrbench.engine.child`. It is a process of its own, in a session of its
own, so that nothing of the main process (its threads, its modules, its signals) reaches what is forked here. It ends
when the main process does, whatever ended that: the kernel closes the socket between the two.
"""

from __future__ import annotations

import importlib
import os
import pickle
import select
import signal
import socket
import struct
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

Role = Literal["worker", "scorer", "resolver", "describer", "examiner"]

SERVED_BY: Mapping[Role, str] = {
    "worker": "mrbench.engine.worker",
    "scorer": "mrbench.engine.scorer",
    "resolver": "mrbench.engine.resolver",
    "describer": "mrbench.engine.describing",
    "examiner": "mrbench.api.examiner",
}
"""The module whose ``serve`` a forked process runs, with a channel and the files for inputs and prediction."""

DESCRIPTORS = 4
"""Of each forked process: channel, lifeline, and the files for inputs and prediction."""

HARNESS = ("mrbench.", "numba", "scipy.")
"""What may be imported here: the harness and libraries of its own, never a method."""


@dataclass(frozen=True)
class Request:
    """What to fork.

    Attributes
    ----------
    role : {"worker", "scorer", "resolver", "describer", "examiner"}
    environment : mapping
        The whole environment, with the number of threads of every library.
    path : tuple of str
        ``sys.path``.
    folder : str
        Working directory.
    cores : tuple of int
        Cores to stay on; empty: all.
    preload : tuple of str
        Modules to import before forking, so that later forks have them.
    kernels : tuple of str
        Kinds of kernels to compile before forking, or to load where this machine has compiled them: no case that is
        timed runs beside a compiler, and no scorer loads them again (0.4 s each).
    log : Path or None
        Where to append what it prints, by any library of any language.
    memory : int or None
        Bytes that it and its children may hold together.
    """

    role: Role
    environment: Mapping[str, str]
    path: tuple[str, ...]
    folder: str
    cores: tuple[int, ...] = ()
    preload: tuple[str, ...] = ()
    kernels: tuple[str, ...] = ()
    log: Path | None = None
    memory: int | None = None


def send_request(control: socket.socket, request: Request, descriptors: list[int]) -> None:
    """Ask a server for a process that talks through these descriptors."""
    body = pickle.dumps(request)
    control.sendall(struct.pack("!I", len(body)) + body)
    socket.send_fds(control, [b"f"], descriptors)


def _receive(control: socket.socket) -> tuple[Request, list[int]]:
    (length,) = struct.unpack("!I", _exactly(control, 4))
    request: Request = pickle.loads(_exactly(control, length))
    mark, descriptors, _, _ = socket.recv_fds(control, 1, DESCRIPTORS)
    if not mark:
        raise EOFError
    return request, descriptors


def _exactly(control: socket.socket, length: int) -> bytes:
    parts = b""
    while len(parts) < length:
        part = control.recv(length - len(parts))
        if not part:
            raise EOFError
        parts += part
    return parts


def main() -> NoReturn:
    """Fork what is asked for until the main process is gone."""
    from mrbench.engine.guard import adopt_orphans, end_strangers, guard, remove_left_behind
    from mrbench.io.files import sweep_cache

    control = socket.socket(fileno=int(sys.argv[1]))
    adopt_orphans()
    remove_left_behind()
    sweep_cache()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(woken)
    guards: set[int] = set()
    while True:
        sources: list[Any] = [control, wake]
        ready, _, _ = select.select(sources, [], [])
        if wake in ready:
            with suppress(BlockingIOError):
                os.read(wake, 4096)
            end_strangers(guards)
        if control not in ready:
            continue
        try:
            request, descriptors = _receive(control)
        except (EOFError, OSError):
            end_strangers(guards)
            os._exit(0)
        for module in request.preload:
            if module.startswith(HARNESS):
                with suppress(Exception):  # whoever needs it says what is wrong with it
                    importlib.import_module(module)
        with suppress(Exception):
            if request.kernels:
                importlib.import_module("mrbench.metrics.ahead").compile_kernels(*request.kernels)
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for descriptor in (wake, woken, control.detach()):
                os.close(descriptor)
            guard(request, descriptors)
        guards.add(pid)
        for descriptor in descriptors:
            os.close(descriptor)


if __name__ == "__main__":
    main()
