"""The four columns that challengeR reads (Wiesenfarth et al., Sci. Rep. 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mrbench.core.errors import RequestError
from mrbench.report.columns import Look
from mrbench.report.render.csv import to_csv

if TYPE_CHECKING:
    from mrbench.report.report import Report

NAMES = ("challenger",)
FILE = None
LOOK: tuple[str, ...] = ()


def render(report: Report, look: Look) -> str:
    """Return ``task, alg_name, case, value``; a metric is a task, and all must be better in the same direction.

    Failures stand at the value that they count as, so use ``na.treat`` of challengeR only for methods on fewer cases.

    Raises
    ------
    RequestError
        If higher is better for some metrics and lower for others: ``smallBetter`` is one for all.
    """
    higher = {metric.higher_is_better for metric in report.metrics if metric.ranked}
    metrics = [metric for metric in report.metrics if metric.ranked]
    if len(higher) > 1:
        metrics = [metric for metric in metrics if metric.higher_is_better == report.primary.higher_is_better]
        if len(report.metrics) < len(report.leaderboard.values):  # asked for by name
            raise RequestError("challengeR has one direction for all metrics; give --metrics of the same direction.")
    if not metrics:
        raise RequestError(f"{report.caption.title} has no metric that ranks, so nothing for challengeR.")
    table = report.leaderboard.long
    chosen = table[table["metric"].isin([metric.name for metric in metrics])].dropna(subset="value")
    return to_csv(chosen.rename(columns={"metric": "task", "method": "alg_name"}))
