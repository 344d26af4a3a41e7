"""How methods and their parameters are written: one grammar, Python literals, refused where unclear."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrbench.core.errors import RequestError
from mrbench.core.method import Method
from mrbench.core.specification import MethodSpec, built, parse_spec

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
KEYS = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True)
NUMBERS = st.one_of(st.integers(-999, 999), st.booleans(), st.floats(-99, 99, allow_nan=False))
PLAIN = st.one_of(NUMBERS, st.none(), st.text(max_size=8))
VALUES = st.one_of(PLAIN, st.lists(PLAIN, max_size=3), st.tuples(PLAIN, PLAIN))


@given(NAMES, st.dictionaries(KEYS, VALUES, max_size=3))
@settings(max_examples=40)
def test_a_spec_survives_a_round_trip(name: str, parameters: dict) -> None:
    spec = MethodSpec(name, parameters)
    assert parse_spec(str(spec)) == spec


@pytest.mark.parametrize(
    ("text", "name", "parameters"),
    [
        ("elastix", "elastix", {}),
        ("elastix[grid_mm=10]", "elastix", {"grid_mm": 10}),
        ("elastix:grid_mm=10", "elastix", {"grid_mm": 10}),
        ("f:sizes=[3,5],name='a,b'", "f", {"sizes": [3, 5], "name": "a,b"}),
        ("f[sizes=[3, 5],deep=TRUE]", "f", {"sizes": [3, 5], "deep": True}),
        ("f[a=None]", "f", {"a": None}),
        ("f[weights=ixi-hh-2mm.singlecoil-4x+8x]", "f", {"weights": "ixi-hh-2mm.singlecoil-4x+8x"}),
        ("dir/mine.py:register", "dir/mine.py:register", {}),
        ("mine.py:register:gain=2", "mine.py:register", {"gain": 2}),
        ("mine.py:register[path='C:/a=b']", "mine.py:register", {"path": "C:/a=b"}),
        ("mine.py", "mine.py", {}),
    ],
)
def test_what_is_read(text: str, name: str, parameters: dict) -> None:
    spec = parse_spec(text)
    assert (spec.name, dict(spec.parameters), spec.alias) == (name, parameters, "")


@pytest.mark.parametrize("rest", ["elastix", "elastix[grid_mm=10]", "mine.py:register:gain=2"])
def test_an_alias_names_any_method(rest: str) -> None:
    spec = parse_spec(f"Ours={rest}")
    assert spec.label == "Ours" and spec.parameters == parse_spec(rest).parameters


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("elastix[grid_mm=5", "bracket is not closed"),
        ("My:net=mine.py:f", "an alias holds no colon and no bracket; call it otherwise than 'My:net'"),
        ("Net[1]=mine.py:f:gain=2", "call it otherwise than 'Net"),
        ("A:b=cmd:tool {image} {output}", "an alias holds no colon"),
        ("elastix[grid_mm]", "is not param=value"),
        ("f[a=1,a=2]", "gives a twice"),
        ("f[a=1;b=2]", "is no value; put text with such signs in quotes"),
        ("f[a=[1,2]", "not closed"),
        ("f[a='x]", "not closed"),
        ("[a=1]", "has no name"),
        ("", "has no name"),
    ],
)
def test_what_is_unclear_is_refused(text: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        parse_spec(text)


class Blur(Method):
    task = "denoising"

    def __init__(
        self,
        *,
        width: float = 1.0,
        mode: str = "same",
        fast: bool = False,
        sizes: object = None,
        edge: int | None = None,
    ) -> None:
        self.width, self.mode, self.fast, self.sizes, self.edge = width, mode, fast, sizes, edge

    def predict(self, inputs: object) -> object:
        return inputs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("blur[width=wide]", "parameter width of Blur takes a number, not 'wide'"),
        ("blur[width=true]", "takes a number"),
        ("blur[fast=1]", "takes true or false, not 1"),
        ("blur[mode=[1]]", "takes a word"),
        ("blur[edge=wide]", "parameter edge of Blur takes a number or None, not 'wide'"),
        ("blur[edge=[1]]", "takes a number or None"),
        ("blur[widht=2]", "did you mean 'width'"),
    ],
)
def test_a_value_of_another_type_is_named(text: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        built(Blur, parse_spec(text))


def test_values_reach_the_method() -> None:
    method = built(Blur, parse_spec("blur[width=2,sizes=(1, 2)]"))
    assert (method.width, method.sizes) == (2, (1, 2))  # type: ignore[attr-defined]
    assert [built(Blur, parse_spec(f"blur[edge={edge}]")).edge for edge in (3, None, 2.0)] == [3, None, 2]  # type: ignore[attr-defined]
