"""TransMorph's IXI: ``atlas.pkl`` beside ``Train``, ``Val`` and ``Test``, each ``.pkl`` an image and its label map.

The atlas is registered with every patient: it moves, the patient is fixed.
"""

from __future__ import annotations

from pathlib import Path

from mrbench.core.errors import DataError
from mrbench.datasets.layouts.layout import Layout
from mrbench.datasets.listing import visible
from mrbench.io.paths import checked_id
from mrbench.io.volume_files import PART

ATLAS = "atlas"

SPLITS = {"train": "train", "val": "validation", "test": "test"}


def read_transmorph(folder: Path) -> Layout | None:
    """Read the folder; None where it has no ``atlas.pkl`` or no folder of its splits.

    Raises
    ------
    DataError
        If a folder cannot be listed, or two subjects have one name.
    """
    parts = {entry.name: SPLITS[entry.name.casefold()] for entry in visible(folder) if entry.name.casefold() in SPLITS}
    if not (folder / f"{ATLAS}.pkl").is_file() or not parts:
        return None
    rows = {ATLAS: _row(ATLAS, "train", f"{ATLAS}.pkl")}
    pairs: dict[str, tuple[tuple[str, str], ...]] = {}
    left_out = []
    for part, split in parts.items():
        for entry in visible(folder / part):
            if not entry.name.endswith(".pkl"):
                left_out.append(f"{part}/{entry.name} is no .pkl.")
                continue
            subject = checked_id(entry.name.removesuffix(".pkl"), folder)
            if subject in rows:
                raise DataError(f"{folder} holds two subjects '{subject}'; rename one.")
            rows[subject] = _row(subject, split, f"{part}/{entry.name}")
            pairs[split] = (*pairs.get(split, ()), (ATLAS, subject))
    return Layout("TransMorph's IXI", rows, pairs, tuple(left_out), atlases=(ATLAS,), published="transmorph-ixi")


def _row(subject: str, split: str, file: str) -> dict[str, str]:
    return {"subject": subject, "split": split, "T1": f"{file}{PART}0", "labels": f"{file}{PART}1"}
