"""Every classical denoiser meets the contract, on volumes of any size, in any units; the bias is worth correcting."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from tests.marks import slow

from mrbench.core.case import Case, CaseId
from mrbench.core.errors import RequestError
from mrbench.core.method import Resources
from mrbench.core.registry import find_method
from mrbench.core.specification import parse_spec
from mrbench.core.tuned import manifest_name, tuned_folder
from mrbench.physics.noise import correct_rician_bias
from mrbench.tasks.denoising import TRACKS, Denoising, DenoisingInputs, noisy
from mrbench.tasks.restoration import RestorationReference
from mrbench_baselines.denoising.dipy_nlm import DipyAscm, DipyNlm

task = Denoising()
pytestmark = pytest.mark.filterwarnings("default")  # the tools' own warnings are not ours to mend

GAINS = {
    "gaussian": 4.5,
    "total-variation": 7.5,
    "wavelet": 5.0,
    "nlm": 8.0,
    "ants-denoise": 8.0,
    "dipy-nlm": 5.5,
    "dipy-ascm": 5.0,
    "anisotropic-diffusion": 6.5,
    "bm3d": 6.5,
    "bm4d": 7.0,
}
"""Decibels over the noisy volume that a method reaches on the phantom at rician-10, less half a decibel or more."""

SMOOTHERS = tuple(GAINS)
TUNED = ("gaussian", "total-variation", "wavelet", "nlm", "anisotropic-diffusion")
RICIAN = ("rician-5", "rician-10", "rician-20")
SLOW = ("ants-denoise", "bm3d", "bm4d", "dipy-nlm", "dipy-ascm")


def marked(names: Iterable[str]) -> list[object]:
    return [slow(name) if name in SLOW else name for name in names]


each_smoother = pytest.mark.parametrize("name", marked(SMOOTHERS))
each_method = pytest.mark.parametrize("name", marked(["noisy", *SMOOTHERS]))
each_tuned = pytest.mark.parametrize("name", TUNED)


def ready(text: str):
    spec = parse_spec(text)
    method_class = find_method(spec.name, "denoising")
    if reason := method_class.unavailable_reason():
        pytest.skip(reason)
    method = method_class.build(**spec.parameters)
    method.setup(Resources(threads=1))
    return method


SHAPE = (16, 40, 36)
BLOCK_SHAPES = {"bm3d": (1, 40, 36), "bm4d": (6, 20, 18)}
"""Axes (z, y, x) of the phantom, and of those for block matching: half a second a slice, 1.5 a slab, however small."""

SMALL = (12, 30, 27)
"""Of the phantom for what takes seconds on the other."""


def shape_for(name: str) -> tuple[int, int, int]:
    return BLOCK_SHAPES.get(name, SMALL if name in SLOW else SHAPE)


class Remembering:
    """A block matching package that answers from memory what it was asked before."""

    def __init__(self, name: str) -> None:
        self.tool = getattr(import_module(name), name)
        self.answers: dict[tuple[object, ...], np.ndarray] = {}

    def __call__(self, image: np.ndarray, sigma: float, profile: object, *more: object) -> np.ndarray:
        if more:  # BM3D asks BM4D
            return self.tool(image, sigma, profile, *more)
        question = (image.tobytes(), image.shape, image.dtype, sigma, type(profile), repr(vars(profile)))
        if question not in self.answers:
            self.answers[question] = self.tool(image, sigma, profile)
        return self.answers[question].copy()


@cache
def remembering() -> dict[str, Remembering]:
    return {name: Remembering(name) for name in BLOCK_SHAPES if find_spec(name)}


@pytest.fixture(autouse=True)
def _ask_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, tool in remembering().items():
        monkeypatch.setattr(import_module(name), name, tool)


def phantom(shape: tuple[int, int, int] = SHAPE, seed: int = 0) -> np.ndarray:
    """A lopsided head in air with flat tissues in it; the scanner's own blur, maximum 1."""
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in shape), indexing="ij"))
    radius = np.sqrt((((grid.T - [0.1, 0.05, -0.1]) / [0.85, 0.8, 0.9]) ** 2).sum(-1)).T
    tissue = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 3) > 0
    volume = gaussian_filter(np.where(radius < 1, 0.4 + 0.4 * tissue + 0.1 * grid[2], 0), 0.6)
    return (volume / volume.max()).astype(np.float32)


def case_of(track: str, volume: np.ndarray | None = None) -> Case:
    volume = phantom() if volume is None else volume
    inputs = task.degrade(CaseId("c", ("c",)), volume, task.tracks[track], (1.0, 1.0, 1.0))
    return Case("c", ("c",), inputs, RestorationReference(volume, volume > 0.2), inputs.spacing)


