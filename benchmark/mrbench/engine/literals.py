"""What a process tells that imports code of others: text, read as Python literals, so that nothing of it runs here."""

from __future__ import annotations

import ast
from multiprocessing.connection import Connection
from typing import Any

from mrbench.engine.guard import end_copies


def send_literals(channel: Connection, process: int, value: object) -> None:
    """Send a value of literals, from the process of that id alone and not from a copy that the code has forked."""
    end_copies(process)
    channel.send_bytes(repr(value).encode(errors="backslashreplace"))


def read_literals(reply: bytes) -> Any:  # noqa: ANN401 (whoever asked knows the form, and checks it)
    """Read what `send_literals` sent.

    Raises
    ------
    ValueError
        If it is no literal.
    """
    try:
        return ast.literal_eval(reply.decode())
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        raise ValueError("no literal") from None
