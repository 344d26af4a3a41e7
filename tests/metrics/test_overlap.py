"""Dice and HD95 against SimpleITK, MONAI and brute force."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from monai.metrics import compute_hausdorff_distance

from mrbench.metrics.overlap import dice_per_label, hd95_mm, hd95_per_label, merge_labels

MAPS = arrays(np.int16, (4, 5, 6), elements=st.integers(0, 3))


def random_masks(seed: int) -> tuple[np.ndarray, np.ndarray]:
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(seed).normal(size=(2, 20, 24, 16))
    a, b = (gaussian_filter(n, 2) > 0.02 for n in noise)
    return a, b


@pytest.mark.parametrize("seed", range(3))
def test_dice_equals_simpleitk(seed: int) -> None:
    rng = np.random.default_rng(seed)
    target, prediction = rng.integers(0, 4, (2, 10, 11, 12))
    measure = sitk.LabelOverlapMeasuresImageFilter()
    measure.Execute(*(sitk.GetImageFromArray(m.astype(np.uint8)) for m in (target, prediction)))
    expected = [measure.GetDiceCoefficient(label) for label in (1, 2, 3)]
    np.testing.assert_allclose(dice_per_label(target, prediction, [1, 2, 3]), expected, atol=1e-12)


@given(MAPS, MAPS)
def test_dice_is_symmetric_and_bounded(a: np.ndarray, b: np.ndarray) -> None:
    forward, backward = dice_per_label(a, b, [1, 2, 3]), dice_per_label(b, a, [1, 2, 3])
    np.testing.assert_array_equal(forward, backward)
    known = forward[~np.isnan(forward)]
    assert ((known >= 0) & (known <= 1)).all()


@given(MAPS)
def test_dice_of_a_map_with_itself_is_one_where_present(a: np.ndarray) -> None:
    for label, value in zip([1, 2, 3], dice_per_label(a, a, [1, 2, 3]), strict=True):
        assert value == 1 if (a == label).any() else np.isnan(value)


def test_absent_from_one_map_is_zero() -> None:
    target, prediction = np.zeros((2, 3, 3, 3), int)
    target[0] = 5
    assert dice_per_label(target, prediction, [5])[0] == 0


def test_merging_renumbers_by_group() -> None:
    labels = np.array([[[0, 7, 8, 9, 3]]])
    np.testing.assert_array_equal(merge_labels(labels, [(7, 9), (3,)]), [[[0, 1, 0, 1, 2]]])


@pytest.mark.filterwarnings("ignore:monai.metrics.utils:FutureWarning")
@pytest.mark.parametrize("seed", range(3))
def test_hd95_equals_monai(seed: int) -> None:
    """MONAI takes the larger of both directed percentiles, over the same surface voxels."""
    target, prediction = random_masks(seed)
    spacing = (1.0, 2.0, 1.5)
    one_hot = [torch.from_numpy(m[None, None].astype(np.float32)) for m in (prediction, target)]
    expected = compute_hausdorff_distance(*one_hot, include_background=True, percentile=95, spacing=spacing)
    assert hd95_mm(target, prediction, spacing=spacing) == pytest.approx(float(expected), abs=1e-6)


def test_hd95_counts_millimetres_in_array_order() -> None:
    target, prediction = np.zeros((2, 9, 9, 9), bool)
    target[2, 4, 4] = prediction[5, 4, 4] = True
    assert hd95_mm(target, prediction, spacing=(2.0, 1.0, 1.0)) == 6
    assert hd95_mm(target, prediction, spacing=(1.0, 1.0, 2.0)) == 3


def test_hd95_of_empty_masks() -> None:
    empty, full = np.zeros((3, 3, 3), bool), np.ones((3, 3, 3), bool)
    assert np.isnan(hd95_mm(empty, empty, spacing=(1, 1, 1)))
    assert np.isinf(hd95_mm(empty, full, spacing=(1, 1, 1)))


def test_hd95_per_label_crops_without_changing_the_value() -> None:
    rng = np.random.default_rng(0)
    maps = [np.kron(rng.integers(0, 3, (4, 4, 4)), np.ones((3, 3, 3), int)) for _ in range(2)]
    whole = [hd95_mm(maps[0] == label, maps[1] == label, spacing=(1, 1, 2)) for label in (1, 2)]
    np.testing.assert_allclose(hd95_per_label(*maps, [1, 2], spacing=(1, 1, 2)), whole)
