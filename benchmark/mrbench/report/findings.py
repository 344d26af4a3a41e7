"""Findings as a page of Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isnan
from typing import Any

from mrbench.core.metric import Metric
from mrbench.stats.claims import COST, Claim, Test
from mrbench.stats.findings import VERDICTS, Finding, Line
from mrbench.stats.intervals import LEVEL

INTRODUCTION = """# What the field claims, and what the rows say

Made by `mrbench findings` from the rows in `results/`; nothing here is written by hand. Each claim is data: which
rows, which metric, which margin, and what would refute it. *Supported*: the 95 % interval over subjects of the
difference lies above the margin; *refuted*: it lies below; else *not separable*; *in part*: boards or tests differ, a
test was not made, or its cases are draws from one model. *Refused*: the comparison would not be fair, because of
unequal budgets, shared ancestors, other data, or weights that have seen subjects of the board. Where several methods
could stand on a side, the best is taken, and the bound of the interval that such a choice favours is widened."""

ENDS = ("lower", "upper")

SIMULATED = "on simulated data alone"


def as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """Findings as JSON values: what is not known is null."""
    return {
        "schema": 2,
        "findings": [
            {
                "verdict": finding.verdict,
                "simulated": finding.simulated,
                **{key: getattr(finding.claim, key) for key in ("id", "task", "claim", "source", "refuted_by")},
                "tests": [
                    {
                        **{key: _plain(value) for key, value in asdict(test).items()},
                        "boards": list(test.boards),
                        "lines": [_plain(asdict(one)) for one in lines],
                    }
                    for test, lines in zip(finding.claim.tests, finding.lines, strict=True)
                ],
            }
            for finding in findings
        ],
    }


def _plain(value: object) -> object:
    if isinstance(value, float):
        return None if isnan(value) else float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def as_markdown(findings: Sequence[Finding], metrics: Mapping[str, Mapping[str, Metric]]) -> str:
    """A page: how many claims have which verdict, then each with its numbers.

    Parameters
    ----------
    findings : sequence of Finding
        What to write down.
    metrics : mapping
        Of each task, its metrics by name.
    """
    parts = [INTRODUCTION, _counts(findings)]
    for task in dict.fromkeys(finding.claim.task for finding in findings):
        parts.append(f"## {task.capitalize()}")
        parts += [_claim(one, metrics.get(task, {})) for one in findings if one.claim.task == task]
    return "\n\n".join(parts) + "\n"


def _counts(findings: Sequence[Finding]) -> str:
    counts = {name: sum(one.verdict == name for one in findings) for name in VERDICTS}
    return "\n".join(
        ["| verdict | claims |", "| :-- | --: |", *(f"| {name} | {n} |" for name, n in counts.items() if n)]
    )


def verdict_of(finding: Finding) -> str:
    """The verdict, on how many boards if not on all that are there, and whether they are of simulated data alone."""
    decided, there = finding.boards
    parts = [finding.verdict, f"on {decided} of {there} boards" if 0 < decided < there else ""]
    return ", ".join(filter(None, [*parts, SIMULATED if finding.simulated else ""]))


def _claim(finding: Finding, metrics: Mapping[str, Metric]) -> str:
    claim: Claim = finding.claim
    lines = [
        f"### {claim.claim}",
        "",
        f"**{verdict_of(finding).capitalize()}.** Source: {claim.source}. Would be refuted by: {claim.refuted_by}.",
        "",
    ]
    for test, boards in zip(claim.tests, finding.lines, strict=True):
        lines += [f"- {sentence(line, test, metrics)}" for line in boards]
    return "\n".join(lines)


def sentence(line: Line, test: Test, metrics: Mapping[str, Metric]) -> str:
    """One line in words."""
    head = f"{line.board}: *{line.verdict}*"
    if line.reason:
        head += f", {line.reason}"
    if isnan(line.difference):
        return f"{head}."
    metric = metrics.get(line.metric)
    digits = metric.decimals if metric else 1
    unit = f" {metric.unit}" if metric and metric.unit else ""
    label, signed = (metric.label if metric else line.metric), f"+.{digits}f"
    if line.metric == COST:
        label, unit, signed = "CPU time of a case", " s", ".3g"
    form = ".3g" if line.metric == COST else f".{digits}f"
    first, second = (f"{mean:{form}}{unit}" for mean in line.means)
    about = f"{label} of `{line.first}` {first}"
    if line.second or test.than_split:
        about += f", of `{line.second}` {second}" if line.second else f", on {test.than_split} {second}"
        times = " times as fast" if line.metric == COST else unit
        about += f": {line.difference:{signed}}{times}"
    if not isnan(line.low):
        form = signed if line.second or test.than_split else form
        about += f" [{line.low:{form}}, {line.high:{form}}]"
    if line.levels != (LEVEL, LEVEL):
        bounds = [
            f"{end} bound of a {100 * level:.1f} %"
            for end, level in zip(ENDS, line.levels, strict=True)
            if level != LEVEL
        ]
        about += f" ({' and '.join(bounds)} interval)"
    if line.second:
        about += f", better on {line.wins} of {line.n}"
    notes = [*(["simulated"] if line.simulated else []), _asked(test), *line.notes]
    return f"{head}. {about}. ({'; '.join(notes)}.)"


def _asked(test: Test) -> str:
    """What the test asks for."""
    if test.at_least is not None or test.at_most is not None:
        bounds = [("at least", test.at_least), ("at most", test.at_most)]
        return "asked for: " + " and ".join(f"{word} {bound:g}" for word, bound in bounds if bound is not None)
    if test.within is not None:
        return f"asked for: apart by less than {test.within:g}"
    return f"asked for: more than {test.least:g}{' times' if test.metric == COST else ''}"