def case_for(name: str, track: str) -> Case:
    """The phantom whose size suits a method."""
    return case_of(track, phantom(shape_for(name)))


@cache
def denoised(name: str, bias: str, track: str) -> np.ndarray:
    """The phantom by a method, once for all tests."""
    return ready(f"{name}[bias={bias}]").predict(case_for(name, track).inputs)


def decibels(case: Case, prediction: np.ndarray, metric: str = "psnr_db") -> float:
    return task.score(case, task.check(case, prediction)).metrics[metric]


WAYS = [
    (slow if name in SLOW else pytest.param)(name, bias, track)
    for name in ("noisy", *SMOOTHERS)
    for bias in ("corrected", "kept")
    for track in ("rician-10", "gaussian-snr-10")
    if name not in BLOCK_SHAPES or track == "rician-10"  # which asks them the same as Gaussian noise does
]


@pytest.mark.parametrize(("name", "bias", "track"), WAYS)
def test_contract(name: str, bias: str, track: str) -> None:
    """Right shape, float32, finite, input untouched, the same twice, and decibels better than the noisy volume."""
    case = case_for(name, track)
    before = case.inputs.image.copy()
    method = ready(f"{name}[bias={bias}]")
    assert (method.skip_reason(TRACKS[track]) is None) == (bias == "corrected" or track == "rician-10")
    first = denoised(name, bias, track)
    assert first.dtype == np.float32
    first = task.check(case, first)
    if name in BLOCK_SHAPES and bias == "kept":
        for tool in remembering().values():
            tool.answers.clear()
    assert np.array_equal(task.check(case, method.predict(case.inputs)), first)
    assert np.array_equal(before, case.inputs.image)
    assert task.diagnose(case, first) is None
    if name == "noisy":
        assert (bias == "corrected" and track == "rician-10") != np.array_equal(first, before)
    elif track == "rician-10" and bias == "corrected":
        assert decibels(case, first) > decibels(case, before) + GAINS[name]
    elif track == "rician-10":  # air stays as bright as the noise floor
        assert decibels(case, first) > decibels(case, before) + 0.5


@pytest.mark.parametrize("name", marked(name for name in SMOOTHERS if name not in ("dipy-nlm", "dipy-ascm")))
def test_only_the_bias_is_between_corrected_and_kept(name: str) -> None:
    """The correction is of the denoised image; Gaussian noise needs none."""
    sigma = case_for(name, "rician-10").inputs.sigma
    expected = correct_rician_bias(denoised(name, "kept", "rician-10"), sigma)
    np.testing.assert_allclose(denoised(name, "corrected", "rician-10"), expected, atol=1e-5)
    if name not in BLOCK_SHAPES:
        assert np.array_equal(denoised(name, "corrected", "gaussian-snr-10"), denoised(name, "kept", "gaussian-snr-10"))


@pytest.mark.slow
def test_dipy_averages_squares_whose_bias_it_takes_off_itself() -> None:
    sigma = case_for("dipy-nlm", "rician-10").inputs.sigma
    kept = denoised("dipy-nlm", "kept", "rician-10").astype(np.float64)
    expected = np.sqrt(np.maximum(kept**2 - 2 * sigma**2, 0))
    np.testing.assert_allclose(denoised("dipy-nlm", "corrected", "rician-10"), expected, atol=1e-4)
    kept, corrected = (denoised("dipy-nlm", bias, "gaussian-snr-10") for bias in ("kept", "corrected"))
    np.testing.assert_array_equal(kept, corrected)


@pytest.mark.slow
@pytest.mark.parametrize("method", [DipyNlm(), DipyAscm()])
def test_dipy_is_without_bias_in_gaussian_noise(method: DipyNlm) -> None:
    """A mean of squares of Gaussian noise is too large by its variance: 1 became 1.41 at SNR 1."""
    noise = np.random.default_rng(0).standard_normal((16, 32, 32), np.float32)
    method.setup(Resources(threads=1))
    denoised = method.predict(DenoisingInputs(1 + noise, 1.0, "gaussian", (1.0, 1.0, 1.0)))
    assert float(denoised.mean()) == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("name", marked(name for name in SMOOTHERS if name not in BLOCK_SHAPES))
def test_correction_is_worth_three_decibels_at_20_percent(name: str) -> None:
    """In the head: smoothing leaves the Rician mean, however good it is."""
    case = case_for(name, "rician-20")
    strength = {"gaussian": "1.0", "anisotropic-diffusion": "8"}.get(name)
    chosen = f"strength={strength}," if strength else ""
    corrected, kept = (ready(f"{name}[{chosen}bias={bias}]").predict(case.inputs) for bias in ("corrected", "kept"))
    assert decibels(case, corrected) > decibels(case, kept) + 3


