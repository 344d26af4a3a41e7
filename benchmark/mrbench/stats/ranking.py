"""How firm a ranking is: three rules of ranking, each on resampled cohorts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from mrbench.core.metric import Metric
from mrbench.core.random import rng_for
from mrbench.stats.comparison import ALPHA
from mrbench.stats.design import Design

DRAWS = 1000

RULES = ("mean_then_rank", "rank_then_mean", "test_then_rank")
"""By the mean; by the mean of the ranks on each case; by how many methods a paired test finds worse."""


@dataclass(frozen=True)
class Ranking:
    """Ranks of the methods and how far they hold (Wiesenfarth et al., Sci. Rep. 2021: challengeR).

    Attributes
    ----------
    ranks : DataFrame, index ``method``
        The rank by each of ``RULES``; ``rank_low`` and ``rank_high``, which hold 95 % of the ranks by the mean in
        resampled cohorts; ``p_best``, the share of cohorts in which the method is first (a shared first rank counts
        in part).
    shares : DataFrame, index ``method``, columns 1, 2, ...
        In what share of the cohorts the method has that rank by the mean.
    rules : DataFrame, index ``rule``
        ``tau``, ``tau_low``, ``tau_high``: Kendall's tau-b of the resampled rankings with the one shown, mean and 95 %;
        then the agreement of the rules, tau-b with each of ``RULES``.
    """

    ranks: pd.DataFrame
    shares: pd.DataFrame
    rules: pd.DataFrame


def ranking(values: pd.DataFrame, metric: Metric, design: Design, failed: pd.Series) -> Ranking:
    """Rank methods by three rules, on the cases at hand and on cohorts whose subjects are drawn with replacement.

    Parameters
    ----------
    values : DataFrame, cases by methods
        Failures as they count.
    metric : Metric
        What is compared.
    design : Design
        Of the cases.
    failed : Series of bool, index ``method``
        Methods with failures rank behind those without, as in the table.
    """
    if values.empty:
        return Ranking(*(pd.DataFrame() for _ in range(3)))
    behind = np.where(failed[values.columns], 1.0, 0.0)
    scored = Scored(metric.sign * values.to_numpy(), design)
    shown = scored.ranks_by_rule(np.ones((1, design.n_units)), behind)
    cohorts = design.resampled(rng_for("|".join(design.names), "bootstrap"), DRAWS)
    blocks = [scored.ranks_by_rule(weights, behind) for weights in cohorts]
    resampled = {rule: np.concatenate([block[rule] for block in blocks]) for rule in RULES}
    shares = _shares(values.columns, resampled[RULES[0]])
    return Ranking(_table(values.columns, shown, resampled[RULES[0]]), shares, _rules(shown, resampled))


class Scored:
    """What the rules see: of each unit its mean, its mean rank and the differences of all pairs.

    Parameters
    ----------
    scored : ndarray, shape ``(cases, methods)``
        Higher is better.
    design : Design
    """

    def __init__(self, scored: np.ndarray, design: Design) -> None:
        self.design = design
        self.means = _unit_means(scored - np.nanmean(scored), design)  # of one size, so that draws need half the digits
        ranks = _ranks(-scored, np.zeros(scored.shape[1]))
        self.case_ranks = _unit_means(np.where(np.isnan(scored), np.nan, ranks), design)
        self.pairs = np.triu_indices(scored.shape[1], 1)
        apart = self.means[:, self.pairs[0]] - self.means[:, self.pairs[1]]
        self.known = ~np.isnan(apart)
        with np.errstate(invalid="ignore"):
            self.middle = np.where(self.known, apart, 0).sum(axis=0) / self.known.sum(axis=0)
            self.centred = np.where(self.known, apart - self.middle, 0)

    def ranks_by_rule(self, weights: np.ndarray, behind: np.ndarray) -> dict[str, np.ndarray]:
        """Of each rule, the rank of each method in each cohort, shape ``(cohorts, methods)``."""
        counted = weights * self.design.counts.astype(weights.dtype)
        values = (_means(self.means, counted), -_means(self.case_ranks, counted), self._superiorities(weights))
        return {rule: _ranks(-scores, behind) for rule, scores in zip(RULES, values, strict=True)}

    def _superiorities(self, weights: np.ndarray) -> np.ndarray:
        """How many other methods are worse by a paired t-test at 5 %, without correction, as challengeR counts them."""
        n, centred = _counts(weights, self.known), self.centred.astype(weights.dtype)
        with np.errstate(invalid="ignore", divide="ignore"):
            moved = (weights @ centred) / n
            variance = np.maximum((weights @ centred**2) / n - moved**2, 0)
            t = (moved + self.middle) / np.sqrt(variance * self.design.inflation / (n - 1))
        better = np.where(n > 1, np.sign(t) * (np.abs(t) > stdtrit(self.design.form.df, 1 - ALPHA / 2)), 0)
        counts = np.zeros((len(weights), self.means.shape[1]))
        for pair, (first, second) in enumerate(zip(*self.pairs, strict=True)):
            counts[:, first] += better[:, pair] > 0
            counts[:, second] += better[:, pair] < 0
        return counts


def _unit_means(values: np.ndarray, design: Design) -> np.ndarray:
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return design.by_unit(np.where(known, values, 0)) / design.by_unit(known.astype(float))


def _means(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted mean of each column over the units where it is known."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        sums = weights @ np.where(known, values, 0).astype(weights.dtype)
        return sums.astype(float) / _counts(weights, known)


def _counts(weights: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Sum of the weights where each column is known."""
    return weights.sum(axis=1, keepdims=True) if known.all() else weights @ known.astype(weights.dtype)


