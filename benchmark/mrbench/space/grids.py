"""Whether two volumes lie on one grid: equal shapes whose voxels lie at the same place."""

from __future__ import annotations

import numpy as np

from mrbench.io.nifti import AGREE, spacing_of, voxels_apart


def same_grid(
    shape: tuple[int, ...], affine: np.ndarray, other_shape: tuple[int, ...], other_affine: np.ndarray
) -> bool:
    """Whether both grids have one shape, and no voxel lies more than a tenth of a voxel from its counterpart.

    Parameters
    ----------
    shape, other_shape : tuple of int
        Order ``(z, y, x)``.
    affine, other_affine : ndarray, shape (4, 4)
        From ``(x, y, z)`` indices to mm of RAS.
    """
    return tuple(shape) == tuple(other_shape) and voxels_apart(affine, other_affine, tuple(shape)[::-1]) <= AGREE


def grid_difference(
    shape: tuple[int, ...], affine: np.ndarray, other_shape: tuple[int, ...], other_affine: np.ndarray
) -> str:
    """Say how two grids differ, for a message; empty where they are the same grid."""
    if same_grid(shape, affine, other_shape, other_affine):
        return ""
    if tuple(shape) != tuple(other_shape):
        return f"shapes {tuple(shape)} and {tuple(other_shape)}"
    sizes, others = (" x ".join(f"{size:.4g}" for size in spacing_of(one)) for one in (affine, other_affine))
    if sizes != others:
        return f"voxels of {sizes} and {others} mm"
    apart = voxels_apart(affine, other_affine, tuple(shape)[::-1]) * min(spacing_of(affine))
    return f"affines that place one voxel up to {apart:.3g} mm apart"
