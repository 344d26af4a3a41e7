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
    from mrbench.api.exporting import export
    from mrbench.api.judging import findings, write_findings
    from mrbench.api.merging import merge
    from mrbench.api.plugins import new
    from mrbench.api.progress import Progress, Silent
    from mrbench.api.running import QUICK_CASES, full_run, quick_workers, run
    from mrbench.api.scoring import score
    from mrbench.api.showing import figure, view
    from mrbench.api.training import train, tune

_NAMES = {
    "board": ("RESULTS", "ROWS", "Board"),
    "boards": ("leaderboard", "load", "rebuild", "report_of", "table"),
    "checkup": ("doctor",),
    "citing": ("cite",),
    "comparing": ("compare", "compare_methods", "transfer_table"),
    "data": ("dataset", "fetch", "prepare_dataset", "prepare_heads", "verify"),
    "exporting": ("export",),
    "judging": ("findings", "write_findings"),
    "merging": ("merge",),
    "plugins": ("new",),
    "progress": ("Progress", "Silent"),
    "running": ("QUICK_CASES", "full_run", "quick_workers", "run"),
    "scoring": ("score",),
    "showing": ("figure", "view"),
    "training": ("train", "tune"),
}
"""What each module offers: a command loads what it needs and no more."""

_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names}

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
    if name in _MODULE_OF:
        return getattr(import_module(f"mrbench.api.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module 'mrbench.api' has no attribute '{name}'")
