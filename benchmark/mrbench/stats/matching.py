"""Which method of one board is which of another: learned methods are the same whatever their weights are called."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from mrbench.core.errors import RequestError
from mrbench.core.specification import MethodSpec, parse_spec


@dataclass(frozen=True)
class Matches:
    """Methods of two boards.

    Attributes
    ----------
    pairs : list of tuple of str
        Name on the first and on the second board, in the order of the second.
    unmatched : DataFrame
        ``board`` (``first`` or ``second``), ``method`` and ``reason``.
    """

    pairs: list[tuple[str, str]]
    unmatched: pd.DataFrame


def without_weights(method: str) -> str:
    """The name of a method without its ``weights``; a name that is no specification stays as it is."""
    try:
        spec = parse_spec(method)
    except RequestError:
        return method
    return str(MethodSpec(spec.name, {key: value for key, value in spec.parameters.items() if key != "weights"}))


def match(first: pd.Series, second: pd.Series) -> Matches:
    """Match the methods of two boards: by name, then by name and weights, then by name where only one is left.

    Parameters
    ----------
    first, second : Series
        sha256 of the weights of each method (the index), missing where it has none.
    """
    pairs = {name: name for name in second.index if name in first.index}
    for same_weights in (True, False):
        rest = [first.index.difference(pairs.values(), sort=False), second.index.difference(pairs, sort=False)]
        keys = [
            pd.Series(
                [(without_weights(name), weights[name] if same_weights else "") for name in names],
                index=names,
                dtype=object,
            )
            for names, weights in zip(rest, (first, second), strict=True)
        ]
        single = [key[~key.duplicated(keep=False)] for key in keys]
        by_key = {key: name for name, key in single[0].items()}
        pairs |= {name: by_key[key] for name, key in single[1].items() if key in by_key}
    lines = [("first", name, _reason(name, second.index)) for name in first.index if name not in pairs.values()] + [
        ("second", name, _reason(name, first.index)) for name in second.index if name not in pairs
    ]
    return Matches(
        [(pairs[name], name) for name in second.index if name in pairs],
        pd.DataFrame(lines, columns=["board", "method", "reason"]),
    )


def _reason(method: str, other: pd.Index) -> str:
    alike = [name for name in other if without_weights(name) == without_weights(method)]
    return f"more than one could be it: {', '.join(alike)}" if alike else "not on the other board"
