"""Rows as a pandas DataFrame: the form in which all statistics take them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import chain, islice
from math import nan
from operator import attrgetter, itemgetter, methodcaller
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from mrbench.core.errors import RequestError
from mrbench.core.row import Row

TEXTS = (
    "task",
    "track",
    "dataset",
    "fingerprint",
    "split",
    "protocol",
    "method",
    "kind",
    "source",
    "weights",
    "case",
    "status",
    "message",
    "device",
    "run",
)
"""Columns of few different texts, kept as categoricals in the order of their first appearance."""

NUMBERS = {
    "seconds": "float64",
    "cpu_seconds": "float64",
    "setup_seconds": "float64",
    "other_load_cores": "float64",
    "memory_mib": "float64",
    "device_memory_mib": "float64",
    "threads_used": "float64",
    "seed": "int64",
    "threads": "int64",
    "simulated": "bool",
    "contended": "bool",
    "outside": "bool",
}

COLUMNS = (
    "task",
    "track",
    "dataset",
    "simulated",
    "fingerprint",
    "split",
    "protocol",
    "method",
    "kind",
    "source",
    "weights",
    "seed",
    "case",
    "subjects",
    "status",
    "message",
    "seconds",
    "cpu_seconds",
    "setup_seconds",
    "other_load_cores",
    "memory_mib",
    "device_memory_mib",
    "megavoxels",
    "contended",
    "outside",
    "device",
    "threads",
    "threads_used",
    "run",
    "prediction",
    "details",
)
"""Every column that is not a metric."""

_CHUNK = 5_000
_ATTRIBUTES = (*TEXTS, *NUMBERS, "subjects", "prediction", "metrics", "details")


def frame(rows: Iterable[Row], *, details: bool = True) -> pd.DataFrame:
    """One line a row: the fields of `Row`, then one float column for each metric by its name.

    Parameters
    ----------
    rows : iterable of Row
        Read once, so a generator of a million rows never stands in memory as a whole.
    details : bool
        False leaves ``details`` empty, which is what large boards cost most; the size of the case is kept.

    Returns
    -------
    DataFrame
        Texts are categoricals in the order of their first appearance, ``subjects`` tuples, ``details``
        mappings; numbers that are not known are NaN, and so is a metric that a row does not have.
        ``megavoxels`` is the size that the task tells in ``details``.

    Raises
    ------
    RequestError
        If a metric has the name of another column.
    """
    rows = iter(rows)
    texts = {name: _Texts() for name in TEXTS}
    parts: dict[str, list[Any]] = {name: [] for name in (*NUMBERS, "subjects", "prediction", "details", "megavoxels")}
    metrics: dict[str, list[np.ndarray]] = {}
    known: dict[tuple[str, ...], tuple[str, ...]] = {}
    empty: Mapping[str, Any] = {}
    total = 0
    for chunk in iter(lambda: list(islice(rows, _CHUNK)), []):
        columns: dict[str, list[Any]] = {name: list(map(attrgetter(name), chunk)) for name in _ATTRIBUTES}
        for name in TEXTS:
            texts[name].add(columns[name])
        for name, dtype in NUMBERS.items():
            parts[name].append(np.array(columns[name], dtype=dtype))
        subjects = map(tuple, columns["subjects"])
        parts["subjects"] += [known.setdefault(who, who) for who in subjects]
        parts["prediction"] += columns["prediction"]
        parts["details"] += columns["details"] if details else [empty] * len(chunk)
        parts["megavoxels"].append(_column(columns["details"], "megavoxels"))
        for name, values in _columns(columns["metrics"]).items():
            blank = [np.full(total, nan)] if total else []
            metrics.setdefault(name, blank).append(values)
        total += len(chunk)
        for name, blocks in metrics.items():
            if missing := total - sum(map(len, blocks)):
                metrics[name].append(np.full(missing, nan))
    if clash := sorted(set(metrics) & set(COLUMNS)):
        raise RequestError(f"a metric cannot be called {clash[0]}: rows have another column of that name.")
    series: dict[str, Any] = {name: column.categorical() for name, column in texts.items()}
    series |= {name: _joined(parts[name], dtype) for name, dtype in NUMBERS.items()}
    series["megavoxels"] = _joined(parts["megavoxels"], "float64")
    series |= {name: pd.Series(parts[name], dtype=object) for name in ("subjects", "prediction", "details")}
    return pd.DataFrame(
        {
            **{name: series[name] for name in COLUMNS},
            **{name: np.concatenate(blocks) for name, blocks in metrics.items()},
        }
    )


def latest(writers: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Of each method and case the row that counts: the last of each writer's, and among writers that of the latest run.

    Parameters
    ----------
    writers : iterable of DataFrame
        From `frame`, one for each file that rows were appended to.
    """
    whole = joined([_without(rows, rows.duplicated(["method", "case"], keep="last")) for rows in writers])
    order = whole["run"].astype(object).sort_values(kind="stable").index  # names of runs begin with their time
    return _without(whole, whole.loc[order].duplicated(["method", "case"], keep="last").sort_index())


