"""The contract of super-resolution and denoising: tracks, noise, refusals, warnings, scores, pictures."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from tests.settings import setting_of

from mrbench.core.case import Case, CaseId
from mrbench.core.errors import DataError, PredictionError
from mrbench.core.random import rng_for
from mrbench.core.registry import find_dataset
from mrbench.core.row import Row
from mrbench.datasets.volumes import VolumeFolder, head_mask
from mrbench.metrics.image import psnr, ssim, ssim_3d
from mrbench.metrics.sharpness import gmsd, hfen, sharpness_ratio
from mrbench.physics.resolution import zero_fill
from mrbench.tasks.denoising import SLICES, Denoising, noisy
from mrbench.tasks.denoising import TRACKS as NOISES
from mrbench.tasks.restoration import HIGHEST_PSNR, RestorationReference
from mrbench.tasks.super_resolution import TRACKS as LOSSES
from mrbench.tasks.super_resolution import SuperResolution

TASKS = [SuperResolution(), Denoising()]
SPACING = (2.0, 1.0, 1.5)


def phantom(shape: tuple[int, int, int] = (21, 34, 27), seed: int = 0) -> np.ndarray:
    """A lopsided head in air, with texture; maximum 1."""
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
    radius = np.sqrt((((grid.T - [0.1, 0.05, -0.1]) / [0.9, 0.7, 0.6]) ** 2).sum(-1)).T
    texture = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 1.5)
    signal = 0.5 + 0.15 * grid[0] + 0.1 * grid[2] + 0.8 * texture
    volume = np.where(radius < 1, np.clip(signal, 0.2, None), 0) * (1 + 0.5 * (radius > 0.85))
    return (volume / volume.max()).astype(np.float32)


def folder_of(path: Path, **volumes: np.ndarray) -> VolumeFolder:
    path.mkdir(exist_ok=True)
    for name, volume in volumes.items():
        nib.Nifti1Image(volume.T, np.diag([*SPACING[::-1], 1.0])).to_filename(path / f"{name}.nii.gz")
    return VolumeFolder(path)


def case_of(task, track: str, volume: np.ndarray | None = None) -> Case:
    volume = phantom() if volume is None else volume
    part = task.trim(CaseId("c", ("c",)), volume, head_mask(volume), task.tracks[track])
    volume = np.ascontiguousarray(volume[part])
    inputs = task.degrade(CaseId("c", ("c",)), volume, task.tracks[track], SPACING)
    return Case("c", ("c",), inputs, RestorationReference(volume, head_mask(volume)), SPACING)


EVERY_TRACK = [(task, track) for task in TASKS for track in task.tracks]


def test_the_tracks_that_were_asked_for() -> None:
    assert {"2d-x2", "2d-x4", "3d-x2", "through-plane-x4"} <= set(SuperResolution.tracks)
    assert {*(f"rician-{p}" for p in (5, 10, 20)), *(f"gaussian-snr-{s}" for s in (1, 10, 100))} == set(
        Denoising.tracks
    )
    factors = {name: track.settings.degradation.factors for name, track in LOSSES.items()}
    assert factors["2d-x2"] == (1, 2, 2) and factors["2d-x4"] == (1, 4, 4)  # z is left alone
    assert factors["3d-x2"] == (2, 2, 2) and factors["through-plane-x4"] == (4, 1, 1)
    assert [NOISES[f"rician-{p}"].settings.level for p in (5, 10, 20)] == [0.05, 0.1, 0.2]
    assert [NOISES[f"gaussian-snr-{s}"].settings.level for s in (1, 10, 100)] == [1, 10, 100]


def test_default_tracks_and_what_ranks() -> None:
    heads = find_dataset("icbm-sim", "volumes")
    assert [task.default_track(heads).name for task in TASKS] == ["3d-x2", "rician-10"]
    assert [task.primary.name for task in TASKS] == ["psnr_db", "psnr_fg_db"]
    assert not next(m for m in Denoising.metrics if m.name == "sharpness").ranked


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_cases_are_the_subjects_of_a_split(split: str) -> None:
    heads = find_dataset("icbm-sim", "volumes")
    for task, track in EVERY_TRACK:
        cases = setting_of(task, heads, track, split).cases()
        assert [case.id for case in cases] == list(heads.subjects(split))
        assert all(case.subjects == (case.id,) for case in cases)


@pytest.mark.parametrize(("task", "track"), EVERY_TRACK, ids=lambda value: getattr(value, "name", value))
def test_noise_is_the_same_whatever_the_order(tmp_path: Path, task, track: str) -> None:
    volumes = {name: phantom(seed=seed) for seed, name in enumerate("abc")}
    path = tmp_path / "scans"
    dataset = folder_of(path, **volumes)
    cases = setting_of(task, dataset, track).cases()
    forwards = [setting_of(task, dataset, track).load(case).inputs.image for case in cases]
    backwards = [setting_of(task, VolumeFolder(path), track).load(case).inputs.image for case in reversed(cases)][::-1]
    for one, other in zip(forwards, backwards, strict=True):
        assert np.array_equal(one, other) and one.dtype == np.float32


def test_every_case_and_track_has_noise_of_its_own() -> None:
    volume, task = phantom(), Denoising()
    drawn = {
        (name, track): (task.degrade(CaseId(name, (name,)), volume, task.tracks[track], SPACING).image - volume)
        for name in "ab"
        for track in ("rician-5", "rician-10")
    }
    inside = volume > 0.6
    noise = {key: image[inside] for key, image in drawn.items()}
    assert abs(np.corrcoef(noise["a", "rician-10"], noise["b", "rician-10"])[0, 1]) < 0.2
    assert abs(np.corrcoef(noise["a", "rician-5"], noise["a", "rician-10"])[0, 1]) < 0.2


def test_protocols_differ_and_name_what_was_lost(tmp_path: Path) -> None:
    heads = find_dataset("icbm-sim", "volumes")
    hashes = [setting_of(task, heads, track).protocol.hash for task, track in EVERY_TRACK]
    assert len(set(hashes)) == len(hashes)
    settings = {
        track: setting_of(SuperResolution(), heads, track).protocol.settings["low_resolution"] for track in LOSSES
    }
    kinds = {track: made["degradation"]["kind"] for track, made in settings.items()}
    assert kinds["3d-x2"] == "truncation" and kinds["3d-x2-blur"] == "blur" and kinds["through-plane-x4"] == "slices"
    assert tuple(settings["2d-x4"]["degradation"]["factors"]) == (1, 4, 4) and settings["3d-x2-noise"]["noise"] == 0.02
    noise = setting_of(Denoising(), heads, "rician-5").protocol.settings["noise"]
    assert (noise["noise"], noise["level"]) == ("rician", 0.05)
    other = find_dataset("ixi-hh-2mm", "volumes")
    assert (
        setting_of(SuperResolution(), other, "3d-x2").protocol.hash
        != setting_of(SuperResolution(), heads, "3d-x2").protocol.hash
    )


def test_rician_sigma_is_a_fraction_of_the_maximum_in_each_channel() -> None:
    """In air the magnitude of complex noise has mean sigma sqrt(pi/2); of Gaussian noise it is sigma sqrt(2/pi)."""
    volume = np.zeros((40, 60, 50), np.float32)
    volume[10:30, 20:40, 15:35] = 1
    for percent in (5, 10, 20):
        inputs = Denoising().degrade(CaseId("c", ("c",)), volume, NOISES[f"rician-{percent}"], SPACING)
        sigma = percent / 100
        air = inputs.image[volume == 0]
        assert inputs.sigma == sigma and inputs.noise == "rician"
        assert air.mean() == pytest.approx(sigma * np.sqrt(np.pi / 2), rel=0.01)
        assert air.std() == pytest.approx(sigma * np.sqrt(2 - np.pi / 2), rel=0.02)
        inside = inputs.image[volume == 1]
        assert inside.std() == pytest.approx(sigma, rel=0.05) and inside.mean() > 1 + 0.3 * sigma**2


@pytest.mark.parametrize("snr", [1, 10, 100])
def test_gaussian_noise_is_inside_the_head_alone(snr: int) -> None:
    volume = phantom((40, 60, 50))
    inputs = Denoising().degrade(CaseId("c", ("c",)), volume, NOISES[f"gaussian-snr-{snr}"], SPACING)
    head = head_mask(volume)
    assert np.array_equal(inputs.image[~head], volume[~head])
    noise = (inputs.image - volume)[head]
    assert inputs.sigma == pytest.approx(volume[head].mean() / snr, rel=1e-5)
    assert inputs.sigma != pytest.approx(volume.mean() / snr, rel=0.2)
    assert noise.std() == pytest.approx(inputs.sigma, rel=0.02)
    assert abs(noise.mean()) < 0.02 * inputs.sigma  # not rectified: an SNR of 1 goes below zero
    assert inputs.noise == "gaussian" and (inputs.image.min() < 0) == (snr == 1)


def test_noisy_tells_the_sigma_that_inputs_tell() -> None:
    """Networks draw their training noise with it."""
    image, sigma = noisy(NOISES["rician-10"].settings, phantom(), rng_for("c", "noise rician-10"))
    inputs = Denoising().degrade(CaseId("c", ("c",)), phantom(), NOISES["rician-10"], SPACING)
    assert np.array_equal(image, inputs.image) and sigma == inputs.sigma


@pytest.mark.parametrize("track", LOSSES)
def test_sizes_that_the_factor_does_not_divide_are_cut(tmp_path: Path, track: str) -> None:
    """At the end, from input and reference alike: voxel 0 stays voxel 0."""
    volume, task = phantom((21, 34, 27)), SuperResolution()
    dataset = folder_of(tmp_path / "scans", a=volume)
    case = setting_of(task, dataset, track).load(CaseId("a", ("a",)))
    factors = LOSSES[track].settings.degradation.factors
    kept = tuple(n - n % f for n, f in zip(volume.shape, factors, strict=True))
    reference = case.reference
    assert reference.volume.shape == reference.foreground.shape == case.inputs.shape == kept
    np.testing.assert_allclose(reference.volume, volume[tuple(map(slice, kept))], atol=1e-6)
    assert case.inputs.image.shape == tuple(n // f for n, f in zip(kept, factors, strict=True))
    assert case.spacing == pytest.approx(SPACING)
    assert case.inputs.spacing == pytest.approx(tuple(mm * f for mm, f in zip(SPACING, factors, strict=True)))


def test_noise_of_super_resolution_is_what_the_track_says() -> None:
    volume = np.zeros((32, 40, 48), np.float32)
    clean = case_of(SuperResolution(), "3d-x2", volume + 1e-9).inputs
    inputs = case_of(SuperResolution(), "3d-x2-noise", volume + 1e-9).inputs
    assert (clean.sigma, inputs.sigma) == (0, 0.02)
    assert inputs.image.mean() == pytest.approx(0.02 * np.sqrt(np.pi / 2), rel=0.03)


def test_denoising_works_on_the_slices_about_the_foreground(tmp_path: Path) -> None:
    volume = np.zeros((100, 20, 16), np.float32)
    volume[60:80] = 0.5 + 0.5 * phantom((20, 20, 16))
    task, track = Denoising(), "rician-5"
    case = setting_of(task, folder_of(tmp_path / "scans", tall=volume), track).load(CaseId("tall", ("tall",)))
    assert len(case.reference.volume) == SLICES
    np.testing.assert_allclose(case.reference.volume, volume[50:90], atol=1e-6)
    low = np.roll(volume, -60, axis=0)
    case = setting_of(task, folder_of(tmp_path / "low", low=low), track).load(CaseId("low", ("low",)))
    np.testing.assert_allclose(case.reference.volume, low[:40], atol=1e-6)  # never beyond the end
    thin = setting_of(task, folder_of(tmp_path / "thin", thin=volume[65:70]), track).load(CaseId("thin", ("thin",)))
    assert len(thin.reference.volume) == 5


@pytest.mark.parametrize(
    ("shape", "task", "track", "message"),
    [
        ((1, 34, 27), TASKS[0], "3d-x2", "too small for the track 3d-x2.*such as 2d-x2"),
        ((7, 34, 27), TASKS[0], "through-plane-x4", "too small for the track through-plane-x4.*such as 2d-x2"),
        ((21, 34, 7), TASKS[0], "2d-x4", "too small for the track 2d-x4.*use larger images"),
        ((21, 34, 7), TASKS[0], "3d-x2", r"slices of \(34, 6\) pixels; SSIM needs 7"),
        ((21, 34, 6), TASKS[1], "rician-5", r"slices of \(34, 6\) pixels; SSIM needs 7"),
    ],
)
def test_volumes_too_small_are_one_sentence(tmp_path: Path, shape, task, track: str, message: str) -> None:
    ramp = np.linspace(0.1, 0.2, shape[2], dtype=np.float32)  # so that the corner of the phantom is not empty
    dataset = folder_of(tmp_path / "scans", tiny=phantom((21, 34, 27))[tuple(map(slice, shape))] + ramp)
    with pytest.raises(DataError, match=f"case 'tiny'.*{message}") as error:
        setting_of(task, dataset, track).load(CaseId("tiny", ("tiny",)))
    assert "\n" not in str(error.value)


def test_one_slice_is_enough_in_the_plane(tmp_path: Path) -> None:
    dataset = folder_of(tmp_path / "scans", flat=phantom()[10:11])
    for task, track in ((TASKS[0], "2d-x2"), (TASKS[1], "rician-5")):
        case = setting_of(task, dataset, track).load(CaseId("flat", ("flat",)))
        found = task.score(case, task.check(case, 0.9 * case.reference.volume))
        assert set(found.metrics) == {m.name for m in task.metrics} - {"ssim_3d"}
        assert task.diagnose(case, case.reference.volume) is None


def test_an_empty_foreground_is_one_sentence(tmp_path: Path) -> None:
    """The first slice and the last are labelled, so that the middle of the foreground has none."""
    labels = np.zeros((100, 20, 16), np.int16)
    labels[0] = labels[-1] = 1
    dataset = folder_of(tmp_path / "scans", a=0.5 + 0.5 * phantom(labels.shape), labels=labels)
    (tmp_path / "scans/subjects.csv").write_text("subject,split,T1,labels\na,test,a.nii.gz,labels.nii.gz\n")
    with pytest.raises(DataError, match="case 'a' has no foreground in the 40 slices"):
        setting_of(Denoising(), VolumeFolder(tmp_path / "scans"), "rician-5").load(CaseId("a", ("a",)))
    assert dataset.path.is_dir()


def test_training_volumes_are_whole_and_know_their_tracks(tmp_path: Path) -> None:
    dataset = folder_of(tmp_path / "scans", a=phantom(), b=phantom(seed=1))
    (tmp_path / "scans/subjects.csv").write_text("subject,split,T1\na,train,a.nii.gz\nb,test,b.nii.gz\n")
    examples = Denoising().training_examples(
        VolumeFolder(dataset.path), [Denoising.tracks[name] for name in ("rician-5", "rician-20")]
    )
    assert len(examples.volumes) == 1 and [track.level for track in examples.tracks] == [0.05, 0.2]
    np.testing.assert_allclose(examples.volumes[0], phantom(), atol=1e-6)


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
    made = gaussian_filter(target, 0.6)
    expected = {
        "psnr_db": psnr(target, made, data_range=1),
        "psnr_fg_db": psnr(target, made, data_range=1, mask=foreground),
        "ssim": ssim(target, made, data_range=1),
        "ssim_fg": ssim(target, made, data_range=1, mask=foreground),
        "ssim_3d": ssim_3d(target, made, data_range=1),
        "nmse": float(((target - made) ** 2).sum() / (target**2).sum()),
        "gmsd": gmsd(target, made, data_range=1),
        "hfen": hfen(target, made),
        "sharpness": sharpness_ratio(target, made, mask=foreground),
    }
    found = task.score(case, made)
    names = [metric.name for metric in task.metrics]
    assert found.metrics == pytest.approx({name: expected[name] for name in names}, rel=1e-5)
    assert found.details == {"megavoxels": target.size / 1e6}
    whole = dataclasses.replace(case, reference=RestorationReference(target, np.ones_like(foreground)))
    assert task.score(whole, made).metrics["psnr_fg_db"] == pytest.approx(expected["psnr_db"])


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
    found = task.score(case, case.reference.volume)
    row = Row.from_json(Row(**ROW, metrics=found.metrics, details=found.details).to_json())
    assert row.metrics == found.metrics and set(found.metrics) == {metric.name for metric in task.metrics}
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
    assert TASKS[0].notes(rows) == [note]
    assert TASKS[0].notes([Row(**{**ROW, "status": "error"})]) == []


def test_the_smallest_case_has_a_size_to_divide_by() -> None:
    volume = np.random.default_rng(0).random((1, 7, 7), np.float32)
    case = Case("c", ("c",), None, RestorationReference(volume, volume > 0), SPACING)
    assert TASKS[1].score(case, volume).details["megavoxels"] == 49e-6


def test_pictures_cut_across_what_was_lost() -> None:
    """In a coronal plane, because thick axial slices look sharp from above."""
    volume = phantom((24, 34, 28))
    case = case_of(TASKS[0], "through-plane-x4", volume)
    made = gaussian_filter(volume, (2, 0, 0))
    picture = TASKS[0].picture(case, made)
    assert picture.reference.shape == picture.source.shape == picture.prediction.shape == (24, 28)
    top = np.percentile(volume[:, 17], 99.5)
    np.testing.assert_allclose(picture.reference, volume[:, 17] / top, rtol=1e-6)
    np.testing.assert_allclose(picture.difference, (made - volume)[:, 17] / top, atol=1e-6)
    steps = np.abs(np.diff(picture.source, axis=0)).max(axis=1) > 0
    assert np.flatnonzero(steps).tolist() == [3, 7, 11, 15, 19]  # four rows of each thick slice
    axial = TASKS[0].picture(case_of(TASKS[0], "2d-x2", volume), made)
    np.testing.assert_allclose(axial.reference, volume[12] / np.percentile(volume[12], 99.5), rtol=1e-6)


def test_pictures_of_denoising_show_the_noisy_slice() -> None:
    case = case_of(TASKS[1], "rician-10")
    picture = TASKS[1].picture(case, case.reference.volume)
    top = np.percentile(case.reference.volume[10], 99.5)
    np.testing.assert_allclose(picture.source, case.inputs.image[10] / top, rtol=1e-6)
    assert not picture.difference.any() and picture.names == ("reference", "input")
