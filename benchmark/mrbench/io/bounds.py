"""What a file's header may claim: never more than the file can hold, nor more than a machine should give."""

from __future__ import annotations

from math import prod
from pathlib import Path

from mrbench.core.errors import DataError

MOST_BYTES = 2**33
"""8 GiB: a volume of 1000 x 1000 x 1000 float64, or 40 slices of 32 coils of 768 x 400."""

SMALL = 2**28
"""Bytes below which nobody asks how much memory is free."""

COPIES = 2
"""Of the array at once: as stored and as converted."""

DEFLATE_RATIO = 1032
"""Bytes that one byte of a gzip or zlib stream can become at the most."""


def check_claim(path: Path, shape: tuple[int, ...], itemsize: int, *, compressed: bool = False) -> None:
    """Refuse an array that the file cannot hold, before memory is taken for it.

    Parameters
    ----------
    path : Path
        What the error names.
    shape : tuple of int
        As the header says.
    itemsize : int
        Bytes of an element, in the file.
    compressed : bool
        Whether the file is deflated.

    Raises
    ------
    DataError
        If a size is not positive, or the array is larger than the file, than `MOST_BYTES` or than the free memory.
    """
    if any(size <= 0 for size in shape):
        raise DataError(f"{path} has shape {shape}; it is empty, check how it was written.")
    claimed = prod(shape) * itemsize
    held = path.stat().st_size * (DEFLATE_RATIO if compressed else 1)
    if claimed > held:
        raise DataError(f"{path} says that it holds {shape} values, more than the file can; it may be truncated.")
    if claimed > MOST_BYTES:
        raise DataError(f"{path} holds {claimed / 2**30:.0f} GiB, more than {MOST_BYTES >> 30} GiB; cut it into parts.")
    if claimed > SMALL and COPIES * claimed > (free := _free()):
        raise DataError(
            f"{path} holds {claimed / 2**30:.1f} GiB, and reading needs {COPIES} times that, but {free / 2**30:.1f} "
            "GiB of memory are free; end other programs, or cut it into parts."
        )


def _free() -> int:
    import psutil

    return int(psutil.virtual_memory().available)
