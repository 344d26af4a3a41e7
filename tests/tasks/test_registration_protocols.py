"""Registration as Learn2Reg, LUMIR and TransMorph score it: equal to their evaluators on files of their layouts."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from tests.settings import setting_of

from mrbench.core.case import Case
from mrbench.core.errors import DataError, RequestError
from mrbench.core.registry import find_dataset
from mrbench.core.weights import weights_name
from mrbench.datasets.folder import Folder
from mrbench.io.pickled_arrays import read_pickled_arrays
from mrbench.tasks.registration import Registration
from mrbench.tasks.registration_rules import LUMIR_LABELS, TRACKS, TRANSMORPH_GROUPS

task = Registration()

SHAPE = (14, 16, 18)

OFFICIAL = {
    0: {"sdlogj": 0.14659534708088065, "hd95": 4.231443178097435, "ndv": 0.6907850643837233, "tm": 0.2041233871292995},
    1: {"sdlogj": 4.672774875246552, "hd95": 4.180454298074424, "ndv": 83.35310099834354, "tm": 0.1457139386978805},
}
"""Of `labels_of` and `field_of`, by seed: what MDL-UzL/L2R at 8847509, JHU-MedImage-Reg/LUMIR_L2R at 9b88e63 and
TransMorph at 6357a1d return for the same arrays in files (mean of labels 1 to 4)."""

OFFICIAL_DICE = {
    0: (0.18303273213092852, 0.22773722627737225, 0.11206328279499012, 0.21659634317862167),
    1: (0.1724137931034483, 0.11655874190564293, 0.09360936093609361, 0.1203281677301732),
}

OFFICIAL_FOLDS = {0: 3.7450396825396823, 1: 39.23611111111111}


def labels_of(seed: int) -> np.ndarray:
    parts = [gaussian_filter(np.random.default_rng(seed * 10 + i).random(SHAPE), 2) for i in range(5)]
    return np.argmax(parts, 0).astype(np.int16)


def field_of(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    parts = [gaussian_filter(rng.standard_normal(SHAPE), 1.5) for _ in range(3)]
    return (np.stack(parts) * {0: 3.0, 1: 8.0}[seed] * 3).astype(np.float32)


def image_of(labels: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).random(SHAPE) / 10
    return np.where(labels > 0, 0.1 + labels / (1 + labels.max()) + noise, 0).astype(np.float32)


def write(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.Nifti1Image(array.T, np.eye(4)).to_filename(path)


def learn2reg(folder: Path, name: str, numbers: dict[str, int], pairs: list[tuple[str, str]]) -> Path:
    """A release: images, labels by the seed of each number, and the JSON file of its pairs ``(moving, fixed)``."""
    for number, seed in numbers.items():
        labels = labels_of(seed)
        write(folder / f"imagesTr/{name}_{number}_0000.nii.gz", image_of(labels))
        write(folder / f"labelsTr/{name}_{number}_0000.nii.gz", labels)
    place = f"./imagesTr/{name}_{{}}_0000.nii.gz"
    content = {
        "modality": {"0": "MR"},
        "training": [],
        "registration_val": [{"moving": place.format(m), "fixed": place.format(f)} for m, f in pairs],
    }
    (folder / f"{name}_dataset.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="module")
def oasis(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """The 20 people of its validation; of the first pair, fixed and moving labels are those of `OFFICIAL`."""
    numbers = {f"{395 + n:04d}": {0: 1, 1: 2}.get(n, 3 + n) for n in range(20)}
    pairs = [(f"{n + 1:04d}", f"{n:04d}") for n in range(413, 394, -1)]  # in another order than the evaluator's
    return Folder(learn2reg(tmp_path_factory.mktemp("l2r") / "OASIS", "OASIS", numbers, pairs))


def loaded(dataset: Folder, track: str, split: str = "validation", number: int = 0) -> Case:
    setting = setting_of(task, dataset, track, split)
    return setting.load(setting.all_cases[number])


def test_oasis_has_its_nineteen_pairs_and_scores_of_its_evaluator(oasis: Folder) -> None:
    setting = setting_of(task, oasis, split="validation")
    assert setting.track.name == "oasis-l2r" and len(setting.all_cases) == 19
    assert setting.all_cases[0].id == "OASIS_0396_to_OASIS_0395" and setting.all_cases[-1].subjects[0] == "OASIS_0414"
    assert "the 19 of the protocol" in setting.protocol.settings["pairs"]
    scores = task.score(setting.load(setting.all_cases[0]), field_of(0)).metrics
    assert scores["dice"] == pytest.approx(np.mean(OFFICIAL_DICE[0]), abs=1e-6)
    assert scores["hd95_voxels"] == pytest.approx(OFFICIAL[0]["hd95"], abs=1e-6)
    assert scores["sdlogj_learn2reg"] == pytest.approx(OFFICIAL[0]["sdlogj"], abs=1e-6)
    assert scores["sdlogj"] > 2 * scores["sdlogj_learn2reg"]  # the true one, unshifted
    assert scores["hd95_mm"] != scores["hd95_voxels"]


def test_a_part_of_the_pairs_is_refused_and_other_people_have_their_own(tmp_path: Path) -> None:
    part = Folder(learn2reg(tmp_path / "OASIS", "OASIS", {"0395": 1, "0396": 2}, [("0396", "0395")]))
    with pytest.raises(RequestError, match="lacks 18 of the 20 subjects of this protocol's pairs, such as 0397"):
        setting_of(task, part, split="validation").cases()
    assert len(setting_of(task, part, "inter-subject", "validation").cases()) == 1
    other = Folder(learn2reg(tmp_path / "mine", "mine", {"0001": 1, "0002": 2}, [("0002", "0001")]))
    assert setting_of(task, other, split="validation").track.name == "inter-subject"
    assert len(setting_of(task, other, "oasis-l2r", "validation").cases()) == 1


@pytest.mark.parametrize("seed", [0, 1])
def test_lumir_scores_equal_its_evaluator(seed: int, tmp_path: Path) -> None:
    numbers = {"0001": seed + 1, "0002": seed + 2}
    case = loaded(Folder(learn2reg(tmp_path / "LUMIR", "LUMIR", numbers, [("0002", "0001")])), "lumir")
    scores = task.score(case, field_of(seed)).metrics
    assert scores["ndv_percent"] == pytest.approx(OFFICIAL[seed]["ndv"], abs=1e-6)
    assert scores["sdlogj_learn2reg"] == pytest.approx(OFFICIAL[seed]["sdlogj"], abs=1e-6)
    background = task.score(case, field_of(seed)).details["dice_by_structure"]
    assert "label 0" in background and background["label 4"] == pytest.approx(OFFICIAL_DICE[seed][3], abs=1e-6)


def test_landmarks_of_a_release_give_its_target_registration_error(tmp_path: Path) -> None:
    """Positions count voxels of the file, whatever way it lies; the field is a cubic spline there."""
    from scipy.ndimage import map_coordinates

    folder = learn2reg(tmp_path / "LUMIR", "LUMIR", {"0001": 1, "0002": 2}, [("0002", "0001")])
    points = np.random.default_rng(0).uniform(2, 11, (2, 6, 3))  # fixed and moving, (z, y, x)
    for number, own in zip(("0001", "0002"), points, strict=True):
        stored = own[:, ::-1].copy()
        if number == "0002":  # the file runs from right to left
            stored[:, 0] = SHAPE[2] - 1 - stored[:, 0]
            for kind in ("imagesTr", "labelsTr"):
                file = folder / kind / f"LUMIR_{number}_0000.nii.gz"
                image = nib.load(file)
                flipped = np.diag([-1.0, 1, 1, 1])
                flipped[0, 3] = SHAPE[2] - 1
                nib.Nifti1Image(np.asarray(image.dataobj)[::-1], flipped).to_filename(file)
        (folder / "keypointsTr").mkdir(exist_ok=True)
        np.savetxt(folder / f"keypointsTr/LUMIR_{number}_0000.csv", stored, delimiter=",")
    case = loaded(Folder(folder), "lumir")
    np.testing.assert_allclose(case.reference.landmarks, points, atol=1e-6)
    field = field_of(0)
    moved = np.stack([map_coordinates(part.astype(float), points[0].T) for part in field], axis=1)
    expected = np.linalg.norm(points[0] + moved - points[1], axis=1).mean()
    assert task.score(case, field).metrics["tre_mm"] == pytest.approx(expected, abs=1e-6)
    np.savetxt(folder / "keypointsTr/LUMIR_0001_0000.csv", points[0, :4], delimiter=",")
    with pytest.raises(DataError, match="'LUMIR_0001' has 4 landmarks and 'LUMIR_0002' 6; give both as many"):
        loaded(Folder(folder), "lumir")
    (folder / "keypointsTr/LUMIR_0001_0000.csv").write_text("x,y,z\n1,2,3\n")
    with pytest.raises(DataError, match="no list of landmarks: line 1 does not hold three numbers; write x,y,z"):
        loaded(Folder(folder), "lumir")


def test_the_hippocampus_is_scored_as_learn2reg_does_on_whatever_pairs_there_are() -> None:
    dataset = find_dataset("msd-hippocampus")
    setting = setting_of(task, dataset)
    assert setting.track.name == "inter-subject"
    assert set(TRACKS["l2r-hippocampus"].settings.structures(dataset.structures)) == set(dataset.structures)


def transmorph(folder: Path, arrays: dict[str, np.ndarray], protocol: int = 4) -> Path:
    """The layout of its IXI: arrays left, inferior, anterior, in the order of ``(z, y, x)`` volumes here."""
    for name, labels in arrays.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        as_stored = [part.transpose(2, 0, 1)[::-1, ::-1] for part in (image_of(labels), labels)]
        path.write_bytes(pickle.dumps((as_stored[0], as_stored[1].astype(np.uint16)), protocol))
    return folder


@pytest.mark.parametrize("seed", [0, 1])
def test_transmorph_scores_equal_its_own(seed: int, tmp_path: Path) -> None:
    freesurfer = np.array([0, 16, 14, 15, 24])  # brain stem, ventricles, CSF: structures of one label each
    fixed, moving = (freesurfer[labels_of(seed + n)].astype(np.int16) for n in (1, 2))
    folder = Folder(transmorph(tmp_path / "IXI", {"atlas.pkl": moving, "Test/subject_1.pkl": fixed}))
    setting = setting_of(task, folder)
    assert setting.track.name == "transmorph-ixi"
    (case_id,) = setting.all_cases
    assert case_id.subjects == ("subject_1",) and case_id.id == "atlas_to_subject_1"  # the atlas is nobody's case
    assert task.subjects_for(setting, [case_id]) == ["atlas", "subject_1"]
    case = setting.load(case_id)
    assert (case.reference.fixed_labels == fixed).all() and (case.reference.moving_labels == moving).all()
    scores = task.score(case, field_of(seed)).metrics
    assert scores["dice"] == pytest.approx(OFFICIAL[seed]["tm"], abs=1e-6)
    assert scores["dice_all"] == pytest.approx(4 * OFFICIAL[seed]["tm"] / 30, abs=1e-6)  # 26 are absent: 0, as theirs
    assert scores["folds_percent"] == pytest.approx(OFFICIAL_FOLDS[seed], abs=1e-6)


def test_left_and_right_are_averaged_not_merged(tmp_path: Path) -> None:
    left, right = np.zeros(SHAPE, np.int16), np.zeros(SHAPE, np.int16)
    left[2:8, 2:8, 2:8], left[9, 9, 9] = 17, 53
    right[2:8, 2:8, 2:8], right[9, 9, 10] = 17, 53
    folder = Folder(transmorph(tmp_path / "IXI", {"atlas.pkl": left, "Test/s.pkl": right}))
    score = task.score(loaded(folder, "transmorph-ixi", "test"), np.zeros((3, *SHAPE), np.float32))
    assert score.details["dice_by_structure"] == pytest.approx({"hippocampus": 0.5}, abs=1e-5)


def test_lists_of_labels_are_whole() -> None:
    assert len(LUMIR_LABELS) == 133 and LUMIR_LABELS[0] == 0
    assert len({label for _, group in TRANSMORPH_GROUPS for label in group}) == 30 and len(TRANSMORPH_GROUPS) == 17
    assert [len(TRACKS[name].settings.pairs) for name in ("oasis-l2r", "lumir", "l2r-hippocampus")] == [19, 29, 60]


def test_tracks_share_their_weights() -> None:
    assert weights_name(task, "ixi-hh-2mm", ["oasis-l2r"]) == "ixi-hh-2mm"


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_pickled_arrays_of_every_protocol(protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    first, second = np.arange(24, dtype=np.float32).reshape(2, 3, 4), np.asfortranarray(np.arange(6).reshape(2, 3))
    path.write_bytes(pickle.dumps((first, second), protocol))
    one, other = read_pickled_arrays(path)
    assert (one == first).all() and one.dtype == first.dtype and (other == second).all()


class Harmful:
    def __reduce__(self):  # type: ignore[no-untyped-def]
        return os.system, ("touch harmed",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: pickle.dumps(Harmful()), "holds more than arrays"),
        (lambda: pickle.dumps((np.ones(3), Harmful())), "holds more than arrays"),
        (lambda: pickle.dumps(np.array([Harmful()], object)), "holds more than arrays"),
        (lambda: pickle.dumps({"a": 1}), "holds more than arrays"),
        (lambda: pickle.dumps(np.ones(3))[:-9], "no pickle that can be read"),
        (lambda: b"not a pickle", "no pickle that can be read"),
        (lambda: b"", "no pickle that can be read"),
    ],
)
def test_what_is_no_array_is_refused_and_not_run(content, message: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.pkl").write_bytes(content())
    with pytest.raises(DataError, match=message):
        read_pickled_arrays(tmp_path / "a.pkl")
    assert not (tmp_path / "harmed").exists()
