"""`msd-hippocampus`: Medical Segmentation Decathlon task 4, the hippocampus task of Learn2Reg."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mrbench.core.errors import DataError
from mrbench.datasets.dataset import Dataset, Subject
from mrbench.datasets.fetch import source_file
from mrbench.io.nifti import read_volume

GRID_SHAPE = (48, 64, 48)


class MsdHippocampus(Dataset):
    """T1 crops around the hippocampus at 1 mm, padded about their centre to 48 x 64 x 48, with manual labels.

    Intensities are divided by the 99.5th percentile of the crop and clipped to [0, 1]. The mask is the crop. The
    release does not say whose crops these are: 394 of about 195 people, so two may be of one person.
    """

    name = "msd-hippocampus"
    title = "80 hippocampus crops, T1, manual labels (anterior, posterior)"
    citation = "Simpson et al., arXiv:1902.09063, 2019; Antonelli et al., Nat. Commun. 2022"
    licence = "CC BY-SA 4.0"
    preparation = 1
    structures = {"anterior hippocampus": (1,), "posterior hippocampus": (2,)}

    def source_files(self, subject: str) -> Sequence[str]:
        return f"images/{subject}.nii.gz", f"labels/{subject}.nii.gz"

    def make(self, subject: str) -> Subject:
        image_path, label_path = (source_file(self.name, self.split_file, name) for name in self.source_files(subject))
        image, labels = read_volume(image_path), read_volume(label_path, labels=True)
        if image.array.shape != labels.array.shape or any(
            size > limit for size, limit in zip(image.array.shape, GRID_SHAPE, strict=True)
        ):
            raise DataError(
                f"{image_path} has shape {image.array.shape}; its labels' shape, at most {GRID_SHAPE}, is needed."
            )
        scaled = np.clip(image.array / np.percentile(image.array, 99.5), 0, 1)
        t1, mask, structures = (_pad(part) for part in (scaled, np.ones(scaled.shape, bool), labels.array))
        return Subject(subject, {"T1": t1}, mask, structures, image.spacing)


def _pad(array: np.ndarray) -> np.ndarray:
    margins = [
        ((limit - size) // 2, limit - size - (limit - size) // 2)
        for size, limit in zip(array.shape, GRID_SHAPE, strict=True)
    ]
    return np.pad(array, margins)
