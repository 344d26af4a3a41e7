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
from mrbench.engine.request import receive_request
from mrbench.io.files import sweep_cache

HARNESS = ("mrbench.", "numba", "scipy.")
"""What may be imported here: the harness and libraries of its own, never a method."""


def main() -> NoReturn:
    """Fork what is asked for until the main process is gone."""
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
            request, descriptors = receive_request(control)
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
