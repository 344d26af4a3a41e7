"""Names that come from outside, made safe for files: an id is one path component, and no path leaves its root."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from mrbench.core.errors import DataError

LONGEST_ID = 120
"""Bytes; file systems take 255 for a name, and cases of two subjects and suffixes need room."""


def checked_id(text: str, where: object) -> str:
    """Return an id that can be part of a file's name on any system.

    Parameters
    ----------
    text : str
        As it stands in a table or a file name.
    where : object
        What the message names: the table or folder that the id comes from.

    Raises
    ------
    DataError
        If it is empty or too long, starts with a dot, or holds a separator of paths or a control character.
    """
    if not text:
        raise DataError(f"{where} holds an empty subject id; give each subject a name.")
    if text[0] == "." or any(
        letter in '/\\:<>"|?*' or unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in text
    ):
        raise DataError(
            f"{where}: the subject id {text!r} cannot be a file's name; use letters, digits, '-', '_' and '.', "
            "and no leading dot."
        )
    if len(text.encode()) > LONGEST_ID:
        raise DataError(f"{where}: the subject id '{text[:20]}...' is longer than {LONGEST_ID} bytes; shorten it.")
    return text


def inside(root: Path, *parts: str) -> Path:
    """Return the path of ``parts`` under ``root``, links followed.

    Every path that is written to and made of a name from outside comes from here.

    Raises
    ------
    DataError
        If it would lie outside ``root``.
    """
    base = root.resolve()
    try:
        path = base.joinpath(*parts).resolve()
    except (OSError, ValueError, RuntimeError) as error:  # a NUL, a loop of links
        raise DataError(f"{'/'.join(parts)!r} cannot be a path in {root} ({error}); rename it.") from None
    if path == base or not path.is_relative_to(base):
        raise DataError(f"{'/'.join(parts)!r} lies outside {root}; nothing is written there, rename it.")
    return path
