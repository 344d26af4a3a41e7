"""The process that workers and scorers are forked from: warm, single-threaded, and without any code of a user.

Run as ``python -m mrbench.engine.server FD`` by `mrbench.engine.child`. It is a process of its own, in a session of its
own, so that nothing of the main process (its threads, its modules, its signals) reaches what is forked here. It ends
when the main process does, whatever ended that: the kernel closes the socket between the two.
"""

from __future__ import annotations

import importlib
import os
import select
import signal
import socket
import sys
from contextlib import suppress
from typing import Any, NoReturn

from mrbench.engine.guard import adopt_orphans, end_strangers, guard, remove_left_behind
from mrbench.engine.lean import import_lean
from mrbench.engine.request import SERVED_BY, Request, receive_request
from mrbench.io.files import sweep_cache

HARNESS = ("mrbench.", "numba", "scipy.", "threadpoolctl", "nibabel", "torch")
"""What may be imported here: the harness and libraries of its own, never a method."""


def _prepare(request: Request) -> None:
    """Load what this fork and later ones need, once; whoever needs what cannot be loaded says what is wrong with it."""
    for module in (SERVED_BY[request.role], *request.preload):
        if module.startswith(HARNESS):
            with suppress(Exception):
                importlib.import_module(module)
    path = sys.path[:]
    with suppress(Exception):
        if all(map(os.path.isabs, request.path)):  # else they depend on the working directory, which a fork changes
            sys.path[:] = request.path  # names alone are read there: nothing of a user's is imported
            importlib.import_module("mrbench.core.registry").installed(request.path)
    sys.path[:] = path
    with suppress(Exception):
        if request.kernels:
            importlib.import_module("mrbench.metrics.ahead").compile_kernels(*request.kernels)


def main() -> NoReturn:
    """Fork what is asked for until the main process is gone."""
    control = socket.socket(fileno=int(sys.argv[1]))
    adopt_orphans()
    import_lean()
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
            request, descriptors = receive_request(control)
        except (EOFError, OSError):
            end_strangers(guards)
            os._exit(0)
        _prepare(request)
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
