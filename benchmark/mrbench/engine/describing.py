"""What methods say of themselves, for lists and citations: those of others are imported in processes of their own."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

from mrbench.core.errors import MrbenchError, brief
from mrbench.core.registry import find_method, is_foreign

if TYPE_CHECKING:  # what starts processes is imported where there is code of others
    from multiprocessing.connection import Connection

    from mrbench.engine.child import Child

LONGEST = 60.0
"""Seconds that the imports of others may take, all together: they run side by side."""


@dataclass(frozen=True)
class Description:
    """What a method's class says, as text.

    Attributes
    ----------
    kind : str
    parameters : str
        With their defaults.
    reference : str
    missing : str
        What it lacks here; empty where it can run.
    """

    kind: str
    parameters: str
    reference: str
    missing: str


def described(names: Iterable[str], task: str) -> Mapping[str, Description | str]:
    """What methods say; of a method of others that cannot be imported, why, in one sentence.

    Parameters
    ----------
    names : iterable of str
        Of installed methods.
    task : str
        Its name.

    Raises
    ------
    RequestError
        If a name is unknown, or a method of this repository cannot be imported.
    """
    names = list(names)
    children = {name: _asked(name, task) for name in names if is_foreign(name, task)}
    deadline = time.monotonic() + LONGEST
    try:
        return {
            name: _answer(children[name], name, deadline) if name in children else _description(name, task)
            for name in names
        }
    finally:
        for child in children.values():
            child.end()


def _asked(name: str, task: str) -> Child:
    from mrbench.engine.child import Child, anonymous_file

    child = Child("describer", (anonymous_file(), anonymous_file()), threads=1)
    child.send((name, task))
    return child


def _description(name: str, task: str) -> Description:
    method = find_method(name, task)
    parameters = ", ".join(f"{key}={value}" for key, value in method.parameters().items())
    return Description(method.kind, parameters, method.reference, method.unavailable_reason() or "")


def _answer(child: Child, name: str, deadline: float) -> Description | str:
    from multiprocessing.connection import wait

    from mrbench.engine.literals import read_literals

    if not wait([child.channel, child.lifeline], max(0.0, deadline - time.monotonic())):
        return (
            f"importing method '{name}' took longer than {LONGEST:g} s; mend what it does then, or remove its package."
        )
    reply = child.receive()
    if not isinstance(reply, bytes):
        return f"importing method '{name}' ended the process (exit code {reply.exit_code}); reinstall its package."
    try:
        refusal, facts = read_literals(reply)
        return str(refusal) if refusal else Description(*map(str, facts))
    except (ValueError, TypeError):
        return f"what method '{name}' says cannot be read; reinstall its package."


def serve(channel: Connection, *files: int) -> None:
    """Answer one request."""
    from mrbench.engine.literals import send_literals

    process = os.getpid()
    name, task = channel.recv()
    reply: tuple[str, tuple[str, ...]]
    try:
        reply = ("", tuple(map(str, astuple(_description(name, task)))))
    except MrbenchError as error:
        reply = (str(error), ())
    except BaseException as error:  # whatever the code of a class does when it is asked
        reply = (f"method '{name}' cannot be read: {type(error).__name__}: {brief(error)}.", ())
    send_literals(channel, process, reply)
