"""What the verbs do, as functions that return objects and print nothing; `mrbench.cli` prints."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mrbench.api.board import RESULTS, ROWS, Board
    from mrbench.api.boards import leaderboard, load, rebuild, report_of, table
    from mrbench.api.checkup import doctor
    from mrbench.api.citing import cite
    from mrbench.api.comparing import compare, compare_methods, transfer_table
    from mrbench.api.data import dataset, fetch, prepare_dataset, prepare_heads, verify
    from mrbench.api.judging import findings, write_findings
    from mrbench.api.merging import merge
    from mrbench.api.plugins import new
    from mrbench.api.progress import Progress, Silent
    from mrbench.api.running import QUICK_CASES, full_run, quick_workers, run
    from mrbench.api.scoring import export, score
    from mrbench.api.showing import figure, view
    from mrbench.api.training import train, tune

_LAZY = {
    **dict.fromkeys(
        (
            "RESULTS",
            "ROWS",
            "Board",
        ),
        "mrbench.api.board",
    ),
    **dict.fromkeys(
        (
            "leaderboard",
            "load",
            "rebuild",
            "report_of",
            "table",
        ),
        "mrbench.api.boards",
    ),
    **dict.fromkeys(("cite",), "mrbench.api.citing"),
    **dict.fromkeys(
        (
            "compare",
            "compare_methods",
            "transfer_table",
        ),
        "mrbench.api.comparing",
    ),
    **dict.fromkeys(
        (
            "dataset",
            "fetch",
            "prepare_dataset",
            "prepare_heads",
            "verify",
        ),
        "mrbench.api.data",
    ),
    **dict.fromkeys(("doctor",), "mrbench.api.checkup"),
    **dict.fromkeys(
        (
            "findings",
            "write_findings",
        ),
        "mrbench.api.judging",
    ),
    **dict.fromkeys(("merge",), "mrbench.api.merging"),
    **dict.fromkeys(("new",), "mrbench.api.plugins"),
    **dict.fromkeys(
        (
            "Progress",
            "Silent",
        ),
        "mrbench.api.progress",
    ),
    **dict.fromkeys(
        (
            "QUICK_CASES",
            "full_run",
            "quick_workers",
            "run",
        ),
        "mrbench.api.running",
    ),
    **dict.fromkeys(
        (
            "export",
            "score",
        ),
        "mrbench.api.scoring",
    ),
    **dict.fromkeys(
        (
            "figure",
            "view",
        ),
        "mrbench.api.showing",
    ),
    **dict.fromkeys(
        (
            "train",
            "tune",
        ),
        "mrbench.api.training",
    ),
}
"""Where each verb lives: a command loads what it needs and no more."""

__all__ = [
    "QUICK_CASES",
    "RESULTS",
    "ROWS",
    "Board",
    "Progress",
    "Silent",
    "cite",
    "compare",
    "compare_methods",
    "dataset",
    "doctor",
    "export",
    "fetch",
    "figure",
    "findings",
    "full_run",
    "leaderboard",
    "load",
    "merge",
    "new",
    "prepare_dataset",
    "prepare_heads",
    "quick_workers",
    "rebuild",
    "report_of",
    "run",
    "score",
    "table",
    "train",
    "transfer_table",
    "tune",
    "verify",
    "view",
    "write_findings",
]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'mrbench.api' has no attribute '{name}'")
