"""Whether a file lies where its case does."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mrbench.core.errors import DataError
from mrbench.core.grid import Grid
from mrbench.io.nifti import AGREE, spacing_of, voxels_apart

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Between RAS and LPS."""


class GridError(DataError):
    """A file lies on another grid than its case."""


def check_grid(grid: Grid, path: Path, shape: tuple[int, ...], affine: np.ndarray | None = None) -> None:
    """Refuse a file that lies elsewhere than its case.

    Parameters
    ----------
    grid : Grid
        Of the case.
    path : Path
        What the error names.
    shape : tuple of int
        ``(z, y, x)`` of the file, RAS+.
    affine : ndarray, optional
        Of the file, RAS+.

    Raises
    ------
    GridError
    """
    if tuple(shape) != tuple(grid.shape):
        raise GridError(f"{path} has shape {shape} (z, y, x), its case {grid.shape}; resample it to the case's grid.")
    if affine is None:
        return
    if not np.allclose(spacing_of(affine), grid.spacing, rtol=0.01):
        size_of_file, other = (
            " x ".join(f"{size:.3g}" for size in each) for each in (spacing_of(affine), grid.spacing)
        )
        raise GridError(
            f"{path} has voxels of {size_of_file} mm (z, y, x), its case of {other} mm; correct its header."
        )
    if grid.affine is not None and (apart := voxels_apart(grid.affine, affine, tuple(shape)[::-1])) > AGREE:
        raise GridError(
            f"{path} places its voxels {apart:.3g} voxels away from those of its case; resample it to the case's grid, "
            "or give it the case's affine if only its header is wrong."
        )
