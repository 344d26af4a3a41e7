"""Classical segmentation: each finds a tumour that is as the textbook says."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from tests.marks import slow

from mrbench.core.method import FittedMethod, Method
from mrbench.core.registry import find_method
from mrbench.core.specification import parse_spec
from mrbench.metrics.overlap import dice
from mrbench.space.pieces import largest_piece
from mrbench.tasks.segmentation import SegmentationInputs, TrainingTumours, TumourExample
from mrbench_baselines.registration import demons
from mrbench_baselines.segmentation.regions import filled

SHAPE = (24, 30, 28)
LEVELS = {  # healthy, necrosis, oedema, enhancing: T1, T1c, T2, FLAIR in SDs
    0: (0.3, 0.1, -0.2, -0.3),
    1: (-2.0, -2.0, 3.0, 0.5),
    2: (-0.8, -0.8, 1.5, 3.0),
    3: (-0.8, 3.0, 1.2, 2.5),
}


def person(seed: int, *, enhancing: bool = True) -> TumourExample:
    rng = np.random.default_rng(seed)
    grid = np.indices(SHAPE)
    middle, axes = (np.array(v)[:, None, None, None] for v in ((12, 15, 14), (11, 14, 13)))
    mask = (((grid - middle) / axes) ** 2).sum(0) < 1
    centre = np.array([12, 15, 14]) + rng.integers(-3, 4, 3)
    radius = np.sqrt(((grid - centre[:, None, None, None]) ** 2).sum(0))
    labels = np.select([radius < 2.2, radius < 4, radius < 6.5], [1, 3 if enhancing else 1, 2], 0) * mask
    images = np.stack([np.array([LEVELS[k][c] for k in range(4)])[labels] for c in range(4)])
    images = np.where(mask, images + 0.3 * rng.standard_normal(images.shape), 0).astype(np.float32)
    return TumourExample(SegmentationInputs(images, mask, (1.0, 1.0, 1.0)), labels.astype(np.int16))


@pytest.fixture(autouse=True)
def _short_demons(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the atlas: enough iterations for what is made of balls."""
    monkeypatch.setattr(demons, "COARSE", tuple((shrink, 15) for shrink, _ in demons.COARSE))
    monkeypatch.setattr(
        demons.Demons.__init__, "__kwdefaults__", {**demons.Demons.__init__.__kwdefaults__, "iterations": 15}
    )


def ready(text: str) -> Method:
    spec = parse_spec(text)
    method = find_method(spec.name, "segmentation").build(**spec.parameters)
    if isinstance(method, FittedMethod):
        method.fit(TrainingTumours([person(0), person(1)], ["glioma"]))
    return method


ready_once = cache(ready)
"""An atlas takes seconds to fit."""


@pytest.mark.parametrize(
    "text", ["threshold", "threshold[flair=otsu]", "gaussian-mixture", "gaussian-mixture[components=2]", slow("atlas")]
)
def test_contract(text: str) -> None:
    example = person(5)
    prediction = ready_once(text).predict(example.inputs)
    assert prediction.shape == SHAPE and prediction.dtype == np.uint8 and prediction.max() <= 3
    assert not prediction[~example.inputs.mask].any()
    np.testing.assert_array_equal(prediction, ready(text).predict(example.inputs))
    assert dice(example.labels > 0, prediction > 0) > 0.8
    assert dice(example.labels == 3, prediction == 3) > 0.6
    assert dice(np.isin(example.labels, (1, 3)), np.isin(prediction, (1, 3))) > 0.7


def marked(seed: int, oedema: tuple[int, int, int], *, shift: int = 0) -> TumourExample:
    """A brain that is bright at one place, as everyone's is, and has oedema at another; moved along x."""
    rng = np.random.default_rng(seed)
    grid = np.indices((24, 30, 28 + shift))

    def ball(centre: tuple[int, int, int], radii: tuple[float, float, float]) -> np.ndarray:
        moved = np.add(centre, (0, 0, shift))
        return (((grid - moved[:, None, None, None]) / np.array(radii)[:, None, None, None]) ** 2).sum(0) < 1

    mask = ball((12, 15, 14), (11, 14, 13))
    usual, labels = ball(USUAL, (5, 5, 5)), 2 * ball(oedema, (3.5, 3.5, 3.5))
    levels = np.array([[LEVELS[k][c] for k in range(4)] for c in range(4)])
    images = levels[:, np.maximum(labels, 2 * usual)] + 0.3 * rng.standard_normal((4, *mask.shape))
    images = np.where(mask, images, 0).astype(np.float32)
    return TumourExample(SegmentationInputs(images, mask, (1.0, 1.0, 1.0)), labels.astype(np.int16))


USUAL = (12, 9, 14)


@pytest.mark.slow
def test_what_is_bright_in_everyone_is_no_tumour_wherever_the_head_lies() -> None:
    atlas = find_method("atlas", "segmentation").build()
    assert isinstance(atlas, FittedMethod)
    places = ((12, 21, 19), (12, 21, 9), (16, 21, 14), (8, 19, 14))
    atlas.fit(TrainingTumours([marked(n, place) for n, place in enumerate(places)], ["glioma"]))
    patient = marked(9, (12, 19, 8), shift=10)
    prediction = atlas.predict(patient.inputs) > 0
    assert dice(patient.labels > 0, prediction) > 0.7
    z, y, x = USUAL
    assert not prediction[z - 2 : z + 3, y - 2 : y + 3, x + 8 : x + 13].any(), "smaller, but not where all are bright"


@pytest.mark.slow
def test_an_atlas_meets_a_slab_too_thin_to_register() -> None:
    example = person(8)
    few = slice(11, 14)
    slab = SegmentationInputs(example.inputs.images[:, few], example.inputs.mask[few], (5.0, 1.0, 1.0))
    prediction = ready_once("atlas").predict(slab)
    assert prediction.shape == slab.mask.shape and not prediction[~slab.mask].any()


def test_a_core_without_a_rim_is_found_by_its_darkness() -> None:
    example = person(6, enhancing=False)
    prediction = ready_once("threshold").predict(example.inputs)
    assert not (prediction == 3).any()
    assert dice(example.labels == 1, prediction == 1) > 0.7


@pytest.mark.parametrize("text", ["threshold", "gaussian-mixture", slow("atlas")])
def test_a_healthy_brain_gives_no_error(text: str) -> None:
    example = person(7)
    noise = 0.01 * np.random.default_rng(1).standard_normal(example.inputs.images.shape)
    images = np.where(example.inputs.mask, noise, 0)
    healthy = SegmentationInputs(images.astype(np.float32), example.inputs.mask, (1.0, 1.0, 1.0))
    assert ready_once(text).predict(healthy).shape == SHAPE


def test_regions() -> None:
    mask = np.zeros((5, 9, 9), bool)
    mask[1:4, 1:6, 1:6] = True
    mask[2, 3, 3] = False
    mask[0, 8, 8] = True
    largest = largest_piece(mask)
    assert not largest[0, 8, 8] and largest.sum() == 74
    assert filled(largest).sum() == 75
    assert not largest_piece(np.zeros((3, 3, 3), bool)).any()
    tube = np.zeros((5, 9, 9), bool)
    tube[:, 2:7, 2:7] = True
    tube[:, 4, 4] = False
    assert filled(tube)[:, 4, 4].all(), "open above and below, closed in each slice"
