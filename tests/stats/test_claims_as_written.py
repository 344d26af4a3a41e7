"""Files of claims: what cannot be meant, or could never be answered, is one sentence."""

from __future__ import annotations

from typing import Any

import pytest

from mrbench.core.errors import RequestError
from mrbench.stats.claims import parse_claims


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tests": []}, "has no"),
        ({"sauce": "x"}, "unknown key in claim c of f.toml 'sauce': did you mean 'source'"),
        ({"tests": [{"boards": "*", "metric": "dice", "first": "net"}]}, "give one of them"),
        ({"tests": [{"boards": "*", "metric": "dice", "first": "net", "second": "o", "margin": "x"}]}, "are numbers"),
        (
            {"tests": [{"boards": "*", "metric": "dice", "first": "n", "second": "o", "budget": "tea"}]},
            "unknown budget",
        ),
        ({"tests": [{"metric": "dice", "first": "net"}]}, "lacks boards"),
        ({"claim": " "}, "claim is a text"),
        ({"task": 3}, "task is a text"),
    ],
)
def test_claims_that_are_wrong_say_so(change: dict[str, Any], message: str) -> None:
    own = {"id": "c", "task": "registration", "claim": "x", "source": "y", "refuted_by": "z"}
    good = {**own, "tests": [{"boards": "registration/*", "metric": "dice", "first": "net", "second": "old"}]}
    assert parse_claims({"claims": [good]}, "f.toml")[0].tests[0].first == ("net",)
    with pytest.raises(RequestError, match=message):
        parse_claims({"claims": [{**good, **change}]}, "f.toml")
    with pytest.raises(RequestError, match="two claims of one id"):
        parse_claims({"claims": [good, good]}, "f.toml")
    with pytest.raises(RequestError, match=r"holds no \[\[claims\]\]"):
        parse_claims({}, "f.toml")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"boards": 5}, "boards is a name or a list of names"),
        ({"boards": [5]}, "boards is a name or a list of names"),
        ({"boards": []}, "needs boards and first"),
        ({"first": []}, "needs boards and first"),
        ({"boards": "denoising/*"}, "is about registration and asks for boards of denoising"),
        ({"metric": 3}, "metric and than_split are names"),
        ({"strangers": "yes"}, "are true or false"),
        ({"margin": float("nan")}, "are numbers"),
        ({"margin": 0.1, "within": 0.1}, "ask for different things"),
        ({"second": [], "at_least": 0.5, "margin": 0.1}, "ask for different things"),
        ({"second": [], "at_least": 0.9, "at_most": 0.1}, "at_least is above at_most"),
        ({"within": 0}, "nothing is apart by less than 0"),
        ({"within": 0.5, "metric": "cpu_seconds"}, "give within above 1"),
        ({"margin": -1, "metric": "cpu_seconds"}, "a factor above 0"),
        ({"second": [], "than_split": "train", "metric": "cpu_seconds"}, "takes no than_split"),
    ],
)
def test_a_test_that_no_rows_could_answer_says_so(change: dict[str, Any], message: str) -> None:
    """These ended in a traceback, or were never supported, whatever the rows."""
    good = {"boards": ["registration/*"], "metric": "dice", "first": "net", "second": "old"}
    texts = {"id": "c", "task": "registration", "claim": "x", "source": "y", "refuted_by": "z"}
    assert parse_claims({"claims": [{**texts, "tests": [good]}]}, "f.toml")
    with pytest.raises(RequestError, match=message):
        parse_claims({"claims": [{**texts, "tests": [{**good, **change}]}]}, "f.toml")
