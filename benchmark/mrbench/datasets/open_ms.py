"""`open-ms` and `sri24`: real co-registered T1 and T2, of three patients and of an atlas of 24 adults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np

from mrbench.datasets.dataset import Dataset, SplitFile, Subject
from mrbench.datasets.fetch import source_file
from mrbench.io.nifti import Volume, read_volume
from mrbench.space.pieces import largest_piece

FLOOR = 0.02
"""Of the 99th percentile: what lies above it in both contrasts is brain."""

MARGIN = 4
"""Voxels kept around the brain."""


class Sri24(Dataset):
    """The SRI24 atlas: mean spoiled gradient echo (T1) and late echo (T2) of 24 adults, 1 mm, with tissue labels."""

    name = "sri24"
    title = "SRI24 atlas: T1 and T2 averaged over 24 healthy adults, 3 T, 1 mm"
    citation = "Rohlfing et al., The SRI24 multichannel atlas of normal adult human brain structure, HBM 2010"
    licence = "CC BY-SA 3.0"
    representation = "contrasts"
    preparation = 1

    def source_files(self, subject: str) -> Sequence[str]:
        return "spgr.nii.gz", "late.nii.gz"

    def make(self, subject: str) -> Subject:
        files = (source_file(self.name, self.split_file, name) for name in self.source_files(subject))
        return paired(subject, *map(read_volume, files))


class OpenMs(Dataset):
    """Skull-stripped T1 and T2 of three people with multiple sclerosis, registered to MNI space, 3 T, 1 mm.

    Two train, the one that is left out tests. The validation subject is the atlas `Sri24`, of another scanner and an
    average. Each patient is left out in turn by one of three datasets: this one, `OpenMs07` and `OpenMs19`.
    """

    name = "open-ms"
    borrowed: Mapping[str, str] = {"sri24": Sri24.name}
    tests_on = "patient26"
    title = "T1 and T2 of 3 people with multiple sclerosis, 3 T, 1 mm; validated on the SRI24 atlas"
    citation = "Lesjak et al., A novel public MR image dataset of multiple sclerosis patients, Neuroinformatics 2018"
    licence = "CC BY"
    representation = "contrasts"
    preparation = 1

    @cached_property
    def atlas(self) -> Sri24:
        return Sri24()

    @property
    def split_path(self) -> Path:
        return Path(__file__).parent / "splits" / f"{OpenMs.name}.json"

    @cached_property
    def split_file(self) -> SplitFile:
        file = SplitFile.read(self.split_path)
        patients = sorted(file.splits["train"] + file.splits["test"])
        splits = {
            "train": tuple(patient for patient in patients if patient != self.tests_on),
            "validation": file.splits["validation"],
            "test": (self.tests_on,),
        }
        return replace(file, splits=splits)

    @property
    def fingerprint(self) -> str:
        return sha256(f"{super().fingerprint}{self.atlas.fingerprint}".encode()).hexdigest()[:12]

    def source_files(self, subject: str) -> Sequence[str]:
        return f"{subject}/T1.nii.gz", f"{subject}/T2.nii.gz"

    def content_key(self, subject: str) -> str:
        if subject in self.atlas.subjects("test"):
            return self.atlas.content_key(subject)
        return super().content_key(subject)

    def make(self, subject: str) -> Subject:
        if subject in self.atlas.subjects("test"):
            return self.atlas.make(subject)
        files = (source_file(OpenMs.name, self.split_file, name) for name in self.source_files(subject))
        return paired(subject, *map(read_volume, files))


class OpenMs07(OpenMs):
    """`OpenMs` with another patient left out."""

    name = "open-ms-07"
    files_of = OpenMs.name
    tests_on = "patient07"


class OpenMs19(OpenMs):
    """`OpenMs` with another patient left out."""

    name = "open-ms-19"
    files_of = OpenMs.name
    tests_on = "patient19"


def paired(subject: str, t1: Volume, t2: Volume) -> Subject:
    """Two contrasts on one grid as a subject, cut to the brain.

    Preparation: orient to RAS, clip at 0; the brain is the largest piece of what exceeds 2 % of the 99th percentile
    in both contrasts, holes filled; divide each contrast by its 99.5th percentile in the brain; zero outside.
    """
    arrays = {name: np.maximum(volume.array, 0) for name, volume in (("T1", t1), ("T2", t2))}
    mask = brain_of(*arrays.values())
    occupied = [np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    part = tuple(slice(max(0, at[0] - MARGIN), at[-1] + MARGIN + 1) for at in occupied)
    mask = mask[part]
    images = {}
    for name, array in arrays.items():
        array = np.where(mask, array[part], 0)
        images[name] = (array / np.percentile(array[mask], 99.5)).astype(np.float32)
    return Subject(subject, images, mask, None, t1.spacing)


def brain_of(*images: np.ndarray) -> np.ndarray:
    """Largest piece of what exceeds 2 % of the 99th percentile in every image, holes filled; bool."""
    from scipy.ndimage import binary_fill_holes

    above = np.logical_and.reduce([image > FLOOR * np.percentile(image, 99) for image in images])
    return binary_fill_holes(largest_piece(above))
