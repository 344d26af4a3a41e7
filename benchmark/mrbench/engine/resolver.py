"""Candidates of methods whose code is not ours: resolved in a process of their own.

The process that loads references, ranks and reports never imports such code. What comes back is text that is read as
Python literals.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import astuple
from multiprocessing.connection import Connection, wait
from typing import Any

from mrbench.core.binding import bound
from mrbench.core.candidate import Candidate, Traits, candidates
from mrbench.core.errors import MrbenchError, RequestError, brief
from mrbench.core.registry import is_foreign, method_names
from mrbench.core.specification import MethodSpec, parse_spec
from mrbench.core.task import Setting
from mrbench.engine.child import Child, anonymous_file
from mrbench.engine.literals import read_literals, send_literals

LONGEST_IMPORT = 300.0
"""Seconds that the files of others may take to be imported."""


def resolved(
    setting: Setting, requested: Sequence[str] = (), *, quick: bool = False, all_weights: bool = False
) -> list[Candidate]:
    """Return what `mrbench.core.candidate.candidates` does, and import no code of others here.

    Raises
    ------
    RequestError
        As there; or if a method's file ends the process that imports it, or its import does not end.
    """
    names = [parse_spec(text).name for text in requested] or method_names(setting.task.name)
    if not any(is_foreign(name, setting.task.name) for name in names):
        return candidates(setting, requested, quick=quick, all_weights=all_weights)
    child = Child("resolver", (anonymous_file(), anonymous_file()), threads=1)
    try:
        child.send((setting.address, tuple(requested), quick, all_weights))
        ready = wait([child.channel, child.lifeline], LONGEST_IMPORT)
        reply = child.receive() if ready else None
    finally:
        child.end()
    if reply is None:
        raise RequestError(
            f"importing {', '.join(names)} took longer than {LONGEST_IMPORT:g} s; mend what it does then."
        )
    if not isinstance(reply, bytes):
        raise RequestError(
            f"the process that imported {', '.join(names)} ended (exit code {reply.exit_code}); mend what it does then."
        )
    return _read(setting, reply, names)


def _read(setting: Setting, reply: bytes, names: Sequence[str]) -> list[Candidate]:
    try:
        refusal, entries = read_literals(reply)
        if refusal:
            raise RequestError(str(refusal))
        return [
            Candidate(setting, MethodSpec(*spec), MethodSpec(*built), Traits(*traits), *facts)
            for spec, built, traits, facts in entries
        ]
    except (ValueError, TypeError):
        raise RequestError(f"what {', '.join(names)} is cannot be read; give parameters that are literals.") from None


def serve(channel: Connection, *files: int) -> None:
    """Answer one request."""
    process = os.getpid()
    address, requested, quick, all_weights = channel.recv()
    try:
        resolved = candidates(bound(address), requested, quick=quick, all_weights=all_weights)
        reply: tuple[str, list[Any]] = ("", [_facts(candidate) for candidate in resolved])
    except MrbenchError as error:
        reply = (str(error), [])
    except Exception as error:  # whatever the code of a class does when it is asked for its parameters
        reply = (f"{', '.join(requested)} cannot be read: {type(error).__name__}: {brief(error)}.", [])
    send_literals(channel, process, reply)


def _facts(candidate: Candidate) -> tuple[Any, ...]:
    spec, built = ((one.name, dict(one.parameters), one.alias) for one in (candidate.spec, candidate.resolved))
    return spec, built, astuple(candidate.method), (candidate.source, candidate.weights, candidate.skipped)
