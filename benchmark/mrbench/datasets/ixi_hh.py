"""`ixi-hh-2mm`: real T1 of 120 healthy adults (IXI, Hammersmith, 3 T) with 148 automatic DLMUSE labels.

Two preparations of the same people: brains aligned to the template, and whole heads on their own grid.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mrbench.datasets.dataset import Dataset, Subject
from mrbench.datasets.fetch import source_file
from mrbench.io.nifti import Volume, read_volume
from mrbench.space.alignment import align_to_template, resample_to_grid
from mrbench.space.template import GRID_SPACING

_CORTEX = tuple(range(100, 208))
_WHITE_MATTER = tuple(range(81, 96))

MAJOR_STRUCTURES: dict[str, tuple[int, ...]] = {
    "3rd ventricle": (4,),
    "4th ventricle": (11,),
    "brain stem": (35,),
    "R accumbens": (23,),
    "L accumbens": (30,),
    "R amygdala": (31,),
    "L amygdala": (32,),
    "R caudate": (36,),
    "L caudate": (37,),
    "R cerebellar grey": (38,),
    "L cerebellar grey": (39,),
    "R cerebellar white": (40,),
    "L cerebellar white": (41,),
    "R hippocampus": (47,),
    "L hippocampus": (48,),
    "R inf. lat. ventricle": (49,),
    "L inf. lat. ventricle": (50,),
    "R lateral ventricle": (51,),
    "L lateral ventricle": (52,),
    "R pallidum": (55,),
    "L pallidum": (56,),
    "R putamen": (57,),
    "L putamen": (58,),
    "R thalamus": (59,),
    "L thalamus": (60,),
    "R ventral DC": (61,),
    "L ventral DC": (62,),
    "cortical grey": _CORTEX,
    "cerebral white": _WHITE_MATTER,
}
"""29 structures: subcortical by side, cortex and cerebral white matter merged. Names follow labels.csv."""


class IxiHammersmith(Dataset):
    """Affinely aligned, skull-stripped T1 on the 2 mm ICBM grid.

    Preparation: orient to RAS; brain mask = labels > 0 dilated by a ball of 2 voxels; affine to the ICBM
    template (`mrbench.space.alignment`); one resampling (cubic B-spline; labels nearest); clip at 0, mask,
    divide by the 99.5th percentile inside the mask, clip to [0, 1]. No bias-field correction.
    """

    name = "ixi-hh-2mm"
    title = "IXI Hammersmith 3 T, T1, 120 healthy adults, 148 automatic (DLMUSE) labels"
    citation = "IXI dataset, brain-development.org; DLMUSE labels by CBICA"
    licence = "CC BY-SA 3.0 (images); SBIA licence, research use (labels)"
    terms = (
        "ixi-hh-2mm: images are CC BY-SA 3.0 (IXI, brain-development.org); the label maps are under the SBIA licence, "
        "research use alone: https://www.med.upenn.edu/cbica/software-agreement.html."
    )
    preparation = 1
    structures = MAJOR_STRUCTURES

    def source_files(self, subject: str) -> Sequence[str]:
        return source_names(subject)

    def make(self, subject: str) -> Subject:
        from scipy.ndimage import binary_dilation
        from skimage.morphology import ball

        head, labels = _sources(self, subject)
        return on_template_grid(subject, head, binary_dilation(labels > 0, ball(2)), labels)


def on_template_grid(
    subject: str, head: Volume, mask: np.ndarray, labels: np.ndarray, *, smoothing: float = 0.0
) -> Subject:
    """Align a head to the ICBM template, bring it to the 2 mm grid in one resampling, strip and scale it.

    Parameters
    ----------
    subject : str
        Its id.
    head : Volume
        The scan as acquired.
    mask : ndarray of bool, the shape of the head
        The brain; nothing else takes part.
    labels : ndarray of int16, the shape of the head
        Structures, 0 outside.
    smoothing : float
        Sigma in voxels of a Gaussian before the resampling, where the head's grid is finer than 2 mm.
    """
    from scipy.ndimage import gaussian_filter

    affine = align_to_template(head, mask)
    image = gaussian_filter(head.array, smoothing) if smoothing else head.array
    t1 = resample_to_grid(image, head.spacing, affine, nearest=False)
    mask = resample_to_grid(mask.astype(np.uint8), head.spacing, affine, nearest=True) > 0
    t1 = np.where(mask, np.maximum(t1, 0), 0)
    t1 = np.minimum(t1 / np.percentile(t1[mask], 99.5), 1).astype(np.float32)
    labels = resample_to_grid(labels, head.spacing, affine, nearest=True)
    return Subject(subject, {"T1": t1}, mask, labels, GRID_SPACING)


class IxiHeads(Dataset):
    """Whole heads on their own grid, 90 x 120 x 120 voxels of 2 mm: nothing stripped, nothing resampled.

    Preparation: orient to RAS, divide by the maximum of the volume.
    """

    name = "ixi-hh-2mm"
    title = IxiHammersmith.title
    citation = IxiHammersmith.citation
    licence = IxiHammersmith.licence
    terms = IxiHammersmith.terms
    preparation = 1
    form = "heads"
    representation = "volumes"
    structures = MAJOR_STRUCTURES

    def source_files(self, subject: str) -> Sequence[str]:
        return source_names(subject)

    def make(self, subject: str) -> Subject:
        head, labels = _sources(self, subject)
        t1 = np.maximum(head.array, 0)
        return Subject(subject, {"T1": t1 / t1.max()}, labels > 0, labels, head.spacing)


def source_names(subject: str) -> tuple[str, str]:
    """Names of a subject's T1 and label map in the release."""
    return f"T1/{subject}_T1.nii.gz", f"labels/{subject}_DLMUSE.nii.gz"


def _sources(dataset: Dataset, subject: str) -> tuple[Volume, np.ndarray]:
    """The T1 and the label map of one person, verified and oriented."""
    image, labels = (source_file(dataset.name, dataset.split_file, name) for name in source_names(subject))
    return read_volume(image), read_volume(labels, labels=True).array
