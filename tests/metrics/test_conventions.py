"""Conventions of displacement fields: each is its own inverse pair, and fits say which one is right."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mrbench.metrics.conventions import CONVENTIONS, OURS, Convention, Pair, fits, inverse, mean
from mrbench.metrics.deformation import warp

SPACING = (1.0, 2.0, 1.5)
SHAPE = (20, 24, 22)


def smooth_field(seed: int, size: float = 1.5) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((3, *SHAPE))
    field = gaussian_filter(noise, (0, 4, 4, 4), mode="constant")
    return field / field.std() * size


def blobs(seed: int) -> np.ndarray:
    coarse = gaussian_filter(np.random.default_rng(seed).standard_normal(SHAPE), 3)
    return (1 + np.digitize(coarse, np.quantile(coarse, [0.25, 0.5, 0.75]))).astype(np.int16)


def pair_for(field: np.ndarray) -> Pair:
    """A moving map and what the field makes of it: the field is right by construction."""
    moving = blobs(1)
    fixed = warp(moving, field.astype(np.float32), order=0)
    return Pair(fixed.astype(np.float32), moving.astype(np.float32), fixed, moving, SPACING)


def test_there_are_sixteen_and_ours_is_the_identity() -> None:
    field = smooth_field(0).astype(np.float32)
    assert len(CONVENTIONS) == 16 and next(iter(CONVENTIONS.values())) == OURS
    np.testing.assert_array_equal(OURS.to_voxels(field, SPACING), field)


def test_what_itk_writes() -> None:
    """2 mm to the left, 3 mm to the back, 4 mm upwards, x first."""
    field = np.broadcast_to(np.array([2.0, 3.0, 4.0])[:, None, None, None], (3, *SHAPE))
    voxels = Convention("mm", "xyz", "lps").to_voxels(field, SPACING)
    np.testing.assert_allclose(voxels[:, 5, 5, 5], [4 / 1.0, -3 / 2.0, -2 / 1.5], rtol=1e-6)


@pytest.mark.parametrize("name", CONVENTIONS)
def test_writing_and_reading_are_inverse(name: str) -> None:
    field, convention = smooth_field(1, 0.7), CONVENTIONS[name]
    again = convention.to_voxels(convention.from_voxels(field, SPACING), SPACING)
    error = np.abs(again - field)[:, 4:-4, 4:-4, 4:-4]
    if convention.direction == "pull":
        assert error.max() < 1e-5
    else:
        assert error.mean() < 0.05 < 0.2 < np.abs(field).mean(), "two inversions, linear between voxels"


def test_an_inverse_undoes() -> None:
    field = smooth_field(2, 0.7)
    back = inverse(field)
    grid = np.indices(SHAPE, dtype=float)
    from scipy.ndimage import map_coordinates

    there = grid + field
    again = there + np.stack([map_coordinates(part, there, order=1, mode="nearest") for part in back])
    assert np.abs(again - grid)[:, 4:-4, 4:-4, 4:-4].max() < 0.15


@pytest.mark.parametrize("name", CONVENTIONS)
def test_the_right_convention_fits_best_and_clearly(name: str) -> None:
    field = smooth_field(3)
    tried = fits(CONVENTIONS[name].from_voxels(field, SPACING), pair_for(field), step=1)
    assert str(tried.best) == name
    assert tried.clear
    assert tried.beats(tried.best, OURS) == (name != str(OURS))


def test_a_field_that_does_nothing_is_clear_in_none() -> None:
    field = smooth_field(4)
    assert not fits(np.zeros((3, *SHAPE)), pair_for(field)).clear
    assert not fits(smooth_field(5), pair_for(field)).clear, "an unrelated field fits in no convention"


def test_isotropic_voxels_of_a_millimetre_leave_units_open_and_that_is_no_rival() -> None:
    field = smooth_field(3)
    pair = pair_for(field)
    tried = fits(
        field, Pair(*(getattr(pair, n) for n in ("fixed", "moving", "fixed_labels", "moving_labels")), (1, 1, 1))
    )
    assert tried.best == OURS and tried.clear


def test_the_mean_is_over_cases() -> None:
    fields = [smooth_field(3), smooth_field(6)]
    several = [fits(field, pair_for(field)) for field in fields]
    assert mean(several).still.labels == pytest.approx(np.mean([one.still.labels for one in several]))
    assert mean(several).best == OURS
