"""From a frame to one number for each case and method: what a failure, a gap and an infinite value count as."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mrbench.core.metric import Metric


@dataclass(frozen=True)
class Grid:
    """Cases by methods: which of them were scored, and which failed.

    Attributes
    ----------
    cases, methods : Index
    at : tuple of ndarray
        Row and column of each line of the frame.
    scored, failed : ndarray of bool, shape ``(cases, methods)``
    """

    cases: pd.Index
    methods: pd.Index
    at: tuple[np.ndarray, np.ndarray]
    scored: np.ndarray
    failed: np.ndarray


def counted(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that means and tests rest on, their case and method naming no others.

    Skipped rows are left out, and failures whose cause lies outside the methods, unless there is nothing else: they are
    charged to none of them.
    """
    ran = rows[rows["status"] != "skipped"]
    if not ran["outside"].all():
        ran = ran[~ran["outside"]]
    return ran.assign(**{name: ran[name].cat.remove_unused_categories() for name in ("case", "method")})


def grid(ran: pd.DataFrame) -> Grid:
    """Place each row of a board, without the skipped ones, by its case and method; both name no others."""
    cases, methods = ran["case"].cat, ran["method"].cat
    at = (cases.codes.to_numpy(), methods.codes.to_numpy())
    scored = np.zeros((len(cases.categories), len(methods.categories)), bool)
    failed = scored.copy()
    ok = (ran["status"] == "ok").to_numpy()
    scored[at] = ok
    failed[at] = ~ok
    return Grid(cases.categories, methods.categories, at, scored, failed)


def scores(ran: pd.DataFrame, place: Grid, metric: Metric) -> pd.DataFrame:
    """One metric of every case and method, as means and tests take it.

    Parameters
    ----------
    ran : DataFrame
        The rows of a board, without the skipped ones.
    place : Grid
        Of the same rows.
    metric : Metric
        What is compared.

    Returns
    -------
    DataFrame, cases by methods
        NaN where a method has no row, or no value although it did not fail.

    Notes
    -----
    An infinite value (the PSNR of a perfect image) counts as the metric's bound, or, where that is infinite too, as
    the most extreme finite value that any method reached on any case: a mean stays finite, and nobody gains by a
    value that no other case could reach. A failure counts as the worst bound, or, where that is infinite, as the worst
    value on that case, and if nobody has one there, on any case. Where methods were scored on a case and none of them
    has a value, the metric is undefined there (a tumour without an enhancing part) and a failure counts nothing either.
    """
    values = np.full(place.failed.shape, np.nan)
    values[place.at] = ran[metric.name].to_numpy()
    values[~place.scored] = np.nan
    values = capped(values, metric)
    defined = ~np.isnan(values)
    if place.failed.any() and (np.isfinite(metric.worst) or defined.any()):
        undefined = place.scored.any(axis=1) & ~defined.any(axis=1)
        counts = place.failed & ~undefined[:, None]
        values = np.where(counts, _worst(values, defined, metric)[:, None], values)
    return pd.DataFrame(values, index=place.cases, columns=place.methods)


def capped(values: np.ndarray, metric: Metric) -> np.ndarray:
    """Replace infinite values by the metric's bound or the most extreme finite value there is, else by NaN."""
    infinite = np.isinf(values)
    if not infinite.any():
        return values
    finite = values[np.isfinite(values)]
    ends = (finite.min(), finite.max()) if finite.size else (np.nan, np.nan)
    low, high = (bound if np.isfinite(bound) else end for bound, end in zip(metric.bounds, ends, strict=True))
    return np.where(infinite, np.where(values > 0, high, low), values)


def _worst(values: np.ndarray, defined: np.ndarray, metric: Metric) -> np.ndarray:
    """What a failure counts as on each case."""
    if np.isfinite(metric.worst):
        return np.full(len(values), metric.worst)
    bad = np.where(defined, -metric.sign * values, -np.inf)
    here = bad.max(axis=1)
    return -metric.sign * np.where(np.isinf(here), bad.max(), here)