def _ranks(badness: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """Rank of each column in each row, 1 for the smallest; equal ones share it, NaN and those ``behind`` come last."""
    size = np.nanmax(np.abs(badness), initial=0) or 1.0
    rounded = np.round(badness / size, 12)  # means are sums in some order: what differs by rounding is equal
    compared = np.where(np.isnan(rounded), 2.0, rounded) + 4 * behind
    order = np.argsort(compared, axis=1, kind="stable")
    ascending = np.take_along_axis(compared, order, axis=1)
    place = np.ones_like(order)
    place[:, 1:] = np.where(np.diff(ascending, axis=1) > 0, np.arange(2, compared.shape[1] + 1), 1)
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.maximum.accumulate(place, axis=1), axis=1)
    return ranks


def _table(methods: pd.Index, shown: dict[str, np.ndarray], drawn: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame({rule: ranks[0].astype(int) for rule, ranks in shown.items()}, index=methods)
    table[["rank_low", "rank_high"]] = np.quantile(drawn, [0.025, 0.975], axis=0, method="inverted_cdf").T.astype(int)
    first = drawn == 1
    table["p_best"] = (first / first.sum(axis=1, keepdims=True)).mean(axis=0)
    return table.rename_axis("method")


def _shares(methods: pd.Index, drawn: np.ndarray) -> pd.DataFrame:
    places = range(1, len(methods) + 1)
    return pd.DataFrame({place: (drawn == place).mean(axis=0) for place in places}, index=methods).rename_axis("method")


def _rules(shown: dict[str, np.ndarray], resampled: dict[str, np.ndarray]) -> pd.DataFrame:
    lines = []
    for rule in RULES:
        taus = kendall_tau(resampled[rule], shown[rule][0])
        known = taus[~np.isnan(taus)]
        spread = (known.mean(), *np.quantile(known, [0.025, 0.975])) if known.size else (np.nan,) * 3
        lines.append((*spread, *(kendall_tau(shown[other], shown[rule][0])[0] for other in RULES)))
    return pd.DataFrame(lines, index=pd.Index(RULES, name="rule"), columns=["tau", "tau_low", "tau_high", *RULES])


def kendall_tau(rankings: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Kendall's tau-b of each row of rankings with one ranking; NaN where either puts all in one place."""
    first, second = np.triu_indices(len(ranks), 1)
    rows, fixed = (
        np.sign(r[..., first] - r[..., second]) for r in (np.asarray(rankings, float), np.asarray(ranks, float))
    )
    with np.errstate(invalid="ignore"):
        return (rows * fixed).sum(axis=-1) / np.sqrt(np.abs(rows).sum(axis=-1) * np.abs(fixed).sum())
