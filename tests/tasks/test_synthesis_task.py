"""The contract of synthesis: scaling, refusals, warnings, scores, pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from tests.settings import setting_of

from mrbench.core.case import Case
from mrbench.core.errors import DataError, PredictionError
from mrbench.datasets.dataset import Subject
from mrbench.tasks.synthesis import (
    CEILING,
    TRACKS,
    Synthesis,
    SynthesisInputs,
    SynthesisReference,
    misalignment,
    scan_of,
    tissue_dice,
)

SHAPE = (18, 26, 22)
SPACING = (2.0, 1.0, 1.5)


def brain(seed: int = 0) -> Subject:
    """Three tissues in an ellipsoid: T2 falls where T1 rises, with a texture of its own."""
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij"))
    mask = ((grid / np.array([0.9, 0.8, 0.85])[:, None, None, None]) ** 2).sum(0) < 1
    rng = np.random.default_rng(seed)
    pattern = gaussian_filter(rng.standard_normal(SHAPE), 1.5)
    tissue = np.digitize(pattern, np.quantile(pattern[mask], [0.3, 0.65]))
    t1 = np.array([0.25, 0.6, 1.0])[tissue] + 0.02 * rng.standard_normal(SHAPE)
    t2 = np.array([1.0, 0.55, 0.3])[tissue] + 0.02 * rng.standard_normal(SHAPE)
    images = {name: np.where(mask, image, 0).astype(np.float32) for name, image in (("T1", 700 * t1), ("T2", 90 * t2))}
    return Subject("s", images, mask, None, SPACING)


def case_of(track: str = "t1-to-t2", subject: Subject | None = None) -> Case:
    source, target = TRACKS[track].settings
    scan = scan_of(subject or brain(), (source, target), track)
    inputs = SynthesisInputs(scan.images[source], scan.mask, source, target, SPACING)
    return Case("s", ("s",), inputs, SynthesisReference(scan.images[target], scan.mask), SPACING)


@pytest.mark.parametrize("track", TRACKS)
def test_each_contrast_is_scaled_by_its_own_percentile_in_the_brain(track: str) -> None:
    case = case_of(track)
    for image in (case.inputs.image, case.reference.image):
        assert np.percentile(image[case.inputs.mask], 99.5) == pytest.approx(1, rel=1e-3)
        assert image.dtype == np.float32 and not image[~case.inputs.mask].any()
    original = brain().images[case.inputs.source]
    ratio = original[case.inputs.mask] / case.inputs.image[case.inputs.mask]
    assert ratio.std() < 1e-4 * ratio.mean(), "one factor for the whole volume"


def test_what_is_too_bright_is_clipped() -> None:
    subject = brain()
    subject.images["T1"][9, 13, 11] *= 50
    assert case_of(subject=subject).inputs.image.max() == CEILING


def test_a_missing_contrast_is_one_sentence() -> None:
    subject = replace(brain(), images={"T1": brain().images["T1"]})
    with pytest.raises(DataError, match="'s' has T1 but no T2, which the track t1-to-t2 needs; add it"):
        case_of(subject=subject)


def test_an_empty_contrast_is_one_sentence() -> None:
    subject = brain()
    subject.images["T2"][:] = 0
    with pytest.raises(DataError, match="T2 is empty in the brain"):
        case_of(subject=subject)


def test_a_thin_volume_is_one_sentence() -> None:
    subject = brain()
    thin = replace(subject, images={n: i[8:12] for n, i in subject.images.items()}, mask=subject.mask[8:12])
    with pytest.raises(DataError, match="needs 7 each way"):
        case_of(subject=thin)


def test_the_truth_is_perfect() -> None:
    task, case = Synthesis(), case_of()
    scores = task.score(case, case.reference.image).metrics
    assert scores["ssim"] == scores["ssim_whole"] == scores["dice_tissue"] == 1
    assert scores["mae"] == scores["nmse"] == 0 and scores["psnr_db"] > 140
    assert "cycle_mae" not in scores
    assert task.diagnose(case, case.reference.image) is None


def test_brain_scores_ignore_the_outside_and_whole_scores_do_not() -> None:
    task, case = Synthesis(), case_of()
    painted = case.reference.image + 0.5 * ~case.reference.mask
    scores = task.score(case, painted.astype(np.float32)).metrics
    assert scores["mae"] == 0 and scores["psnr_db"] > 140
    assert scores["mae_whole"] == pytest.approx(0.5 * (~case.reference.mask).mean(), rel=1e-5)
    assert scores["psnr_whole_db"] < 20


def test_psnr_is_of_the_data_range_not_of_the_maximum() -> None:
    case = case_of()
    prediction = case.reference.image + np.float32(0.1)
    # clipping at 1.5 touches nothing here; a range of the maximum or of the ceiling would give other decibels
    assert Synthesis().score(case, prediction).metrics["psnr_db"] == pytest.approx(20, abs=1e-3)


def test_a_source_made_again_is_scored() -> None:
    case = case_of()
    both = np.stack([case.reference.image, case.inputs.image + np.float32(0.03)])
    task = Synthesis()
    scores = task.score(case, task.check(case, both)).metrics
    assert scores["cycle_mae"] == pytest.approx(0.03, rel=1e-3) and scores["mae"] == 0


@pytest.mark.parametrize(
    ("prediction", "message"),
    [
        ([1, 2], "returned list"),
        (np.zeros(SHAPE[::-1], np.float32), r"\(18, 26, 22\) is needed, axes \(z, y, x\)"),
        (np.zeros(SHAPE, np.int32), "dtype int32"),
        (np.full(SHAPE, np.nan, np.float32), "NaN"),
    ],
)
def test_refusals_say_what_is_wrong(prediction, message: str) -> None:
    with pytest.raises(PredictionError, match=message):
        Synthesis().check(case_of(), prediction)


@pytest.mark.parametrize(("axis", "step"), [(0, 1), (1, -2), (2, 2)])
def test_contrasts_that_are_not_aligned_are_measured(axis: int, step: int) -> None:
    case = case_of()
    moved = np.roll(case.reference.image, -step, axis)
    case = replace(case, reference=SynthesisReference(moved, case.reference.mask))
    warning = Synthesis().diagnose(case, moved)
    assert warning is not None
    assert (
        f"T2 fits T1 better when moved by {step:+d} voxel along {'zyx'[axis]} ({step * SPACING[axis]:+.3g} mm)"
        in warning
    )


def test_aligned_contrasts_are_not_warned_of() -> None:
    case = case_of()
    assert misalignment(case.inputs.image, case.reference.image, case.inputs.mask, "T1", "T2", SPACING) is None


@pytest.mark.parametrize("quality", ["truth", "noisy", "source"])
@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (lambda p: np.flip(p, 0), "mirrored along z"),
        (lambda p: np.flip(p, 2), "mirrored along x"),
        (lambda p: 255 * np.flip(p, (0, 1)), "mirrored along z and y"),
        (lambda p: np.roll(p, 1, 1), "moved by -1 voxel along y"),
        (lambda p: np.roll(p, 11, 2), "moved by half its size (11 of 22 voxels along x"),
        (lambda p: p, None),
    ],
)
def test_a_prediction_that_lies_wrongly_is_named(mistake, words: str | None, quality: str) -> None:
    """Of the right contrast, noisy, or still of the contrast of its source; alone or with the source made again."""
    case = case_of()
    target, rng = case.reference.image, np.random.default_rng(0)
    made = {
        "truth": target,
        "noisy": (target + 0.1 * case.inputs.mask * rng.standard_normal(SHAPE)).astype(np.float32),
        "source": case.inputs.image,
    }[quality]
    mistaken = np.ascontiguousarray(mistake(made))
    for prediction in (mistaken, np.stack([mistaken, case.inputs.image])):
        warning = Synthesis().diagnose(case, prediction)
        assert warning is None if words is None else words in str(warning)


def test_exchanged_axes_are_named_where_the_shape_allows_it() -> None:
    case = case_of()
    cut = (slice(None), slice(2, 24), slice(None))
    inputs = replace(case.inputs, image=case.inputs.image[cut].copy(), mask=case.inputs.mask[cut].copy())
    target = case.reference.image[cut].copy()
    square = replace(case, inputs=inputs, reference=SynthesisReference(target, inputs.mask))
    exchanged = np.ascontiguousarray(np.swapaxes(target, 1, 2))
    assert "with y and x exchanged" in str(Synthesis().diagnose(square, exchanged))
    assert Synthesis().diagnose(square, target) is None
    said = next(one for one in Synthesis().looks(case, case.reference.image) if one.name == "exchanged axes")
    assert "sizes differ" in said.unable


def test_a_prediction_in_other_units_is_warned_of() -> None:
    case = case_of()
    assert "99.5th percentile in the brain is 255" in (Synthesis().diagnose(case, 255 * case.reference.image) or "")


def test_tissue_dice_follows_tissue_not_grey_level() -> None:
    """A monotone change of contrast keeps every class; noise does not; a constant image has one class only."""
    case = case_of()
    target, mask = case.reference.image, case.reference.mask
    assert tissue_dice(target, 0.2 + 0.5 * target, mask) == pytest.approx(1, abs=1e-6)
    noisy = target + 0.3 * np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    assert 0.3 < tissue_dice(target, noisy, mask) < 0.95
    constant = np.full_like(target, 0.5)
    assert tissue_dice(target, constant, mask) < 0.34
    constant[tuple(np.argwhere(mask)[:5].T)] = np.linspace(0.50001, 1, 5)  # a network at its start: one level of 256
    assert 0 <= tissue_dice(target, constant, mask) < 0.5


def test_the_picture_shows_both_contrasts() -> None:
    case = case_of()
    picture = Synthesis().picture(case, case.reference.image)
    assert picture.names == ("T2", "T1")
    np.testing.assert_array_equal(picture.source, np.minimum(case.inputs.image[SHAPE[0] // 2], 1))
    assert not picture.difference.any()


def test_the_protocol_tells_the_tracks_apart(dataset) -> None:
    task = Synthesis()
    assert len({setting_of(task, dataset, track).protocol.hash for track in TRACKS}) == 2
