"""Masks: density, centre, determinism, and the true acceleration."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrbench.core.errors import RequestError
from mrbench.core.random import rng_for
from mrbench.physics.coils import receive_coils, smooth_phase
from mrbench.physics.fourier import root_sum_of_squares
from mrbench.physics.sampling import (
    calibration_size,
    centre_columns,
    equispaced_columns,
    gaussian_columns,
    poisson_disc,
    random_columns,
    true_acceleration,
)


def test_random_columns_follow_fastmri() -> None:
    masks = [random_columns(368, 4, 0.08, rng_for(str(i), "m")) for i in range(300)]
    centre = centre_columns(368, 0.08)
    # RandomMaskFunc: round(368 * .08) = 29 lines from (368 - 29 + 1) // 2 = 170
    assert (centre.start, centre.stop) == (170, 199)
    assert all(mask[centre].all() for mask in masks)
    assert np.mean([mask.mean() for mask in masks]) == pytest.approx(1 / 4, rel=0.01)
    accelerations = [true_acceleration(mask) for mask in masks]
    assert min(accelerations) < 3.6 and max(accelerations) > 4.5  # "4x" is a wide word


def test_equispaced_columns_are_equispaced() -> None:
    for seed in range(8):
        mask = equispaced_columns(128, 4, 0.08, rng_for(str(seed), "m"))
        outside = np.flatnonzero(mask)
        centre = centre_columns(128, 0.08)
        outside = outside[(outside < centre.start) | (outside >= centre.stop)]
        assert len(set(outside % 4)) == 1
        assert mask[centre].all() and true_acceleration(mask) < 4


def test_gaussian_columns_differ_by_frame_and_favour_the_centre() -> None:
    mask = gaussian_columns(60, 128, 8, 4, rng_for("a", "m"))
    assert (mask.sum(1) == 16).all()
    assert mask[:, 62:66].all()
    assert len({frame.tobytes() for frame in mask}) > 50
    near, far = mask[:, 50:62].mean(), mask[:, :20].mean()
    assert near > 3 * far > 0


def test_poisson_disc_has_its_density_its_centre_and_its_seed() -> None:
    mask = poisson_disc((64, 48), 6, 8, seed=3)
    assert true_acceleration(mask) == pytest.approx(6, rel=0.15)
    assert calibration_size(mask[None])[0] >= 7
    assert (mask == poisson_disc((64, 48), 6, 8, seed=3)).all()
    assert (mask != poisson_disc((64, 48), 6, 8, seed=4)).any()


@given(st.integers(10, 130), st.floats(0.03, 0.4))
def test_calibration_is_found_where_it_was_put(width: int, fraction: float) -> None:
    centre = centre_columns(width, fraction)
    mask = np.zeros((2, 5, width), bool)
    mask[:, :, centre] = True
    rows, columns = calibration_size(mask)
    size = centre.stop - centre.start
    # an odd width or an odd run cannot always be centred to the sample: at most one line is given away
    assert (rows == 5 and size - 1 <= columns <= size) or (size <= 1 and columns <= 1)
    start = width // 2 - columns // 2
    assert mask[:, :, start : start + columns].all()


def test_calibration_of_a_square_of_rows_and_of_nothing() -> None:
    square = np.zeros((1, 20, 30), bool)
    square[:, 6:14, 11:19] = True
    assert calibration_size(square) == (8, 8)
    rows = np.zeros((1, 20, 30), bool)
    rows[:, 8:12] = True
    assert calibration_size(rows) == (4, 30)
    assert calibration_size(np.zeros((1, 20, 30), bool)) == (0, 0)


def test_coils_have_unit_root_sum_of_squares_and_differ_by_subject() -> None:
    maps = receive_coils((32, 40), 8, rng_for("a", "coils"))
    assert maps.shape == (8, 32, 40) and maps.dtype == np.complex64
    assert np.allclose(root_sum_of_squares(maps), 1, atol=1e-5)
    assert not np.allclose(maps, receive_coils((32, 40), 8, rng_for("b", "coils")), atol=0.1)
    phase = smooth_phase((3, 32, 40), rng_for("a", "phase"))
    assert np.allclose(np.abs(phase), 1, atol=1e-6) and np.angle(phase).std() > 0.3
    steps = np.abs(np.angle(phase[:, :, 1:] / phase[:, :, :-1]))
    assert steps.max() < 0.6  # smooth: no jumps between neighbours


@pytest.mark.parametrize(("shape", "acceleration", "calibration", "seed"), [((64, 48), 4, 8, 3), ((40, 60), 2.5, 6, 0)])
def test_poisson_discs_are_those_of_sigpy(shape: tuple, acceleration: float, calibration: int, seed: int) -> None:
    from sigpy.mri import poisson

    expected = np.abs(poisson(shape, acceleration, calib=(calibration, calibration), seed=seed)) > 0
    np.testing.assert_array_equal(poisson_disc(shape, acceleration, calibration, seed), expected)


@pytest.mark.parametrize(
    ("shape", "acceleration", "calibration"), [((16, 16), 30, 8), ((8, 8), 1.01, 2), ((9, 9), 4, 9)]
)
def test_a_poisson_disc_that_cannot_be_is_one_sentence(shape: tuple, acceleration: float, calibration: int) -> None:
    """sigpy's search for one never ends."""
    with pytest.raises(RequestError, match="no Poisson disc of"):
        poisson_disc(shape, acceleration, calibration, 0)
