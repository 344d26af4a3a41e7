"""Libraries without what they import and never use: seconds of every process, within the time of a first case.

sigpy's ``config`` imports PyTorch to note that it is there; nothing reads the note (sigpy 0.1.27).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

WITHOUT = {"sigpy.config": "torch"}
"""Module, and what is hidden from it."""


class _Loader(SourceFileLoader):
    """Runs a module as if a package were not installed, unless that is loaded already."""

    def exec_module(self, module: ModuleType) -> None:
        hidden = WITHOUT[module.__name__]
        if hidden in sys.modules:
            super().exec_module(module)
            return
        sys.modules[hidden] = None  # type: ignore[assignment]  # the import system's own way to say so
        try:
            super().exec_module(module)
        finally:
            del sys.modules[hidden]


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in WITHOUT:
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is not None and spec.origin is not None:
            spec.loader = _Loader(fullname, spec.origin)
        return spec


def import_lean() -> None:
    """Have these modules loaded so, in this process and in what is forked from it."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
