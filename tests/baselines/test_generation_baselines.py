"""Classical generation: the memoriser memorises, the linear model is the Gaussian that it says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mrbench.core.registry import find_method
from mrbench.core.specification import parse_spec
from mrbench.tasks.generation import GenerationInputs, TrainingSlices

SHAPE = (24, 20)


def training(count: int = 60) -> TrainingSlices:
    """Two modes of variation about a mean, of SD 0.1 and 0.05, and a little texture."""
    rng = np.random.default_rng(0)
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    modes = np.stack([y, x]) / np.sqrt([[[(y**2).mean()]], [[(x**2).mean()]]])
    images = 0.5 + np.tensordot(rng.standard_normal((count, 2)) * [0.1, 0.05], modes, 1)
    texture = gaussian_filter(rng.standard_normal((count, *SHAPE)), (0, 2, 2))
    return TrainingSlices((images + 0.01 * texture).clip(0, 1).astype(np.float32), ["axial-t1"])


def run(text: str, *, count: int = 30, seed: int = 3) -> np.ndarray:
    spec = parse_spec(text)
    method = find_method(spec.name, "generation").build(**spec.parameters)
    method.fit(training())  # type: ignore[attr-defined]
    return method.predict(GenerationInputs(count, SHAPE, seed, (2.0, 2.0, 2.0)))


@pytest.mark.parametrize("text", ["bootstrap", "pca", "pca[components=500]"])
def test_contract(text: str) -> None:
    """As many as asked for, the same for the same seed, others for another."""
    prediction = run(text)
    assert prediction.shape == (30, *SHAPE) and prediction.dtype == np.float32 and np.isfinite(prediction).all()
    assert prediction.min() >= 0 and prediction.max() <= 1
    np.testing.assert_array_equal(prediction, run(text))
    assert (prediction != run(text, seed=4)).any()


def test_the_memoriser_gives_training_slices_with_replacement() -> None:
    prediction, known = run("bootstrap", count=200), {image.tobytes() for image in training().images}
    contents = [image.tobytes() for image in prediction]
    assert set(contents) <= known and 40 < len(set(contents)) <= 60


def test_pca_draws_from_the_gaussian_of_the_training_slices() -> None:
    """Mean and SD of each pixel are those of the training slices; two components make two modes."""
    images = training().images
    prediction = run("pca[components=2]", count=4000)
    np.testing.assert_allclose(prediction.mean(0), images.mean(0), atol=0.01)
    np.testing.assert_allclose(prediction.std(0), images.std(0), atol=0.015)
    values = np.linalg.svd(prediction[:500].reshape(500, -1) - prediction.mean(0).ravel(), compute_uv=False)
    assert values[2] < 0.05 * values[1]
