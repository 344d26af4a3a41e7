"""What can go wrong, as types. Each message is one sentence: what, where, what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from mrbench.core.words import some


class MrbenchError(Exception):
    """A fault that the user can mend; the command line prints it and exits with its code."""

    exit_code = 2


class RequestError(MrbenchError):
    """The request itself is wrong: an unknown name, a bad parameter, a path that is not there."""


class DataError(MrbenchError):
    """A data file is missing, corrupt or malformed."""


class PredictionError(MrbenchError):
    """A method returned something that its task cannot score."""


class MethodSkipped(MrbenchError):
    """A method cannot run here; the message is the reason that its row shows."""


def brief(error: BaseException) -> str:
    """The first line of the message of code that is not ours, whatever is in it, without what is no text."""
    try:
        line = (str(error).strip().splitlines() or [""])[0]
    except BaseException as fault:
        return f"its message cannot be read ({type(fault).__name__})"
    return "".join(letter if letter.isprintable() else "?" for letter in line)[:300] or type(error).__name__


LISTED = 30
"""Names that a message lists at most: a dataset may have thousands of cases."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> RequestError:
    """Build the error for a name that is not known, with a suggestion where one is close."""
    name, choices = str(name), sorted(known)
    close = [c for c in choices if c.startswith(name)] or get_close_matches(name, choices, n=1, cutoff=0.5)
    hint = f"did you mean '{close[0]}'?" if close else f"choose from: {some(choices, LISTED) or 'none'}."
    return RequestError(f"unknown {kind} '{name}': {hint}")
