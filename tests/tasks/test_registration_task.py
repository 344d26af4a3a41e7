"""What registration accepts, what it says of the rest, and what it scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.settings import setting_of

from mrbench.core.case import Case
from mrbench.core.errors import DataError, PredictionError, RequestError
from mrbench.datasets.folder import Folder
from mrbench.metrics.conventions import CONVENTIONS, OURS
from mrbench.metrics.deformation import warp
from mrbench.tasks.registration import Registration


def test_cases_are_the_ring_of_the_split(task: Registration, dataset: Folder) -> None:
    pairs = [case.subjects for case in setting_of(task, dataset, "inter-subject").cases()]
    assert pairs == [("b3", "b4"), ("b4", "b5"), ("b5", "b3")]


def test_nobody_is_registered_to_themselves(task: Registration, dataset: Folder, monkeypatch) -> None:
    monkeypatch.setattr(dataset, "subjects", lambda split: ("alone",))
    assert setting_of(task, dataset, "inter-subject").cases() == []


def test_inputs_hold_no_labels(case: Case) -> None:
    assert set(vars(case.inputs)) == {"fixed", "moving", "fixed_mask", "moving_mask", "spacing"}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda u: u.tolist(), "returned list"),
        (lambda u: np.moveaxis(u, 0, -1), "axes \\(component, z, y, x\\)"),
        (lambda u: u.astype(int), "dtype"),
        (lambda u: np.where(np.arange(u.size).reshape(u.shape) == 5, np.nan, u), "NaN"),
        (lambda u: u + 500, "farther than the image"),
    ],
)
def test_bad_predictions_are_named(task: Registration, case: Case, spoil, message: str) -> None:
    with pytest.raises(PredictionError, match=message):
        task.check(case, spoil(np.zeros((3, *case.inputs.fixed.shape), np.float32)))


def test_true_field_scores_near_one_and_its_epe_is_zero(task: Registration, case: Case) -> None:
    scores = task.score(case, case.reference.displacement).metrics
    still = task.score(case, np.zeros_like(case.reference.displacement)).metrics
    assert scores["dice"] > 0.99 and scores["dice_all"] > 0.99 and scores["dice30"] > 0.99
    assert scores["epe_mm"] == 0
    assert scores["hd95_mm"] <= 1
    assert still["dice"] < 0.75
    assert still["dice30"] < still["dice"]
    assert still["epe_mm"] == pytest.approx(np.linalg.norm(np.multiply((2, -3, 1), case.spacing)), rel=1e-6)


def test_every_metric_of_the_task_is_scored(task: Registration, case: Case) -> None:
    elsewhere = {"hd95_voxels", "sdlogj_learn2reg", "correlation", "mutual_information_bits", "tre_mm"}
    assert set(task.score(case, case.reference.displacement).metrics) == {m.name for m in task.metrics} - elsewhere


@pytest.mark.parametrize("name", [name for name in CONVENTIONS if name != str(OURS)])
def test_a_mistaken_convention_is_named(task: Registration, case: Case, name: str) -> None:
    """Each of the 15 others, alone or together, on a pair whose voxels have three different sides."""
    mistaken = CONVENTIONS[name].from_voxels(case.reference.displacement, case.spacing).astype(np.float32)
    warning = task.diagnose(case, mistaken)
    assert warning is not None and CONVENTIONS[name].changes in warning


@pytest.mark.parametrize("axes", [(0,), (2,), (0, 1)])
@pytest.mark.parametrize("with_components", [True, False], ids=["all", "grid"])
def test_a_grid_turned_over_is_named(task: Registration, case: Case, axes: tuple[int, ...], with_components) -> None:
    """The images were mirrored before the tool saw them, or the field after it was made."""
    z, y, x = np.indices(case.inputs.fixed.shape) / np.reshape(case.inputs.fixed.shape, (3, 1, 1, 1)) - 0.5
    field = case.reference.displacement * (1 + 4 * np.stack([z, y, x]).sum(0)).clip(0, 2)
    moving = case.inputs.moving
    still = warp(case.reference.moving_labels, field, order=0)
    inputs = replace(case.inputs, fixed=warp(moving, field, order=1))
    turned_case = replace(case, inputs=inputs, reference=replace(case.reference, fixed_labels=still))
    assert task.diagnose(turned_case, field.astype(np.float32)) is None
    mistaken = np.flip(field, [axis + 1 for axis in axes]).astype(np.float32)
    if with_components:
        mistaken[list(axes)] *= -1
    warning = str(task.diagnose(turned_case, mistaken))
    assert f"mirrored along {' and '.join('zyx'[axis] for axis in axes)}" in warning


def test_a_small_shift_is_of_no_other_convention(task: Registration, case: Case) -> None:
    """The README's own method, a shift of half a voxel, was accused of another order of its components."""
    shift = np.broadcast_to(np.reshape([0.1, -0.9, 0.9], (3, 1, 1, 1)), case.reference.displacement.shape)
    looks = task.looks(case, shift.astype(np.float32))
    assert all(look.unable == "the field is one shift of less than a voxel." for look in looks)
    assert task.diagnose(case, 2 * shift.astype(np.float32)) is not None