def joined(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The lines of several frames, one after another; metrics that only some have are NaN in the others."""
    filled = [rows for rows in frames if len(rows)] or list(frames[:1])
    if len(filled) == 1:
        return filled[0]
    texts = {name: union_categoricals([rows[name] for rows in filled]) for name in TEXTS}
    return pd.concat(filled, ignore_index=True).assign(**texts)


def _without(rows: pd.DataFrame, gone: pd.Series) -> pd.DataFrame:
    if not gone.any():
        return rows
    left = rows[~gone].reset_index(drop=True)
    return left.assign(**{name: left[name].cat.set_categories(_texts_in(left[name])) for name in TEXTS})


def _texts_in(column: pd.Series) -> pd.Index:
    """The texts that are left, in the order of their first appearance."""
    return column.cat.categories[pd.unique(column.cat.codes[column.notna()])]


def of_one_protocol(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that share data and protocol with the last one."""
    if rows.empty:
        return rows
    last = rows.iloc[-1]
    return _without(rows, (rows["protocol"] != last["protocol"]) | (rows["fingerprint"] != last["fingerprint"]))


def by_protocol(rows: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """The rows of `of_one_protocol`, and how many of each method it leaves out."""
    kept = of_one_protocol(rows)
    left = rows["method"].value_counts(sort=False).sub(kept["method"].value_counts(sort=False), fill_value=0)
    return kept, {str(method): int(number) for method, number in left.items() if number}


class _Texts:
    """A column of texts as codes, because a million rows name a handful of methods."""

    def __init__(self) -> None:
        self.codes: dict[str | None, int] = {None: -1}
        self.parts: list[np.ndarray] = []

    def add(self, values: Sequence[str | None]) -> None:
        if values.count(values[0]) == len(values):  # compared without being hashed
            code = self.codes.setdefault(values[0], len(self.codes) - 1)
            self.parts.append(np.full(len(values), code, np.int32))
            return
        for text in dict.fromkeys(values):
            self.codes.setdefault(text, len(self.codes) - 1)
        self.parts.append(np.fromiter(map(self.codes.__getitem__, values), np.int32, len(values)))

    def categorical(self) -> pd.Categorical:
        codes = np.concatenate(self.parts) if self.parts else np.zeros(0, np.int32)
        return pd.Categorical.from_codes(codes, categories=pd.Index(list(self.codes)[1:], dtype="str"))


def _columns(mappings: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Each entry that any mapping has."""
    names = tuple(mappings[0])
    if list(map(tuple, mappings)).count(names) == len(mappings):
        with suppress(TypeError):  # one is not known
            every = np.fromiter(
                chain.from_iterable(map(methodcaller("values"), mappings)), np.float64, len(mappings) * len(names)
            )
            return dict(zip(names, every.reshape(len(mappings), len(names)).T.copy(), strict=True))
    return {name: _column(mappings, name) for name in dict.fromkeys(chain.from_iterable(mappings))}


def _column(mappings: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    """One entry of each mapping, NaN where it has none."""
    try:
        return np.fromiter(map(itemgetter(name), mappings), np.float64, len(mappings))
    except (KeyError, TypeError):  # it is missing in some, or not known
        return np.array([one.get(name, nan) for one in mappings], dtype=np.float64)


def _joined(parts: list[np.ndarray], dtype: str) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0, dtype)
