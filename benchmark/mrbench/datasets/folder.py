"""`folder:PATH`: the user's own data, a plain folder with a table of files, or in a published layout."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from mrbench.core.case import SPLITS
from mrbench.core.errors import DataError
from mrbench.datasets.dataset import Dataset, SplitFile, Subject
from mrbench.datasets.index import layout_of
from mrbench.datasets.intensity import (
    check_magnitude,
    foreground_of,
    known_foreground,
    shift_note,
    without_background,
)
from mrbench.datasets.layouts.layout import Layout
from mrbench.datasets.layouts.table import is_table, paths_of
from mrbench.datasets.twins import find_twins
from mrbench.io.files import cache_root, remembered
from mrbench.io.label_tables import label_names, labels_file
from mrbench.io.landmarks import read_landmarks
from mrbench.io.nifti import Volume
from mrbench.io.paths import checked_id, inside
from mrbench.io.tables import TABLE
from mrbench.io.volume_files import digest_of, is_there, read_image
from mrbench.space.grids import grid_difference

NO_IMAGES = ("subject", "split", "labels", "mask", "kspace", "axes", "landmarks")
"""Columns that are no contrast."""

NO_BACKGROUND = "No constant background: the mask is the largest piece above 5 % of the maximum, holes filled."
"""Note of a subject whose mask nobody gives."""

ABSENT = "absent"
"""Stands for the content of a file that is not there."""


class Folder(Dataset):
    """A folder with ``subjects.csv``, one line a subject; or BIDS, a Learn2Reg dataset, TransMorph's IXI, or any files.

    Columns: ``subject``; ``split`` (train, validation or test); one column a contrast (``T1``, ``T2``), each
    the path of a NIfTI file relative to the folder; ``labels`` and ``mask`` if there are any (else: what is not
    background, see `mrbench.datasets.intensity`). All volumes share one grid, skull-stripped and affinely aligned. A
    file ``labels.csv`` names the structures to score, with columns ``label,name`` or as releases and tools spell it
    (`mrbench.io.label_tables`); without it every label is one. A file ``pairs.csv`` with columns ``moving,fixed`` names
    pairs to register.

    Intensities are divided by the 99.5th percentile inside the mask and clipped to [0, `highest`].

    Parameters
    ----------
    path : Path

    Raises
    ------
    DataError
        If the folder holds neither a table nor a known layout, a table is malformed, or one scan stands in two splits.
    """

    citation = "the user's own data"
    licence = "the user's own"
    preparation = 5
    highest: float = 1.0
    signed: bool = False
    """Whether intensities may be negative: then none is clipped at 0 or refused."""
    wanted = f"one line a subject in {TABLE}: subject,split,T1,labels"
    """What to write, for the message where nothing is understood."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self.name = checked_id(self.path.name, "the path of the folder")
        self.title = f"folder {self.name}"
        self.address = f"folder:{self.path}"
        layout = self._understood()
        self._table, self._pairs = layout.rows, layout.pairs
        self.notes, self.left_out = (layout.summary,), layout.left_out
        self.atlases, self.published = layout.atlases, layout.published

    def _understood(self) -> Layout:
        if not self.path.is_dir():
            raise DataError(f"{self.path} is not a folder; give one that holds {self.wanted}.")
        layout = layout_of(self.path, images=True)
        if layout is None or not (is_table(self.path) or self.suits(layout)):
            raise DataError(f"{self.path} holds nothing that can be read; write {self.wanted}.")
        return layout

    def suits(self, layout: Layout) -> bool:
        """Whether what was found without a table is what this dataset is made of."""
        return True

    def pairs(self, split: str) -> tuple[tuple[str, str], ...] | None:
        return self._pairs.get(split) if self._pairs else None

    @cached_property
    def split_file(self) -> SplitFile:
        twins = find_twins(self.path, self._table)
        splits = {s: tuple(subject for subject, row in self._table.items() if row["split"] == s) for s in SPLITS}
        files = {
            row[column]: {"sha256": self._content(row[column])}
            for row in self._table.values()
            for column in paths_of(row)
        }
        facts = repr((sorted(splits.items()), sorted((name, f["sha256"]) for name, f in files.items())))
        return SplitFile(1, splits, files, {}, hashlib.sha256(facts.encode()).hexdigest(), twins)

    def _content(self, file: str) -> str:
        path = self.path / file
        return digest_of(path) if is_there(path) else ABSENT

    def load(self, subject: str) -> Subject:
        self.split_file.refuse_twin(subject)
        return super().load(subject)

    def source_files(self, subject: str) -> Sequence[Path]:
        row = self._table[subject]
        return [self.path / row[column] for column in paths_of(row)]

    def content_key(self, subject: str) -> str:
        row = self._table[subject]
        facts = [(column, self._content(row[column])) for column in paths_of(row)]
        text = repr((type(self).__name__, self.form, self.preparation, facts))
        return hashlib.sha256(text.encode()).hexdigest()[:20]

    def entry(self, subject: str) -> Path:
        """Cached by content: another subject's new file does not make this one again."""
        return inside(cache_root() / "datasets" / f"folder-{self.name}", f"{subject}-{self.content_key(subject)}.npz")

    @property
    def cache(self) -> Path:
        return cache_root() / "datasets" / f"folder-{self.name}"

    @cached_property
    def structures(self) -> Mapping[str, tuple[int, ...]]:  # type: ignore[override]
        """As ``labels.csv`` names them, labels of one name together; without it, every label that any subject has."""
        if names := labels_file(self.path):
            grouped: dict[str, tuple[int, ...]] = {}
            for label, name in label_names(names).items():
                grouped[name] = (*grouped.get(name, ()), label)
            return grouped
        files = tuple(self.path / row["labels"] for row in self._table.values() if row.get("labels"))
        return {f"label {label}": (label,) for label in _labels_in(files, self.split_file.sha256)}

    def prepare(self, subjects: Iterable[str]) -> Iterable[str]:
        """Prepare what can be read: a faulty file says so in the row of its case, and stops no other."""
        for subject in subjects:
            with suppress(DataError):
                next(iter(super().prepare([subject])), None)
            yield subject

    def contrasts(self, subject: str) -> tuple[str, ...]:
        return tuple(column for column in paths_of(self._table[subject]) if column not in NO_IMAGES)

    def make(self, subject: str) -> Subject:
        row, contrasts = self._table[subject], self.contrasts(subject)
        if len({row[contrast] for contrast in contrasts}) < len(contrasts):
            raise DataError(
                f"{self.path}: '{subject}' has one file as two of {', '.join(contrasts)}; correct the table."
            )
        if not contrasts:
            raise DataError(f"{self.path}: subject '{subject}' has no image; add a column such as T1.")
        volumes = {contrast: self._volume(row, contrast) for contrast in contrasts}
        first = volumes[contrasts[0]]
        arrays = {contrast: without_background(volume.array) for contrast, volume in volumes.items()}
        labels = self._volume(row, "labels", first).array if row.get("labels") else None
        given = self._volume(row, "mask", first).array > 0 if row.get("mask") else None
        mask = given if given is not None else self._foreground(arrays[contrasts[0]])
        images = {}
        for contrast, volume in volumes.items():
            path = self.path / row[contrast]
            self._same_grid(row[contrast], volume, first)
            array = arrays[contrast]
            if not self.signed:
                check_magnitude(path, array, given if given is not None else known_foreground(array))
            images[contrast] = self._scaled(path, array, mask)
        known = given is not None or known_foreground(arrays[contrasts[0]]) is not None
        notes = ("" if known else NO_BACKGROUND, shift_note(volume.array for volume in volumes.values()))
        truth = {}
        if row.get("landmarks"):
            truth["landmarks"] = read_landmarks(self.path / row["landmarks"], self.path / row[contrasts[0]])
        return Subject(subject, images, mask, labels, first.spacing, truth, first.affine, " ".join(filter(None, notes)))

    def _foreground(self, array: np.ndarray) -> np.ndarray:
        return array != 0 if self.signed else foreground_of(array)

    def _scaled(self, path: Path, array: np.ndarray, mask: np.ndarray) -> np.ndarray:
        top = float(np.percentile(array[mask], 99.5)) if mask.any() else 0.0
        if top <= 0:
            raise DataError(f"{path} is empty inside the mask; check the file.")
        if array.min() == array.max():
            raise DataError(f"{path} is constant; check the file.")
        scaled = np.clip(array / top, -np.inf if self.signed else 0, self.highest)
        return np.where(mask, scaled, 0).astype(np.float32)

    def _volume(self, row: Mapping[str, str], column: str, like: Volume | None = None) -> Volume:
        volume = read_image(self.path / row[column], labels=column in ("labels", "mask"))
        if like is not None:
            self._same_grid(row[column], volume, like)
        return volume

    def _same_grid(self, name: str, volume: Volume, like: Volume) -> None:
        if apart := grid_difference(volume.array.shape, volume.affine, like.array.shape, like.affine):
            raise DataError(
                f"{self.path / name} lies on another grid than the subject's first image ({apart}); "
                "resample it to that grid."
            )


class ContrastFolder(Folder):
    """The same of people with two contrasts or more; labels are not needed, the brightest voxels not clipped."""

    representation = "contrasts"
    form = "contrasts"
    preparation = 6
    highest = np.inf
    wanted = f"one line a subject in {TABLE}: subject,split,T1,T2"

    def suits(self, layout: Layout) -> bool:
        return any({*row} - {*NO_IMAGES, "image"} for row in layout.rows.values())


@lru_cache(maxsize=4)
def _labels_in(files: tuple[Path, ...], sha256: str) -> tuple[int, ...]:
    """The labels that any of the maps holds; ``sha256`` is of their content, so that they are read once a machine."""

    def read() -> str:
        return " ".join(str(label) for label in sorted(set().union(*map(_labels_of, files)) - {0}))

    try:
        return tuple(map(int, remembered(f"{sha256} {[*map(str, files)]} labels", read).split()))
    except DataError:  # a faulty file says so in the row of its case, and may be mended: this is not remembered
        present: set[int] = set()
        for file in files:
            with suppress(DataError):
                present |= _labels_of(file)
        return tuple(sorted(present - {0}))


def _labels_of(file: Path) -> set[int]:
    return set(np.unique(read_image(file, labels=True).array).tolist())
