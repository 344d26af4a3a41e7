"""NumPy's ``.npy``, read by its header first: never pickled objects, never more than the file holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mrbench.core.errors import DataError
from mrbench.io.bounds import check_claim

_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def npy_header(path: Path) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of the array in a file.

    Raises
    ------
    DataError
        If it is not there, is no ``.npy`` file (an ``.npz`` under that name, too), or claims more than it holds.
    """
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            if version not in _READERS:
                raise DataError(f"{path} is of .npy version {version}; save it with numpy.save as a plain array.")
            shape, _, dtype = _READERS[version](file)
    except FileNotFoundError:
        raise DataError(f"{path} is not there; check the path.") from None
    except DataError:
        raise
    except Exception as error:  # a header is a Python literal, so anything may be wrong with it
        kind = "an .npz archive; save one array with numpy.save" if _is_zip(path) else "truncated or no .npy file"
        raise DataError(f"{path} cannot be read ({type(error).__name__}); it may be {kind}.") from None
    if dtype.hasobject or dtype.kind not in "biufc":
        raise DataError(f"{path} holds {dtype} values; numbers are needed.")
    check_claim(path, shape, dtype.itemsize)
    return shape, dtype


def _is_zip(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(2) == b"PK"
    except OSError:
        return False


def read_npy(path: Path) -> np.ndarray:
    """Read an array of numbers.

    Raises
    ------
    DataError
        As of `npy_header`, or if the file is truncated.
    """
    npy_header(path)
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, MemoryError) as error:
        raise DataError(f"{path} cannot be read ({error}); the file may be truncated.") from error
