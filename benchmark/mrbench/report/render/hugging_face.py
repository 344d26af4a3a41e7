"""``.eval_results/*.yaml`` of a model on the Hugging Face Hub: one entry a metric, of one method."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mrbench.core.errors import RequestError
from mrbench.core.words import counted
from mrbench.report import escape
from mrbench.report.columns import Look, lines

if TYPE_CHECKING:
    from mrbench.report.report import Report

NAMES = ("hugging-face", "huggingface")
FILE = None
LOOK: tuple[str, ...] = ()


def render(report: Report, look: Look) -> str:
    """Return entries of dataset, value, date and notes; put the Hub's name of the dataset in before uploading.

    Raises
    ------
    RequestError
        If the report is of several methods: a model card is of one.
    """
    if len(report.methods) != 1:
        raise RequestError(f"a model card is of one method; name one of the {len(report.methods)} with --methods.")
    line = lines(report)[0]
    day = max((run for run in report.frame["run"].astype(str)), default="")[:8]
    date = f"{day[:4]}-{day[4:6]}-{day[6:]}" if day.isdigit() else ""
    cases = counted(line.summary["n_cases"], f"{report.split} case")
    notes = (
        f"{line.method}; mrbench, {report.caption.title}; {cases}, {line.summary['n_failed']} failed; "
        f"protocol {report.leaderboard.protocol}"
    )
    out = ["# dataset.id: put the name of the data on the Hub here before uploading."]
    for metric in report.metrics:
        score = line.scores[metric.name]
        if score["mean"] != score["mean"]:
            continue
        interval = "" if score["low"] != score["low"] else f"; 95 % interval {score['low']:.6g} to {score['high']:.6g}"
        out += [
            "- dataset:",
            f"    id: {_quoted(report.dataset)}",
            f"    task_id: {_quoted(f'{report.task}/{report.track}/{metric.name}')}",
            f"  value: {float(score['mean']):.6g}",
            *([f"  date: {_quoted(date)}"] if date else []),
            f"  notes: {_quoted(notes + interval)}",
        ]
    return "\n".join(out) + "\n"


def _quoted(text: str) -> str:
    """A YAML scalar: a JSON string is one."""
    return json.dumps(escape.plain(text), ensure_ascii=False)
