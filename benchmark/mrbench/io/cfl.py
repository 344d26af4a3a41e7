"""BART's file pair: ``NAME.hdr`` with the dimensions, ``NAME.cfl`` with complex64, first index fastest."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mrbench.core.errors import DataError
from mrbench.io.bounds import check_claim

LONGEST_HEADER = 2**16
"""Bytes: dimensions, and the command that wrote the file."""


def cfl_sizes(path: Path) -> tuple[int, ...]:
    """Dimensions of a pair, given without its suffix, in BART's order: the first index is the fastest.

    Raises
    ------
    DataError
        If a file of the pair is missing, the header holds no sizes, or the data are not as long as they say.
    """
    header, data = path.with_name(f"{path.name}.hdr"), path.with_name(f"{path.name}.cfl")
    if not header.is_file() or not data.is_file():
        raise DataError(f"{path}: both {header.name} and {data.name} are needed; one is not there.")
    with header.open("rb") as file:
        text = file.read(LONGEST_HEADER).decode(errors="replace")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    try:
        sizes = tuple(int(word) for word in lines[0].split())
    except (IndexError, ValueError):
        raise DataError(f"{header} does not name the dimensions; write it as BART does.") from None
    check_claim(data, sizes, 8)
    if data.stat().st_size != 8 * int(np.prod(sizes)):
        raise DataError(f"{data} does not hold what {header.name} says; the file may be truncated.")
    return sizes


def read_cfl(path: Path) -> np.ndarray:
    """Read a pair, given without its suffix, into C order: BART's dimensions reversed, leading ones dropped.

    So ``x, y, z, coil`` of BART becomes ``(coil, z, y, x)``; at least two axes stay.

    Raises
    ------
    DataError
        As of `cfl_sizes`.
    """
    sizes = cfl_sizes(path)
    array = np.fromfile(path.with_name(f"{path.name}.cfl"), np.complex64).reshape(sizes[::-1])
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    return array


def cfl_squeezed(path: Path, axes: int) -> np.ndarray:
    """Read a pair whose dimensions are BART's in no way, given without its suffix: those above 1, last one first.

    Parameters
    ----------
    path : Path
        Without suffix.
    axes : int
        How many dimensions above 1 it must have.

    Raises
    ------
    DataError
        As of `cfl_sizes`, or if it has more or fewer.
    """
    sizes = cfl_sizes(path)
    used = [size for size in sizes if size > 1]
    if len(used) != axes:
        raise DataError(
            f"{path}.cfl has {len(used)} dimensions above 1 ({' '.join(map(str, used))}) but the table names {axes} "
            "axes; name these, in the header's order."
        )
    return np.fromfile(path.with_name(f"{path.name}.cfl"), np.complex64).reshape(used[::-1])


def cfl_kspace(path: Path) -> tuple[np.ndarray, bool]:
    """Read BART k-space into ``(frame, coil, y, x)`` and say whether frames are time points.

    BART's dimensions are read (0), phase (1), partition (2), coil (3), time (10) and slice (13). Reads become
    rows, and phase-encoding steps columns, as everywhere in mrbench. A 2-D scan may as well have its two encodings
    in any two of the first three dimensions, in that order: ``(1, phase, read, coil)`` is how BART's own tools
    write what they undersample in two directions.

    Raises
    ------
    DataError
        If the pair cannot be read, is a 3-D scan, or uses other dimensions.
    """
    sizes = cfl_sizes(path)
    sizes = sizes + (1,) * (16 - len(sizes))
    used = {dimension for dimension, size in enumerate(sizes) if size > 1}
    if not used <= {0, 1, 2, 3, 10, 13} or {10, 13} <= used or {0, 1, 2} <= used:
        raise DataError(
            f"{path}.cfl has dimensions {' '.join(map(str, sizes))}; two of read, phase and partition, coil, and "
            "either time or slice (0 to 3, and 10 or 13) can be used: say what they are in the table, such as "
            "axes=y x coil, or cut other dimensions out with `bart slice`."
        )
    array = np.fromfile(path.with_name(f"{path.name}.cfl"), np.complex64)
    first, second = [size for size in sizes[:3] if size > 1] if len(used & {0, 1, 2}) == 2 else sizes[:2]
    frames = sizes[10] * sizes[13]
    return array.reshape(frames, sizes[3], second, first).swapaxes(-1, -2), sizes[10] > 1


def write_cfl(path: Path, array: np.ndarray) -> None:
    """Write an array of ``(..., z, y, x)`` as a pair, given without its suffix."""
    sizes = " ".join(map(str, array.shape[::-1]))
    path.with_name(f"{path.name}.hdr").write_text(f"# Dimensions\n{sizes}\n")
    np.ascontiguousarray(array, np.complex64).tofile(path.with_name(f"{path.name}.cfl"))
