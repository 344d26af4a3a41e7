"""Every classical reconstruction meets the contract; ours equal sigpy's and BART's."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.kspace_phantom import SHAPE, acquire, case_of
from tests.marks import slow

from mrbench.core.errors import MethodSkipped
from mrbench.core.method import Resources
from mrbench.core.random import rng_for
from mrbench.core.registry import find_method
from mrbench.core.specification import parse_spec
from mrbench.io.cfl import read_cfl, write_cfl
from mrbench.physics.espirit import espirit
from mrbench.physics.fourier import root_sum_of_squares, to_image, to_kspace
from mrbench.physics.sampling import calibration_size, equispaced_columns
from mrbench.tasks.reconstruction import Reconstruction
from mrbench.tasks.sampling import TRACKS
from mrbench_baselines.reconstruction.bart import _bart
from mrbench_baselines.reconstruction.espirit import coil_maps
from mrbench_baselines.reconstruction.grappa import evenly_spaced
from mrbench_baselines.reconstruction.low_rank_sparse import _shrink_singular_values

task = Reconstruction()
pytestmark = pytest.mark.filterwarnings("default")  # the tools' own warnings are not ours to mend
needs_bart = pytest.mark.skipif(shutil.which("bart") is None, reason="bart is not installed")


def ready(text: str):
    spec = parse_spec(text)
    method_class = find_method(spec.name, "reconstruction")
    if reason := method_class.unavailable_reason():
        pytest.skip(reason)
    method = method_class.build(**spec.parameters)
    method.setup(Resources(threads=1))
    return method


CONTRACT = [
    ("zero-filled", "multicoil-4x", 0.0),
    ("cg-sense[strength=0.005]", "multicoil-4x", 2.0),
    ("grappa", "multicoil-4x-equispaced", 3.0),
    slow("l1-wavelet[strength=0.002]", "multicoil-4x", 3.0),
    slow("l1-wavelet[strength=0.002]", "singlecoil-4x", 0.3),
    slow("total-variation[strength=0.005]", "multicoil-8x-poisson", 3.0),
    slow("total-variation[strength=0.005]", "singlecoil-4x", 1.0),
    slow("bart[regulariser=wavelet]", "multicoil-4x", 3.0),
    ("bart[regulariser=tv]", "singlecoil-4x", 1.0),
    ("bart[regulariser=l2]", "multicoil-8x-poisson", 2.0),
    slow("temporal-tv", "cine-8x", 1.5),
    slow("low-rank-sparse", "cine-8x", 1.5),
]


@pytest.mark.parametrize(("text", "track", "gain"), CONTRACT)
def test_contract(text: str, track: str, gain: float) -> None:
    """Right shape, finite, inputs untouched, the same twice, and decibels better than zero-filled."""
    case = case_of(track, frames=12 if TRACKS[track].settings.dynamic else 2)
    before = case.inputs.kspace.copy()
    method = ready(text)
    assert method.skip_reason(TRACKS[track]) is None
    np.random.seed(0)  # noqa: NPY002  (as a run does: sigpy's power iteration draws from it)
    first = task.check(case, method.predict(case.inputs))
    assert np.array_equal(before, case.inputs.kspace)
    np.random.seed(0)  # noqa: NPY002
    np.testing.assert_allclose(task.check(case, method.predict(case.inputs)), first, atol=1e-5)
    assert task.diagnose(case, first) is None
    lower = task.score(case, task.check(case, root_sum_of_squares(to_image(case.inputs.kspace)))).metrics["psnr_db"]
    assert task.score(case, first).metrics["psnr_db"] >= lower + gain


def test_zero_filled_is_sigpys_and_barts(tmp_path: Path) -> None:
    import sigpy

    kspace = case_of("multicoil-4x").inputs.kspace
    ours = ready("zero-filled").predict(case_of("multicoil-4x").inputs)
    theirs = np.sqrt((np.abs(sigpy.ifft(kspace, axes=(-2, -1))) ** 2).sum(1))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    if shutil.which("bart"):
        write_cfl(tmp_path / "k", kspace[0][:, None])
        _bart(tmp_path, "fft", "-u", "-i", "3", "k", "images")
        _bart(tmp_path, "rss", "8", "images", "rss")
        np.testing.assert_allclose(ours[0], np.abs(read_cfl(tmp_path / "rss")), atol=1e-5)


def test_maps_equal_sigpys() -> None:
    from sigpy.mri.app import EspiritCalib

    kspace, inside = acquire(1, 4, noise=0.001).kspace[0], acquire(1).foreground[0]
    ours = espirit(kspace, (24, 24))
    theirs = EspiritCalib(kspace, calib_width=24, crop=0, show_pbar=False).run()
    agreement = np.abs((ours * theirs.conj()).sum(0))[inside]
    assert agreement.min() > 0.999
    np.testing.assert_allclose(root_sum_of_squares(ours), 1, atol=1e-5)


@needs_bart
def test_maps_equal_barts(tmp_path: Path) -> None:
    kspace, inside = acquire(1, 4, noise=0.001).kspace[0], acquire(1).foreground[0]
    write_cfl(tmp_path / "k", kspace[:, None])
    _bart(tmp_path, "ecalib", "-m1", "-c", "0", "-r", "24:24:1", "-k", "6:6:1", "k", "maps")
    theirs = read_cfl(tmp_path / "maps")[:, 0]
    theirs = theirs / root_sum_of_squares(theirs)
    assert np.abs((espirit(kspace, (24, 24)) * theirs.conj()).sum(0))[inside].min() > 0.998


def test_few_calibration_lines_still_give_maps() -> None:
    scan = acquire(1, 4, noise=0.001)
    true = to_image(scan.kspace[0]) / np.maximum(scan.reference[0], 1e-6)
    inside = scan.foreground[0]
    agreement = np.abs((espirit(scan.kspace[0], (SHAPE[0], 5)) * true.conj()).sum(0))[inside]
    assert np.median(agreement) > 0.99


def normal_residual(case, image: np.ndarray, maps: np.ndarray, strength: float) -> float:
    """Relative gradient of the CG-SENSE problem at an image."""

    def back(kspace: np.ndarray) -> np.ndarray:
        return (to_image(kspace) * maps.conj()).sum(1)

    mask, y = case.inputs.mask[:, None], case.inputs.kspace
    gradient = back(np.where(mask, to_kspace(image[:, None] * maps) - y, 0)) + strength * image
    return float(np.linalg.norm(gradient) / np.linalg.norm(back(y)))


def test_cg_sense_solves_its_equation() -> None:
    case = case_of("multicoil-4x")
    image = ready("cg-sense[strength=0.05,iterations=60]").predict(case.inputs)
    assert normal_residual(case, image, coil_maps(case.inputs), 0.05) < 1e-3


@needs_bart
def test_cg_sense_is_barts(tmp_path: Path) -> None:
    case = case_of("multicoil-4x")
    maps = coil_maps(case.inputs)[0]
    write_cfl(tmp_path / "k", case.inputs.kspace[0][:, None])
    write_cfl(tmp_path / "m", maps[:, None])
    write_cfl(tmp_path / "p", case.inputs.mask[0].astype(np.complex64))
    # -w 1: no scaling of the data, so that the strengths mean the same
    _bart(tmp_path, "pics", "-w", "1", "-i", "100", "-R", "Q:0.05", "-p", "p", "k", "m", "x")
    ours = ready("cg-sense[strength=0.05,iterations=100]").predict(case.inputs)[0]
    theirs = read_cfl(tmp_path / "x").reshape(ours.shape)
    assert np.linalg.norm(ours - theirs) < 1e-3 * np.linalg.norm(theirs)


@pytest.mark.slow
@needs_bart
def test_total_variation_reaches_barts_objective(tmp_path: Path) -> None:
    """Both solve one convex problem: at the same strength, ours may not end higher than BART's."""
    case = case_of("singlecoil-4x", frames=1)
    y, mask = case.inputs.kspace[:, 0], case.inputs.mask

    def objective(image: np.ndarray) -> float:
        misfit = np.where(mask, to_kspace(image) - y, 0)
        steps = [np.abs(image - np.roll(image, 1, axis)).sum() for axis in (1, 2)]
        return float(0.5 * np.linalg.norm(misfit) ** 2 + 0.01 * sum(steps))

    write_cfl(tmp_path / "k", case.inputs.kspace[0][:, None])
    write_cfl(tmp_path / "m", np.ones_like(case.inputs.kspace[0][:, None]))
    write_cfl(tmp_path / "p", mask[0].astype(np.complex64))
    _bart(tmp_path, "pics", "-w", "1", "-i", "300", "-R", "T:3:0:0.01", "-u", "0.1", "-p", "p", "k", "m", "x")
    theirs = read_cfl(tmp_path / "x").reshape(1, *SHAPE)
    ours = ready("total-variation[strength=0.01,iterations=600]").predict(case.inputs)
    assert objective(ours) < 1.02 * objective(theirs)
    assert np.linalg.norm(ours - theirs) < 0.1 * np.linalg.norm(theirs)


