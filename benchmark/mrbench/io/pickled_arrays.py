"""Arrays of a pickle, read without running anything of it: TransMorph's ``.pkl`` of an image and its labels.

A pickle names functions and classes, which loading it calls. This reader knows the four names that a numpy array is
written by, puts its own harmless classes in their place, and refuses any other.
"""

from __future__ import annotations

import pickle
from math import prod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mrbench.core.errors import DataError
from mrbench.io.bounds import MOST_BYTES

MOST_ARRAYS = 8

_DTYPES = {
    f"{kind}{size}" for kind, sizes in {"f": "248", "i": "1248", "u": "1248", "b": "1"}.items() for size in sizes
}


class _Refused(pickle.UnpicklingError):
    """What the file asks for is no array."""


class _Dtype:
    """Stands for ``numpy.dtype``: a code such as ``f4`` and a byte order."""

    def __init__(self, code: object = "", *_: object) -> None:
        if code not in _DTYPES:
            raise _Refused(f"type {str(code)[:20]!r}")
        self.code, self.order = code, "|"

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "|", "="):
            raise _Refused("a type without a byte order")
        self.order = state[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.order + self.code)


class _Array:
    """Stands for a numpy array that is being rebuilt."""

    array: np.ndarray

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise _Refused("an array of another form")
        _, shape, dtype, fortran, data = state
        self.array = _filled(data, dtype, shape, "F" if fortran else "C")


def _filled(data: object, dtype: object, shape: object, order: object) -> np.ndarray:
    """The array of these bytes."""
    if not isinstance(data, bytes | bytearray) or not isinstance(dtype, _Dtype) or (order != "C" and order != "F"):
        raise _Refused("an array of another form")
    if not isinstance(shape, tuple) or not all(isinstance(n, int) and n > 0 for n in shape):
        raise _Refused("an array of another form")
    if prod(shape) * dtype.dtype.itemsize != len(data):
        raise _Refused(f"an array of shape {shape} in {len(data)} bytes")
    return np.frombuffer(bytes(data), dtype.dtype).reshape(shape, order=order)


def _rebuilt(*_: object) -> _Array:
    return _Array()


def _from_buffer(data: object, dtype: object, shape: object, order: object, *_: object) -> _Array:
    array = _Array()
    array.array = _filled(data, dtype, shape, order)
    return array


def _encoded(text: object, _: object = "latin1") -> bytes:
    """How bytes stand in the older protocols: as text."""
    if not isinstance(text, str):
        raise _Refused("bytes of another form")
    return text.encode("latin1")


class _ArraysOnly(pickle.Unpickler):
    KNOWN: ClassVar[dict[tuple[str, str], Any]] = {
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _Dtype,
        ("_codecs", "encode"): _encoded,
        **{(f"numpy.{core}.multiarray", "_reconstruct"): _rebuilt for core in ("core", "_core")},
        **{(f"numpy.{core}.numeric", "_frombuffer"): _from_buffer for core in ("core", "_core")},
    }

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in self.KNOWN:
            raise _Refused(f"{module}.{name}")
        return self.KNOWN[module, name]


def read_pickled_arrays(path: Path) -> list[np.ndarray]:
    """Read a pickle that holds an array, or a tuple or list of arrays.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    list of ndarray
        Real numbers; read-only.

    Raises
    ------
    DataError
        If it cannot be read, or holds anything but arrays: nothing of it is called, whatever it names.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path} is larger than {MOST_BYTES >> 30} GiB; is it one subject?")
        with path.open("rb") as file:
            content = _ArraysOnly(file).load()
    except _Refused as refused:
        raise DataError(f"{path} holds more than arrays ({refused}), and nothing else is unpickled here.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}); check the path.") from None
    except DataError:
        raise
    except Exception as error:  # pickle raises whatever a damaged file leads to
        raise DataError(f"{path} is no pickle that can be read ({type(error).__name__}); copy it again.") from None
    items = list(content) if isinstance(content, tuple | list) else [content]
    if not 0 < len(items) <= MOST_ARRAYS or not all(
        isinstance(item, _Array) and hasattr(item, "array") for item in items
    ):
        raise DataError(f"{path} holds more than arrays, and nothing else is unpickled here.")
    return [item.array for item in items]
