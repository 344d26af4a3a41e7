"""What each method costs, and where it ran."""

from __future__ import annotations

import pandas as pd

from mrbench.core.method import EXTERNAL
from mrbench.stats.scores import Grid

MOVED = 0.05
"""Share of a median time that other work on the machine may have added before it is starred."""


def costs(ran: pd.DataFrame, place: Grid) -> pd.DataFrame:
    """One line a method, over the cases on which it did not fail.

    Parameters
    ----------
    ran : DataFrame
        The rows of a board, without the skipped ones.
    place : Grid
        Of the same rows.

    Returns
    -------
    DataFrame, index ``method``
        ``kind``, ``n_cases``, ``n_failed``, ``seconds_median``, ``seconds_iqr``, ``cpu_seconds_median``, ``contended``
        (whether other work on the machine may have added more than `MOVED` to the median time), ``device`` and
        ``threads`` (all of them), ``threads_beyond`` (the most that computed on a case that was allowed fewer; NaN
        where none did), ``message`` (the first one, and on how many cases there is one), ``weights``, ``mixed``
        (whether rows are of several versions of code or weights), and the medians of cost by the size of the case,
        ``cpu_seconds_per_megavoxel`` and ``memory_mib_per_megavoxel``.
    """
    every = ran.groupby("method", observed=False)
    scored = ran[ran["status"] == "ok"]
    for cost in ("cpu_seconds", "memory_mib"):
        scored = scored.assign(**{f"{cost}_per_megavoxel": scored[cost] / scored["megavoxels"]})
    ok = scored.assign(least=_least(scored)).groupby("method", observed=False)
    beyond = ran["threads_used"].where(ran["threads_used"] > ran["threads"])
    table = pd.DataFrame(
        {
            "kind": every["kind"].first().astype("str"),
            "n_cases": every.size(),
            "n_failed": place.failed.sum(axis=0),
            "seconds_median": ok["seconds"].median(),
            "seconds_iqr": ok["seconds"].quantile(0.75) - ok["seconds"].quantile(0.25),
            "cpu_seconds_median": ok["cpu_seconds"].median(),
            "contended": ok["seconds"].median() > (1 + MOVED) * ok["least"].median(),
            "device": _distinct(ran, "device").map(" + ".join),
            "threads": _distinct(ran, "threads").map(tuple),
            "threads_beyond": beyond.groupby(ran["method"], observed=False).max(),
            "message": every["message"].agg(_first_text).astype("str"),
            "weights": every["weights"].first().astype("str"),
            # of files from elsewhere each has a source of its own, which says nothing of their code
            "mixed": (every[["source", "weights"]].nunique() > 1).any(axis=1) & (every["kind"].first() != EXTERNAL),
            "cpu_seconds_per_megavoxel": ok["cpu_seconds_per_megavoxel"].median(),
            "memory_mib_per_megavoxel": ok["memory_mib_per_megavoxel"].median(),
        }
    )
    return table.set_axis(pd.Index(place.methods, name="method"))


def _least(scored: pd.DataFrame) -> pd.Series:
    """The wall time without other work on the machine: where there was some, no less than each thread computed."""
    threads = scored[["threads", "threads_used"]].max(axis=1).clip(lower=1)
    computed = (scored["cpu_seconds"] / threads).fillna(0)
    return scored["seconds"].where(~scored["contended"], scored["seconds"].clip(upper=computed))


def _first_text(messages: pd.Series) -> str:
    """The first message of a method, and on how many of its cases there is one: a mistake is on all of them."""
    told = messages[messages.astype(bool)]
    if told.empty:
        return ""
    if len(told) == len(messages) and told.nunique() == 1:
        return str(told.iloc[0])
    return f"on {len(told)} of {len(messages)} cases, first: {told.iloc[0]}"


def _distinct(ran: pd.DataFrame, column: str) -> pd.Series:
    """The different values of each method, sorted."""
    pairs = ran[["method", column]].drop_duplicates().astype({column: object})  # no pandas takes a list for a category
    return pairs.groupby("method", observed=False)[column].agg(sorted)
