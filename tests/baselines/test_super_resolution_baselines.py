"""Every classical super-resolution meets the contract; kernels know their grid; iterative ones solve their problem."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from scipy.ndimage import fourier_shift, gaussian_filter, zoom
from tests.marks import slow

from mrbench.core.case import Case, CaseId
from mrbench.core.errors import RequestError
from mrbench.core.method import Resources
from mrbench.core.registry import find_method
from mrbench.core.specification import parse_spec
from mrbench.physics.resolution import Degradation
from mrbench.tasks.restoration import RestorationReference
from mrbench.tasks.super_resolution import TRACKS, SuperResolution, SuperResolutionInputs
from mrbench_baselines.super_resolution.back_projection import back_projected
from mrbench_baselines.super_resolution.interpolation import KERNELS

task = SuperResolution()
ITERATIVE = ["back-projection", "back-projection[strength=0.1]", "nlm", "total-variation"]
METHODS = [*(f"interpolation[kernel={kernel}]" for kernel in KERNELS), *ITERATIVE]
each_method = pytest.mark.parametrize("text", [slow(text) if text == "nlm" else text for text in METHODS])
each_track = pytest.mark.parametrize("track", TRACKS)
SHARP = pytest.mark.parametrize("kernel", ["linear", "cubic", "lanczos", "sinc"])


def ready(text: str):
    spec = parse_spec(text)
    method = find_method(spec.name, "super-resolution").build(**spec.parameters)
    method.setup(Resources(threads=1))
    return method


def phantom(shape: tuple[int, int, int] = (16, 32, 28), seed: int = 0) -> np.ndarray:
    """A lopsided head in air with flat tissues in it; the scanner's own blur, maximum 1."""
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in shape), indexing="ij"))
    radius = np.sqrt((((grid.T - [0.1, 0.05, -0.1]) / [0.8, 0.75, 0.7]) ** 2).sum(-1)).T
    tissue = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 2) > 0
    volume = gaussian_filter(np.where(radius < 1, 0.4 + 0.4 * tissue + 0.1 * grid[2], 0), 0.6)
    return (volume / volume.max()).astype(np.float32)


def case_of(track: str, volume: np.ndarray | None = None) -> Case:
    volume = phantom() if volume is None else volume
    inputs = task.degrade(CaseId("c", ("c",)), volume, task.tracks[track], (1.0, 1.0, 1.0))
    return Case("c", ("c",), inputs, RestorationReference(volume, volume > 0.2), (1.0, 1.0, 1.0))


def decibels(case: Case, prediction: np.ndarray) -> float:
    return task.score(case, task.check(case, prediction)).metrics["psnr_db"]


@each_track
@each_method
def test_contract(text: str, track: str) -> None:
    """Right shape, finite, no sign, inputs untouched, the same twice; iterations gain where there is no noise."""
    case = case_of(track)
    before = case.inputs.image.copy()
    method = ready(text)
    assert method.skip_reason(TRACKS[track]) is None and method.unavailable_reason() is None
    first = method.predict(case.inputs)
    assert first.dtype == np.float32 and first.min() >= 0
    first = task.check(case, first)
    assert np.array_equal(before, case.inputs.image)
    assert np.array_equal(task.check(case, method.predict(case.inputs)), first)
    assert task.diagnose(case, first) is None
    if text in ITERATIVE and track != "3d-x2-noise":
        assert decibels(case, first) > decibels(case, ready("interpolation").predict(case.inputs))


@each_track
@each_method
def test_units_of_the_input_are_kept(text: str, track: str) -> None:
    """Strengths are in units of the volume, so that they double with it."""
    inputs = case_of(track).inputs
    twice = dataclasses.replace(inputs, image=2 * inputs.image, sigma=2 * inputs.sigma)
    method, stronger = ready(text), ready(text)
    if text in ("nlm", "total-variation"):
        stronger.strength *= 2
    np.testing.assert_allclose(stronger.predict(twice), 2 * method.predict(inputs), atol=2e-3)


@each_method
def test_one_slice_and_slices_of_their_own(text: str) -> None:
    """Interpolation within the plane does not look at the slices beside."""
    flat = phantom()[8:9]
    case = case_of("2d-x2", flat)
    method = ready(text)
    alone = task.check(case, method.predict(case.inputs))
    assert decibels(case, alone) > 18
    if text.startswith(("interpolation", "back-projection")):
        both = case_of("2d-x2").inputs
        np.testing.assert_allclose(method.predict(both)[8], alone[0], atol=1e-5)


@pytest.mark.parametrize(("track", "factors"), [("2d-x4", (1, 4, 4)), ("through-plane-x4", (4, 1, 1))])
@each_method
def test_sizes_of_every_parity(text: str, track: str, factors: tuple[int, ...]) -> None:
    case = case_of(track, phantom(tuple(n * f for n, f in zip((9, 11, 10), factors, strict=True))))
    assert np.isfinite(task.check(case, ready(text).predict(case.inputs))).all()


