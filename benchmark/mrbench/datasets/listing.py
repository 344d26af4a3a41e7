"""What lies in a folder: which files are scans, and why each of the others is not."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from mrbench.core.errors import DataError
from mrbench.io.paths import checked_id

NO_SCAN = re.compile(
    r"(?:^|[_\-.+])(?:brain_?mask|mask|dseg|probseg|seg|segmentation|labels?|aseg|aparc\w*|parcellation|roi|warp|xfm)"
    r"(?:[_\-.+]|\d*$)",
    re.IGNORECASE,
)
"""In the stem of a file: it is a mask, a label map or a transform of some scan."""

MOST_FILES = 200_000


@dataclass(frozen=True)
class Listing:
    """Files of one kind in a folder and in the folders one level down.

    Attributes
    ----------
    files : dict of str to str
        Path relative to the folder, by a name that no other file has: that of the file without its suffix, led by that
        of the folder that it lies in unless it starts with it.
    left_out : tuple of str
        What is not among them, and why.
    """

    files: dict[str, str]
    left_out: tuple[str, ...]


def suffix_of(name: str, suffixes: Iterable[str]) -> str:
    """The suffix that a file's name ends with, as it is written there and in any case of letters; else empty."""
    fitting = [suffix for suffix in suffixes if name.lower().endswith(suffix)]
    longest = max(fitting, key=len, default="")
    return name[len(name) - len(longest) :] if longest else ""


def visible(folder: Path) -> list[os.DirEntry[str]]:
    """Entries of a folder by name, hidden ones left out.

    Raises
    ------
    DataError
        If it is no folder, cannot be read, or holds more than a benchmark can use.
    """
    try:
        with os.scandir(folder) as entries:
            shown = sorted((entry for entry in entries if entry.name[0] != "."), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{folder} cannot be listed ({error.strerror or error}); give a folder.") from None
    if len(shown) > MOST_FILES:
        raise DataError(f"{folder} holds {len(shown)} files; name those to use in a table, subjects.csv.")
    return shown


def scans_in(
    folder: Path, suffixes: tuple[str, ...], is_scan: Callable[[str], bool] = lambda stem: not NO_SCAN.search(stem)
) -> Listing:
    """List the files with one of the suffixes, in a folder and one level down.

    Parameters
    ----------
    folder : Path
        Where to look.
    suffixes : tuple of str
        In lower case; names may be written in any.
    is_scan : callable
        Whether a file is one, by its name without the suffix; others are named as left out.

    Raises
    ------
    DataError
        If the folder cannot be listed, or two files have one name.
    """
    files: dict[str, str] = {}
    left_out: list[str] = []
    for entry in visible(folder):
        if entry.is_dir() and not suffix_of(entry.name, suffixes):
            for inner in visible(Path(entry.path)):
                if suffix_of(inner.name, suffixes):
                    _take(folder, f"{entry.name}/{inner.name}", suffixes, is_scan, files, left_out)
        elif suffix_of(entry.name, suffixes):
            _take(folder, entry.name, suffixes, is_scan, files, left_out)
    return Listing(files, tuple(left_out))


def _take(
    folder: Path,
    name: str,
    suffixes: tuple[str, ...],
    is_scan: Callable[[str], bool],
    files: dict[str, str],
    left_out: list[str],
) -> None:
    path = folder / name
    parent, _, base = name.rpartition("/")
    stem = base[: len(base) - len(suffix_of(base, suffixes))]
    if path.is_dir():
        left_out.append(f"{name} is a folder.")
    elif not path.exists():
        left_out.append(f"{name} is a link to a file that is not there.")
    elif not path.is_file():
        left_out.append(f"{name} is no regular file.")
    elif not is_scan(stem):
        left_out.append(f"{name} is a mask, a label map or a transform by its name.")
    else:
        subject = stem if not parent or stem.startswith(parent) else f"{parent}_{stem}"
        checked_id(subject, folder)
        if taken := next((other for known, other in files.items() if known.casefold() == subject.casefold()), None):
            raise DataError(f"{folder} holds {taken} and {name}; rename one of them.")
        files[subject] = name
