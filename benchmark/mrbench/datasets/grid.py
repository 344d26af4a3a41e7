"""The grid of a subject, as whoever reads a prediction of it from a file needs to know it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mrbench.core.dataset import Dataset
from mrbench.core.grid import Grid
from mrbench.io.nifti import SUFFIXES


def subject_grid(dataset: Dataset, subject: str, shape: tuple[int, ...], spacing: tuple[float, float, float]) -> Grid:
    """Where voxels of a subject lie in the world, and how its own files are oriented, as far as the dataset knows."""
    loaded = dataset.load(subject)
    return Grid(tuple(shape), spacing, loaded.affine, _orientation(dataset, subject))


def _orientation(dataset: Dataset, subject: str) -> np.ndarray | None:
    """Orientation of the first volume that a subject is read from; None of a dataset that keeps no files."""
    import nibabel as nib

    sources = dataset.source_files(subject) if hasattr(dataset, "source_files") else ()
    first = next((s for s in sources if isinstance(s, Path) and s.name.lower().endswith(SUFFIXES)), None)
    return None if first is None else np.asarray(nib.io_orientation(nib.load(first).affine))