def test_unknown_kernels_are_refused_with_a_hint() -> None:
    with pytest.raises(RequestError, match="unknown kernel of interpolation 'lanczsos': did you mean 'lanczos'"):
        ready("interpolation[kernel=lanczsos]")


def test_the_board() -> None:
    kernels = [row["kernel"] for row in find_method("interpolation", "super-resolution").presets]
    assert kernels == ["nearest", "linear", "cubic", "lanczos", "sinc"]
    for name in ("back-projection", "nlm", "total-variation"):
        method_class = find_method(name, "super-resolution")
        assert method_class.presets == ({}, {"strength": "tuned"}) and set(method_class.tunable) == {"strength"}
        for strength in (1e-6, 1e3):  # wherever a search goes, it meets no error
            method = method_class.build(strength=strength)
            case = case_of("3d-x2-blur", phantom((8, 14, 10)))
            task.check(case, method.predict(case.inputs))


def field_on(shape: tuple[int, ...], positions: list[np.ndarray]) -> np.ndarray:
    """A linear ramp along each axis, at positions given per axis."""
    z, y, x = np.meshgrid(*positions, indexing="ij")
    return (10 + 0.3 * z + 0.2 * y - 0.1 * x).astype(np.float32).reshape(shape)


@pytest.mark.parametrize("kernel", ["linear", "cubic", "lanczos"])
@pytest.mark.parametrize("kind", ["truncation", "blur", "slices"])
@pytest.mark.parametrize("factors", [(2, 2, 2), (1, 4, 4), (4, 1, 1), (3, 2, 1)])
def test_a_ramp_stays_a_ramp(kernel: str, kind, factors: tuple[int, int, int]) -> None:
    """Whatever the convention of the grid. Lanczos is not exact of a ramp: about 2 % of a low-resolution voxel."""
    degradation, low = Degradation(kind, factors), (12, 12, 13)
    positions = [o + f * np.arange(n) for n, f, o in zip(low, factors, degradation.origin, strict=True)]
    inputs = SuperResolutionInputs(field_on(low, positions), degradation, 0.0, (1.0, 1.0, 1.0))
    fine = ready(f"interpolation[kernel={kernel}]").predict(inputs)
    expected = field_on(inputs.shape, [np.arange(n) for n in inputs.shape])
    inner = tuple(slice(5 * f, -5 * f) for f in factors)
    # the edges are extended, which a cubic spline feels, at a quarter of the last step for each voxel farther in
    tolerance = {"linear": 1e-5, "cubic": 2e-3, "lanczos": 0.02 * max(factors)}[kernel]
    np.testing.assert_allclose(fine[inner], expected[inner], atol=tolerance)


@SHARP
@pytest.mark.parametrize("track", ["3d-x2", "2d-x4", "through-plane-x4", "3d-x2-blur"])
def test_a_grid_moved_by_half_a_voxel_costs_a_decibel(kernel: str, track: str) -> None:
    """The other convention of where voxels lie must not pass unseen: of a head with smooth edges, either way."""
    volume = gaussian_filter(np.pad(phantom((32, 40, 48)), 8), 2.5 if track.endswith("x4") else 1.5)
    case = case_of(track, volume)
    fine = ready(f"interpolation[kernel={kernel}]").predict(case.inputs)
    for direction in (-0.5, 0.5):
        moves = [direction * (factor > 1) for factor in case.inputs.degradation.factors]
        moved = np.fft.ifftn(fourier_shift(np.fft.fftn(fine), moves)).real.astype(np.float32)
        assert decibels(case, fine) > decibels(case, moved) + 1


@pytest.mark.parametrize("kernel", ["cubic", "lanczos", "sinc"])
def test_samples_stay_where_they_lie(kernel: str) -> None:
    """Of an interpolation, at the voxels that the low resolution has."""
    low = np.random.default_rng(0).random((7, 10, 9), np.float32)
    inputs = SuperResolutionInputs(low, Degradation("blur", (3, 1, 2)), 0.0, (1.0, 1.0, 1.0))
    fine = ready(f"interpolation[kernel={kernel}]").predict(inputs)
    np.testing.assert_allclose(fine[::3, :, ::2], low, atol=1e-5)


def test_cubic_is_scipys_zoom() -> None:
    """Whose ``grid_mode`` takes voxels as blocks: the grid of thick slices."""
    low = gaussian_filter(np.random.default_rng(0).random((9, 12, 10), np.float32), 1)
    inputs = SuperResolutionInputs(low, Degradation("slices", (4, 2, 1)), 0.0, (1.0, 1.0, 1.0))
    theirs = zoom(low, (4, 2, 1), order=3, mode="nearest", grid_mode=True)
    np.testing.assert_allclose(ready("interpolation[kernel=cubic]").predict(inputs), theirs, atol=1e-5)


