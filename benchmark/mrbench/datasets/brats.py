"""`folder:PATH` for tumours: a BraTS release as it is unpacked, or a folder with a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from mrbench.core.errors import DataError
from mrbench.datasets.dataset import Subject
from mrbench.datasets.folder import Folder
from mrbench.datasets.icbm_tumours import ENHANCING, NECROSIS, OEDEMA, IcbmTumours
from mrbench.datasets.layouts.brats import ENDINGS
from mrbench.datasets.layouts.layout import Layout
from mrbench.datasets.listing import suffix_of
from mrbench.io.files import content_digest
from mrbench.io.label_tables import label_names, labels_file
from mrbench.io.nifti import SUFFIXES
from mrbench.io.tables import TABLE

NAMES = {
    NECROSIS: (
        "necrotic core",
        "necrosis",
        "necrotic",
        "ncr",
        "net",
        "ncr/net",
        "ncr & net",
        "necrotic and non-enhancing tumor core",
        "necrotic and non-enhancing tumour core",
        "non-enhancing tumor core",
        "core",
        "non-enhancing tumour",
        "non-enhancing tumor",
        "necrotic tumor core",
        "netc",
    ),
    OEDEMA: (
        "oedema",
        "edema",
        "ed",
        "peritumoral edema",
        "peritumoural oedema",
        "snfh",
        "surrounding non-enhancing flair hyperintensity",
    ),
    ENHANCING: ("enhancing tumour", "enhancing tumor", "enhancing", "et", "gd-enhancing tumor", "gd-enhancing tumour"),
}
"""What a ``labels.csv`` may call the three parts; ``cavity`` and ``background`` are not scored."""

UNSCORED = ("background", "cavity", "resection cavity", "rc", "brain")


class BratsFolder(Folder):
    """A BraTS release: one folder a subject, four contrasts and a label map in each; all of them test subjects.

    A ``subjects.csv`` with columns ``subject, split, T1, T1c, T2, FLAIR, labels`` says otherwise, and is what training
    needs. A ``labels.csv`` (`mrbench.io.label_tables`) says which label is which part (`NAMES`). Without it 1 is the
    necrotic core, 2 oedema, and enhancing tumour is label 4 in the releases until 2021 and 3 since: either is read as
    3. Intensities are not clipped: contrast agent fills the brightest voxels, and some releases are of mean 0.
    """

    representation = "tumours"
    form = "tumours"
    preparation = 3
    signed = True
    highest = np.inf
    wanted = f"{TABLE}, or give the folder that holds the subjects' folders, such as BraTS20_Training_001"
    structures: Mapping[str, tuple[int, ...]] = IcbmTumours.structures

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._named = labels_file(self.path)
        self._parts = _parts(self._named) if self._named else {}
        if self._named:
            self.notes += (f"{self._named.name} says which labels are which parts: {_in_words(self._parts)}.",)

    def suits(self, layout: Layout) -> bool:
        """Tumours are told by contrasts that nothing but them has."""
        return any({"T1c", "FLAIR"} <= {*row} for row in layout.rows.values())

    def content_key(self, subject: str) -> str:
        named = content_digest(self._named)[:8] if self._named else ""
        return super().content_key(subject) + named

    def make(self, subject: str) -> Subject:
        row = self._table[subject]
        absent = [column for column in ENDINGS if not row.get(column)]
        if absent:
            raise DataError(
                f"{self.path}: subject '{subject}' has no {', '.join(absent)}; add the file, or leave it out."
            )
        tumour = super().make(subject)
        assert tumour.labels is not None
        file = self.path / row["labels"]
        if self._named is None:
            return replace(tumour, labels=_by_number(file, tumour.labels))
        return replace(tumour, labels=_by_name(file, tumour.labels, self._parts, self._named.name))


def _by_number(file: Path, labels: np.ndarray) -> np.ndarray:
    """Labels of any release as 1, 2 and 3."""
    present = set(np.unique(labels).tolist())
    stem = file.name[: len(file.name) - len(suffix_of(file.name, SUFFIXES))]
    if 4 in present and stem.lower().endswith("-seg"):
        raise DataError(
            f"{file} holds the label 4, in releases since 2024 the resection cavity, which is not scored; set it to 0, "
            "leave the subject out, or name the labels in labels.csv."
        )
    if not present <= {0, 1, 2, 3, 4} or {3, 4} <= present:
        raise DataError(f"{file} holds the labels {sorted(present)}; BraTS has 1, 2 and either 3 or 4.")
    return np.where(labels == 4, ENHANCING, labels).astype(np.int16)


def _by_name(file: Path, labels: np.ndarray, parts: Mapping[int, int], named: str) -> np.ndarray:
    present = set(np.unique(labels).tolist()) - {0}
    if unknown := sorted(present - set(parts)):
        raise DataError(f"{file} holds the labels {unknown}, which {named} does not name; add them there.")
    table = np.zeros(max(parts) + 1, np.int16)
    table[list(parts)] = list(parts.values())
    return table[labels]


def _parts(path: Path) -> dict[int, int]:
    """Our label by that of the user's files; 0 for what is not scored.

    Raises
    ------
    DataError
        If a name is none of `NAMES`.
    """
    parts = {}
    for label, name in label_names(path).items():
        folded = name.casefold().replace("_", " ").strip()
        fitting = [part for part, names in NAMES.items() if folded in names]
        if not fitting and folded not in UNSCORED:
            raise DataError(
                f"{path} names the label {label} '{name}'; use necrotic core, oedema, enhancing tumour or cavity."
            )
        parts[label] = fitting[0] if fitting else 0
    return parts


def _in_words(parts: Mapping[int, int]) -> str:
    return ", ".join(f"{label} {NAMES[part][0] if part else 'not scored'}" for label, part in parts.items())
