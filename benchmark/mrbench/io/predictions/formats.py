"""The formats of predictions, told apart by looking into the files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mrbench.core.errors import RequestError, unknown_name
from mrbench.core.grid import Grid, Holds
from mrbench.io.predictions import fields, images


@dataclass(frozen=True)
class Format:
    """One format of files for one kind of prediction.

    Attributes
    ----------
    name : str
        For ``--format``.
    holds : str
    looks : callable
        Whether a file is of this format, from its name and header.
    read : callable
        From a file and the case's grid to the prediction: an array, or of fields a `StoredField`. Raises `DataError`
        where the file is bad, `GridError` where it lies elsewhere.
    write : callable or None
    ending : str
        Of the files that ``write`` makes.
    """

    name: str
    holds: Holds
    looks: Callable[[Path], bool]
    read: Callable[[Path, Grid], Any]
    write: Callable[[Path, np.ndarray, Grid], None] | None = None
    ending: str = ""


def _named(*endings: str) -> Callable[[Path], bool]:
    return lambda path: path.name.lower().endswith(endings)


FORMATS: tuple[Format, ...] = (
    Format("learn2reg", "field", fields.looks_like_learn2reg, fields.read_learn2reg, fields.write_learn2reg, ".nii.gz"),
    Format("itk", "field", fields.looks_like_itk, fields.read_itk, fields.write_itk, ".nii.gz"),
    Format("itk-transform", "field", fields.looks_like_transform, fields.read_transform),
    Format("fsl", "field", fields.looks_like_fsl, fields.read_fsl),
    Format("npy", "field", _named(".npy"), fields.read_npy_field, fields.write_npy_field, ".npy"),
    Format("nifti", "image", images.looks_like_nifti, images.read_nifti_image, images.write_nifti, ".nii.gz"),
    Format("fastmri", "image", images.looks_like_fastmri, images.read_fastmri, images.write_fastmri, ".h5"),
    Format("npy", "image", _named(".npy"), images.read_npy_image, images.write_npy, ".npy"),
    Format("nifti", "labels", images.looks_like_nifti, images.read_nifti_labels, images.write_nifti, ".nii.gz"),
    Format("npy", "labels", _named(".npy"), images.read_npy_image, images.write_npy, ".npy"),
)


def formats_of(holds: str) -> dict[str, Format]:
    """The formats of one kind of prediction, by name."""
    return {form.name: form for form in FORMATS if form.holds == holds}


def find_format(name: str, holds: str) -> Format:
    """The format of that name.

    Raises
    ------
    RequestError
        If there is none for this kind of prediction.
    """
    known = formats_of(holds)
    if name not in known:
        raise unknown_name(f"format of a prediction that is {_article(holds)}", name, known)
    return known[name]


def format_of(files: Sequence[Path], holds: str) -> Format:
    """The one format that files are of.

    Raises
    ------
    RequestError
        If they are of two formats, or of none that is known.
    """
    first: dict[str, Path] = {}
    for path in files:
        form = next((form for form in formats_of(holds).values() if form.looks(path)), None)
        if form is not None:
            first.setdefault(form.name, path)
    if not first:
        if holds != "field" and (shape := images.nifti_shape(files[0])) is not None:
            raise RequestError(
                f"{files[0]} is NIfTI of shape {shape}; {_article(holds)} is one volume of three axes, so save that."
            )
        raise RequestError(
            f"{files[0]} is in no known format of {_article(holds)}; known: {', '.join(formats_of(holds))}."
        )
    if len(first) > 1:
        (one, a), (other, b) = list(first.items())[:2]
        raise RequestError(
            f"{a.parent} holds files of two formats, {one} ({a.name}) and {other} ({b.name}); score them apart, or "
            "compose transforms into one field."
        )
    return formats_of(holds)[next(iter(first))]


def _article(holds: str) -> str:
    return {"image": "an image", "labels": "a label map", "field": "a displacement field"}[holds]
