"""Every pair of methods: differences, intervals and p-values, for each metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mrbench.report.columns import Look
from mrbench.report.render.csv import to_csv

if TYPE_CHECKING:
    from mrbench.report.report import Report

NAMES = ("comparisons",)
FILE = "comparisons.csv"
LOOK: tuple[str, ...] = ()


def render(report: Report, look: Look) -> str:
    """Return one line a metric and pair of methods."""
    pairs = report.leaderboard.comparisons
    return to_csv(pairs[pairs["metric"].isin([metric.name for metric in report.metrics])])
