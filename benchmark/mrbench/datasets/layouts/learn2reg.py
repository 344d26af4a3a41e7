"""Learn2Reg: ``*_dataset.json`` with training scans and the pairs of its validation and test.

Scans of ``registration_val`` and ``registration_test`` are validation and test subjects, the other ones train. Pairs
are taken as the file has them, so that scores are of the cases of the challenge.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from mrbench.core.errors import DataError
from mrbench.datasets.layouts.layout import Layout
from mrbench.datasets.listing import suffix_of, visible
from mrbench.io.nifti import SUFFIXES
from mrbench.io.paths import checked_id

ENDING = "_dataset.json"

LARGEST = 2**26
"""Bytes of JSON."""

PUBLISHED = {"oasis": "oasis-l2r", "hippocampusmr": "l2r-hippocampus", "lumir": "lumir"}
"""Track of registration by the beginning of the file's name, in lower case."""

PAIRS = {"registration_val": "validation", "registration_test": "test"}

FOLDERS = {
    "label": ("labels", "labels", ""),
    "mask": ("mask", "masks", ""),
    "keypoints": ("landmarks", "keypoints", ".csv"),
}
"""By key: column, and where files of ``images*/NAME`` lie, as ``labels*/NAME``, with their ending if it is another."""


def read_learn2reg(folder: Path) -> Layout | None:
    """Read the dataset's JSON file; None where there is none.

    Raises
    ------
    DataError
        If there are several, or it is no such file, or names no scan.
    """
    names = [entry.name for entry in visible(folder) if entry.name.lower().endswith(ENDING) and entry.is_file()]
    if not names:
        return None
    if len(names) > 1:
        raise DataError(f"{folder} holds {' and '.join(names)}; keep one.")
    path = folder / names[0]
    content = _content(path)
    contrast = _contrast(content)
    rows: dict[str, dict[str, str]] = {}
    left_out: list[str] = []
    for key in ("training", "test"):
        for item in _list(path, content, key):
            facts = {"image": item} if isinstance(item, str) else item
            _add(folder, path, rows, facts, contrast, "train" if key == "training" else "test")
    pairs: dict[str, tuple[tuple[str, str], ...]] = {}
    for key, split in PAIRS.items():
        for item in _list(path, content, key):
            if not isinstance(item, Mapping) or not {"moving", "fixed"} <= set(item):
                raise DataError(f"{path}: {key} holds what is no pair of moving and fixed; check its version.")
            pair = tuple(
                _add(folder, path, rows, {"image": item[role]}, contrast, split) for role in ("moving", "fixed")
            )
            pairs[split] = (*pairs.get(split, ()), (pair[0], pair[1]))
    if not rows:
        raise DataError(f"{path} names no scan under training, test or registration_val; check its version.")
    for subject, row in rows.items():
        if not (folder / row[contrast]).is_file():
            left_out.append(f"{row[contrast]} of '{subject}' is not there.")
    if len(left_out) == len(rows):
        raise DataError(f"none of the {len(rows)} scans that {path} names is there; unpack the data beside it.")
    published = PUBLISHED.get(names[0][: -len(ENDING)].casefold(), "")
    return Layout(f"Learn2Reg ({names[0]})", rows, pairs, tuple(left_out), published=published)


def _content(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(f"{path} is larger than {LARGEST >> 20} MiB; is it the dataset's JSON?")
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is no JSON ({type(error).__name__}); download it again.") from None
    if not isinstance(content, Mapping):
        raise DataError(f"{path} is no Learn2Reg dataset; it needs training and registration_val.")
    return content


def _contrast(content: Mapping[str, Any]) -> str:
    """Name of the image column: of MR of the brain T1, which registration takes."""
    modality = content.get("modality")
    names = {str(name).upper() for name in modality.values()} if isinstance(modality, Mapping) else set()
    return "CT" if names == {"CT"} else "T1"


def _list(path: Path, content: Mapping[str, Any], key: str) -> list[Any]:
    value = content.get(key) or []
    if isinstance(value, Mapping):  # by frame of a modality
        value = (
            [item for items in value.values() for item in items]
            if all(isinstance(items, list) for items in value.values())
            else None
        )
    if not isinstance(value, list) or not all(isinstance(item, str | Mapping) for item in value):
        raise DataError(f"{path}: {key} is no list of scans; check its version.")
    return value


def _add(
    folder: Path, path: Path, rows: dict[str, dict[str, str]], facts: Mapping[str, Any], contrast: str, split: str
) -> str:
    """Add a scan, or say that a known one is of another split; its subject."""
    image = facts.get("image")
    if not isinstance(image, str):
        raise DataError(f"{path} lists a scan without its image; check its version.")
    place = PurePosixPath(image)
    stem = place.name[: len(place.name) - len(suffix_of(place.name, SUFFIXES))]
    subject = checked_id(stem.removesuffix("_0000"), path)
    row = rows.setdefault(subject, {"subject": subject, "split": split, contrast: str(place)})
    if split != "train":
        row["split"] = split
    for key, (column, stem_of, ending) in FOLDERS.items():
        given = facts.get(key)
        beside = str(place.with_name(f"{stem}{ending}") if ending else place).replace("images", stem_of, 1)
        if isinstance(given, str):
            row[column] = str(PurePosixPath(given))
        elif column not in row and beside != str(place) and (folder / beside).is_file():
            row[column] = beside
    return subject