@pytest.mark.parametrize(
    "name", marked(name for name in SMOOTHERS if name != "ants-denoise")
)  # it estimates the noise itself
def test_a_constant_comes_back_from_noise(name: str) -> None:
    """Its mean without bias, and with a quarter of the variance at most."""
    flat = np.full({"bm3d": (1, 32, 28), "bm4d": (5, 24, 20)}.get(name, (12, 24, 20)), 0.25, np.float32)
    image, sigma = noisy(TRACKS["rician-20"].settings, flat, np.random.default_rng(0))
    inputs = DenoisingInputs(image, sigma, "rician", (1.0, 1.0, 1.0))
    corrected, kept = ready(name).predict(inputs), ready(f"{name}[bias=kept]").predict(inputs)
    assert np.mean(kept) > 0.25 + 0.06  # 0.083 is the bias of this signal-to-noise ratio
    assert abs(np.mean(corrected) - 0.25) < 0.03
    inner = slice(2, -2) if len(flat) > 4 else slice(None)
    assert np.std(kept[inner, 3:-3, 3:-3]) < 0.5 * np.std(image)


@pytest.mark.parametrize("value", [0.0, 0.5])
@each_method
def test_a_constant_without_noise_stays(name: str, value: float) -> None:
    """Nothing divides by a gradient or a spread of zero."""
    flat = np.full((1, 12, 10) if name in BLOCK_SHAPES else (8, 12, 10), value, np.float32)
    kept = ready(name).predict(DenoisingInputs(flat, 0.1, "gaussian", (1.0, 1.0, 1.0)))
    squares = name.startswith("dipy")  # of which the variance of the noise is taken off, whether it is there or not
    np.testing.assert_allclose(kept, np.sqrt(np.maximum(flat**2 - 0.1**2, 0)) if squares else flat, atol=2e-3)


@each_method
def test_units_of_the_input_are_kept(name: str) -> None:
    """A thousand times as bright an image under as much more noise comes back as much brighter."""
    inputs = case_for(name, "rician-10").inputs
    brighter = dataclasses.replace(inputs, image=1000 * inputs.image, sigma=1000 * inputs.sigma)
    difference = ready(name).predict(brighter) / 1000 - denoised(name, "corrected", "rician-10")
    assert np.sqrt(np.mean(difference**2)) < 5e-4  # block matching may choose another block on a rounding error


SIZES = {"one-slice": (1, 40, 36), "five": (5, 21, 18), "odd": (7, 33, 29)}
BLOCK_SIZES = {"bm3d": {"three": (3, 21, 18)}, "bm4d": {"three": (3, 21, 18), "five": (5, 21, 18)}}
"""BM3D takes as long for a slab as for its slices one by one; BM4D leaves three to it, and one is its contract's."""


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        pytest.param(name, shape, id=f"{name}-{size}", marks=[pytest.mark.slow] if name in SLOW else [])
        for name in SMOOTHERS
        for size, shape in BLOCK_SIZES.get(name, SIZES).items()
    ],
)
def test_volumes_of_any_size(name: str, shape: tuple[int, int, int]) -> None:
    """One slice is denoised in 2-D, thin slabs as far as they go, odd sizes without losing a row."""
    case = case_of("rician-10", phantom(shape))
    prediction = task.check(case, ready(name).predict(case.inputs))
    assert prediction.shape == shape
    assert decibels(case, prediction) > decibels(case, case.inputs.image) + 2


@pytest.mark.slow
def test_one_slice_is_the_same_as_in_two_dimensions() -> None:
    """No method may take the missing neighbours of a slice for air."""
    image = case_of("rician-10", phantom((1, 30, 26))).inputs.image
    inputs = DenoisingInputs(image, 0.1, "gaussian", (1.0, 1.0, 1.0))
    np.testing.assert_allclose(ready("gaussian").predict(inputs)[0], gaussian_filter(image[0], 0.8, mode="nearest"))
    np.testing.assert_array_equal(ready("bm4d").predict(inputs), ready("bm3d").predict(inputs))


@each_method
def test_anisotropic_voxels(name: str) -> None:
    """Strengths are in voxels, whatever their size."""
    thick = dataclasses.replace(case_for(name, "rician-10").inputs, spacing=(5.0, 0.9, 1.1))
    assert np.array_equal(ready(name).predict(thick), denoised(name, "corrected", "rician-10"))


