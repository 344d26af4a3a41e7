"""BIDS: ``sub-*/[ses-*/]anat/*_T1w.nii.gz``, with the masks and label maps of ``derivatives``.

Of each contrast of a session the first scan by name is used; others are named as left out. A mask or segmentation is
that of a scan where it has the same subject and session and names no ``space``; ``desc-brain`` goes before other masks.
Images outside anat folders, and those of derivatives that are neither mask nor label map, are no scans, and counted.
The splits are those of a column ``split`` in ``participants.tsv``; without one, all are test subjects.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mrbench.core.case import SPLITS
from mrbench.core.errors import DataError
from mrbench.core.words import counted, some
from mrbench.datasets.layouts.beside import MADE
from mrbench.datasets.layouts.layout import Layout
from mrbench.datasets.listing import suffix_of, visible
from mrbench.io.nifti import SUFFIXES
from mrbench.io.paths import checked_id
from mrbench.io.tables import read_ragged, refuse_uneven

CONTRASTS = {
    "T1w": "T1",
    "T2w": "T2",
    "PDw": "PD",
    "FLAIR": "FLAIR",
    "T2starw": "T2star",
    "T1map": "T1map",
    "T2map": "T2map",
    "PD": "PD",
    "inplaneT1": "T1",
    "inplaneT2": "T2",
    "angio": "angio",
    "UNIT1": "UNIT1",
    "MP2RAGE": "MP2RAGE",
}
"""Columns by BIDS suffix."""

MAPS = {"mask": "mask", "dseg": "labels"}

_FOLDER = re.compile(r"sub-[A-Za-z0-9]+$")


@dataclass(frozen=True)
class _Name:
    """What a file's name says: its entities, such as ``ses``, and its suffix, such as ``T1w``."""

    path: str
    entities: dict[str, str]
    suffix: str

    @property
    def subject(self) -> str:
        """Subject, and session where there is one."""
        session = f"_ses-{self.entities['ses']}" if "ses" in self.entities else ""
        return f"sub-{self.entities['sub']}{session}"

    @classmethod
    def of(cls, path: str) -> _Name | None:
        base = path.rpartition("/")[2]
        stem = base[: len(base) - len(suffix_of(base, SUFFIXES))]
        *pairs, suffix = stem.split("_")
        split = [pair.partition("-") for pair in pairs]
        entities = {key: value for key, dash, value in split if dash and value}
        return cls(path, entities, suffix) if "sub" in entities and len(entities) == len(pairs) else None


def read_bids(folder: Path) -> Layout | None:
    """Read a BIDS dataset; None where the folder holds no ``sub-*`` folder.

    Raises
    ------
    DataError
        If it cannot be listed, holds no anatomical scan, or ``participants.tsv`` is malformed.
    """
    here = [entry.name for entry in visible(folder) if entry.is_dir() and _FOLDER.match(entry.name)]
    if not here:
        return None
    left_out: list[str] = []
    other: Counter[str] = Counter()
    rows: dict[str, dict[str, str]] = {}
    scans: list[_Name] = []
    maps: list[_Name] = []
    for path in _files(folder, here, other):
        name = _Name.of(path)
        if name is None or (name.suffix not in CONTRASTS and name.suffix not in MAPS):
            left_out.append(f"{path} is no scan, mask or label map that BIDS names so.")
        else:
            (maps if name.suffix in MAPS else scans).append(name)
    for scan in scans:
        column = "T1c" if "ce" in scan.entities and scan.suffix == "T1w" else CONTRASTS[scan.suffix]
        row = rows.setdefault(scan.subject, {"subject": checked_id(scan.subject, folder), "split": ""})
        _take(row, column, scan, left_out)
    derived = _derivatives(folder)
    made = [n for p in derived if "/anat/" in p and (n := _Name.of(p)) and n.suffix in MAPS]
    maps += made
    for image in sorted(maps, key=lambda m: (m.entities.get("desc") != "brain", m.path)):
        if image.subject in rows and "space" not in image.entities:
            _take(rows[image.subject], MAPS[image.suffix], image, left_out)
        else:
            reason = "is in another space" if "space" in image.entities else "belongs to no scan"
            left_out.append(f"{image.path} {reason}.")
    left_out += [
        f"{counted(count, 'file')} in folders '{kind}': no anatomical scans." for kind, count in sorted(other.items())
    ]
    if outside := _outside(folder):
        left_out.append(f"{some(outside)}: outside the anat folders of subjects.")
    if others := len(derived) - len(made):
        left_out.append(f"{counted(others, 'file')} in derivatives: no masks or label maps of anatomy.")
    if not rows:
        raise DataError(f"{folder} is BIDS without a scan in any anat folder; put *_T1w.nii.gz there.")
    splits = _splits(folder)
    for row in rows.values():
        row["split"] = splits.get(row["subject"].partition("_")[0], "test")
    return Layout("BIDS", dict(sorted(rows.items())), {}, tuple(left_out))


