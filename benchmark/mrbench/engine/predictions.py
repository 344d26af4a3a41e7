"""Predictions that were scored, in the cache: for pictures, for export, and for another scoring."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Literal, get_args
from zipfile import BadZipFile

import numpy as np

from mrbench.core.errors import DataError, unknown_name
from mrbench.io.files import cache_root, write_atomically

Keeping = Literal["keep", "compress", "drop"]
"""What becomes of a prediction that was scored; a row's scores never depend on it."""


def checked_keeping(text: str) -> Keeping:
    """Read what becomes of predictions; raises `RequestError` for any other word."""
    for word in get_args(Keeping):
        if text == word:
            return word
    raise unknown_name("choice of --predictions", text, get_args(Keeping))


def prediction_path(key: str) -> Path:
    """Where the prediction of a key is cached; one file, so that a key never has two."""
    return cache_root() / "predictions" / key[:2] / f"{key}.npy"


def keep(key: str, checked: np.ndarray, keeping: Keeping = "keep") -> bool:
    """Cache a prediction and tell whether it is there; a disk that is full costs the picture, not the row."""
    if keeping == "drop":
        return False
    try:
        with write_atomically(prediction_path(key)) as file:
            if keeping == "compress":
                np.savez_compressed(file, checked)
            else:
                np.save(file, checked)
    except DataError:
        return False
    return True


def cached_prediction(key: str) -> np.ndarray | None:
    """The prediction of a key, whether compressed or not; None where there is none that can be read."""
    with suppress(OSError, ValueError, EOFError, KeyError, BadZipFile), prediction_path(key).open("rb") as file:
        stored = np.load(file, allow_pickle=False)
        if isinstance(stored, np.ndarray):
            return stored
        with stored:
            return stored["arr_0"]
    return None
