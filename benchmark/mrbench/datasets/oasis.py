"""`oasis-miccai2012`: real T1 of 18 adults (OASIS-1, 1.5 T) with manual labels of 138 structures; test only.

Another scanner and field strength than `ixi-hh-2mm`, and manual labels: what is trained there is tested here. Brains
aligned to the template at 2 mm, and the brains at 1 mm as they are released.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mrbench.datasets.dataset import Dataset, Subject
from mrbench.datasets.fetch import source_file
from mrbench.datasets.ixi_hh import MAJOR_STRUCTURES, on_template_grid
from mrbench.io.nifti import Volume, read_volume
from mrbench.space.alignment import align_to_template
from mrbench.space.heads import TemplateGrid, resampled

STRUCTURES = {**MAJOR_STRUCTURES, "cerebral white": (44, 45)}
"""The 29 structures of `ixi-hh-2mm`, by the same names and, but for the white matter, the same label numbers."""

SMOOTHING = 0.7
"""Voxels: sigma of the Gaussian before 1 mm is brought to 2 mm, against aliasing, as of the template."""


class _Oasis(Dataset):
    """What both preparations share."""

    name = "oasis-miccai2012"
    citation = (
        "Marcus et al., J. Cogn. Neurosci. 2007 (OASIS); labels provided by Neuromorphometrics, Inc. under academic "
        "subscription; Landman and Warfield, MICCAI 2012 workshop on multi-atlas labeling"
    )
    licence = "CC BY-NC"
    terms = (
        "oasis-miccai2012 is CC BY-NC: no commercial use. Credit the scans as originating from the OASIS project and "
        'the labels as "provided by Neuromorphometrics, Inc. (http://Neuromorphometrics.com/) under academic '
        'subscription".'
    )
    preparation = 1
    structures = STRUCTURES

    def source_files(self, subject: str) -> Sequence[str]:
        return f"T1/{subject}.nii.gz", f"labels/{subject}.nii.gz"

    def _sources(self, subject: str) -> tuple[Volume, np.ndarray]:
        """The brain and the label map of one person, verified and oriented."""
        image, labels = (source_file(_Oasis.name, self.split_file, name) for name in self.source_files(subject))
        return read_volume(image), read_volume(labels, labels=True).array


class OasisBrains(_Oasis):
    """Affinely aligned, skull-stripped T1 on the 2 mm ICBM grid, as `ixi-hh-2mm` is.

    Preparation: orient to RAS; the mask is what the release has not stripped, holes filled; affine to the ICBM template
    (`mrbench.space.alignment`); smooth by a Gaussian of 0.7 mm; one resampling (cubic B-spline; labels nearest); clip
    at 0, mask, divide by the 99.5th percentile inside the mask, clip to [0, 1]. No bias-field correction.
    """

    title = "OASIS T1, 1.5 T, 18 adults, 138 manual labels (MICCAI 2012), at 2 mm"

    def make(self, subject: str) -> Subject:
        from scipy.ndimage import binary_fill_holes

        brain, labels = self._sources(subject)
        mask = binary_fill_holes((brain.array > 0) | (labels > 0))
        return on_template_grid(subject, brain, mask, labels, smoothing=SMOOTHING)


class OasisFineBrains(_Oasis):
    """The same brains on the template's field at 1 mm, 192 x 224 x 192 voxels: registration at the size of the field.

    Preparation as of `OasisBrains`, but nothing is smoothed.
    """

    name = "oasis-miccai2012-1mm"
    files_of = _Oasis.name
    title = "OASIS T1, 1.5 T, 18 adults, 138 manual labels (MICCAI 2012), at 1 mm"

    @property
    def split_path(self) -> Path:
        return Path(__file__).parent / "splits" / f"{_Oasis.name}.json"

    def make(self, subject: str) -> Subject:
        from scipy.ndimage import binary_fill_holes

        brain, labels = self._sources(subject)
        inside = binary_fill_holes((brain.array > 0) | (labels > 0))
        transform, grid = align_to_template(brain, inside), TemplateGrid(1.0)
        t1 = np.maximum(resampled(brain, transform, grid, nearest=False), 0)
        mask, structures = (
            resampled(Volume(part, brain.affine), transform, grid, nearest=True)
            for part in (inside.astype(np.uint8), labels)
        )
        t1 = np.where(mask > 0, t1, 0)
        t1 = np.minimum(t1 / np.percentile(t1[mask > 0], 99.5), 1).astype(np.float32)
        return Subject(subject, {"T1": t1}, mask > 0, structures, (1.0, 1.0, 1.0))


class OasisVolumes(_Oasis):
    """The same brains on their own grids, about 215 x 175 x 155 voxels of 1 mm: nothing resampled.

    Preparation: orient to RAS, divide by the maximum of the volume.
    """

    title = "OASIS T1, 1.5 T, 18 adults, 138 manual labels (MICCAI 2012), brains at 1 mm"
    representation = "volumes"
    form = "brains"

    def make(self, subject: str) -> Subject:
        brain, labels = self._sources(subject)
        t1 = np.maximum(brain.array, 0)
        return Subject(subject, {"T1": t1 / t1.max()}, labels > 0, labels, brain.spacing, affine=brain.affine)
