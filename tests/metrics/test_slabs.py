"""Scores by slabs are those of the whole volume, to the last digit, and need the memory of a slab."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mrbench.metrics import (
    LabelOverlap,
    Turned,
    folds_percent,
    folds_percent_by_slabs,
    image_scores,
    image_scores_by_slabs,
    jacobian_determinant,
    label_overlap_by_slabs,
)
from mrbench.metrics.slabs import largest_value

SHAPE = (11, 20, 18)


@pytest.fixture
def images() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Target, prediction, and a foreground that the first slices have nothing of."""
    rng = np.random.default_rng(0)
    target = rng.random(SHAPE, np.float32)
    target[3] = 0
    mask = target > 0.4
    mask[:4] = False
    return target, target + rng.normal(0, 0.1, SHAPE).astype(np.float32), mask


@pytest.mark.parametrize("slices", [1, 3, 4, 11, 50])
def test_images(images: tuple[np.ndarray, np.ndarray, np.ndarray], slices: int) -> None:
    target, prediction, mask = images
    options = {"data_range": float(target.max()), "mask": mask, "by_slice": True}
    assert image_scores_by_slabs(target, prediction, slices=slices, **options) == image_scores(
        target, prediction, **options
    )
    plain = image_scores_by_slabs(target, prediction, data_range=1, slices=slices)
    assert plain == image_scores(target, prediction, data_range=1)
    assert largest_value(target, slices=slices) == target.max()


@pytest.mark.parametrize("slices", [1, 4, 50])
def test_labels_of_which_a_slab_has_some(slices: int) -> None:
    rng = np.random.default_rng(1)
    target = np.repeat(np.arange(SHAPE[0]) // 3 * 5, SHAPE[1] * SHAPE[2]).reshape(SHAPE)
    prediction = np.where(rng.random(SHAPE) < 0.8, target, rng.integers(0, 30, SHAPE))
    whole, parts = LabelOverlap.of(target, prediction), label_overlap_by_slabs(target, prediction, slices=slices)
    np.testing.assert_array_equal(parts.labels, whole.labels)
    np.testing.assert_array_equal(parts.counts, whole.counts)


@pytest.mark.parametrize("slices", [1, 2, 3, 50])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_folds_see_one_slice_beyond_their_slab(slices: int, kind: type) -> None:
    field = np.random.default_rng(2).normal(0, 0.5, (3, *SHAPE)).astype(kind)
    mask = np.random.default_rng(3).random(SHAPE) < 0.5
    determinant = jacobian_determinant(field)
    assert 0 < folds_percent_by_slabs(field, slices=slices) == folds_percent(determinant) < 100
    assert folds_percent_by_slabs(field, mask=mask, slices=slices) == folds_percent(determinant, mask)


def test_files_are_read_by_slabs(tmp_path: Path) -> None:
    shape = (64, 64, 64)
    rng = np.random.default_rng(4)
    target, prediction = rng.random(shape, np.float32), rng.random(shape, np.float32)
    expected = image_scores(target, prediction, data_range=1)
    np.save(tmp_path / "target.npy", target)
    nib.Nifti1Image(prediction.T, np.eye(4)).to_filename(tmp_path / "prediction.nii")
    mapped = np.load(tmp_path / "target.npy", mmap_mode="r")
    stored = Turned(nib.load(tmp_path / "prediction.nii").dataobj)
    assert stored.shape == shape
    del target, prediction
    tracemalloc.start()
    try:
        scores = image_scores_by_slabs(mapped, stored, data_range=1, slices=4)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert scores == expected
    assert peak < np.prod(shape) * 4 / 2, "half of one of the two volumes"


def test_what_cannot_be_scored_is_said(images: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    target, prediction, mask = images
    with pytest.raises(ValueError, match="one shape is needed"):
        image_scores_by_slabs(target, prediction[1:], data_range=1)
    with pytest.raises(ValueError, match="the mask is empty"):
        image_scores_by_slabs(target, prediction, data_range=1, mask=mask & False)
    with pytest.raises(ValueError, match="one shape is needed"):
        label_overlap_by_slabs(mask.astype(int), mask[1:].astype(int))
    with pytest.raises(ValueError, match="give 1 or more"):
        largest_value(target, slices=0)
