"""Grids are compared by where voxels lie, not by shape and size alone."""

from __future__ import annotations

import numpy as np
import pytest

from mrbench.io.nifti import voxels_apart
from mrbench.space.grids import grid_difference, same_grid

SHAPE = (40, 50, 60)
AFFINE = np.array([[2.0, 0, 0, -60], [0, 2, 0, -50], [0, 0, 2, -40], [0, 0, 0, 1]])


def turned(angle: float) -> np.ndarray:
    rotation = np.eye(4)
    rotation[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return rotation @ AFFINE


def moved(mm: float) -> np.ndarray:
    affine = AFFINE.copy()
    affine[0, 3] += mm
    return affine


def test_a_fraction_of_a_voxel_is_the_same_grid() -> None:
    assert same_grid(SHAPE, AFFINE, SHAPE, moved(0.19)) and grid_difference(SHAPE, AFFINE, SHAPE, moved(0.19)) == ""
    assert same_grid(SHAPE, AFFINE, SHAPE, AFFINE * (1 + 1e-7))


@pytest.mark.parametrize(
    ("shape", "affine", "difference"),
    [
        (SHAPE, moved(12), "affines that place one voxel up to 12 mm apart"),
        (SHAPE, moved(0.5), "up to 0.5 mm apart"),
        (SHAPE, turned(0.5), "affines that place one voxel up to"),
        (SHAPE, AFFINE @ np.diag([0.5, 0.5, 0.5, 1]), "voxels of 2 x 2 x 2 and 1 x 1 x 1 mm"),
        ((40, 50, 61), AFFINE, r"shapes \(40, 50, 60\) and \(40, 50, 61\)"),
    ],
)
def test_other_places_are_told(shape: tuple[int, ...], affine: np.ndarray, difference: str) -> None:
    assert not same_grid(SHAPE, AFFINE, shape, affine)
    with pytest.raises(ValueError, match=difference):
        raise ValueError(grid_difference(SHAPE, AFFINE, shape, affine))


def test_distance_is_the_largest_of_any_voxel_in_voxels() -> None:
    """A turn about the origin moves the farthest corner most."""
    angle = 0.01
    corner = np.array([[x, y] for x in (-60, 58) for y in (-50, 48)])
    expected = np.hypot(*corner.T).max() * 2 * np.sin(angle / 2) / 2
    assert voxels_apart(AFFINE, turned(angle), SHAPE[::-1]) == pytest.approx(expected)
