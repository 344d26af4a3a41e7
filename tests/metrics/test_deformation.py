"""The displacement convention, the Jacobian and its relatives, by hand and against SimpleITK."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from mrbench.metrics.deformation import (
    compose,
    endpoint_error_mm,
    folds_percent,
    jacobian_determinant,
    non_diffeomorphic_volume_percent,
    sd_log_jacobian,
    warp,
)

SHAPE = (10, 12, 14)
EVERYWHERE = np.ones(SHAPE, bool)


def smooth_field(seed: int, amplitude: float = 1.0) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(seed).normal(size=(3, *SHAPE))
    return (amplitude * 8 * gaussian_filter(noise, (0, 2, 2, 2))).astype(np.float32)


def test_displacement_is_pull_back_in_array_order() -> None:
    """warped(p) = moving(p + u(p)): the other sign, or x first, looks elsewhere."""
    moving = np.zeros(SHAPE, np.float32)
    moving[5, 7, 9] = 1
    field = np.zeros((3, *SHAPE), np.float32)
    field[0], field[1], field[2] = 1, 2, 3
    assert np.argwhere(warp(moving, field, order=0)).tolist() == [[4, 5, 6]]


@pytest.mark.parametrize("order", [0, 1])
def test_warp_equals_simpleitk(order: int) -> None:
    moving = np.random.default_rng(0).random(SHAPE).astype(np.float32)
    field = smooth_field(1)
    vectors = sitk.GetImageFromArray(np.moveaxis(field[::-1], 0, -1).astype(np.float64), isVector=True)
    interpolator = (sitk.sitkNearestNeighbor, sitk.sitkLinear)[order]
    image = sitk.GetImageFromArray(moving)
    expected = sitk.GetArrayFromImage(
        sitk.Resample(image, image, sitk.DisplacementFieldTransform(vectors), interpolator, 0.0)
    )
    inner = (slice(3, -3),) * 3  # at borders the two extrapolate differently
    np.testing.assert_allclose(warp(moving, field, order=order)[inner], expected[inner], atol=1e-5)


@given(st.lists(st.floats(-0.4, 0.4), min_size=9, max_size=9))
def test_jacobian_of_a_linear_map_is_its_determinant(entries: list[float]) -> None:
    matrix = np.reshape(entries, (3, 3))
    field = np.einsum("ij,jzyx->izyx", matrix, np.indices(SHAPE, dtype=np.float64))
    np.testing.assert_allclose(jacobian_determinant(field), np.linalg.det(np.eye(3) + matrix), atol=1e-6)


def test_folding_is_counted_without_a_shift() -> None:
    """Learn2Reg adds 3 before testing for <= 0, and so never counts a fold."""
    field = np.zeros((3, *SHAPE))
    field[2] = -2 * np.indices(SHAPE)[2]  # mirrors x: J = -1 everywhere
    determinant = jacobian_determinant(field)
    assert folds_percent(determinant, EVERYWHERE) == 100
    assert ((determinant + 3) <= 0).mean() == 0


def test_sd_log_jacobian_of_two_halves() -> None:
    determinant = np.where(np.indices(SHAPE)[0] < 5, np.e, 1 / np.e)
    assert sd_log_jacobian(determinant, EVERYWHERE) == pytest.approx(1)
    assert sd_log_jacobian(np.full(SHAPE, -1.0), EVERYWHERE) == pytest.approx(0, abs=1e-9)


@pytest.mark.slow
def test_ndv_equals_brute_force_over_tetrahedra() -> None:
    """Sum the negative volumes of the five tetrahedra of each cell, cut both ways, one cell at a time."""
    field = smooth_field(3, amplitude=4)
    position = np.indices(SHAPE) + field
    corners = list(np.ndindex(2, 2, 2))
    total = 0.0
    for cell in np.ndindex(*(size - 1 for size in SHAPE)):
        for parity in (0, 1):
            inner = [c for c in corners if sum(c) % 2 == parity]
            cuts = [inner] + [
                [c, *(d for d in corners if sum(abs(a - b) for a, b in zip(c, d, strict=True)) == 1)]
                for c in corners
                if sum(c) % 2 != parity
            ]
            for cut in cuts:
                rest = np.subtract(cut[1:], cut[0])
                now = np.array([position[(slice(None), *np.add(cell, c))] for c in cut])
                ratio = np.linalg.det(now[1:] - now[0]) / np.linalg.det(rest)
                total += max(0, -ratio) * abs(np.linalg.det(rest)) / 6 / 2
    assert total > 1
    expected = 100 * total / EVERYWHERE.sum()
    assert non_diffeomorphic_volume_percent(field, EVERYWHERE) == pytest.approx(expected, rel=1e-4)


def test_ndv_sees_the_checkerboard_that_central_differences_miss() -> None:
    checker = np.zeros((3, *SHAPE), np.float32)
    checker[2] = 0.9 * (-1.0) ** np.indices(SHAPE).sum(0)
    assert folds_percent(jacobian_determinant(checker)[1:-1, 1:-1, 1:-1], EVERYWHERE[1:-1, 1:-1, 1:-1]) == 0
    assert non_diffeomorphic_volume_percent(checker, EVERYWHERE) > 1


def test_identity_has_no_folds() -> None:
    still = np.zeros((3, *SHAPE), np.float32)
    assert non_diffeomorphic_volume_percent(still, EVERYWHERE) == 0
    assert sd_log_jacobian(jacobian_determinant(still), EVERYWHERE) == 0


def test_endpoint_error_is_in_millimetres_along_each_axis() -> None:
    still, moved = np.zeros((2, 3, *SHAPE), np.float32)
    moved[0] = 3
    assert endpoint_error_mm(still, moved, mask=EVERYWHERE, spacing=(2, 1, 1)) == pytest.approx(6)
    assert endpoint_error_mm(still, moved, mask=EVERYWHERE, spacing=(1, 1, 2)) == pytest.approx(3)


def test_composition_applies_the_inner_field_first() -> None:
    inner, outer = np.zeros((2, 3, *SHAPE), np.float32)
    inner[0] = 2
    outer[1] = np.indices(SHAPE)[0]  # depends on where the inner field has sent the point
    composed = compose(outer, inner)
    assert composed[:, 3, 4, 5].tolist() == [2, 5, 0]


def test_composition_is_that_of_scipy() -> None:
    from scipy.ndimage import map_coordinates

    inner, outer = 4 * np.random.default_rng(0).standard_normal((2, 3, *SHAPE)).astype(np.float32)
    position = np.indices(SHAPE, dtype=np.float32) + inner
    expected = inner + np.stack([map_coordinates(part, position, order=1, mode="nearest") for part in outer])
    assert (compose(outer, inner) == expected).all()


def test_every_pair_of_axes_is_told_apart() -> None:
    for a, b in combinations(range(3), 2):
        field = np.zeros((3, *SHAPE))
        field[a] = 0.3 * np.indices(SHAPE)[b]
        np.testing.assert_allclose(jacobian_determinant(field), 1, atol=1e-9)
        field[b] = 0.3 * np.indices(SHAPE)[a]
        np.testing.assert_allclose(jacobian_determinant(field), 1 - 0.09, atol=1e-9)