def test_what_no_field_can_tell_is_said(task: Registration, case: Case) -> None:
    still = task.looks(case, np.zeros_like(case.reference.displacement))
    assert all(look.unable == "no reading of the field brings labels together." for look in still)
    bare = replace(case, reference=replace(case.reference, fixed_labels=None, moving_labels=None))
    assert all("there are no labels" in look.unable for look in task.looks(bare, case.reference.displacement))


def test_a_right_field_and_no_motion_draw_none(task: Registration, case: Case) -> None:
    assert task.diagnose(case, case.reference.displacement) is None
    assert task.diagnose(case, np.zeros_like(case.reference.displacement)) is None


def test_a_structure_warped_away_stays_in_the_mean(task: Registration, case: Case) -> None:
    away = np.full_like(case.reference.displacement, 100)
    scores = task.score(case, away).metrics
    assert scores["dice"] == 0
    assert scores["hd95_mm"] == pytest.approx(np.linalg.norm(np.multiply(case.inputs.fixed.shape, case.spacing)))


def test_labels_absent_from_one_image_are_left_out(task: Registration, case: Case) -> None:
    case.reference.fixed_labels[case.reference.fixed_labels == 4] = 0
    scores = task.score(case, case.reference.displacement)
    assert set(scores.details["dice_by_structure"]) == {"head", "a", "b"}


def test_protocol_follows_the_structures(task: Registration, dataset: Folder) -> None:
    before = setting_of(task, dataset, "inter-subject").protocol.hash
    dataset.structures = {"head": (1,)}  # type: ignore[misc]
    assert setting_of(task, dataset, "inter-subject").protocol.hash != before


def test_subjects_on_different_grids_are_refused(task: Registration, dataset: Folder, monkeypatch) -> None:
    from dataclasses import replace

    whole = {s: dataset.load(s) for s in dataset.subjects("test")}
    cut = replace(whole["b4"], mask=whole["b4"].mask[1:])
    monkeypatch.setattr(dataset, "load", lambda s: cut if s == "b4" else whole[s])
    with pytest.raises(DataError, match="different grids"):
        (setting := setting_of(task, dataset, "inter-subject")).load(setting.cases()[0])


