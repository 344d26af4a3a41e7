"""How kernels are compiled: on first use, kept on disk, on one thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., object])

ANY_ORDER = {"reassoc", "nsz"}
"""Of a sum, so that it fits vector registers; everything else is rounded as numpy rounds it."""


def compiled(function: Function) -> Function:
    """Compile a function; numba keeps the result beside its source, or in the user's cache folder.

    A kernel calls only kernels of its own file: numba recompiles when that file changes, not when another does.
    """
    return _compile(function, set())


def compiled_sum(function: Function) -> Function:
    """Compile a reduction over a line, whose terms may be added in any order."""
    return _compile(function, ANY_ORDER)


def _compile(function: Function, fastmath: set[str]) -> Function:
    options = {"error_model": "numpy", "nogil": True, "no_cfunc_wrapper": True, "fastmath": fastmath or False}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # numba has no folder that it may write to, as in a read-only container
        return numba.njit(**options)(function)
