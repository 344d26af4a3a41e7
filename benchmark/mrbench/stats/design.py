"""Which cases share subjects: units, and what a mean over them is worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from mrbench.stats.variance import Form, form

FEWEST_SUBJECTS = 5
"""With fewer, no interval and no test is given: none would hold what it claims."""

_CELLS = 10_000_000
"""Draws times units that stand in memory at once."""


@dataclass(frozen=True)
class Moments:
    """Of the means of several columns.

    Attributes
    ----------
    mean, variance, skewness : ndarray, shape ``(columns,)``
        The mean over cases, and the variance and skewness that it has from one sample of subjects to the next.
    df : ndarray, shape ``(columns,)``
        Degrees of freedom of the variance.
    """

    mean: np.ndarray
    variance: np.ndarray
    skewness: np.ndarray
    df: np.ndarray

    def __sub__(self, other: Moments) -> Moments:
        """Of the differences of means over other subjects, as Welch has it."""
        variance = self.variance + other.variance
        with np.errstate(invalid="ignore", divide="ignore"):
            df = variance**2 / (self.variance**2 / self.df + other.variance**2 / other.df)
            third = self.skewness * self.variance**1.5 - other.skewness * other.variance**1.5
            skewness = np.where(variance > 0, third / variance**1.5, 0)
        return Moments(self.mean - other.mean, variance, skewness, np.where(variance > 0, df, self.df))


class Design:
    """Cases and the subjects in them.

    Cases of the same subjects (several masks of one head) are one unit, which counts with their mean. Units are
    independent only where they share no subject: the pairs of a ring share one with two others each.

    Parameters
    ----------
    subjects : sequence of sequences of str
        Who is in each case. A subject of every case (an atlas) is a constant and not sampled, so it is left out.
    """

    def __init__(self, subjects: Sequence[Sequence[str]]) -> None:
        self.subjects = subjects
        units: dict[frozenset[str], int] = {}
        self.unit = np.array([units.setdefault(frozenset(case), len(units)) for case in subjects], dtype=int)
        everywhere = frozenset.intersection(*units) if len(units) > 1 else frozenset()
        members = [sorted(unit - everywhere) for unit in units]
        number = {name: i for i, name in enumerate(sorted({name for unit in members for name in unit}))}
        places = [(u, number[name]) for u, unit in enumerate(members) for name in unit]
        rows, columns = zip(*places, strict=True) if places else ((), ())
        shape = (len(units), len(number))
        self.names = tuple(number)
        self.incidence = sparse.csr_array((np.ones(len(places)), (rows, columns)), shape=shape)
        self.counts = np.bincount(self.unit, minlength=len(units))

    @property
    def n_units(self) -> int:
        """Number of different sets of subjects."""
        return self.incidence.shape[0]

    @property
    def n_subjects(self) -> int:
        """Number of subjects that are sampled."""
        return self.incidence.shape[1]

    @property
    def enough(self) -> bool:
        """Whether there are enough subjects for an interval."""
        return min(self.n_units, self.n_subjects) >= FEWEST_SUBJECTS

    @cached_property
    def independent(self) -> bool:
        """Whether no two units share a subject."""
        return bool((self.incidence.sum(axis=0) <= 1).all())

    @cached_property
    def form(self) -> Form:
        return form(self.incidence, self.counts / self.counts.sum())

    def at(self, cases: np.ndarray) -> Design:
        """The design of some of the cases, given as a mask."""
        return Design([who for who, here in zip(self.subjects, cases, strict=True) if here])

    def by_unit(self, values: np.ndarray) -> np.ndarray:
        """Mean of each unit.

        Parameters
        ----------
        values : ndarray, shape ``(cases, columns)``
            One for each case.

        Returns
        -------
        ndarray, shape ``(units, columns)``
        """
        if len(values) == self.n_units:
            return values
        places = (self.unit, np.arange(len(self.unit)))
        return (sparse.csr_array((np.ones(len(self.unit)), places)) @ values) / self.counts[:, None]

    def moments(self, units: np.ndarray) -> Moments:
        """Mean over cases, and how it varies from one sample of subjects to the next.

        Parameters
        ----------
        units : ndarray, shape ``(units, columns)``
            From `by_unit`, without NaN.
        """
        mean, variance, skewness = self.form.estimate(units)
        rounding = 1e-12 * np.maximum(units.max(axis=0), -units.min(axis=0))  # what is left of equal values
        same = variance <= rounding**2
        df = np.full(len(mean), self.form.df)
        return Moments(mean, np.where(same, 0, variance), np.where(same, 0, skewness), df)

    def resampled(self, rng: np.random.Generator, draws: int) -> Iterator[np.ndarray]:
        """How often each unit is in each of several cohorts whose subjects are drawn with replacement.

        A unit counts the product of how often its subjects were drawn: a pair exists once for every way of choosing
        its members (pigeonhole bootstrap: Owen, Ann. Appl. Stat. 2007).

        Yields
        ------
        ndarray of float32, shape ``(some draws, units)``
            As many at once as do not fill the memory, each draw with at least one unit.
        """
        n, members, first = self.n_subjects, self.incidence.indices, self.incidence.indptr[:-1]
        sizes = np.diff(self.incidence.indptr)
        at_once = max(1, _CELLS // max(n, self.n_units))
        for start in range(0, draws, at_once):
            block = min(at_once, draws - start)
            drawn = rng.integers(n, size=(block, n)) + n * np.arange(block)[:, None]
            counts = np.bincount(drawn.ravel(), minlength=block * n).reshape(block, n).astype(np.float32)
            weights = np.ones((block, self.n_units), np.float32)
            for place in range(sizes.max(initial=0)):
                has = sizes > place
                factors = counts.take(members[first[has] + place], axis=1)
                if has.all():
                    weights *= factors
                else:
                    weights[:, has] *= factors
            yield weights[weights.any(axis=1)]

    @property
    def inflation(self) -> float:
        """By what shared subjects raise the variance of a mean, halfway between those who matter and those who do not.

        1 where units are independent, the root of 2 in a ring of pairs.
        """
        weights = self.counts / self.counts.sum()
        together = ((self.incidence.T @ weights) ** 2).sum()
        return float(np.sqrt(together / (self.incidence.sum(axis=1).mean() * (weights**2).sum())))
