"""The simulated cohort: deterministic, individual, and true to its own deformations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt
from tests.settings import setting_of
from tests.subjects import simulated

from mrbench.core.registry import find_dataset
from mrbench.datasets.dataset import Subject
from mrbench.datasets.icbm_sim import IcbmHeads
from mrbench.metrics.deformation import compose, jacobian_determinant, warp
from mrbench.metrics.overlap import dice_per_label
from mrbench.simulation.acquisition import textured
from mrbench.simulation.anatomy import STRUCTURES, brain_mask, regions, structure_labels, tissue_fractions
from mrbench.simulation.deformation import SCALES
from mrbench.simulation.fields import smooth_noise
from mrbench.simulation.head import around
from mrbench.tasks.registration import Registration


@pytest.fixture(scope="module")
def subject() -> Subject:
    return simulated("sim45")


@pytest.fixture(scope="module")
def pair() -> tuple[Subject, Subject]:
    return simulated("sim45"), simulated("sim46")


GOLDEN = {"T1": 0.1614056, "T2": 0.1158800, "labels": 4.2497442, "corner": 0.6999749, "to_template": 1.0575628}
"""Means of one subject, to float tolerance: identical ids give identical people on every machine."""


def test_identical_ids_are_identical_people(subject) -> None:
    means = {
        "T1": subject.images["T1"].mean(dtype=np.float64),
        "T2": subject.images["T2"].mean(dtype=np.float64),
        "labels": subject.labels.mean(dtype=np.float64),
        "corner": subject.images["T1"][40:44, 50:54, 40:44].mean(dtype=np.float64),
        "to_template": np.abs(subject.truth["to_template"]).mean(dtype=np.float64),
    }
    for name, value in GOLDEN.items():
        assert means[name] == pytest.approx(value, rel=1e-4), name
    assert set(GOLDEN) == set(means)


@pytest.mark.slow
def test_every_structure_is_there(pair) -> None:
    assert len(STRUCTURES) >= 12
    for subject in pair:
        present = set(np.unique(subject.labels)) - {0}
        assert present == {label for labels in STRUCTURES.values() for label in labels}


def test_right_is_right(subject) -> None:
    right, left = (np.argwhere(subject.labels == STRUCTURES[f"{s} thalamus"][0]).mean(0) for s in "RL")
    assert right[2] > left[2]


def test_deformation_and_its_inverse_cancel(subject) -> None:
    truth = {name: field.astype(np.float32) for name, field in subject.truth.items()}
    error = np.linalg.norm(compose(truth["from_template"], truth["to_template"])[:, subject.mask], axis=0)
    assert error.mean() < 0.1 and np.percentile(error, 99) < 0.3  # voxels


@pytest.mark.slow
def test_people_differ_by_a_diffeomorphism(pair) -> None:
    for subject in pair:
        field = subject.truth["to_template"].astype(np.float32)
        assert jacobian_determinant(field)[subject.mask].min() > 0
        assert np.linalg.norm(field[:, subject.mask], axis=0).mean() > 0.5


@pytest.mark.slow
def test_true_displacement_carries_one_person_to_another(pair, monkeypatch) -> None:
    dataset, task = find_dataset("icbm-sim"), Registration()
    moving, fixed = pair
    monkeypatch.setattr(dataset, "load", {"sim45": moving, "sim46": fixed}.__getitem__)
    case = (setting := setting_of(task, dataset, "inter-subject")).load(setting.cases()[0])
    still = task.score(case, np.zeros((3, *moving.mask.shape), np.float32)).metrics
    exact = task.score(case, case.reference.displacement).metrics
    assert exact["epe_mm"] == 0 < still["epe_mm"]
    assert still["dice"] < 0.65 and exact["dice"] > 0.85
    backwards = task.score(case, -case.reference.displacement).metrics
    assert backwards["dice"] < still["dice"]


def test_contrasts_are_what_their_names_say(subject) -> None:
    """T1: white > grey > CSF. T2: CSF > grey > white."""
    tissue = {name: subject.labels == STRUCTURES[name][0] for name in ("L lateral ventricle", "L cortical grey")}
    tissue["L cerebral white"] = subject.labels == STRUCTURES["L cerebral white"][0]
    csf, grey, white = (
        {contrast: np.median(image[region]) for contrast, image in subject.images.items()} for region in tissue.values()
    )
    assert white["T1"] > grey["T1"] > csf["T1"]
    assert csf["T2"] > grey["T2"] > white["T2"]


@pytest.mark.parametrize("length", [length for length, _ in SCALES])
def test_random_fields_have_unit_variance_and_their_length(length: float) -> None:
    noise = np.stack([smooth_noise(f"s{i}", "test", length)[0] for i in range(4)])
    assert 0.5 < noise.std() < 1.5
    lag = round(length)
    correlation = np.corrcoef(noise[..., :-lag].ravel(), noise[..., lag:].ravel())[0, 1]
    assert correlation == pytest.approx(np.exp(-0.25), abs=0.25)  # of a Gaussian-smoothed field at one SD


def test_template_labels_follow_the_anatomy() -> None:
    labels = structure_labels()
    assert dice_per_label(labels, warp(labels, np.zeros((3, *labels.shape), np.float32), order=0), [1])[0] == 1
    volumes = {name: int((labels == ids[0]).sum()) / 1000 for name, ids in STRUCTURES.items()}  # ml
    assert 200 < volumes["L cortical grey"] < 700
    assert 4 < volumes["L thalamus"] < 11
    assert 2 < volumes["L hippocampus"] < 7
    assert 10 < volumes["brain stem"] < 45


@pytest.mark.slow
def test_the_template_has_a_thin_cortex_with_fluid_in_its_sulci() -> None:
    fractions, brain = tissue_fractions(), brain_mask()
    assert (
        np.allclose(sum(fractions.values()), brain, atol=1e-5) and min(part.min() for part in fractions.values()) >= 0
    )
    grey = np.isin(structure_labels(), [STRUCTURES[f"{side} cortical grey"][0] for side in "RL"])
    depth = distance_transform_edt(grey)[grey]  # mm; of a flat sheet, half its thickness at most
    assert 1 < np.median(depth) < 1.6 and np.percentile(depth, 99) < 3.5
    buried = (distance_transform_edt(brain) > 6) & (regions() == STRUCTURES["R cerebral white"][0])
    assert 0.04 < (fractions["csf"][buried] > 0.4).mean() < 0.15


def test_left_and_right_differ(subject) -> None:
    labels = structure_labels()
    cortex = [labels == STRUCTURES[f"{side} cortical grey"][0] for side in "RL"]
    overlap = 2 * (cortex[0] & cortex[1][:, :, ::-1]).sum() / sum(side.sum() for side in cortex)
    assert 0.7 < overlap < 0.97
    t1, both = subject.images["T1"], subject.mask & subject.mask[:, :, ::-1]
    assert np.corrcoef(t1[both], t1[:, :, ::-1][both])[0, 1] < 0.7


def test_tissues_have_texture_and_lose_nothing() -> None:
    pure = {name: np.zeros((96, 112, 96), np.float32) for name in ("csf", "gm", "wm")}
    pure["wm"][:48], pure["gm"][48:] = 1, 1
    mixed = textured("sim45", pure)
    assert np.allclose(sum(mixed.values()), 1, atol=1e-6) and not mixed["csf"].any()
    for tissue, half in (("wm", slice(48)), ("gm", slice(48, None))):
        assert 0.02 < mixed[tissue][half].std() < 0.08 and mixed[tissue][half].mean() > 0.85


@pytest.mark.slow
def test_a_head_has_bone_then_scalp_around_its_brain() -> None:
    z, y, x = np.ogrid[-48:48, -56:56, -48:48]
    brain = (z / 34) ** 2 + (y / 42) ** 2 + (x / 32) ** 2 < 1
    parts = around("sim45", brain)
    total = sum(parts.values())
    assert not total[brain].any() and total.min() >= 0 and total.max() <= 1 + 1e-5
    away = 2 * distance_transform_edt(~brain)
    place = {name: (away * part).sum() / part.sum() for name, part in parts.items()}
    assert place["csf"] < place["marrow"] < place["scalp"] < 20 and place["fat"] == pytest.approx(place["scalp"], abs=2)
    assert not total[away > 30].any(), "and then there is air"


@pytest.mark.slow
def test_what_is_scanned_is_the_head_of_the_same_person(subject) -> None:
    head, person = IcbmHeads().make("sim45"), subject
    assert (head.labels == person.labels).all() and (head.mask == person.mask).all()
    t1 = head.images["T1"]
    assert np.corrcoef(t1[head.mask], person.images["T1"][head.mask])[0, 1] > 0.97
    assert (t1[48][~head.mask[48]] > 0.3).sum() > 200 and t1.max() == 1
    assert find_dataset("icbm-sim", "k-space").fingerprint != find_dataset("icbm-sim").fingerprint