@each_tuned
def test_strength_smooths(name: str) -> None:
    """More of it leaves less noise; wherever a search goes, it meets no error."""
    flat = np.full((12, 24, 20), 0.5, np.float32)
    image, sigma = noisy(TRACKS["rician-10"].settings, flat, np.random.default_rng(0))
    inputs = DenoisingInputs(image, sigma, "rician", (1.0, 1.0, 1.0))
    grid = sorted(find_method(name, "denoising").tunable["strength"])
    spreads = [np.std(ready(f"{name}[strength={value}]").predict(inputs)) for value in (1e-3, *grid, 1e3)]
    # total variation stops after so many steps, a little short of flat where it is strong
    assert all(weaker >= stronger - 4e-3 for weaker, stronger in pairwise(spreads))
    assert spreads[0] > 2 * spreads[-1]
    assert np.isfinite(spreads).all()


def test_wavelets_reach_noise_of_more_than_one_scale() -> None:
    """On a slab scikit-image's own choice is one scale, whose coarse half keeps an eighth of the noise's variance."""
    flat = np.full((40, 48, 48), 0.5, np.float32)
    image = flat + 0.1 * np.random.default_rng(0).standard_normal(flat.shape, np.float32)
    prediction = ready("wavelet").predict(DenoisingInputs(image, 0.1, "gaussian", (1.0, 1.0, 1.0)))
    assert np.std(prediction) < 0.015 < 0.1 / np.sqrt(8)


@pytest.mark.slow
def test_total_variation_has_converged() -> None:
    """To the objective that its docstring gives: a hundred times the iterations hardly lower it."""
    from skimage.restoration import denoise_tv_chambolle

    inputs = dataclasses.replace(case_of("rician-10", phantom(SMALL)).inputs, noise="gaussian")
    y, weight = inputs.image.astype(np.float64), 0.6 * inputs.sigma

    def objective(x: np.ndarray) -> float:
        steps = [np.diff(x, axis=axis, append=x.take([-1], axis)) for axis in range(3)]
        return float(0.5 * ((x - y) ** 2).sum() + weight * np.sqrt(sum(step**2 for step in steps)).sum())

    ours = objective(ready("total-variation[strength=0.6]").predict(inputs).astype(np.float64))
    best = objective(denoise_tv_chambolle(y, weight, eps=0, max_num_iter=3000))
    assert best <= ours < 1.01 * best < objective(y)


@each_method
def test_bias_kept_is_for_rician_noise(name: str) -> None:
    kept, corrected = ready(f"{name}[bias=kept]"), ready(name)
    for setting in TRACKS.values():
        assert corrected.skip_reason(setting) is None
        reason = kept.skip_reason(setting)
        assert reason is None if setting.settings.noise == "rician" else "Gaussian noise has no bias" in str(reason)


@each_method
def test_unknown_bias_is_refused_with_a_hint(name: str) -> None:
    with pytest.raises(RequestError, match="'keep': did you mean 'kept'"):
        find_method(name, "denoising").build(bias="keep")


@each_method
def test_the_presets(name: str) -> None:
    """Each row of its own on Rician tracks; on Gaussian ones, where kept is skipped, at least one is left."""
    method_class = find_method(name, "denoising")
    if name in TUNED:
        assert method_class.presets == ({}, {"strength": "tuned"}, {"strength": "tuned", "bias": "kept"})
        assert set(method_class.tunable) == {"strength"}
        assert isinstance(method_class.build(strength=2).strength, float)
    else:
        assert method_class.presets == ({}, {"bias": "kept"}) and not method_class.tunable
    assert method_class.parameters()["bias"] == "corrected"


@each_tuned
def test_tuned_settings_are_shipped(name: str) -> None:
    """For each noise level of the real data, and apart for kept bias; no search ended at a worse one than it saw."""
    method_class = find_method(name, "denoising")
    for dataset, track, bias in [
        *(("ixi-hh-2mm", track, bias) for track in RICIAN for bias in ("", "[bias=kept]")),
        *(("ixi-hh-2mm", track, "") for track in TRACKS if track not in RICIAN),
        *(("icbm-sim", "rician-10", bias) for bias in ("", "[bias=kept]")),
    ]:
        path = tuned_folder(method_class) / manifest_name(method_class.tunable, parse_spec(name + bias), dataset, track)
        manifest = json.loads(path.read_text())
        tried = {entry["strength"]: entry["psnr_fg_db"] for entry in manifest["tried"]}
        assert manifest["split"] == "validation" and manifest["method"] == name + bias
        assert {min(method_class.tunable["strength"]), max(method_class.tunable["strength"])} <= set(tried), path.name
        assert tried[manifest["chosen"]["strength"]] == max(tried.values()), path.name
