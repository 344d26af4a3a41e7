"""The contract of segmentation: regions, empty labels by both conventions, refusals, warnings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.rows import row_of

from mrbench.core.case import Case
from mrbench.core.errors import DataError, PredictionError
from mrbench.core.row import Row
from mrbench.datasets.dataset import Subject
from mrbench.stats.frame import frame
from mrbench.tasks.segmentation import MISSED_MM, Segmentation, SegmentationReference, example_of

SHAPE = (14, 20, 17)
SPACING = (3.0, 1.0, 2.0)


def tumour(*, enhancing: bool = True) -> np.ndarray:
    labels = np.zeros(SHAPE, np.int16)
    labels[3:9, 4:13, 3:12] = 2
    labels[4:8, 6:11, 5:10] = 3 if enhancing else 1
    labels[5:7, 7:10, 6:9] = 1
    return labels


def subject(labels: np.ndarray | None = None) -> Subject:
    rng = np.random.default_rng(0)
    mask = np.zeros(SHAPE, bool)
    mask[1:-1, 1:-1, 1:-1] = True
    images = {name: (50 + 9 * rng.standard_normal(SHAPE)).astype(np.float32) for name in ("T1", "T1c", "T2", "FLAIR")}
    return Subject("s", images, mask, tumour() if labels is None else labels, SPACING)


def case_of(labels: np.ndarray | None = None) -> Case:
    example = example_of(subject(labels))
    return Case("s", ("s",), example.inputs, SegmentationReference(example.labels), SPACING)


def scores(reference: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    task, case = Segmentation(), case_of(reference)
    return dict(task.score(case, task.check(case, prediction)).metrics)


def test_contrasts_have_mean_0_and_sd_1_in_the_brain() -> None:
    inputs = case_of().inputs
    assert inputs.images.shape == (4, *SHAPE) and inputs.images.dtype == np.float32
    for image in inputs.images:
        assert image[inputs.mask].mean() == pytest.approx(0, abs=1e-5)
        assert image[inputs.mask].std() == pytest.approx(1, rel=1e-5)
        assert not image[~inputs.mask].any()


def test_regions_are_nested() -> None:
    """What is labelled oedema all over is the whole tumour, and neither core nor enhancing."""
    values = scores(tumour(), np.where(tumour() > 0, 2, 0))
    assert values["dice_whole"] == 1 and values["hd95_whole_mm"] == 0
    assert values["dice_core"] == values["dice_enhancing"] == 0
    assert values["dice"] == pytest.approx(1 / 3)
    assert values["hd95_core_mm"] == values["hd95_enhancing_mm"] == MISSED_MM


def test_necrosis_belongs_to_the_core_and_not_to_what_enhances() -> None:
    values = scores(tumour(), np.where(tumour() == 1, 3, tumour()))
    assert values["dice_core"] == 1
    size, hole = (tumour() == 3).sum(), (tumour() == 1).sum()
    assert values["dice_enhancing"] == pytest.approx(2 * size / (2 * size + hole))


def test_distances_are_in_mm() -> None:
    for axis in range(3):
        moved = np.roll(tumour(), 1, axis)
        assert scores(tumour(), moved)["hd95_whole_mm"] == pytest.approx(SPACING[axis])


def test_empty_labels_by_both_conventions() -> None:
    without = tumour(enhancing=False)
    both_empty = scores(without, without)
    assert both_empty["dice_enhancing"] == 1 and both_empty["hd95_enhancing_mm"] == 0
    assert "dice_enhancing_present" not in both_empty, "the other convention leaves the case out"
    invented = scores(without, tumour())
    assert invented["dice_enhancing"] == 0 and invented["hd95_enhancing_mm"] == MISSED_MM
    assert "dice_enhancing_present" not in invented
    missed = scores(tumour(), without)
    assert missed["dice_enhancing"] == missed["dice_enhancing_present"] == 0


def test_no_tumour_at_all() -> None:
    nothing = np.zeros(SHAPE, np.int16)
    assert scores(nothing, nothing)["dice_whole"] == 1
    assert Segmentation().diagnose(case_of(nothing), nothing) is None
    assert Segmentation().diagnose(case_of(tumour()), nothing) is None  # nothing found lies nowhere wrongly


@pytest.mark.parametrize(
    ("prediction", "message"),
    [
        ([1], "returned list"),
        (np.zeros(SHAPE[::-1], int), "is needed, axes"),
        (np.zeros(SHAPE, np.float32), "dtype float32; return integers"),
        (np.full(SHAPE, 4), "from 4 to 4; use 0 to 3 .* wrote 4"),
        (np.full(SHAPE, -1), "from -1 to -1"),
    ],
)
def test_refusals_say_what_is_wrong(prediction, message: str) -> None:
    with pytest.raises(PredictionError, match=message):
        Segmentation().check(case_of(), prediction)


def test_a_mirrored_prediction_is_warned_of() -> None:
    off_centre = np.zeros(SHAPE, np.int16)
    off_centre[2:6, 3:9, 2:6] = 2
    warning = Segmentation().diagnose(case_of(off_centre), np.flip(off_centre, 2))
    assert warning is not None and "mirrored along x: overlap 1.000" in warning
    thick = np.zeros((20, 20, 20), np.int16)
    thick[2:16, 3:12, 4:14] = 2
    for mistaken, words in (
        (np.swapaxes(thick, 0, 2), "with z and x exchanged"),
        (np.roll(thick, 1, 1), "moved by -1 voxel along y"),
        (np.roll(thick, 10, 0), "moved by half its size"),
    ):
        assert words in str(Segmentation().diagnose(case_of(thick), np.ascontiguousarray(mistaken)))
    assert Segmentation().diagnose(case_of(off_centre), off_centre) is None


def test_missing_contrasts_and_labels_are_one_sentence() -> None:
    poor = subject()
    with pytest.raises(
        DataError, match="lacks T1c, labels; segmentation needs T1, T1c, T2, FLAIR and labels: add them"
    ):
        example_of(replace(poor, images={n: i for n, i in poor.images.items() if n != "T1c"}, labels=None))


def test_a_constant_contrast_is_one_sentence() -> None:
    poor = subject()
    poor.images["T2"][:] = 3
    with pytest.raises(DataError, match="T2 is constant in the brain"):
        example_of(poor)


def test_medians_stand_under_the_table() -> None:
    def row(case: str, dice: float) -> Row:
        metrics = {
            f"{kind}_{region}{unit}": dice
            for region in ("whole", "core", "enhancing")
            for kind, unit in (("dice", ""), ("hd95", "_mm"))
        }
        return row_of("m", case, metrics, task="segmentation", track="glioma", case=case)

    (note,) = Segmentation().notes(frame([row("a", 0.2), row("b", 0.9), row("c", 1.0)]))
    assert note.endswith("whole / core / enhancing: m 0.900 / 0.900 / 0.900, 0.9 / 0.9 / 0.9 mm.")
    assert Segmentation().notes(frame([])) == []
    (note,) = Segmentation().notes(frame([row_of("m", c, {"dice_whole": 0.5}, task="segmentation") for c in "ab"]))
    assert note.endswith("whole / core / enhancing: m 0.500 / – / –, – / – / – mm.")
