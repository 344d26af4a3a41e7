"""The contract of super-resolution and denoising: tracks, noise, sizes, protocols."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.settings import setting_of
from tests.tasks.restoration_cases import EVERY_TRACK, SPACING, TASKS, case_of, folder_of, phantom

from mrbench.core.case import CaseId
from mrbench.core.errors import DataError
from mrbench.core.random import rng_for
from mrbench.core.registry import find_dataset
from mrbench.datasets.intensity import head_mask
from mrbench.datasets.volumes import VolumeFolder
from mrbench.tasks.denoising import SLICES, Denoising, noisy
from mrbench.tasks.denoising import TRACKS as NOISES
from mrbench.tasks.super_resolution import TRACKS as LOSSES
from mrbench.tasks.super_resolution import SuperResolution


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
    kinds = {track: setting["degradation"]["kind"] for track, setting in settings.items()}
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
        scores = task.score(case, task.check(case, 0.9 * case.reference.volume))
        assert set(scores.metrics) == {m.name for m in task.metrics} - {"ssim_3d"}
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


@pytest.mark.parametrize(("task", "track"), [(TASKS[0], "3d-x2"), (TASKS[1], "rician-10")])
def test_a_prediction_lies_where_its_subject_lies(task, track: str, tmp_path: Path) -> None:
    """On a grid without an affine, a file from elsewhere was scored, and an export lay at the origin."""
    import nibabel as nib

    turned = np.array([[2, 0.2, 0, -60], [-0.2, 2, 0, -80], [0, 0, 2, -70], [0, 0, 0, 1.0]])
    nib.Nifti1Image(phantom().T, turned).to_filename(tmp_path / "one.nii.gz")
    setting = setting_of(task, VolumeFolder(tmp_path), track)
    (case,) = (setting.load(case) for case in setting.cases())
    grid = task.grid(setting, case)
    assert grid.shape == case.reference.volume.shape  # of odd sides, the last row is cut
    np.testing.assert_allclose(grid.affine, turned, atol=1e-5)
