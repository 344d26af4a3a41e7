"""BART's file pair: ``NAME.hdr`` with the dimensions, ``NAME.cfl`` with complex64, first index fastest."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mrbench.core.errors import DataError


def read_cfl(path: Path) -> np.ndarray:
    """Read a pair, given without its suffix, into C order: BART's dimensions reversed, leading ones dropped.

    So ``x, y, z, coil`` of BART becomes ``(coil, z, y, x)``; at least two axes stay.

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
        array = np.fromfile(data, np.complex64).reshape(sizes[::-1])
    except (IndexError, ValueError):
        raise DataError(f"{data} does not hold what {header.name} says; the file may be truncated.") from None
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    return array


def cfl_kspace(path: Path) -> tuple[np.ndarray, bool]:
    """Read BART k-space into ``(frame, coil, y, x)`` and say whether frames are time points.

    BART's dimensions are read (0), phase (1), partition (2), coil (3), time (10) and slice (13). Reads become
    rows, and phase-encoding steps columns, as everywhere in mrbench.

    Raises
    ------
    DataError
        If the pair cannot be read, is a 3-D scan, or uses other dimensions.
    """
    array = read_cfl(path)
    sizes = array.shape[::-1] + (1,) * (16 - array.ndim)
    used = {dimension for dimension, size in enumerate(sizes) if size > 1}
    if not used <= {0, 1, 3, 10, 13} or {10, 13} <= used:
        raise DataError(
            f"{path}.cfl has dimensions {' '.join(map(str, sizes))}; read, phase, coil and either time or slice "
            "(0, 1, 3, and 10 or 13) can be used: cut other dimensions out with `bart slice`."
        )
    frames = sizes[10] * sizes[13]
    return array.reshape(frames, sizes[3], sizes[1], sizes[0]).swapaxes(-1, -2), sizes[10] > 1


def write_cfl(path: Path, array: np.ndarray) -> None:
    """Write an array of ``(..., z, y, x)`` as a pair, given without its suffix."""
    sizes = " ".join(map(str, array.shape[::-1]))
    path.with_name(f"{path.name}.hdr").write_text(f"# Dimensions\n{sizes}\n")
    np.ascontiguousarray(array, np.complex64).tofile(path.with_name(f"{path.name}.cfl"))
