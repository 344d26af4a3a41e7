"""BraTS 2023: lesion-wise scores equal to its evaluator's, beside the older ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from tests.settings import setting_of

from mrbench.core.case import Case
from mrbench.core.registry import find_dataset
from mrbench.core.weights import weights_name
from mrbench.metrics.lesions import LesionRules, lesion_scores
from mrbench.tasks.segmentation import REGIONS, Segmentation, SegmentationInputs, SegmentationReference

task = Segmentation()

SHAPE = (30, 34, 38)

OFFICIAL = {
    0: {
        "whole": (0.21379205589731906, 250.14982991426106, 0.6391916439600364, 2.449489742783178),
        "core": (0.14500899280575538, 281.95773797371135, 0.5797943674564149, 5.830951894845301),
        "enhancing": (0.2789909074420182, 128.5941099943751, 0.5705272645335737, 6.4031242374328485),
    },
    2: {
        "whole": (0.6048037244736006, 5.830951894845301, 0.6048037244736006, 5.830951894845301),
        "core": (0.17747046960530108, 252.04647009934993, 0.5314926660914582, 8.139410298049853),
        "enhancing": (0.0, 374.0, 0.0, 374.0),
    },
    3: {
        "whole": (0.5647882839859917, 3.3541019662496847, 0.5647882839859917, 3.3541019662496847),
        "core": (0.2723458550371839, 169.3488338030831, 0.47767857142857145, 6.6332495807108),
        "enhancing": (0.0, 374.0, 0.0, 374.0),
    },
}
"""Of `case_of`, by seed: lesion-wise Dice and HD95, Dice and HD95 as metrics.py of rachitsaluja/BraTS-2023-Metrics
returns them for glioma and the same label maps in files."""


def case_of(seed: int) -> tuple[Case, np.ndarray]:
    """A case and a prediction; the reference of seed 2 and the prediction of seed 3 lack enhancing tumour."""
    rng = np.random.default_rng(seed)
    first, second = (gaussian_filter(rng.standard_normal(SHAPE), 2.2) for _ in range(2))
    first, second = first / first.std(), second / second.std()
    target, prediction = (labels_of(field) for field in (first, 0.8 * first + 0.6 * second))
    if seed == 2:
        target = np.where(target == 3, 1, target)
    if seed == 3:
        prediction = np.where(prediction == 3, 1, prediction)
    spacing = (1.0, 1.0, 1.0) if seed < 2 else (1.5, 1.0, 1.0)
    inputs = SegmentationInputs(np.zeros((4, *SHAPE), np.float32), np.ones(SHAPE, bool), spacing)
    return Case("a", ("a",), inputs, SegmentationReference(target, LesionRules()), spacing), prediction


def labels_of(field: np.ndarray) -> np.ndarray:
    return np.array([0, 2, 1, 3], np.uint8)[np.digitize(field, (1.2, 1.6, 2.0))]


@pytest.mark.parametrize("seed", sorted(OFFICIAL))
def test_scores_equal_the_evaluator(seed: int) -> None:
    case, prediction = case_of(seed)
    scores = task.score(case, task.check(case, prediction)).metrics
    for region, (dice, hd95, old_dice, old_hd95) in OFFICIAL[seed].items():
        assert scores[f"dice_lesions_{region}"] == pytest.approx(dice, abs=1e-6)
        assert scores[f"hd95_lesions_{region}_mm"] == pytest.approx(hd95, abs=1e-6)
        assert scores[f"dice_{region}"] == pytest.approx(old_dice, abs=1e-6)
        assert scores[f"hd95_{region}_mm"] == pytest.approx(old_hd95, abs=1e-6)
    assert scores["dice"] == pytest.approx(np.mean([values[0] for values in OFFICIAL[seed].values()]), abs=1e-6)


def test_empty_masks_and_small_lesions() -> None:
    nothing, tiny, large = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    tiny[4:7, 4:7, 4:7], large[15:25, 15:25, 15:25] = True, True  # 27 and 1,000 mm3
    rules, unit = LesionRules(), (1.0, 1.0, 1.0)
    both = lesion_scores(nothing, nothing, spacing=unit, rules=rules)
    assert (both.dice, both.hd95_mm, both.lesions, both.surplus) == (1.0, 0.0, 0, 0)
    missed = lesion_scores(large, nothing, spacing=unit, rules=rules)
    assert (missed.dice, missed.hd95_mm) == (0.0, 374.0)
    surplus = lesion_scores(large, large | tiny, spacing=unit, rules=rules)
    assert (surplus.dice, surplus.hd95_mm, surplus.surplus) == (0.5, 187.0, 1)
    ignored = lesion_scores(large | tiny, large, spacing=unit, rules=rules)
    assert (ignored.dice, ignored.lesions) == (1.0, 1)


def test_the_older_track_is_as_it_was_and_both_share_weights() -> None:
    dataset = find_dataset("icbm-sim", "tumours")
    older, newer = setting_of(task, dataset), setting_of(task, dataset, "brats-2023")
    assert older.track.name == "glioma" and "lesions" not in older.protocol.settings
    assert newer.protocol.settings["lesions"] == {"dilation": 3, "smallest_mm3": 50.0, "missed_mm": 374.0}
    assert weights_name(task, "icbm-sim", ["brats-2023"]) == "icbm-sim"
    case, prediction = case_of(0)
    plain = Case("a", ("a",), case.inputs, SegmentationReference(case.reference.labels), case.spacing)
    scores = task.score(plain, prediction).metrics
    assert not any("lesions" in name for name in scores)
    assert scores["dice"] == pytest.approx(np.mean([scores[f"dice_{region}"] for region in REGIONS]))
