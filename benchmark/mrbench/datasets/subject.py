"""One subject, loaded, and how it gets to the cache and back."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mrbench.core.errors import DataError
from mrbench.io.files import checksum_ok, write_atomically, write_checksum
from mrbench.space.grids import grid_difference


@dataclass(frozen=True)
class Subject:
    """One person, loaded: axes ``(z, y, x)``, RAS+ orientation.

    Attributes
    ----------
    id : str
    images : mapping of str to ndarray
        Contrast name to float32 volume, scaled by a fixed percentile to [0, 1].
    mask : ndarray of bool
        Brain or region of interest.
    labels : ndarray of int16 or None
        Structure labels; 0 is background.
    spacing : tuple of float
        mm, in array order.
    truth : mapping of str to ndarray
        What only a simulation knows, for example the deformation to the template.
    affine : ndarray, shape (4, 4), or None
        From ``(x, y, z)`` indices to mm of RAS; None where all subjects of a dataset lie on one grid by construction.
    note : str
        What a reader of the results must know of this subject.
    """

    id: str
    images: Mapping[str, np.ndarray]
    mask: np.ndarray
    labels: np.ndarray | None
    spacing: tuple[float, float, float]
    truth: Mapping[str, np.ndarray] = field(default_factory=dict)
    affine: np.ndarray | None = None
    note: str = ""

    def apart_from(self, other: Subject) -> str:
        """How the grids of two subjects differ, for a message; empty where voxels lie at the same places."""
        # of oblique affines, equal spacings differ in the last digits
        if self.mask.shape != other.mask.shape or not np.allclose(self.spacing, other.spacing, rtol=1e-4):
            return " and ".join(f"{subject.mask.shape} at {subject.spacing} mm" for subject in (self, other))
        if self.affine is None or other.affine is None:
            return ""
        return grid_difference(self.mask.shape, self.affine, other.mask.shape, other.affine)


def check_subject(subject: Subject) -> None:
    """Refuse a subject whose arrays disagree in shape or hold NaN.

    Raises
    ------
    DataError
        Names the subject, the array and what is wrong with it.
    """
    shape = subject.mask.shape
    arrays = dict(subject.images) | ({} if subject.labels is None else {"labels": subject.labels})
    for name, array in arrays.items():
        if array.shape != shape:
            raise DataError(
                f"subject '{subject.id}': {name} has shape {array.shape} but the mask has {shape}; "
                "resample them to one grid."
            )
        if not np.isfinite(array).all():
            raise DataError(
                f"subject '{subject.id}': {name} holds NaN or infinite values; replace them in the source file."
            )
    if not subject.mask.any():
        raise DataError(f"subject '{subject.id}': the mask is empty; check the label file.")


def write_subject(path: Path, subject: Subject) -> None:
    """Write a subject and its checksum to the cache."""
    arrays = {f"image.{name}": image for name, image in subject.images.items()}
    arrays |= {f"truth.{name}": field for name, field in subject.truth.items()}
    arrays |= {"mask": subject.mask, "spacing": np.asarray(subject.spacing)}
    if subject.labels is not None:
        arrays["labels"] = subject.labels
    if subject.affine is not None:
        arrays["affine"] = subject.affine
    if subject.note:
        arrays["note"] = np.asarray(subject.note)
    with write_atomically(path) as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    write_checksum(path)


def read_subject(path: Path, subject: str) -> Subject | None:
    """Read a subject from the cache; None where it is not there, is damaged or is no subject's."""
    if not checksum_ok(path):
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        groups: dict[str, dict[str, np.ndarray]] = {"image": {}, "truth": {}}
        for key, array in arrays.items():
            kind, _, name = key.partition(".")
            if kind in groups:
                groups[kind][name] = array
        z, y, x = arrays["spacing"].tolist()
        return Subject(
            id=subject,
            images=groups["image"],
            mask=arrays["mask"],
            labels=arrays.get("labels"),
            spacing=(z, y, x),
            truth=groups["truth"],
            affine=arrays.get("affine"),
            note=str(arrays.get("note", "")),
        )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
