"""Classical synthesis: each recovers the relation that it can express, and no more."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from tests.marks import slow

from mrbench.core.errors import RequestError
from mrbench.core.method import FittedMethod
from mrbench.core.registry import find_method
from mrbench.core.specification import parse_spec
from mrbench.metrics.image import psnr
from mrbench.tasks.synthesis import Scan, SynthesisInputs, TrainingScans
from mrbench_baselines.synthesis.features import voxel_features

SHAPE = (20, 30, 26)
SPACING = (2.0, 1.0, 1.5)


def person(seed: int, relation) -> Scan:
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij"))
    mask = ((grid / np.array([0.9, 0.8, 0.85])[:, None, None, None]) ** 2).sum(0) < 1
    pattern = gaussian_filter(np.random.default_rng(seed).standard_normal(SHAPE), 1.2)
    t1 = np.where(mask, np.clip(0.5 + 1.2 * pattern, 0.05, 1.0), 0).astype(np.float32)
    return Scan(f"p{seed}", {"T1": t1, "T2": np.where(mask, relation(t1), 0).astype(np.float32)}, mask, SPACING)


def run(text: str, relation, *, track: tuple[str, str] = ("T1", "T2")) -> tuple[np.ndarray, Scan]:
    spec = parse_spec(text)
    method = find_method(spec.name, "synthesis").build(**spec.parameters)
    if isinstance(method, FittedMethod):
        method.fit(TrainingScans([person(0, relation), person(1, relation)], [track]))
    new = person(2, relation)
    source, target = track
    return method.predict(SynthesisInputs(new.images[source], new.mask, source, target, SPACING)), new


def quality(text: str, relation) -> float:
    prediction, new = run(text, relation)
    return psnr(new.images["T2"], prediction, data_range=1, mask=new.mask)


EVERY = (
    "identity",
    "identity[invert=true]",
    "histogram-matching",
    "joint-histogram",
    "joint-histogram[statistic=median]",
    "polynomial",
    "patch-regression[trees=20]",
)


@pytest.mark.parametrize("text", [slow(text) if text.startswith("patch") else text for text in EVERY])
def test_contract(text: str) -> None:
    prediction, new = run(text, lambda t1: 1.1 - t1)
    assert prediction.shape == SHAPE and np.issubdtype(prediction.dtype, np.floating) and np.isfinite(prediction).all()
    assert not prediction[~new.mask].any() and prediction.min() >= 0
    again, _ = run(text, lambda t1: 1.1 - t1)
    np.testing.assert_array_equal(prediction, again)


def test_histogram_matching_turns_ranks_round() -> None:
    assert quality("histogram-matching", lambda t1: 1.2 - t1) > 30
    assert quality("histogram-matching[invert=false]", lambda t1: 0.2 + t1**2) > 30
    assert quality("histogram-matching[invert=false]", lambda t1: 1.2 - t1) < 15


def test_a_joint_histogram_recovers_any_function_of_intensity() -> None:
    def bump(t1: np.ndarray) -> np.ndarray:
        return np.exp(-(((t1 - 0.5) / 0.15) ** 2))

    assert quality("joint-histogram", bump) > 35
    assert quality("histogram-matching", bump) < 15, "ranks alone cannot"


def test_mean_and_median_of_a_skewed_relation_differ() -> None:
    def skewed(t1: np.ndarray) -> np.ndarray:
        return np.where(np.random.default_rng(3).random(SHAPE) < 0.2, 1.0, 0.2)

    means = {s: run(f"joint-histogram[statistic={s}]", skewed) for s in ("mean", "median")}
    inside = {s: prediction[new.mask].mean() for s, (prediction, new) in means.items()}
    assert inside["mean"] == pytest.approx(0.36, abs=0.02) and inside["median"] == pytest.approx(0.2, abs=0.01)


@pytest.mark.slow
def test_neighbours_tell_what_intensity_cannot() -> None:
    def blurred(t1: np.ndarray) -> np.ndarray:
        return gaussian_filter(t1, 1.0)

    intensity = quality("joint-histogram", blurred)
    assert quality("polynomial", blurred) > intensity + 3
    assert quality("patch-regression[trees=100]", blurred) > intensity + 3


def test_features_are_in_mm() -> None:
    """Positions and depth keep their values on a finer grid of the same object."""
    mask = np.zeros((12, 16, 14), bool)
    mask[2:10, 3:13, 4:12] = True
    image = np.where(mask, 1, 0).astype(np.float32)
    coarse = voxel_features(image, mask, (2.0, 2.0, 2.0), patch=False)
    fine = voxel_features(
        *(np.kron(a, np.ones((2, 2, 2), a.dtype)) for a in (image, mask)), (1.0, 1.0, 1.0), patch=False
    )
    for column, name in ((5, "z"), (6, "y"), (7, "x")):
        assert abs(coarse[:, column]).max() == pytest.approx(abs(fine[:, column]).max(), abs=0.51), name
    assert coarse[:, 8].max() == pytest.approx(fine[:, 8].max(), abs=1.01)
    assert abs(coarse[:, 5]).max() == pytest.approx(7), "8 voxels of 2 mm, counted from their middle"


def test_unknown_statistics_are_refused() -> None:
    with pytest.raises(RequestError, match="statistic of joint-histogram"):
        find_method("joint-histogram", "synthesis").build(statistic="mode")