def _take(row: dict[str, str], column: str, name: _Name, left_out: list[str]) -> None:
    if column in row:
        left_out.append(f"{name.path} is another {column} of {name.subject}; {row[column]} is used.")
    else:
        row[column] = name.path


def _files(folder: Path, subjects: list[str], other: Counter[str]) -> Iterator[str]:
    """NIfTI files of anatomy, sorted; what other folders hold is counted by their name."""
    for subject in subjects:
        for first in (entry for entry in visible(folder / subject) if entry.is_dir()):
            parts = [first.name]
            if first.name.startswith("ses-"):
                parts = [f"{first.name}/{e.name}" for e in visible(Path(first.path)) if e.is_dir()]
            for part in parts:
                names = [f"{subject}/{part}/{e.name}" for e in visible(folder / subject / part)]
                images = [name for name in names if suffix_of(name, SUFFIXES)]
                if part.rpartition("/")[2] == "anat":
                    yield from images
                else:
                    other[part.rpartition("/")[2]] += len(images)


def _outside(folder: Path) -> list[str]:
    """NIfTI files that lie in the folder itself, in a subject's or session's own, or in one that BIDS does not know."""
    folders = [entry.name for entry in visible(folder) if entry.is_dir() and entry.name not in MADE]
    sessions = [f"{name}/{e.name}" for name in folders for e in visible(folder / name) if e.name.startswith("ses-")]
    files = [entry.name for entry in visible(folder) if entry.is_file()]
    for place in (*folders, *(name for name in sessions if (folder / name).is_dir())):
        files += [f"{place}/{entry.name}" for entry in visible(folder / place) if entry.is_file()]
    return [name for name in files if suffix_of(name, SUFFIXES)]


def _derivatives(folder: Path) -> list[str]:
    """NIfTI files of subjects in ``derivatives``, sorted."""
    root = folder / "derivatives"
    files = sorted(root.glob("**/sub-*/**/*")) if root.is_dir() else []
    images = (p for p in files if suffix_of(p.name, SUFFIXES) and p.name[0] != "." and p.is_file())
    return list(dict.fromkeys(path.relative_to(folder).as_posix() for path in images))


def _splits(folder: Path) -> dict[str, str]:
    path = folder / "participants.tsv"
    if not path.is_file():
        return {}
    known = ("participant_id", "split")
    columns, lines = read_ragged(path, known)
    if not {*known} <= set(columns):
        return {}  # and nothing else of it is used
    refuse_uneven(path, columns, lines)
    splits = {}
    for number, fields in lines:
        line = dict(zip(columns, fields, strict=True))
        split = line["split"].casefold()
        if split not in SPLITS:
            raise DataError(f"{path}, line {number} has the split '{split}'; use {', '.join(SPLITS)}.")
        splits[line["participant_id"]] = split
    return splits
