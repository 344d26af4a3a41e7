"""BART's file pair: ``NAME.hdr`` with the dimensions, ``NAME.cfl`` with complex64, first index fastest."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mrbench.core.errors import DataError


def read_cfl(path: Path) -> np.ndarray:
    """Read a pair, given without its suffix, into C order: BART's dimensions reversed, leading ones dropped.

    So ``x, y, z, coil`` of BART becomes ``(coil, z, y, x)``.

    Raises
    ------
    DataError
        If a file is missing or truncated.
    """
    header, data = path.with_name(f"{path.name}.hdr"), path.with_name(f"{path.name}.cfl")
    if not header.is_file() or not data.is_file():
        raise DataError(f"{path}: both {header.name} and {data.name} are needed; one is not there.")
    lines = [line for line in header.read_text().splitlines() if line and not line.startswith("#")]
    try:
        sizes = [int(word) for word in lines[0].split()]
        values = np.fromfile(data, np.complex64)
        return _without_leading_ones(values.reshape(sizes[::-1]))
    except (IndexError, ValueError):
        raise DataError(f"{data} does not hold what {header.name} says; the file may be truncated.") from None


def _without_leading_ones(array: np.ndarray) -> np.ndarray:
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    return array


def write_cfl(path: Path, array: np.ndarray) -> None:
    """Write an array of ``(..., z, y, x)`` as a pair, given without its suffix."""
    sizes = " ".join(map(str, array.shape[::-1]))
    path.with_name(f"{path.name}.hdr").write_text(f"# Dimensions\n{sizes}\n")
    np.ascontiguousarray(array, np.complex64).tofile(path.with_name(f"{path.name}.cfl"))
