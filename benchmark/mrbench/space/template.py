"""The ICBM 2009a template that nilearn carries, and the 2 mm grid that brains are brought to.

The grid is 96 x 112 x 96 voxels (z, y, x) of 2 mm in MNI space. It reaches below the template's own field
of view, which would cut the cerebellum.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from mrbench.core.errors import DataError
from mrbench.io.nifti import read_volume

GRID_SHAPE = (96, 112, 96)
GRID_SPACING = (2.0, 2.0, 2.0)
GRID_ORIGIN_MM = (-92.0, -130.0, -96.0)
"""MNI position (z, y, x) in mm of voxel (0, 0, 0)."""

_FILES = {tissue: f"mni_icbm152_{tissue}_tal_nlin_sym_09a_converted.nii.gz" for tissue in ("t1", "gm", "wm")}


@lru_cache
def template_1mm(kind: str) -> tuple[np.ndarray, tuple[float, float, float]]:
    """Return one of the 1 mm maps and the MNI position of its first voxel.

    Parameters
    ----------
    kind : {"t1", "gm", "wm"}
        Which volume of the template.

    Returns
    -------
    map : ndarray, shape (189, 233, 197), float32 in [0, 1]
    origin : tuple of float
        mm, order ``(z, y, x)``.
    """
    spec = find_spec("nilearn")
    if spec is None or spec.origin is None:
        raise DataError("the package nilearn, which carries the ICBM template, is missing; pip install nilearn.")
    volume = read_volume(Path(spec.origin).parent / "datasets" / "data" / _FILES[kind])
    x, y, z = volume.affine[:3, 3]
    return volume.array / np.float32(255), (float(z), float(y), float(x))


def grid_in_template(origin: tuple[float, float, float]) -> np.ndarray:
    """Coordinates of the 2 mm grid in voxels of the 1 mm template, shape ``(3, 96, 112, 96)``."""
    offset = np.asarray(GRID_ORIGIN_MM) - np.asarray(origin)
    grid = np.indices(GRID_SHAPE, dtype=np.float32) * 2
    return grid + offset.astype(np.float32)[:, None, None, None]


@lru_cache
def template_2mm() -> np.ndarray:
    """The skull-stripped T1 template on the 2 mm grid, smoothed against aliasing; float32 in [0, 1]."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    t1, origin = template_1mm("t1")
    return map_coordinates(gaussian_filter(t1, 0.7), grid_in_template(origin), order=1, output=np.float32)
