"""``metrics.json`` of Grand Challenge: scores by case, and their aggregates, of one method."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mrbench.core.errors import RequestError
from mrbench.report.columns import Look

if TYPE_CHECKING:
    from mrbench.report.report import Report

NAMES = ("grand-challenge", "grand_challenge")
FILE = None
LOOK: tuple[str, ...] = ()

_NAMES = {
    "count": "count",
    "mean": "mean",
    "std": "std",
    "min": "min",
    "25%": "25pc",
    "50%": "50pc",
    "75%": "75pc",
    "max": "max",
}


def render(report: Report, look: Look) -> str:
    """Return ``{"case": {metric: {case: value}}, "aggregates": {metric: {mean, std, ...}}}``, as evalutils writes it.

    Raises
    ------
    RequestError
        If the report is of several methods: the file is of one.
    """
    if len(report.methods) != 1:
        raise RequestError(
            f"a Grand Challenge file is of one method; give --methods with one of {len(report.methods)}."
        )
    method = report.methods[0]
    scores = {
        metric.name: report.leaderboard.values[metric.name][method].dropna()
        for metric in report.metrics
        if method in report.leaderboard.values[metric.name]
    }
    content = {
        "case": {name: {str(case): float(value) for case, value in values.items()} for name, values in scores.items()},
        "aggregates": {
            name: {_NAMES[key]: None if value != value else float(value) for key, value in values.describe().items()}
            for name, values in scores.items()
        },
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"
