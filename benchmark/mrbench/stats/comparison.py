"""Paired comparison of methods on the same cases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ALPHA = 0.05


def fewest_cases(comparisons: int) -> int:
    """From how many cases on Holm's correction lets a two-sided signed-rank test reach 0.05: 6 for one, 10 for 13.

    With fewer, nothing could be told from the best, so no group of best methods is named.
    """
    cases = 1
    while max(comparisons, 1) * 2 / 2**cases >= ALPHA:
        cases += 1
    return cases


@dataclass(frozen=True)
class Comparison:
    """One method against the best one, on the cases that both have.

    Attributes
    ----------
    difference : float
        Mean of (best - method), in the direction that favours the best: never negative for the best itself.
    wins, cases : int
        On how many of how many cases the best was better.
    p_value : float
        Wilcoxon signed-rank, two-sided, after Holm's correction over the methods.
    """

    difference: float
    wins: int
    cases: int
    p_value: float

    @property
    def separable(self) -> bool:
        """Whether the test tells the two apart."""
        return self.p_value < ALPHA


def against_best(values: dict[str, np.ndarray], best: str, *, higher_is_better: bool) -> dict[str, Comparison]:
    """Compare every method with the best one.

    Parameters
    ----------
    values : dict of str to ndarray
        Per method, one value a case, in the same order; NaN where there is none.
    best : str

    Returns
    -------
    dict of str to Comparison
        For every method but the best.

    Notes
    -----
    With fewer cases than `fewest_cases` no method can be told from the best.
    """
    sign = 1 if higher_is_better else -1
    raw: dict[str, Comparison] = {}
    for name, own in values.items():
        if name == best:
            continue
        difference = sign * (values[best] - own)
        difference = difference[~np.isnan(difference)]
        raw[name] = Comparison(
            float(difference.mean()) if difference.size else float("nan"),
            int((difference > 0).sum()),
            int(difference.size),
            signed_rank_p(difference),
        )
    corrected = holm({name: comparison.p_value for name, comparison in raw.items()})
    return {name: Comparison(c.difference, c.wins, c.cases, corrected[name]) for name, c in raw.items()}


def signed_rank_p(difference: np.ndarray) -> float:
    """Two-sided Wilcoxon signed-rank p-value; 1 where all differences are zero or there are none."""
    from scipy.stats import wilcoxon

    moved = difference[difference != 0]
    return float(wilcoxon(moved).pvalue) if moved.size else 1.0


def holm(p_values: dict[str, float]) -> dict[str, float]:
    """Holm's step-down correction (Scand. J. Stat. 1979)."""
    corrected: dict[str, float] = {}
    running = 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[name]))
        corrected[name] = running
    return corrected
