"""One scan under the names of two subjects: in two splits it leaks, in one it is counted twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from mrbench.core.errors import DataError
from mrbench.datasets.layouts.table import paths_of
from mrbench.io.files import content_digest
from mrbench.io.volume_files import digest_of, is_there, voxels_digest

SHARED = ("labels", "mask", "landmarks")
"""Columns of files that two subjects may have in common."""

BEGINNING = 2**16
"""Bytes of a file of k-space that tell most scans apart, so that few of these large files are read whole."""


def find_twins(folder: Path, rows: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Subjects whose scan is that of a subject before them in the same split, each with the sentence that says so.

    Images of several splits are compared by their voxels, whatever their name, compression or header; those of one
    split, and k-space, by their bytes.

    Parameters
    ----------
    folder : Path
        That the paths of the table are of.
    rows : mapping of str to mapping
        The table, by subject.

    Raises
    ------
    DataError
        If subjects of two splits have one scan.
    """
    seen: dict[str, tuple[str, str]] = {}
    twins: dict[str, str] = {}
    for subject, file, content in _scans(folder, rows):
        split = rows[subject]["split"]
        other, where = seen.setdefault(content, (subject, split))
        if where != split:
            raise DataError(
                f"{folder}: '{other}' in {where} and '{subject}' in {split} are one scan, {file}; "
                "keep each person in one split."
            )
        if other != subject:
            twins[subject] = f"{folder}: '{subject}' is the same scan as '{other}', {file}; keep one of the two."
    return twins


def _scans(folder: Path, rows: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str, str]]:
    """Subject, file and what its content is told by, for every scan that is there."""
    named = [
        (subject, column, file)
        for subject, row in rows.items()
        for column, file in ((column, row[column]) for column in paths_of(row) if column not in SHARED)
        if (folder / file).is_file() or (column != "kspace" and is_there(folder / file))
    ]
    several = len({row["split"] for row in rows.values()}) > 1
    raw = {file: _beginning(folder / file) for _, column, file in named if column == "kspace"}
    alike = Counter(raw.values())
    for subject, column, file in named:
        if column != "kspace":
            content = digest_of(folder / file)
            yield subject, file, voxels_digest(folder / file, content) if several else content
        else:
            yield subject, file, content_digest(folder / file) if alike[raw[file]] > 1 else file


def _beginning(path: Path) -> tuple[int, bytes]:
    with path.open("rb") as file:
        return path.stat().st_size, file.read(BEGINNING)