@pytest.mark.parametrize("factors", [(2, 2, 2), (1, 4, 4), (3, 1, 2)])
def test_sinc_is_exact_for_what_is_band_limited(factors: tuple[int, int, int]) -> None:
    """On either grid: one cosine along each axis, well below the highest frequency of the low resolution."""
    shape = tuple(9 * f for f in factors)

    def waves(positions: list[np.ndarray]) -> np.ndarray:
        z, y, x = (
            np.cos(2 * np.pi * (cycles * p / n) + 0.4) for p, n, cycles in zip(positions, shape, (1, 3, 2), strict=True)
        )
        return (3 + z[:, None, None] + y[:, None] * x).astype(np.float32)

    for kind in ("blur", "slices"):
        degradation = Degradation(kind, factors)  # type: ignore[arg-type]
        low = waves([o + f * np.arange(9) for f, o in zip(factors, degradation.origin, strict=True)])
        inputs = SuperResolutionInputs(low, degradation, 0.0, (1.0, 1.0, 1.0))
        fine = ready("interpolation[kernel=sinc]").predict(inputs)
        np.testing.assert_allclose(fine, waves([np.arange(n) for n in shape]), atol=2e-5)


@pytest.mark.parametrize("track", ["3d-x2", "through-plane-x4", "3d-x2-blur"])
def test_back_projection_agrees_with_its_input(track: str) -> None:
    """The residual falls with every step, up to what the clipping at zero costs."""
    case = case_of(track)
    degradation, y = case.inputs.degradation, case.inputs.image

    def misfit(text: str) -> float:
        estimate = ready(text).predict(case.inputs)
        return float(np.linalg.norm(degradation.apply(estimate).real - y) / np.linalg.norm(y))

    misfits = [misfit("interpolation"), *(misfit(f"back-projection[iterations={n}]") for n in (1, 3, 10, 40))]
    assert all(later <= earlier + 1e-3 for earlier, later in pairwise(misfits))
    assert misfits[-1] < 0.35 * misfits[0]


def test_the_pull_of_back_projection_is_towards_cubic() -> None:
    case = case_of("3d-x2-blur")
    cubic, free = (ready(text).predict(case.inputs) for text in ("interpolation", "back-projection"))
    distances = [
        np.linalg.norm(ready(f"back-projection[strength={s}]").predict(case.inputs) - cubic)
        for s in (0, 0.01, 0.1, 1, 1e4)
    ]
    assert distances[0] == np.linalg.norm(free - cubic)
    assert all(b < a for a, b in pairwise(distances))
    assert distances[-1] < 1e-3 * distances[0]


@pytest.mark.parametrize("track", ["3d-x2", "through-plane-x4", "3d-x2-blur"])
def test_total_variation_comes_near_the_minimum_of_its_problem(track: str) -> None:
    inputs = case_of(track, phantom((12, 20, 16))).inputs
    gain = inputs.degradation.gain(inputs.shape)

    def objective(volume: np.ndarray) -> float:
        misfit = inputs.degradation.apply(volume).real - inputs.image
        steps = [np.diff(volume, axis=a, append=volume.take([-1], a)) for a in range(3)]
        return float(0.5 * (misfit**2).sum() / gain + 0.01 * np.sqrt(sum(step**2 for step in steps)).sum())

    cubic = objective(ready("interpolation").predict(inputs))
    values = [objective(ready(f"total-variation[strength=0.01,iterations={n}]").predict(inputs)) for n in (1, 12, 200)]
    assert cubic > values[0] > values[1] > 0.999 * values[2]
    assert values[1] - values[2] < 0.1 * (cubic - values[2])


def test_total_variation_smooths_more_the_stronger_it_is() -> None:
    case = case_of("3d-x2-noise")
    prediction = [
        ready(f"total-variation[strength={strength}]").predict(case.inputs) for strength in (0.001, 0.02, 0.1)
    ]
    rough = [np.abs(np.diff(volume, axis=1)).mean() for volume in prediction]
    assert rough[0] > rough[1] > rough[2]


@pytest.mark.slow
def test_nlm_denoises_a_noisy_input_first() -> None:
    """Agreement with the noisy input itself would bring its noise back after every pass."""
    case = case_of("3d-x2-noise")
    prediction = ready("nlm").predict(case.inputs)
    untold = ready("nlm").predict(dataclasses.replace(case.inputs, sigma=0.0))
    assert decibels(case, prediction) > decibels(case, untold) + 0.2


def test_a_perfect_volume_has_no_residual() -> None:
    volume = phantom()
    for track in ("through-plane-x4", "3d-x2-blur"):
        inputs = case_of(track, volume).inputs
        np.testing.assert_allclose(back_projected(volume, inputs.image, inputs.degradation), 0, atol=1e-5)
