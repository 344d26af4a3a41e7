"""A folder of raw heads made into one that registration and synthesis take: stripped, aligned, on one grid."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from mrbench.core.errors import DataError, unknown_name
from mrbench.datasets.folder import NO_IMAGES
from mrbench.datasets.index import understood
from mrbench.datasets.intensity import without_background
from mrbench.datasets.layouts.table import PAIRS, paths_of
from mrbench.io.files import write_atomically
from mrbench.io.label_tables import labels_file
from mrbench.io.nifti import Volume
from mrbench.io.tables import TABLE
from mrbench.io.volume_files import read_image
from mrbench.space.grids import grid_difference
from mrbench.space.heads import FITS, Alignment, Target, TemplateGrid, agreement, align, brain_mask, resampled, template
from mrbench.space.pieces import largest_piece

if TYPE_CHECKING:
    import pandas
    import SimpleITK as sitk

QUALITY = "quality.csv"

LEADING = ("T1", "T1w", "image")
"""Columns that a brain is looked for in, before any other."""

AROUND_LABELS_MM = 4.0
"""Margin of a brain that is known by its labels alone."""

Strip = Literal["mask", "labels", "template", "none"]
"""What said where the brain is."""


@dataclass(frozen=True)
class PreparedHead:
    """How one head came out.

    Attributes
    ----------
    subject : str
    strip : Strip
        What said where the brain is.
    overlap, correlation : float
        With what it was aligned to (`mrbench.space.heads.agreement`).
    note : str
        What is wrong with it; empty if nothing is.
    picture : ndarray of float32, shape ``(plane, rows, columns)``, or None
        Middle planes along z, y and x, cut to one shape, of the aligned image.
    outline : ndarray of bool, the same shape, or None
        The brain's rim in them.
    """

    subject: str
    strip: Strip
    overlap: float
    correlation: float
    note: str
    picture: np.ndarray | None = None
    outline: np.ndarray | None = None

    @property
    def sound(self) -> bool:
        return not self.note


@dataclass(frozen=True)
class _Head:
    """The files of one subject, read, and where its brain is."""

    folder: Path
    row: Mapping[str, str]
    leading: str
    image: Volume
    labels: Volume | None
    brain: np.ndarray
    source: Strip

    @classmethod
    def read(cls, folder: Path, subject: str, row: Mapping[str, str]) -> _Head:
        contrasts = [column for column in paths_of(row) if column not in NO_IMAGES]
        if not contrasts:
            raise DataError(f"{folder}: subject '{subject}' has no image.")
        leading = next((name for name in LEADING if name in contrasts), contrasts[0])
        image = read_image(folder / row[leading])
        image = Volume(np.maximum(without_background(image.array), 0), image.affine)
        labels, mask = (
            _like(read_image(folder / row[name], labels=True), image, row[name]) if row.get(name) else None
            for name in ("labels", "mask")
        )
        return cls(folder, row, leading, image, labels, *_brain(image, labels, mask))

    def images(self) -> Iterator[tuple[str, Volume]]:
        """Every image with its column."""
        for name in paths_of(self.row):
            if name == self.leading:
                yield name, self.image
            elif name not in NO_IMAGES:
                yield name, _like(read_image(self.folder / self.row[name]), self.image, self.row[name])

    def inside(self, transform: sitk.Transform, grid: TemplateGrid) -> np.ndarray:
        """The brain where a transform brings it."""
        return resampled(Volume(self.brain.astype(np.uint8), self.image.affine), transform, grid, nearest=True) > 0


def prepare_heads(
    folder: Path,
    out: Path,
    *,
    strip: bool = True,
    how: Alignment = "affine",
    onto: str | None = None,
    spacing: float = 2.0,
) -> Iterator[PreparedHead]:
    """Strip and align every subject of a folder, and write a folder with a table, yielding how each came out.

    The brain is that of the subject's mask, else of its labels with a margin, else it is found with the template
    (`brain_mask`). All images of a subject, which share a grid, and its labels take the same way to the template's
    grid in one resampling. A subject that cannot be prepared is yielded with what is wrong, and left out of the table.

    Parameters
    ----------
    folder : Path
        In any layout that `mrbench data index` understands.
    out : Path
        Is made; must be empty or absent.
    strip : bool
        Set what is no brain to zero. Without, the mask is written all the same.
    how : {"affine", "rigid"}
        How freely heads are moved.
    onto : str, optional
        The subject that all others are aligned to, itself moved rigidly to where the template lies. Default: all are
        aligned to the template.
    spacing : float
        mm.

    Raises
    ------
    RequestError
        If there is no subject ``onto``.
    DataError
        If the folder is not understood, ``out`` holds something, or ``onto`` cannot be read.
    """
    folder = folder.expanduser().resolve()
    layout = understood(folder)
    if any("kspace" in row for row in layout.rows.values()):
        raise DataError(f"{folder} holds k-space, not heads; `mrbench run` takes it as it is.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out} is there and not empty; give another --out.")
    if onto is not None and onto not in layout.rows:
        raise unknown_name(f"subject of {folder}", onto, layout.rows)
    target = template()
    ready: dict[str, tuple[_Head, sitk.Transform]] = {}
    if onto is not None:
        read = _Head.read(folder, onto, layout.rows[onto])
        ready[onto] = read, align(read.image, read.brain, "rigid", target)
        target = _target(*ready[onto], onto)
    out.mkdir(parents=True, exist_ok=True)
    grid = TemplateGrid(spacing)
    rows: list[dict[str, str]] = []
    heads: list[PreparedHead] = []
    for subject, row in layout.rows.items():
        try:
            if subject in ready:
                written, head = _prepared(out, subject, *ready[subject], strip, "rigid", template(), grid)
            else:
                read = _Head.read(folder, subject, row)
                transform = align(read.image, read.brain, how, target)
                written, head = _prepared(out, subject, read, transform, strip, how, target, grid)
            rows.append(written)
        except DataError as fault:
            head = PreparedHead(subject, "none", 0.0, 0.0, str(fault))
        heads.append(head)
        yield head
    if not rows:
        raise DataError(f"no head of {folder} could be prepared; the first says: {heads[0].note}")
    _write_tables(folder, out, rows, heads, layout.pairs)


def _target(head: _Head, transform: sitk.Transform, name: str) -> Target:
    """A subject, where a transform brings it, as what others are aligned to."""
    coarse = TemplateGrid(2.0)
    inside = head.inside(transform, coarse)
    image = np.maximum(resampled(head.image, transform, coarse, nearest=False), 0)
    return Target(name, np.where(inside, image, 0).astype(np.float32), inside)


def _prepared(
    out: Path,
    subject: str,
    head: _Head,
    transform: sitk.Transform,
    strip: bool,
    how: Alignment,
    onto: Target,
    grid: TemplateGrid,
) -> tuple[dict[str, str], PreparedHead]:
    inside = head.inside(transform, grid)
    written = {"subject": subject, "split": head.row["split"]}
    leading_image = np.zeros(grid.shape, np.float32)
    for name, image in head.images():
        aligned = np.maximum(resampled(image, transform, grid, nearest=False), 0)
        aligned = np.where(inside, aligned, 0) if strip else aligned
        column = "T1" if name == "image" else name
        written[column] = _write(out, f"{subject}_{column}", aligned.astype(np.float32), grid)
        leading_image = aligned if name == head.leading else leading_image
    if head.labels is not None:
        moved = resampled(head.labels, transform, grid, nearest=True)
        written["labels"] = _write(out, f"{subject}_labels", moved.astype(np.int16), grid)
    written["mask"] = _write(out, f"{subject}_mask", inside.astype(np.uint8), grid)
    overlap, correlation = agreement(leading_image, inside, grid, how, onto)
    note = ""
    if overlap < FITS[0] or correlation < FITS[1]:
        note = f"fits {onto.name} badly (overlap {overlap:.2f}, correlation {correlation:.2f}); look at it"
    return written, PreparedHead(subject, head.source, overlap, correlation, note, *_views(leading_image, inside))


def _like(volume: Volume, head: Volume, file: str) -> Volume:
    if apart := grid_difference(volume.array.shape, volume.affine, head.array.shape, head.affine):
        raise DataError(f"{file} lies on another grid than the subject's first image ({apart}); resample it to that.")
    return volume


def _brain(head: Volume, labels: Volume | None, mask: Volume | None) -> tuple[np.ndarray, Strip]:
    from scipy.ndimage import binary_closing, binary_dilation, binary_fill_holes

    if mask is not None and mask.array.any():
        return mask.array > 0, "mask"
    if labels is not None and labels.array.any():
        steps = max(1, round(AROUND_LABELS_MM / min(head.spacing)))
        wide = binary_closing(np.pad(labels.array > 0, steps), iterations=steps)
        cut = tuple(slice(steps, -steps) for _ in range(3))
        around = binary_dilation(binary_fill_holes(largest_piece(wide[cut])), iterations=max(1, steps // 2))
        return around & ((head.array > 0) | (labels.array > 0)), "labels"
    return brain_mask(head), "template"


def _write(out: Path, name: str, array: np.ndarray, grid: TemplateGrid) -> str:
    import nibabel as nib

    file = f"{name}.nii.gz"
    image = nib.Nifti1Image(array.transpose(2, 1, 0), grid.affine)
    image.header.set_xyzt_units("mm")
    image.to_filename(out / file)
    return file


def _views(image: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middle planes along z, y and x, padded to squares of one side, and the rim of the brain in them."""
    from scipy.ndimage import binary_erosion

    side = max(image.shape)
    top = float(np.percentile(image[inside], 99)) if inside.any() else 0.0
    scaled = np.clip(image / top, 0, 1) if top > 0 else image
    rim = inside & ~binary_erosion(inside)
    planes = []
    for array in (scaled, rim):
        cuts = [array.take(array.shape[axis] // 2, axis) for axis in range(3)]
        planes.append(np.stack([_squared(cut, side) for cut in cuts]))
    return planes[0].astype(np.float32), planes[1] > 0


def _squared(plane: np.ndarray, side: int) -> np.ndarray:
    return np.pad(plane, [((side - size) // 2, side - size - (side - size) // 2) for size in plane.shape])


def _write_tables(
    folder: Path,
    out: Path,
    rows: list[dict[str, str]],
    heads: list[PreparedHead],
    pairs: Mapping[str, tuple[tuple[str, str], ...]],
) -> None:
    import pandas

    columns = list(dict.fromkeys(column for row in rows for column in row))
    tables = {TABLE: pandas.DataFrame(rows, columns=columns), QUALITY: quality(heads)}
    known = {row["subject"] for row in rows}
    if kept := [pair for several in pairs.values() for pair in several if known >= set(pair)]:
        tables[PAIRS] = pandas.DataFrame(kept, columns=["moving", "fixed"])
    for name, table in tables.items():
        with write_atomically(out / name) as file:
            file.write(table.to_csv(index=False, lineterminator="\n").encode())
    if named := labels_file(folder):
        shutil.copyfile(named, out / named.name)


def quality(heads: Sequence[PreparedHead]) -> pandas.DataFrame:
    """How each head came out, a line a subject."""
    import pandas

    return pandas.DataFrame(
        {
            "subject": [head.subject for head in heads],
            "brain_by": [head.strip for head in heads],
            "overlap": [round(head.overlap, 3) for head in heads],
            "correlation": [round(head.correlation, 3) for head in heads],
            "note": [head.note for head in heads],
        }
    )
