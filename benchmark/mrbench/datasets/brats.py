"""`folder:PATH` for tumours: a BraTS release as it is unpacked, or a folder with a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from mrbench.core.errors import DataError
from mrbench.datasets.dataset import Subject
from mrbench.datasets.folder import Folder
from mrbench.datasets.icbm_tumours import IcbmTumours
from mrbench.io.nifti import SUFFIXES
from mrbench.io.tables import TABLE

ENDINGS: dict[str, tuple[str, ...]] = {
    "T1": ("_t1", "-t1n"),
    "T1c": ("_t1ce", "-t1c"),
    "T2": ("_t2", "-t2w"),
    "FLAIR": ("_flair", "-t2f"),
    "labels": ("_seg", "-seg"),
}
"""How file names end in the releases until 2021, and since 2023."""

NEW_LABELS = ENDINGS["labels"][1]


class BratsFolder(Folder):
    """A BraTS release: one folder a subject, four contrasts and a label map in each; all of them test subjects.

    A ``subjects.csv`` with columns ``subject, split, T1, T1c, T2, FLAIR, labels`` says otherwise, and is what training
    needs. Enhancing tumour is label 4 in the releases until 2021 and 3 since: either is read as 3. Intensities are
    not clipped: contrast agent fills the brightest voxels, and some releases are of mean 0.
    """

    form = "tumours"
    preparation = 2
    lowest, highest = -np.inf, np.inf
    structures: Mapping[str, tuple[int, ...]] = IcbmTumours.structures

    def _read_table(self) -> dict[str, dict[str, str]]:
        if (self.path / TABLE).is_file() or not self.path.is_dir():
            return super()._read_table()
        found = {folder.name: files for folder in sorted(self.path.iterdir()) if (files := self._release(folder))}
        if not found:
            raise DataError(
                f"{self.path} holds neither {TABLE} nor folders such as BraTS20_Training_001 with *_flair.nii.gz; "
                "give the folder that holds the subjects' folders."
            )
        return {name: {"subject": name, "split": "test", **files} for name, files in found.items()}

    def _release(self, folder: Path) -> dict[str, str]:
        """The files of one subject, relative to the release; empty if the folder holds none."""
        if not folder.is_dir():
            return {}
        files = {}
        for column, endings in ENDINGS.items():
            names = [f"{folder.name}{ending}{suffix}" for ending in endings for suffix in SUFFIXES]
            here = next((name for name in names if (folder / name).is_file()), None)
            if here is not None:
                files[column] = f"{folder.name}/{here}"
        return files

    def make(self, subject: str) -> Subject:
        row = self._table[subject]
        absent = [column for column in ENDINGS if not row.get(column)]
        if absent:
            raise DataError(
                f"{self.path}: subject '{subject}' has no {', '.join(absent)}; add the file, or leave it out."
            )
        made = super().make(subject)
        assert made.labels is not None
        present = set(np.unique(made.labels).tolist())
        if 4 in present and row["labels"].endswith(tuple(NEW_LABELS + suffix for suffix in SUFFIXES)):
            raise DataError(
                f"{self.path / row['labels']} holds the label 4, in releases since 2024 the resection cavity, which is "
                "not scored; set it to 0, or leave the subject out."
            )
        if not present <= {0, 1, 2, 3, 4} or {3, 4} <= present:
            raise DataError(
                f"{self.path / row['labels']} holds the labels {sorted(present)}; BraTS has 1, 2 and either 3 or 4."
            )
        return replace(made, labels=np.where(made.labels == 4, 3, made.labels).astype(np.int16))
