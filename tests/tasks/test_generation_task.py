"""The contract of generation: draws, what counts as real, refusals, warnings, scores, pictures."""

from __future__ import annotations

import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from tests.settings import setting_of
from tests.stats.rows import row

from mrbench.core.case import Case
from mrbench.core.errors import DataError, PredictionError
from mrbench.core.registry import find_dataset
from mrbench.datasets.dataset import Dataset
from mrbench.stats.frame import frame
from mrbench.tasks.generation import DRAWS, SHOWN, SLICES, Cohort, Generation, random_pairs, slices_of

TRACK = "axial-t1"


@pytest.fixture
def brains(aligned_heads: Path) -> Dataset:
    return find_dataset(f"folder:{aligned_heads}", "images")


@pytest.fixture
def draws(brains: Dataset) -> list[Case]:
    task = Generation()
    return [setting_of(task, brains, TRACK).load(identity) for identity in setting_of(task, brains, TRACK).cases()]


def near(case: Case, seed: int = 0) -> np.ndarray:
    """New slices near the real ones: each its own mixture of two of them."""
    rng = np.random.default_rng(seed)
    real = case.reference.held_out
    share = rng.uniform(0.3, 0.7, len(real))[:, None, None]
    return (share * real + (1 - share) * np.roll(real, 3, axis=0)).astype(np.float32)


def test_a_case_is_a_draw_and_shows_the_method_no_image(draws: list[Case]) -> None:
    assert len(draws) == DRAWS and len({case.inputs.seed for case in draws}) == DRAWS
    first = draws[0]
    assert first.inputs.count == 2 * SLICES and first.inputs.shape == (80, 66)
    assert not any(isinstance(value, np.ndarray) for value in vars(first.inputs).values())


def test_what_is_held_out_is_of_other_people(brains: Dataset, draws: list[Case]) -> None:
    """The slices are the eight from the middle upwards, of the split's people in order."""
    reference = draws[0].reference
    assert len(reference.training) == 5 * SLICES
    volume = brains.load("h8").images["T1"]
    np.testing.assert_array_equal(reference.held_out[SLICES:], volume[9 : 9 + SLICES])
    assert not any((reference.training == image).all((1, 2)).any() for image in reference.held_out)
    assert set((setting := setting_of(Generation(), brains, TRACK)).task.subjects_for(setting, setting.cases())) == {
        f"h{n}" for n in (*range(5), 7, 8)
    }


def test_real_slices_score_perfectly(draws: list[Case]) -> None:
    case = draws[0]
    scores = Generation().score(case, case.reference.held_out).metrics
    assert scores["frechet"] == pytest.approx(0, abs=1e-3) and scores["copied"] == 0
    assert scores["precision"] == scores["recall"] == 1


def test_copies_are_told(draws: list[Case]) -> None:
    case = draws[0]
    task, copies = Generation(), case.reference.training[: case.inputs.count]
    scores = task.score(case, copies)
    assert scores.metrics["copied"] > 0.8 and scores.metrics["nearest_ncc"] == pytest.approx(1)  # crowns are alike
    half = np.concatenate([copies[:SLICES], case.reference.held_out[:SLICES]])
    assert task.score(case, half).metrics["copied"] == scores.metrics["copied"] / 2
    assert len(scores.details["nearest_ncc"]) == case.inputs.count


def test_mirrored_copies_are_told(draws: list[Case]) -> None:
    """The shipped network sees each training slice mirrored at every other step."""
    case = draws[0]
    mirrored = case.reference.training[: case.inputs.count, :, ::-1]
    scores = Generation().score(case, mirrored).metrics
    assert scores["copied"] > 0.8 and scores["nearest_ncc"] == pytest.approx(1)


def test_the_mean_of_all_people_is_no_copy(draws: list[Case]) -> None:
    """It is nearer to slices of the train split than any real person is, and no nearer to one than to others."""
    reference = draws[0].reference
    levels = reference.training.reshape(-1, SLICES, *reference.training.shape[1:]).mean(0)
    means = np.concatenate([levels, levels])
    evaluation = Generation().evaluate(draws[0], means)
    assert (evaluation.nearest[0] > reference.nearest[0]).all()
    assert Generation().score(draws[0], means).metrics["copied"] == 0


def test_noise_and_sameness_are_told(draws: list[Case]) -> None:
    case, task = draws[0], Generation()
    prediction = near(case)
    good = task.score(case, prediction).metrics
    noisy = prediction + 0.2 * np.random.default_rng(1).standard_normal(prediction.shape).astype(np.float32)
    assert task.score(case, noisy).metrics["frechet"] > 2 * good["frechet"]
    same = np.repeat(prediction[:1], len(prediction), axis=0)
    collapsed = task.score(case, same).metrics
    assert collapsed["pair_ms_ssim"] == pytest.approx(1, abs=1e-4) and good["pair_ms_ssim"] < 0.99
    assert collapsed["recall"] < good["recall"] or good["recall"] == 0
    assert "all slices are the same" in str(task.diagnose(case, same))


