"""Preparation gives the same bits whatever the number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

sitk = pytest.importorskip("SimpleITK")

from mrbench.space.alignment import itk_threads, register_affine, to_sitk  # noqa: E402


def test_an_affine_is_the_same_bits_whatever_itk_was_told() -> None:
    """A filter's own number of threads does not reach the metric inside it."""
    fixed = gaussian_filter(np.random.default_rng(0).random((24, 28, 20)), 3).astype(np.float32)
    moving = np.roll(fixed, (1, -2, 1), (0, 1, 2))
    mask = to_sitk((fixed > np.median(fixed)).astype(np.uint8), (2, 2, 2), (0, 0, 0))
    parameters = []
    for threads in (1, 2, 4):
        with itk_threads(threads):
            images = (to_sitk(array, (2, 2, 2), (0, 0, 0)) for array in (fixed, moving))
            parameters.append(register_affine(*images, mask, threads=1).GetParameters())
            assert sitk.ProcessObject.GetGlobalDefaultNumberOfThreads() == threads, "left as it was"
    assert parameters[0] == parameters[1] == parameters[2]
