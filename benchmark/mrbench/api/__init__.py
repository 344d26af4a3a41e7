"""What the verbs do, as functions that return objects and print nothing; `mrbench.cli` prints."""

from mrbench.api.boards import RESULTS, ROWS, Board, leaderboard, load, rebuild, report_of, table
from mrbench.api.citing import cite
from mrbench.api.comparing import compare, compare_methods, transfer_table
from mrbench.api.data import dataset, fetch, prepare_dataset, prepare_heads, verify
from mrbench.api.doctor import doctor
from mrbench.api.judging import findings, write_findings
from mrbench.api.merging import merge
from mrbench.api.plugins import new
from mrbench.api.progress import Progress, Silent
from mrbench.api.running import QUICK_CASES, full_run, quick_workers, run
from mrbench.api.scoring import export, score
from mrbench.api.showing import figure, view
from mrbench.api.training import train, tune

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
