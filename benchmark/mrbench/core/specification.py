"""How a method and its parameters are written: ``name[param=value,...]``."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mrbench.core.command import COMMAND
from mrbench.core.errors import RequestError
from mrbench.core.method import Method

FORM = "write name[param=value,...] or name:param=value,..."


@dataclass(frozen=True)
class MethodSpec:
    """A method and its parameters, as written on the command line.

    Attributes
    ----------
    name : str
        Entry-point name without the task, or ``file.py:function``.
    parameters : mapping
    alias : str
        What tables call it; empty: as written.
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    alias: str = ""

    def __str__(self) -> str:
        if not self.parameters:
            return self.name
        inside = ",".join(f"{key}={_text(value)}" for key, value in self.parameters.items())
        return f"{self.name}[{inside}]"

    @property
    def label(self) -> str:
        """What tables call it."""
        return self.alias or str(self)


def parse_spec(text: str) -> MethodSpec:
    """Read ``name[param=value,...]``, ``name:param=value,...``, ``cmd:...`` or ``Alias=name[...]``.

    Values are Python literals (``5``, ``[3, 5]``, ``'a,b'``, ``None``), ``true``, ``false``, or plain words. The form
    with a colon needs no quotes in a shell that expands brackets.

    Raises
    ------
    RequestError
        If the text cannot be read in one way: an open bracket, no equals sign, a parameter given twice.

    Examples
    --------
    >>> str(parse_spec("elastix[grid_mm=5,metric=ncc]"))
    'elastix[grid_mm=5,metric=ncc]'
    >>> parse_spec("elastix:grid_mm=5") == parse_spec("elastix[grid_mm=5]")
    True
    >>> parse_spec("Ours=mine.py:register").alias
    'Ours'
    >>> parse_spec("Ours=cmd:mytool --in={image} {output}").name
    'cmd:mytool --in={image} {output}'
    """
    alias, rest = _split_alias(text.strip())
    if rest.startswith(COMMAND):  # everything after it is the shell's
        return MethodSpec(rest, {}, alias)
    name, inside = _split_parameters(text, rest)
    if not name:
        raise RequestError(f"method '{text}' has no name; {FORM}.")
    parameters: dict[str, Any] = {}
    for item in _items(text, inside):
        key, equals, value = item.partition("=")
        key = key.strip()
        if not equals or not key.isidentifier():
            raise RequestError(f"method '{text}': '{item.strip()}' is not param=value; {FORM}.")
        if key in parameters:
            raise RequestError(f"method '{text}' gives {key} twice; give it once.")
        parameters[key] = _literal(text, value.strip())
    return MethodSpec(name, parameters, alias)


def _split_alias(text: str) -> tuple[str, str]:
    """``Alias=name...``: an equals sign before any bracket or colon."""
    head, equals, rest = text.partition("=")
    if not (equals and rest):
        return "", text
    if not any(mark in head for mark in "[:"):
        return head.strip(), rest.strip()
    elsewhere = rest.strip().startswith(COMMAND) or ".py:" in rest
    if elsewhere and ".py" not in head and not head.startswith(COMMAND) and head.count("[") == head.count("]"):
        raise RequestError(f"method '{text}': an alias holds no colon and no bracket; call it otherwise than '{head}'.")
    return "", text


def _split_parameters(text: str, rest: str) -> tuple[str, str]:
    name, bracket, inside = rest.partition("[")
    if bracket and (":" not in name or "=" not in name):
        if not inside.endswith("]"):
            raise RequestError(f"method '{text}': the bracket is not closed; {FORM}.")
        return name.strip(), inside[:-1]
    first_equals = rest.find("=")
    colon = rest.rfind(":", 0, first_equals) if first_equals >= 0 else -1
    return (rest[:colon].strip(), rest[colon + 1 :]) if colon >= 0 else (rest, "")


def _items(text: str, inside: str) -> list[str]:
    """The parts between commas that lie in no bracket and in no quotes."""
    items, depth, quote, start, escaped = [], 0, "", 0, False
    for place, character in enumerate(inside):
        if quote:
            quote = "" if character == quote and not escaped else quote
            escaped = character == "\\" and not escaped
        elif character in "'\"":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == "," and depth == 0:
            items.append(inside[start:place])
            start = place + 1
    if depth or quote:
        raise RequestError(f"method '{text}': a bracket or quote in it is not closed; {FORM}.")
    items.append(inside[start:])
    return [item for item in items if item.strip()] if any(item.strip() for item in items) else []


def _literal(text: str, value: str) -> object:
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        pass
    if not value or any(mark in value for mark in ";=\n"):
        raise RequestError(f"method '{text}': '{value}' is no value; put text with such signs in quotes.")
    return value


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return repr(value)
    try:
        plain = _literal("", value) == value and value.isprintable() and not set(value) & set(",[](){}'\"= \\:")
    except RequestError:
        plain = False
    return value if plain else repr(value)


def built(method: type[Method], spec: MethodSpec) -> Method:
    """Make a method with the parameters of a spec.

    Raises
    ------
    RequestError
        If a parameter is unknown or its value is of no use.
    """
    try:
        return method.build(**spec.parameters)
    except (TypeError, ValueError) as error:
        raise RequestError(f"method '{spec}': {error}; see `mrbench list methods`.") from error
