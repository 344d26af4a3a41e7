"""What the main process asks a server for, and how that travels: a process of some role, with its surroundings."""

from __future__ import annotations

import pickle
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

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
        Modules to import before forking, so that later forks have them, beside that of the role.
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


def receive_request(control: socket.socket) -> tuple[Request, list[int]]:
    """What `send_request` sent; raises `EOFError` when the main process is gone."""
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
