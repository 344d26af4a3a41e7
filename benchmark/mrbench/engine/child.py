"""The main process's end of a worker or a scorer: start it, talk to it, end it with all that it started."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from mrbench.engine.guard import Ending
from mrbench.engine.request import Request, Role, send_request
from mrbench.engine.threads import thread_environment

_LONGEST_REPLY = 2**30


class _Server:
    """A server process of this process, for one number of threads."""

    def __init__(self, threads: int) -> None:
        self.control, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _START, str(theirs.fileno()), *sys.path],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, **thread_environment(threads)},
            )
        weakref.finalize(self, _stop, self.process, self.control)

    def fork(self, request: Request, descriptors: list[int]) -> None:
        send_request(self.control, request, descriptors)


def _stop(process: subprocess.Popen[bytes], control: socket.socket) -> None:
    control.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(5)


_START = "import sys; sys.path[:] = sys.argv[2:]; from mrbench.engine.server import main; main()"

_servers: dict[tuple[int, int], _Server] = {}


def start_server(threads: int, *, again: bool = False) -> _Server:
    """Return the server for that many threads; it starts in the background."""
    key = (os.getpid(), threads)  # a fork of this process needs one of its own
    if again or key not in _servers or _servers[key].process.poll() is not None:
        _servers[key] = _Server(threads)
    return _servers[key]


def anonymous_file() -> int:
    """A file without a name, for arrays that go from one process to another; the kernel removes it with its users."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("mrbench")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class Child:
    """A worker or a scorer with its guard.

    Parameters
    ----------
    role : {"worker", "scorer", "resolver", "describer", "examiner"}
    files : sequence of int
        Descriptors of the files for inputs and prediction, which both processes of a slot share.
    threads : int
    cores : sequence of int
        Cores to stay on; empty: all.
    preload : sequence of str
        Modules of the harness that the process will import.
    kernels : sequence of str
        Kinds of kernels that it will score with.
    log : Path, optional
    memory : float, optional
        GiB that it and its children may hold.
    """

    def __init__(
        self,
        role: Role,
        files: Sequence[int],
        *,
        threads: int,
        cores: Sequence[int] = (),
        preload: Sequence[str] = (),
        kernels: Sequence[str] = (),
        log: Path | None = None,
        memory: float | None = None,
    ) -> None:
        environment = {**os.environ, **thread_environment(threads)}
        request = Request(
            role,
            environment,
            tuple(sys.path),
            _folder(),
            tuple(cores),
            tuple(preload),
            tuple(kernels),
            log and log.absolute(),  # the server keeps the working directory in which it was started
            None if memory is None else int(memory * 2**30),
        )
        ours, theirs = socket.socketpair()
        self.lifeline, their_lifeline = socket.socketpair()
        with theirs, their_lifeline:
            descriptors = [theirs.fileno(), their_lifeline.fileno(), *files]
            try:
                start_server(threads).fork(request, descriptors)
            except OSError:  # somebody ended it
                start_server(threads, again=True).fork(request, descriptors)
        self.channel = Connection(ours.detach())
        self.ending: Ending | None = None

    def send(self, message: object) -> None:
        """Send a message; that the process is gone shows when its answer is read."""
        with suppress(OSError):
            self.channel.send(message)

    def receive(self) -> bytes | Ending:
        """The message that has come, or how the process ended."""
        try:
            if self.channel.poll(0):
                return self.channel.recv_bytes(_LONGEST_REPLY)
        except (EOFError, OSError):
            pass
        return self.end()

    def idle(self) -> bool:
        """Whether it lives and has nothing to say."""
        return self.ending is None and not _readable(self.lifeline) and not self.channel.poll(0)

    def abandon(self) -> None:
        """Let go of it: it ends when it finds nobody there, which nobody waits for."""
        self.lifeline.close()
        self.channel.close()

    def end(self) -> Ending:
        """End it and all that it started; returns when they are gone."""
        if self.ending is None:
            text = b""
            with suppress(OSError, ValueError):
                self.lifeline.shutdown(socket.SHUT_WR)
                self.lifeline.settimeout(15)
                while part := self.lifeline.recv(4096):
                    text += part
            self.ending = Ending(*json.loads(text)) if text else Ending(None)
            self.lifeline.close()
            self.channel.close()
        return self.ending


def _folder() -> str:
    try:
        return str(Path.cwd())
    except OSError:
        return "/"


def _readable(connection: socket.socket) -> bool:
    from multiprocessing.connection import wait

    return bool(wait([connection], 0))
