"""Compiled loops against the plain numpy, scipy and scikit-image forms that they replace."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import binary_erosion, correlate, map_coordinates
from scipy.spatial import cKDTree
from skimage.metrics import structural_similarity

from mrbench.metrics import (
    HIGHEST_PSNR,
    LabelOverlap,
    compile_kernels,
    endpoint_error_mm,
    hd95_per_label,
    image_scores,
    jacobian_determinant,
    mae,
    merge_labels,
    mutual_information,
    nmse,
    non_diffeomorphic_volume_percent,
    pair_ms_ssim,
    psnr,
    shifted_mutual_information,
    ssim,
    ssim_3d,
    ssim_map,
    volume_ssim,
    warp,
)
from mrbench.metrics.distribution import MS_SSIM_WEIGHTS

FLOATS = st.sampled_from([np.float32, np.float64])
SEEDS = st.integers(0, 2**31)


def hd95_by_trees(target: np.ndarray, prediction: np.ndarray, spacing: tuple[float, ...]) -> float:
    """All distances, by nearest-neighbour trees."""
    if not (target.any() and prediction.any()):
        return np.nan if target.any() == prediction.any() else np.inf
    points = [np.argwhere(mask & ~binary_erosion(mask)) * np.asarray(spacing) for mask in (target, prediction)]
    ways = [cKDTree(b).query(a)[0] for a, b in (points, points[::-1])]
    return float(max(np.percentile(way, 95) for way in ways))


@pytest.mark.slow
@given(
    st.tuples(*[st.integers(1, 14)] * 3),
    st.tuples(*[st.sampled_from([0.5, 1.0, 1.2, 3.0, 7.5])] * 3),
    st.sampled_from([0.02, 0.2, 0.5, 0.9]),
    SEEDS,
)
@settings(max_examples=200)
def test_hd95_is_that_of_all_distances(shape, spacing, density: float, seed: int) -> None:
    """Any shape, voxel and density: thin, anisotropic, sparse and full."""
    rng = np.random.default_rng(seed)
    maps = [np.where(rng.random(shape) < density, rng.integers(1, 4, shape), 0) for _ in range(2)]
    expected = [hd95_by_trees(maps[0] == label, maps[1] == label, spacing) for label in (1, 2, 3, 9)]
    np.testing.assert_allclose(hd95_per_label(*maps, [1, 2, 3, 9], spacing=spacing), expected, rtol=1e-12)
    np.testing.assert_array_equal(hd95_per_label(*maps[::-1], [9, 1], spacing=spacing)[0], expected[3])


def test_hd95_of_shapes_far_apart() -> None:
    maps = np.zeros((2, 40, 50, 60), np.uint8)
    maps[0, 1:4, 1:5, 1:6] = 300 % 256
    maps[1, 30:38, 41:49, 50:58] = 300 % 256
    spacing = (1.0, 0.7, 2.0)
    expected = hd95_by_trees(maps[0] > 0, maps[1] > 0, spacing)
    assert hd95_per_label(*maps, [44], spacing=spacing)[0] == pytest.approx(expected, rel=1e-12)


@given(st.tuples(*[st.integers(1, 6)] * 3), FLOATS, st.sampled_from([0.0, 0.3, 2.0, 30.0]), SEEDS)
@settings(max_examples=100)
def test_warping_is_scipys(shape, kind: type, amplitude: float, seed: int) -> None:
    """To the last digit, beyond borders and half-way between voxels, labels and images of any type."""
    rng = np.random.default_rng(seed)
    field = (amplitude * rng.standard_normal((3, *shape))).astype(kind)
    field[rng.random(field.shape) < 0.2] = 0.5
    position = np.indices(shape, dtype=np.float32) + field
    for moving in (rng.integers(0, 300, shape).astype(np.int16), rng.random(shape) > 0.5, rng.random(shape)):
        expected = map_coordinates(moving, position, order=0, mode="constant", cval=0)
        np.testing.assert_array_equal(warp(moving, field, order=0), expected)
    image = rng.random(shape).astype(np.float32)
    expected = map_coordinates(image, position, order=1, mode="constant", cval=0)
    np.testing.assert_array_equal(warp(image, field, order=1), expected)


@given(st.tuples(*[st.integers(2, 7)] * 3), FLOATS, SEEDS)
@settings(max_examples=50)
def test_jacobian_and_endpoint_error_are_numpys(shape, kind: type, seed: int) -> None:
    rng = np.random.default_rng(seed)
    field, other = rng.standard_normal((2, 3, *shape)).astype(kind)
    mask = rng.random(shape) < 0.5
    mask[0, 0, 0] = True
    m = [list(np.gradient(component)) for component in field]
    for axis in range(3):
        m[axis][axis] = m[axis][axis] + 1
    expected = (
        m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1])
        - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
        + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
    )
    np.testing.assert_array_equal(jacobian_determinant(field), expected)
    np.testing.assert_array_equal(jacobian_determinant(field, mask=mask), expected[mask])
    distance = np.linalg.norm((field - other)[:, mask] * np.reshape([2, 1, 3], (3, 1)), axis=0).mean()
    assert endpoint_error_mm(other, field, mask=mask, spacing=(2, 1, 3)) == pytest.approx(distance, rel=1e-5)


@given(st.tuples(st.integers(1, 4), st.integers(7, 20), st.integers(7, 20)), FLOATS, SEEDS)
@settings(max_examples=50)
def test_one_pass_gives_what_skimage_gives_slice_by_slice(shape, kind: type, seed: int) -> None:
    rng = np.random.default_rng(seed)
    target = (rng.random(shape) * np.linspace(0.2, 3, shape[0])[:, None, None]).astype(kind)
    prediction = (target + 0.2 * rng.standard_normal(shape)).astype(kind)
    mask = rng.random(shape) < 0.4
    mask[0, 0, 0] = True
    top = float(target.max())
    x, y = target.astype(np.float64), prediction.astype(np.float64)
    maps = np.stack([structural_similarity(a, b, data_range=top, full=True)[1] for a, b in zip(x, y, strict=True)])
    error = (x - y) ** 2
    tops = x.max(axis=(1, 2))
    expected = {
        "psnr_db": 10 * np.log10(top**2 / error.mean()),
        "ssim": maps[:, 3:-3, 3:-3].mean(),
        "nmse": error.sum() / (x**2).sum(),
        "psnr_fg_db": 10 * np.log10(top**2 / error[mask].mean()),
        "ssim_fg": maps[mask].mean(),
        "psnr_slice_db": np.mean(10 * np.log10(tops**2 / error.mean(axis=(1, 2)))),
        "ssim_slice": np.mean([structural_similarity(a, b, data_range=a.max()) for a, b in zip(x, y, strict=True)]),
        "nmse_slice": np.mean(error.sum(axis=(1, 2)) / (x**2).sum(axis=(1, 2))),
    }
    scores = image_scores(target, prediction, data_range=top, mask=mask, by_slice=True)
    assert scores == pytest.approx(expected, rel=1e-9, abs=1e-9)
    np.testing.assert_allclose(ssim_map(target, prediction, data_range=top), maps, atol=1e-10)
    single = psnr, ssim
    assert [f(target, prediction, data_range=top, mask=mask) for f in single] == pytest.approx(
        [expected["psnr_fg_db"], expected["ssim_fg"]], rel=1e-9
    )
    assert mae(target, prediction, mask=mask) == pytest.approx(np.abs(x - y)[mask].mean(), rel=1e-9)
    assert nmse(target, prediction) == pytest.approx(expected["nmse"], rel=1e-9)


@given(st.tuples(*[st.integers(7, 11)] * 3), FLOATS, SEEDS)
@settings(max_examples=20)
def test_ssim_of_a_volume_is_skimages(shape, kind: type, seed: int) -> None:
    rng = np.random.default_rng(seed)
    target, noise = rng.random((2, *shape)).astype(kind)
    mask = rng.random(shape) < 0.4
    mask[0, 0, 0] = True
    pair = (target.astype(np.float64), (target + noise).astype(np.float64))
    mean, similarity = structural_similarity(*pair, data_range=2, full=True)
    ssim_pair = volume_ssim(target, target + noise, data_range=2, mask=mask)
    assert ssim_pair == pytest.approx((mean, similarity[mask].mean()), abs=1e-6 if kind is np.float32 else 1e-11)
    assert ssim_3d(target, target + noise, data_range=2) == ssim_pair[0]


@given(st.integers(2, 70), SEEDS)
@settings(max_examples=50)
def test_mutual_information_counts_as_numpy_does(bins: int, seed: int) -> None:
    """Values on the edges of bins, below 0 and above the range, and every shift."""
    rng = np.random.default_rng(seed)
    edges = np.linspace(0, 1.5, bins + 1)
    a, b = rng.choice([*edges, -0.1, 1.7, *rng.random(5)], (2, 4, 5, 6))
    mask = rng.random(a.shape) < 0.6
    mask[0, 0, 0] = True

    def expected(second: np.ndarray) -> float:
        first, second = (image[mask].clip(0, 1.5) for image in (a, second))
        joint = np.histogram2d(first, second, bins=bins, range=[(0, 1.5)] * 2)[0] / mask.sum()
        outer = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
        return float((joint[joint > 0] * np.log2(joint[joint > 0] / outer[joint > 0])).sum())

    assert mutual_information(a, b, data_range=1.5, mask=mask, bins=bins) == pytest.approx(expected(b), abs=1e-12)
    shifts = [(0, 0, 0), (1, 0, 0), (0, -2, 0), (0, 0, 2), (-1, 3, -7)]
    information = shifted_mutual_information(a, b, data_range=1.5, mask=mask, shifts=shifts, bins=bins)
    assert information == pytest.approx([expected(np.roll(b, shift, (0, 1, 2))) for shift in shifts], abs=1e-12)


def ms_ssim_from_the_formula(a: np.ndarray, b: np.ndarray) -> float:
    """Four scales in double precision, each blurred by scipy and cut to where the window fits."""
    taps = np.exp(-(np.arange(-3, 4) ** 2) / (2 * 1.5**2))
    window = np.outer(taps, taps) / taps.sum() ** 2
    a, b, result = a.astype(np.float64), b.astype(np.float64), 1.0
    weights = np.asarray(MS_SSIM_WEIGHTS) / np.sum(MS_SSIM_WEIGHTS)
    for scale, weight in enumerate(weights):
        ma, mb, aa, bb, ab = (correlate(image, window)[3:-3, 3:-3] for image in (a, b, a * a, b * b, a * b))
        value = (2 * (ab - ma * mb) + 9e-4) / (aa - ma**2 + bb - mb**2 + 9e-4)
        if scale == len(weights) - 1:
            value *= (2 * ma * mb + 1e-4) / (ma**2 + mb**2 + 1e-4)
        result *= max(value.mean(), 0) ** weight
        rows, columns = (n // 2 for n in a.shape)
        a, b = (i[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2).mean((1, 3)) for i in (a, b))
    return result


@pytest.mark.filterwarnings("ignore:monai.metrics.utils:FutureWarning")
@pytest.mark.parametrize("shape", [(3, 64, 71), (4, 112, 96)])
def test_ms_ssim_of_pairs_is_that_of_the_formula_and_monais(shape: tuple[int, int, int]) -> None:
    import torch
    from monai.metrics import MultiScaleSSIMMetric

    images = np.random.default_rng(0).random(shape).astype(np.float32)
    images[1] = 0.5 * images[0] + 0.2
    order = np.roll(np.arange(len(images)), 1)
    likeness = pair_ms_ssim(images, order, data_range=1)
    by_formula = np.mean([ms_ssim_from_the_formula(a, b) for a, b in zip(images, images[order], strict=True)])
    assert likeness == pytest.approx(by_formula, abs=1e-10)
    weights = np.asarray(MS_SSIM_WEIGHTS) / np.sum(MS_SSIM_WEIGHTS)
    metric = MultiScaleSSIMMetric(2, data_range=1.0, kernel_size=7, weights=weights.tolist())
    monais = metric(*(torch.from_numpy(part)[:, None] for part in (images, images[order]))).mean()
    assert likeness == pytest.approx(float(monais), abs=1e-5), "MONAI rounds to single precision"


@given(arrays(np.int32, (3, 4, 5), elements=st.sampled_from([0, 1, 2, 7, 4000])), SEEDS)
def test_overlap_after_merging_is_that_of_merged_maps(labels: np.ndarray, seed: int) -> None:
    other = np.random.default_rng(seed).permutation(labels.ravel()).reshape(labels.shape)
    groups = [(7, 1), (4000,), (5,)]
    merged = [merge_labels(image, groups) for image in (labels, other)]
    direct, folded = LabelOverlap.of(*merged), LabelOverlap.of(labels, other).merged(groups)
    np.testing.assert_array_equal(direct.dice([1, 2, 3]), folded.dice([1, 2, 3]))
    assert direct.in_both() == folded.in_both()
    assert folded.counts.sum() == labels.size


@given(arrays(np.uint8, (3, 4, 5), elements=st.integers(0, 3)), st.permutations([1, 2, 3]), SEEDS)
@settings(max_examples=50)
def test_names_of_labels_do_not_matter(labels: np.ndarray, names: list[int], seed: int) -> None:
    other = np.random.default_rng(seed).permutation(labels.ravel()).reshape(labels.shape)
    renamed = [np.array([0, *names])[image] for image in (labels, other)]
    before, after = LabelOverlap.of(labels, other), LabelOverlap.of(*renamed)
    np.testing.assert_array_equal(before.dice([1, 2, 3]), after.dice(names))
    spacing = (1.0, 2.0, 0.5)
    distances = hd95_per_label(labels, other, [1, 2, 3], spacing=spacing)
    np.testing.assert_array_equal(distances, hd95_per_label(*renamed, names, spacing=spacing))
    np.testing.assert_array_equal(distances, hd95_per_label(other, labels, [1, 2, 3], spacing=spacing))


@given(SEEDS, st.floats(0.01, 100))
@settings(max_examples=30)
def test_similarity_is_symmetric_bounded_and_best_of_itself(seed: int, scale: float) -> None:
    a, b = scale * np.random.default_rng(seed).random((2, 8, 9, 10))
    for similarity in (ssim, ssim_3d, psnr):
        assert similarity(a, b, data_range=scale) == pytest.approx(similarity(b, a, data_range=scale), rel=1e-9)
        assert similarity(a, b, data_range=scale) < similarity(a, a, data_range=scale)
    assert -1 <= ssim(a, b, data_range=scale) <= ssim(a, a, data_range=scale) == pytest.approx(1)
    assert psnr(a, a, data_range=scale) == HIGHEST_PSNR
    information = mutual_information(a, b, data_range=scale)
    assert 0 <= information == pytest.approx(mutual_information(b, a, data_range=scale))
    assert information <= mutual_information(a, a, data_range=scale) <= 6


@pytest.mark.parametrize("score", [psnr, ssim, mutual_information])
def test_nothing_undefined_passes_in_silence(score) -> None:
    image = np.random.default_rng(0).random((2, 9, 9))
    with pytest.raises(ValueError, match="mask"):
        score(image, image, data_range=1, mask=np.zeros(image.shape, bool))
    with pytest.raises(ValueError, match="shape"):
        score(image, image[:, :-1], data_range=1)
    for unfit in (0, -1, np.nan, np.inf):
        with pytest.raises(ValueError, match="data range"):
            score(image, image, data_range=unfit)
    with pytest.raises(ValueError, match="magnitude"):
        score(image * 1j, image, data_range=1)


def test_errors_relative_to_nothing_are_refused() -> None:
    image = np.random.default_rng(0).random((2, 9, 9))
    with pytest.raises(ValueError, match="zero everywhere"):
        nmse(0 * image, image)
    with pytest.raises(ValueError, match="positive pixel"):
        image_scores(-image, image, data_range=1, by_slice=True)
    for wrong in (np.full((2, 3, 3), 0.5), np.full((2, 3, 3), -1)):
        with pytest.raises(ValueError, match="label"):
            LabelOverlap.of(np.ones((2, 3, 3), int), wrong)
    with pytest.raises(ValueError, match="spacing"):
        hd95_per_label(*np.ones((2, 3, 3, 3), int), [1], spacing=(1, 0, 1))


def test_kernels_compiled_ahead_are_those_that_scores_call() -> None:
    """What was compiled ahead is not compiled again for arrays of the types that tasks pass."""
    from mrbench.metrics.kernels import field, similarity

    compile_kernels("fields", "images")
    before = [len(kernel.signatures) for kernel in (field.folded_volume, similarity.slice_sums)]
    image, mask = np.ones((8, 9, 10), np.float32), np.ones((8, 9, 10), bool)
    image[0] = 2
    non_diffeomorphic_volume_percent(np.zeros((3, *mask.shape), np.float32), mask)
    image_scores(image, image, data_range=1, mask=mask, by_slice=True)
    assert before == [len(kernel.signatures) for kernel in (field.folded_volume, similarity.slice_sums)]
    with pytest.raises(ValueError, match="fields"):
        compile_kernels("field")
