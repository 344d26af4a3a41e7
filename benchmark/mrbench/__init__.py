"""mrbench: a benchmark and evaluation harness for MRI deep learning beyond segmentation.

>>> import mrbench
>>> board = mrbench.run("registration", methods=["identity", "demons"], limit=5)  # doctest: +SKIP
>>> rows = mrbench.load(board.folder)  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from mrbench.core.method import FittedMethod, LearnedMethod, Method, method

if TYPE_CHECKING:
    from mrbench.api import (
        compare,
        dataset,
        export,
        figure,
        findings,
        leaderboard,
        load,
        rebuild,
        run,
        score,
        table,
        train,
        tune,
    )
    from mrbench.cli.progress import progress_bar
    from mrbench.core.binding import bind

try:
    __version__ = version("mrbench")
except PackageNotFoundError:  # a checkout that is on the path and not installed
    __version__ = "0"

_LAZY = {
    **dict.fromkeys(
        (
            "compare",
            "dataset",
            "export",
            "figure",
            "findings",
            "leaderboard",
            "load",
            "rebuild",
            "run",
            "score",
            "table",
            "train",
            "tune",
        ),
        "mrbench.api",
    ),
    "bind": "mrbench.core.binding",
    "progress_bar": "mrbench.cli.progress",
}

__all__ = [
    "FittedMethod",
    "LearnedMethod",
    "Method",
    "__version__",
    "bind",
    "compare",
    "dataset",
    "export",
    "figure",
    "findings",
    "leaderboard",
    "load",
    "method",
    "progress_bar",
    "rebuild",
    "run",
    "score",
    "table",
    "train",
    "tune",
]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'mrbench' has no attribute '{name}'")