@pytest.mark.slow
def test_l1_wavelet_lowers_its_objective_to_a_fixed_point() -> None:
    import pywt

    case = case_of("singlecoil-4x", frames=1)
    y, mask = case.inputs.kspace[0, 0], case.inputs.mask[0]

    def objective(image: np.ndarray) -> float:
        levels = pywt.dwtn_max_level(image.shape, "db4")
        coefficients, _ = pywt.coeffs_to_array(pywt.wavedecn(image, "db4", mode="zero", level=levels))
        return float(
            0.5 * np.linalg.norm(np.where(mask, to_kspace(image) - y, 0)) ** 2 + 0.01 * np.abs(coefficients).sum()
        )

    values = [
        objective(ready(f"l1-wavelet[strength=0.01,iterations={n}]").predict(case.inputs)[0]) for n in (5, 100, 400)
    ]
    assert values[0] > values[1] > values[2] - 1e-4 * values[1]
    assert values[1] - values[2] < 0.02 * values[2]  # 100 iterations are nearly there


@pytest.mark.parametrize("width", [45, 96, 127, 171])
def test_grappa_takes_every_mask_of_its_track(width: int) -> None:
    for seed in range(12):
        columns = equispaced_columns(width, 4, 0.12, rng_for(str(seed), "m"))
        mask = np.broadcast_to(columns, (1, 8, width))
        assert evenly_spaced(columns, calibration_size(mask)[1]), seed


