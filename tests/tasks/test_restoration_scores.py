"""What super-resolution and denoising make of predictions: refusals, warnings, scores, notes, pictures."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from tests.tasks.restoration_cases import SPACING, TASKS, case_of, phantom

from mrbench.core.case import Case
from mrbench.core.errors import PredictionError
from mrbench.core.row import Row
from mrbench.metrics.image import psnr, ssim, ssim_3d
from mrbench.metrics.sharpness import gmsd, hfen, sharpness_ratio
from mrbench.physics.resolution import zero_fill
from mrbench.stats.frame import frame
from mrbench.tasks.denoising import TRACKS as NOISES
from mrbench.tasks.restoration import HIGHEST_PSNR, RestorationReference


@pytest.mark.parametrize(("task", "track"), [(TASKS[0], "2d-x2"), (TASKS[1], "rician-5")], ids=["sr", "dn"])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: p.tolist(), "returned list; return an array of"),
        (lambda p: None, "returned NoneType"),
        (lambda p: p[0], r"has shape \(34, 26\); \(21, 34, 26\) is needed, axes \(z, y, x\)"),
        (lambda p: p.T, r"has shape \(26, 34, 21\)"),
        (lambda p: (100 * p).astype(int), "dtype int64"),
        (lambda p: p + 0j, "dtype complex64"),
        (lambda p: p > 0.5, "dtype bool"),
        (lambda p: p * np.nan, "NaN"),
        (lambda p: p.astype(float) * 1e39, "infinite"),
    ],
)
def test_faulty_predictions_are_refused(task, track: str, spoil, message: str) -> None:
    case = case_of(task, track, phantom()[..., :26])
    with pytest.raises(PredictionError, match=message) as error:
        task.check(case, spoil(case.reference.volume.copy()))
    assert "\n" not in str(error.value)


def test_good_predictions_become_float32() -> None:
    task, case = TASKS[1], case_of(TASKS[1], "rician-5")
    for volume in (case.reference.volume.astype(np.float64), np.asfortranarray(case.reference.volume)):
        checked = task.check(case, volume)
        assert checked.dtype == np.float32 and checked.flags.c_contiguous
        assert np.array_equal(checked, case.reference.volume)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        *(
            (lambda p, a=a, s=s: np.roll(p, -s, a), f"moved by {s:+d} voxel along {n}")
            for a, n in enumerate("zyx")
            for s in (-1, 1)
        ),
        *((lambda p, a=a: np.flip(p, a), f"mirrored along {n}") for a, n in enumerate("zyx")),
        (lambda p: 2 * p, "is 1.9"),
        (lambda p: p / 2, "is 0.4"),
        (lambda p: 255 * p, "times as bright"),
        (lambda p: 0 * p, "0 times as bright"),
        (lambda p: -p, "times as bright"),
        (lambda p: p, None),
        (lambda p: gaussian_filter(p, 1), None),
        (lambda p: np.maximum(p - 0.03, 0), None),
    ],
)
def test_mixed_up_conventions_are_named(mistake, message: str | None) -> None:
    case = case_of(TASKS[0], "3d-x2", gaussian_filter(phantom(), 1))
    good = zero_fill(case.inputs.image, case.inputs.shape).real.astype(np.float32)
    warning = TASKS[0].diagnose(case, TASKS[0].check(case, mistake(good)))
    assert (warning is None) if message is None else (message in warning)


@pytest.mark.parametrize("track", NOISES)
def test_a_denoiser_that_does_nothing_gets_no_warning(track: str) -> None:
    """Noise that is left in brightens the volume, but its units are right."""
    case = case_of(TASKS[1], track)
    assert TASKS[1].diagnose(case, case.inputs.image) is None


@pytest.mark.parametrize(("task", "track"), [(TASKS[0], "3d-x2"), (TASKS[1], "rician-10")], ids=["sr", "dn"])
def test_scores_are_those_of_the_metric_functions(task, track: str) -> None:
    case = case_of(task, track)
    target, foreground = case.reference.volume, case.reference.foreground
    smooth = gaussian_filter(target, 0.6)
    expected = {
        "psnr_db": psnr(target, smooth, data_range=1),
        "psnr_fg_db": psnr(target, smooth, data_range=1, mask=foreground),
        "ssim": ssim(target, smooth, data_range=1),
        "ssim_fg": ssim(target, smooth, data_range=1, mask=foreground),
        "ssim_3d": ssim_3d(target, smooth, data_range=1),
        "nmse": float(((target - smooth) ** 2).sum() / (target**2).sum()),
        "gmsd": gmsd(target, smooth, data_range=1),
        "hfen": hfen(target, smooth),
        "sharpness": sharpness_ratio(target, smooth, mask=foreground),
    }
    scores = task.score(case, smooth)
    names = [metric.name for metric in task.metrics]
    assert scores.metrics == pytest.approx({name: expected[name] for name in names}, rel=1e-5)
    assert scores.details == {"megavoxels": target.size / 1e6}
    whole = dataclasses.replace(case, reference=RestorationReference(target, np.ones_like(foreground)))
    assert task.score(whole, smooth).metrics["psnr_fg_db"] == pytest.approx(expected["psnr_db"])


@pytest.mark.parametrize(("task", "track"), [(TASKS[0], "3d-x2"), (TASKS[1], "rician-10")], ids=["sr", "dn"])
def test_scores_rank_a_better_volume_higher_everywhere(task, track: str) -> None:
    case = case_of(task, track)
    truth = case.reference.volume
    poor, good = (task.score(case, gaussian_filter(truth, sd)).metrics for sd in (1.5, 0.5))
    for metric in task.metrics:
        assert (good[metric.name] > poor[metric.name]) == metric.higher_is_better, metric.name


ROW = {
    "key": "k",
    "task": "denoising",
    "track": "rician-10",
    "dataset": "d",
    "simulated": False,
    "fingerprint": "f",
    "split": "test",
    "protocol": "p",
    "method": "m",
    "kind": "classical",
    "source": "s",
    "weights": None,
    "seed": 0,
    "case": "c",
    "subjects": ["c"],
    "status": "ok",
    "run": "r",
    "device": "cpu",
    "threads": 1,
}


@pytest.mark.parametrize(("task", "track"), [(TASKS[0], "3d-x2"), (TASKS[1], "rician-10")], ids=["sr", "dn"])
def test_a_perfect_volume_ranks_first_and_survives_the_row(task, track: str) -> None:
    """An infinite PSNR would be written as null, read as NaN, and ranked last."""
    case = case_of(task, track)
    scores = task.score(case, case.reference.volume)
    row = Row.from_json(Row(**ROW, metrics=scores.metrics, details=scores.details).to_json())
    assert row.metrics == scores.metrics and set(scores.metrics) == {metric.name for metric in task.metrics}
    assert row.metrics["psnr_db"] == row.metrics["psnr_fg_db"] == HIGHEST_PSNR == pytest.approx(144.494, abs=1e-3)
    assert row.metrics["sharpness"] == 1 and row.metrics["nmse"] == row.metrics["hfen"] == 0
    near = task.score(case, case.reference.volume + np.float32(1e-6))
    assert near.metrics["psnr_db"] == pytest.approx(120, abs=0.5)  # what is measurable is not touched


def test_a_flat_reference_leaves_out_what_it_cannot_measure() -> None:
    flat = np.full((8, 12, 10), 0.5, np.float32)
    case = Case("c", ("c",), None, RestorationReference(flat, flat > 0), SPACING)
    metrics = TASKS[1].score(case, 0.9 * flat).metrics
    assert set(metrics) == {metric.name for metric in TASKS[1].metrics} - {"hfen", "sharpness"}
    assert json.loads(Row(**ROW, metrics=metrics).to_json())["metrics"]["psnr_db"] == pytest.approx(26.02, abs=0.01)


@pytest.mark.parametrize(
    ("sizes", "note"),
    [
        ([1.296], "A case is 1.3 megavoxels."),
        ([0.0193, 0.0193], "A case is 0.019 megavoxels."),
        ([0.4, 0.3, 0.9, 0.5], "A case is 0.3 to 0.9 megavoxels."),
    ],
)
def test_notes_say_the_size_of_a_case(sizes: list[float], note: str) -> None:
    rows = [Row(**ROW, details={"megavoxels": size}) for size in sizes]
    assert TASKS[0].notes(frame(rows)) == [note]
    assert TASKS[0].notes(frame([Row(**{**ROW, "status": "error"})])) == []


def test_the_smallest_case_has_a_size_to_divide_by() -> None:
    volume = np.random.default_rng(0).random((1, 7, 7), np.float32)
    case = Case("c", ("c",), None, RestorationReference(volume, volume > 0), SPACING)
    assert TASKS[1].score(case, volume).details["megavoxels"] == 49e-6


def test_pictures_cut_across_what_was_lost() -> None:
    """In a coronal plane, because thick axial slices look sharp from above."""
    volume = phantom((24, 34, 28))
    case = case_of(TASKS[0], "through-plane-x4", volume)
    smooth = gaussian_filter(volume, (2, 0, 0))
    picture = TASKS[0].picture(case, smooth)
    assert picture.reference.shape == picture.source.shape == picture.prediction.shape == (24, 28)
    top = np.percentile(volume[:, 17], 99.5)
    np.testing.assert_allclose(picture.reference, volume[:, 17] / top, rtol=1e-6)
    np.testing.assert_allclose(picture.difference, (smooth - volume)[:, 17] / top, atol=1e-6)
    steps = np.abs(np.diff(picture.source, axis=0)).max(axis=1) > 0
    assert np.flatnonzero(steps).tolist() == [3, 7, 11, 15, 19]  # four rows of each thick slice
    axial = TASKS[0].picture(case_of(TASKS[0], "2d-x2", volume), smooth)
    np.testing.assert_allclose(axial.reference, volume[12] / np.percentile(volume[12], 99.5), rtol=1e-6)


def test_pictures_of_denoising_show_the_noisy_slice() -> None:
    case = case_of(TASKS[1], "rician-10")
    picture = TASKS[1].picture(case, case.reference.volume)
    top = np.percentile(case.reference.volume[10], 99.5)
    np.testing.assert_allclose(picture.source, case.inputs.image[10] / top, rtol=1e-6)
    assert not picture.difference.any() and picture.names == ("reference", "input")