def test_brains_that_hardly_overlap_are_refused_and_small_structures_are_not(task, dataset, monkeypatch) -> None:
    whole = {s: dataset.load(s) for s in dataset.subjects("test")}
    everywhere = np.ones(whole["b3"].mask.shape, bool)

    def labelled(side: int) -> None:
        for subject, first in (("b3", 2), ("b4", 2 + side // 2)):
            labels = np.zeros(everywhere.shape, np.int16)
            labels[first : first + side, first : first + side, 2 : 2 + side] = 1
            whole[subject] = replace(whole[subject], mask=everywhere, labels=labels)

    monkeypatch.setattr(dataset, "load", lambda s: whole[s])
    setting = setting_of(task, dataset, "inter-subject")
    labelled(everywhere.shape[0] // 2)
    with pytest.raises(DataError, match=r"'b3' and 'b4' are not aligned \(Dice of their masks 0.25\); align them"):
        setting.load(setting.cases()[0])
    labelled(4)
    assert setting.load(setting.cases()[0])


def test_labels_that_share_no_structure_are_refused_before_anything_is_computed(task, dataset, monkeypatch) -> None:
    from dataclasses import replace

    whole = {s: dataset.load(s) for s in dataset.subjects("test")}
    other = replace(whole["b4"], labels=np.where(whole["b4"].labels > 0, 9, 0).astype(np.int16))
    monkeypatch.setattr(dataset, "load", lambda s: other if s == "b4" else whole[s])
    with pytest.raises(DataError, match="no structure is in both label maps"):
        (setting := setting_of(task, dataset, "inter-subject")).load(setting.cases()[0])


def test_spacings_of_oblique_affines_are_equal_and_training_checks_its_subjects(task, dataset, monkeypatch) -> None:
    from dataclasses import replace

    load = type(dataset).load
    monkeypatch.setattr(dataset, "load", lambda s: replace(load(dataset, s), spacing=(2.0, 1.99999997, 2.00000001)))
    assert (setting := setting_of(task, dataset, "inter-subject")).load(setting.cases()[0])
    monkeypatch.setattr(dataset, "load", lambda s: replace(load(dataset, s), spacing=(2.0, 2.0, 2.0 + (s == "b1"))))
    with pytest.raises(DataError, match="'b1' and 'b0' lie on different grids"):
        task.training_examples(dataset, [task.tracks["inter-subject"]])


def test_networks_learn_from_the_contrast_that_cases_are_of(task, dataset, monkeypatch) -> None:
    """T1 where there is one, the only contrast where there is none; no other is held in memory"""
    from dataclasses import replace

    load = type(dataset).load
    image = next(iter(load(dataset, "b0").images.values()))
    for images in ({"FLAIR": image}, {"T1": image, "T2": -image}):
        monkeypatch.setattr(dataset, "load", lambda s, images=images: replace(load(dataset, s), images=images))
        example = task.training_examples(dataset, [task.tracks["inter-subject"]])[0]
        assert set(example.images) == {"T1"} and np.array_equal(example.images["T1"], image)


def test_a_track_may_move_one_contrast_onto_another(task, dataset, monkeypatch) -> None:
    from dataclasses import replace

    load = type(dataset).load
    one = {s: load(dataset, s) for s in dataset.subjects("test")}
    t1 = {s: whole.images["T1"] for s, whole in one.items()}
    both = {s: replace(whole, images={"T1": t1[s], "T2": 1 - t1[s]}) for s, whole in one.items()}
    monkeypatch.setattr(dataset, "load", both.__getitem__)
    setting, plain = (setting_of(task, dataset, name) for name in ("t1-to-t2", "inter-subject"))
    case = setting.load(setting.cases()[0])
    assert case.id == "b3_to_b4" and setting.protocol.hash != plain.protocol.hash
    np.testing.assert_array_equal(case.inputs.moving, both["b3"].images["T1"])
    np.testing.assert_array_equal(case.inputs.fixed, both["b4"].images["T2"])
    monkeypatch.setattr(dataset, "load", one.__getitem__)
    with pytest.raises(DataError, match="subject 'b4' of blobs has no T2; add it, or choose the track inter-subject"):
        setting_of(task, dataset, "t1-to-t2").cases()
    with pytest.raises(RequestError, match="networks learn from one contrast; train on inter-subject, not on t1-to-t2"):
        task.training_examples(dataset, [setting.track])


def test_images_of_two_contrasts_have_no_correlation(task: Registration, case: Case) -> None:
    """Where nobody drew labels, mutual information ranks them."""
    from dataclasses import replace

    unlabelled = replace(case.reference, fixed_labels=None, moving_labels=None, structures={})
    crossed = replace(unlabelled, rules=task.tracks["t1-to-t2"].settings)
    still = np.zeros((3, *case.inputs.fixed.shape), np.float32)
    one, two = (task.score(replace(case, reference=reference), still).metrics for reference in (unlabelled, crossed))
    assert one["correlation"] is not None and two.get("correlation") is None
    assert one["mutual_information_bits"] == two["mutual_information_bits"]


def test_picture_shows_the_middle_slice(task: Registration, case: Case) -> None:
    picture = task.picture(case, case.reference.displacement)
    middle = case.inputs.fixed.shape[0] // 2
    np.testing.assert_array_equal(picture.reference, case.inputs.fixed[middle])
    np.testing.assert_allclose(picture.difference, picture.prediction - picture.reference)
    assert picture.grid is not None and picture.grid[0, 0, 0] == -3 and picture.grid[1, 0, 0] == 1


def test_pairs_that_a_dataset_names_are_its_cases(task, dataset, monkeypatch) -> None:
    ring = setting_of(task, dataset)
    before = ring.protocol.hash
    assert [case.id for case in ring.cases()] == ["b3_to_b4", "b4_to_b5", "b5_to_b3"]
    monkeypatch.setattr(dataset, "pairs", lambda split: (("b3", "b5"), ("b5", "b3")))
    named = setting_of(task, dataset)
    assert [case.subjects for case in named.cases()] == [("b3", "b5"), ("b5", "b3")]
    assert named.protocol.hash != before


def test_pairs_of_one_name_are_refused(task, dataset, monkeypatch) -> None:
    """A case was lost without a word."""
    monkeypatch.setattr(dataset, "pairs", lambda split: (("a", "b_to_c"), ("a_to_b", "c")))
    with pytest.raises(DataError, match="two pairs of blobs are both called 'a_to_b_to_c'; rename one"):
        setting_of(task, dataset).cases()