def test_no_slice_is_paired_with_itself() -> None:
    for count in (2, 7, 64):
        partner = random_pairs(count)
        assert sorted(partner) == list(range(count)) and (partner != np.arange(count)).all()


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda images: images[:-1], "shape (15, 80, 66); (16, 80, 66) is needed, axes (slice, y, x)"),
        (lambda images: images.swapaxes(1, 2), "shape (16, 66, 80)"),
        (lambda images: images.astype(int), "dtype int64"),
        (lambda images: images * np.nan, "NaN or infinite"),
        (lambda images: list(images), "returned list"),
    ],
)
def test_what_cannot_be_scored_is_refused(draws: list[Case], spoil, sentence: str) -> None:
    with pytest.raises(PredictionError) as caught:
        Generation().check(draws[0], spoil(near(draws[0])))
    assert sentence in str(caught.value)


def test_units_and_mirrored_axes_are_warned_of(draws: list[Case]) -> None:
    case, task = draws[0], Generation()
    prediction = near(case)
    assert task.diagnose(case, prediction) is None
    assert "255 times" in str(task.diagnose(case, case.reference.held_out * 255))
    assert "mirrored along y" in str(task.diagnose(case, prediction[:, ::-1]))
    assert "moved by half" in str(task.diagnose(case, np.roll(prediction, 40, 1)))
    assert "moved by -2 voxel along x" in str(task.diagnose(case, np.roll(prediction, 2, 2)))


def test_the_picture_shows_samples_before_their_nearest(draws: list[Case]) -> None:
    case = draws[0]
    shown = Generation().picture(case, case.reference.training[: case.inputs.count])
    y, x = case.inputs.shape
    assert shown.prediction.shape == (SHOWN * y, (SHOWN + 1) * x)
    np.testing.assert_array_equal(shown.prediction[:, :x], shown.prediction[:, x : 2 * x])
    assert not shown.difference[:, :x].any(), "a copy differs from its nearest in nothing"
    assert shown.difference[:, x:].any()


def test_the_board_tells_how_near_real_slices_come(draws: list[Case]) -> None:
    scores = Generation().score(draws[0], near(draws[0]))
    text = " ".join(Generation().notes(frame([row("a", 0, {}, details=scores.details)])))
    real = scores.details["nearest_ncc_real"]
    assert f"{np.median(real):.3f} in the median, {max(real):.3f} at the highest" in text
    assert Generation().notes(frame([])) == []
    precision = scores.details["other_people"]["precision"]
    assert "As many real people of the train split: Fréchet distance" in text and f"precision {precision:.3f}" in text


def test_too_small_and_unlike_volumes_are_one_sentence(aligned_heads: Path, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    shutil.copytree(aligned_heads, folder)
    for shape, sentence in (((18, 80, 40), "generation needs 16 slices of 63x63"), ((18, 70, 66), "others (80, 66)")):
        for kind in ("t1", "labels"):
            nib.Nifti1Image(np.indices(shape, np.int16)[1].T + 1, np.diag([2.0, 2, 2, 1])).to_filename(
                folder / f"1_{kind}.nii.gz"
            )
        dataset = find_dataset(f"folder:{folder}", "images")
        with pytest.raises(DataError) as caught:
            slices_of(Cohort.of(dataset), "train")
        assert sentence in str(caught.value)


def test_the_protocol_names_the_features(brains: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    before = setting_of(Generation(), brains, TRACK).protocol
    monkeypatch.setattr("mrbench.tasks.generation.sha256_of", lambda path: "0" * 64)
    assert setting_of(Generation(), brains, TRACK).protocol.hash != before.hash


def test_extra_subjects_are_trained_on_and_a_split_without_people_has_no_draws(brains, monkeypatch) -> None:
    train = brains.subjects("train")
    monkeypatch.setattr(type(brains), "endless", True)
    load = type(brains).load
    monkeypatch.setattr(type(brains), "load", lambda self, s: load(self, train[0] if s.startswith("further") else s))
    before = len(Generation().training_examples(brains, list(Generation.tracks.values())).images)
    monkeypatch.setattr(brains, "extra_subjects", ())
    brains.add_extra_subjects(2)
    assert len(Generation().training_examples(brains, list(Generation.tracks.values())).images) == before + 2 * SLICES
    monkeypatch.setattr(type(brains), "subjects", lambda self, split: ())
    assert setting_of(Generation(), brains, TRACK).cases() == []
