"""mrbench: a benchmark and evaluation harness for MRI deep learning beyond segmentation.

>>> import mrbench
>>> board = mrbench.run("registration", methods=["identity", "demons"], limit=5)  # doctest: +SKIP
>>> rows = mrbench.load(board.folder)  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str
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
    from mrbench.core.method import FittedMethod, LearnedMethod, Method, Resources, method
    from mrbench.engine.plan import Options
    from mrbench.engine.shard import Shard
    from mrbench.training.loop import Schedule

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
    **dict.fromkeys(("FittedMethod", "LearnedMethod", "Method", "Resources", "method"), "mrbench.core.method"),
    "Options": "mrbench.engine.plan",
    "Schedule": "mrbench.training.loop",
    "Shard": "mrbench.engine.shard",
    "bind": "mrbench.core.binding",
    "progress_bar": "mrbench.cli.progress",
}

__all__ = [
    "FittedMethod",
    "LearnedMethod",
    "Method",
    "Options",
    "Resources",
    "Schedule",
    "Shard",
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
    if name == "__version__":  # reading what is installed takes as long as all the rest
        return _version()
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'mrbench' has no attribute '{name}'")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("mrbench")
    except PackageNotFoundError:  # a checkout that is on the path and not installed
        return "0"