def test_grappa_refuses_what_it_cannot_fill() -> None:
    grappa = find_method("grappa", "reconstruction")()
    assert "random sampling" in grappa.skip_reason(TRACKS["multicoil-4x"])
    assert "one coil" in grappa.skip_reason(TRACKS["singlecoil-4x"])
    with pytest.raises(MethodSkipped, match="not evenly spaced"):
        grappa.predict(case_of("multicoil-4x").inputs)
    columns = np.zeros(32, bool)
    columns[1::4] = columns[13:19] = True
    assert evenly_spaced(columns, 6)
    columns[3] = True
    assert not evenly_spaced(columns, 6)


def test_maps_need_a_centre() -> None:
    case = case_of("multicoil-4x")
    object.__setattr__(case.inputs, "calibration", (48, 1))
    with pytest.raises(MethodSkipped, match="48 x 1 samples"):
        coil_maps(case.inputs)


def test_dynamic_methods_want_a_cine() -> None:
    for name in ("temporal-tv", "low-rank-sparse"):
        assert "slices, not time" in find_method(name, "reconstruction")().skip_reason(TRACKS["singlecoil-4x"])


def test_singular_values_shrink_as_by_a_full_decomposition() -> None:
    sequence = case_of("cine-8x", frames=6).inputs.kspace[:, 0]
    left, singular, right = np.linalg.svd(sequence.reshape(6, -1), full_matrices=False)
    threshold = float(singular[2])
    expected = ((left * np.maximum(singular - threshold, 0)) @ right).reshape(sequence.shape)
    assert np.linalg.norm(_shrink_singular_values(sequence, threshold) - expected) < 1e-3 * np.linalg.norm(expected)
