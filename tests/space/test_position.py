"""Position in a brain: axis order, sign, units, depth."""

from __future__ import annotations

import numpy as np

from mrbench.space.position import position_in

SPACING = (3.0, 1.0, 0.5)


def test_position_is_in_mm_from_the_middle_of_the_bounding_box() -> None:
    mask = np.zeros((10, 14, 18), bool)
    mask[2:7, 1:10, 5:16] = True
    position = position_in(mask, SPACING)
    assert position.shape == (4, 10, 14, 18) and position.dtype == np.float32
    np.testing.assert_allclose(position[:3, 2, 1, 5], [-6, -4, -2.5])
    np.testing.assert_allclose(position[:3, 6, 9, 15], [6, 4, 2.5])
    np.testing.assert_allclose(position[:3, 4, 5, 10], 0)
    assert not position[:, ~mask].any()


def test_depth_is_the_way_out_in_mm() -> None:
    mask = np.zeros((21, 31, 41), bool)
    mask[1:20, 1:30, 1:40] = True
    depth = position_in(mask, SPACING)[3]
    assert depth[10, 15, 1] == 0.5 and depth[10, 1, 20] == 1 and depth[1, 15, 20] == 3
    assert depth[10, 15, 20] == depth.max() == 10, "x is nearest: 20 voxels of 0.5 mm"
