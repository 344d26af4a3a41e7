"""Findings as a page of Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from math import isnan
from typing import Any

from mrbench.core.metric import Metric
from mrbench.report.escape import markdown, markdown_code
from mrbench.stats.claims import COST, Claim, Test
from mrbench.stats.findings import VERDICTS, Finding, Line
from mrbench.stats.intervals import LEVEL

INTRODUCTION = """# What the field claims, and what the rows say

Made by `mrbench findings` from the rows in `results/`; nothing here is written by hand. Each claim is data: which
rows, which metric, which margin, and what would refute it. *Supported*: the 95 % interval over subjects of the
difference lies above the margin; *refuted*: it lies below; else *not separable*. Of several tests all must hold, so
that one that is refuted refutes the claim. *In part*: boards differ, a test was not made or not decided, or its
cases are draws from one model. *Refused*: the comparison would not be fair, because of unequal budgets, shared
ancestors, other data, weights that have seen subjects of the board, or times of other machines. Where several
methods could stand on a side, the best is taken, and the bound of the interval that such a choice favours is
widened; the other bound is the least favourable of all on that side. Intervals are over subjects: a network is one
training, and another seed may move it by more than a narrow interval says."""

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
    said = f"Source: {markdown(claim.source)}. Would be refuted by: {markdown(claim.refuted_by)}."
    lines = [f"### {markdown(claim.claim)}", "", f"**{verdict_of(finding).capitalize()}.** {said}", ""]
    for test, boards in zip(claim.tests, finding.lines, strict=True):
        lines += [f"- {sentence(line, test, metrics)}" for line in _gathered(boards)]
    return "\n".join(lines)


def _gathered(lines: Sequence[Line]) -> list[Line]:
    """The same lines; those without numbers that have one reason become one line of all their boards."""
    alike: dict[object, list[Line]] = {}
    for line in lines:
        alike.setdefault((line.verdict, line.reason) if isnan(line.difference) else line.board, []).append(line)
    return [replace(same[0], board=", ".join(line.board for line in same)) for same in alike.values()]


def sentence(line: Line, test: Test, metrics: Mapping[str, Metric]) -> str:
    """One line in words, as Markdown."""
    head = f"{markdown(line.board)}: *{line.verdict}*"
    if line.reason:
        head += f", {markdown(line.reason)}"
    metric = metrics.get(test.metric)
    label, unit = (metric.label, f" {metric.unit}" if metric.unit else "") if metric else (test.metric, "")
    if test.metric == COST:
        label, unit = "CPU time of a case", " s"
    asked = f"asked for: {_asked(test, unit)}"
    if isnan(line.difference):
        return f"{head}. ({label} of {_sides(test)}; {asked}.)"
    notes = [*(["simulated"] if line.simulated else []), asked, *map(markdown, line.notes)]
    return f"{head}. {label} of {_numbers(line, test, metric, unit)}. ({'; '.join(notes)}.)"


def _numbers(line: Line, test: Test, metric: Metric | None, unit: str) -> str:
    """Means, difference and interval."""
    digits = metric.decimals if metric else 1
    signed, form = (".3g", ".3g") if line.metric == COST else (f"+.{digits}f", f".{digits}f")
    first, second = (f"{mean:{form}}{unit}" for mean in line.means)
    about = f"{markdown_code(line.first)} {first}"
    times = " times as fast" if line.metric == COST else unit
    if line.second:
        about += f", of {markdown_code(line.second)} {second}: {line.difference:{signed}}{times}"
    elif test.than_split:
        split = markdown(test.than_split)
        about += (
            f", on {split} {second}; its gain there less that of classical methods {line.difference:{signed}}{times}"
        )
    if not isnan(line.low):
        form = signed if line.second or test.than_split else form
        about += f" [{line.low:{form}}, {line.high:{form}}]"
        bounds = [
            f"{end} bound of a {100 * level:.1f} %"
            for end, level in zip(ENDS, line.levels, strict=True)
            if level != LEVEL
        ]
        about += f" ({' and '.join(bounds)} interval)" if bounds else ""
    return about + (f", better on {line.wins} of {line.n}" if line.second else "")


def _sides(test: Test) -> str:
    """The methods that a test names."""
    sides = [" or ".join(map(markdown_code, side)) for side in (test.first, test.second) if side]
    return " against ".join(sides)


def _asked(test: Test, unit: str) -> str:
    """What the test asks for."""
    if test.at_least is not None or test.at_most is not None:
        bounds = [("at least", test.at_least), ("at most", test.at_most)]
        return " and ".join(f"{word} {bound:g}{unit}" for word, bound in bounds if bound is not None)
    unit = " times" if test.metric == COST else unit
    if test.within is not None:
        return f"apart by less than {test.within:g}{unit}"
    return f"more than {test.least:g}{unit if test.least or test.metric == COST else ''}"
