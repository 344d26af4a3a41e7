"""Arguments of the public functions, checked once, where a request comes in: one sentence each."""

from __future__ import annotations

import os
from collections.abc import Iterable
from math import inf
from numbers import Integral, Real

from mrbench.core.errors import RequestError


def checked_names(argument: str, given: object) -> tuple[str, ...]:
    """The names of a list; none, where it was left out.

    Raises
    ------
    RequestError
        If it is one text, is empty, or holds something else.
    """
    if given is None:
        return ()
    if isinstance(given, str):
        raise _wrong(argument, given, f"give a list of names, such as [{given!r}]")
    if not isinstance(given, Iterable):
        raise _wrong(argument, given, "give a list of names")
    listed = tuple(given)
    if not listed:
        raise _wrong(argument, given, f"the list is empty; name one at the least, or leave {argument} out")
    for name in listed:
        if not isinstance(name, str):
            raise _wrong(argument, given, f"{_shown(name)} is no name; give names as text")
    return listed


def check_text(**given: object) -> None:
    """Refuse names that are no text; None is what was left out."""
    for argument, value in given.items():
        if value is not None and not isinstance(value, str):
            raise _wrong(argument, value, "give a name as text")


def check_paths(**given: object) -> None:
    """Refuse what is neither text nor a path."""
    for argument, value in given.items():
        if not isinstance(value, str | os.PathLike):
            raise _wrong(argument, value, "give a path")


def check_whole(least: int, most: int | None = None, **given: object) -> None:
    """Refuse what is no whole number of a range; None is what was left out."""
    wanted = f"a whole number from {least} " + ("up" if most is None else f"to {most}")
    for argument, value in given.items():
        fits = isinstance(value, Integral) and least <= int(value) <= (int(value) if most is None else most)
        if value is not None and (isinstance(value, bool) or not fits):
            raise _wrong(argument, value, f"give {wanted}")


def check_number(least: float | None = None, **given: object) -> None:
    """Refuse what is no number, or below ``least``; None is what was left out."""
    wanted = "a number" + ("" if least is None else f" from {least:g} up")
    for argument, value in given.items():
        fits = isinstance(value, Real) and float(value) >= (-inf if least is None else least)
        if value is not None and (isinstance(value, bool) or not fits):
            raise _wrong(argument, value, f"give {wanted}")


def _wrong(argument: str, given: object, advice: str) -> RequestError:
    return RequestError(f"{argument}={_shown(given)}: {advice}.")


def _shown(value: object) -> str:
    """A value in a line, however long it is."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
