"""Bootstrap intervals over subjects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mrbench.core.random import rng_for

RESAMPLES = 2000


def subject_weights(subjects: Sequence[Sequence[str]], *, resamples: int = RESAMPLES) -> np.ndarray:
    """Weight of each case in each bootstrap draw of subjects.

    Subjects, not cases, are drawn with replacement, because cases that share a subject are not independent.
    A case weighs the product of how often its subjects were drawn: a pair exists in a resampled cohort once
    for every way of choosing its members. The draws depend on the subjects alone, so every method is
    resampled alike.

    Parameters
    ----------
    subjects : sequence of sequences of str
        Who is in each case.

    Returns
    -------
    ndarray, shape ``(resamples, cases)``

    Notes
    -----
    This is the pigeonhole bootstrap (Owen, Ann. Appl. Stat. 2007). For a ring of 15 pairs whose subjects
    have strong effects, resampling cases covers the truth 77 % of the time at a nominal 95 %, this 95 %;
    where subjects have no effect it is too wide, never too narrow (`tests/stats/test_intervals.py`).
    """
    people = sorted({person for case in subjects for person in case})
    index = {person: i for i, person in enumerate(people)}
    draws = rng_for("|".join(people), "bootstrap").integers(len(people), size=(resamples, len(people)))
    counts = np.stack([np.bincount(draw, minlength=len(people)) for draw in draws])
    return np.stack([np.prod([counts[:, index[p]] for p in set(case)], axis=0) for case in subjects], axis=1)


def mean_interval(values: np.ndarray, weights: np.ndarray, *, level: float = 0.95) -> tuple[float, float, float]:
    """Mean and percentile bootstrap interval.

    Parameters
    ----------
    values : ndarray, shape ``(cases,)``
        NaN where a case has no value.
    weights : ndarray, shape ``(resamples, cases)``
        From `subject_weights`.

    Returns
    -------
    mean, low, high : float
        The interval is NaN with fewer than three cases of different subjects: there is nothing to resample.
    """
    known = ~np.isnan(values)
    if not known.any():
        return (np.nan, np.nan, np.nan)
    return (float(values[known].mean()), *percentile_interval(drawn_means(values, weights), level=level))


def drawn_means(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean of each bootstrap draw.

    Parameters
    ----------
    values, weights : ndarray
        As of `mean_interval`.

    Returns
    -------
    ndarray, shape ``(resamples,)``
        NaN where a draw has no known value, and throughout with fewer than three cases of different subjects.
    """
    known = ~np.isnan(values)
    weight = weights[:, known]
    drawn = weight.sum(axis=1) > 0
    means = np.full(len(weights), np.nan)
    # cases of the same subjects weigh alike in every draw
    if len({case.tobytes() for case in weight.T}) >= 3 and drawn.any():
        means[drawn] = (weight[drawn] @ values[known]) / weight[drawn].sum(axis=1)
    return means


def percentile_interval(draws: np.ndarray, *, level: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap interval of what was computed from each draw; NaN where nothing was."""
    draws = draws[~np.isnan(draws)]
    if not draws.size:
        return (np.nan, np.nan)
    tail = 50 * (1 - level)
    low, high = np.percentile(draws, [tail, 100 - tail])
    return (float(low), float(high))
