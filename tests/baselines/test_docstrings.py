"""What a classical row says of itself: the problem that it solves, and what each tuned number multiplies."""

from __future__ import annotations

import re
from inspect import cleandoc

import pytest

from mrbench.core.method import Method
from mrbench.core.registry import find_method, is_foreign, method_names, task_names

CLASSICAL = [
    pytest.param(method, id=f"{task}.{name}")
    for task in task_names()
    for name in method_names(task)
    if not is_foreign(name, task) and (method := find_method(name, task)).kind == "classical"
]

PROBLEM = re.compile(r"\bmin(_\w+)? |minimis|maximis", re.IGNORECASE)

SCALE = re.compile(
    r"\bSDs?\b|\bunits?\b|without unit|\bmm\b|voxels?\b|relative to|weight of|over the|``\w+``|spacing|Gaussians", re.I
)
"""Words that say what a number is measured in, or what a tool calls it."""


def parameter(doc: str, name: str) -> str:
    """The lines of a parameter in a numpydoc docstring."""
    lines = doc.partition("Parameters\n----------\n")[2].splitlines()
    start = next((n for n, line in enumerate(lines) if re.match(rf"(\w+, )*{name}(, \w+)* :", line)), None)
    if start is None:
        return ""
    own = [lines[start]]
    for line in lines[start + 1 :]:
        if line and not line.startswith(" "):
            break
        own.append(line)
    return "\n".join(own)


@pytest.mark.parametrize("method", CLASSICAL)
def test_a_classical_row_states_its_problem(method: type[Method]) -> None:
    """The minimisation, or that there is none."""
    assert PROBLEM.search(cleandoc(method.__doc__ or "")), f"{method.__name__} says no problem that it solves"


@pytest.mark.parametrize("method", [param for param in CLASSICAL if param.values[0].tunable])
def test_a_tuned_number_has_a_scale(method: type[Method]) -> None:
    doc = cleandoc(method.__doc__ or "")
    for name in method.tunable:
        said = parameter(doc, name)
        assert said, f"{method.__name__} does not describe {name}"
        if not isinstance(method.parameters()[name], int):  # a count needs no unit
            assert SCALE.search(said), f"{method.__name__} does not say the scale of {name}: {said}"
