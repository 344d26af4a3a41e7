"""Simulated gliomas, and BraTS releases as they are unpacked."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mrbench.core.errors import DataError
from mrbench.datasets.brats import BratsFolder
from mrbench.datasets.dataset import Subject
from mrbench.datasets.icbm_tumours import ENHANCING, NECROSIS, OEDEMA, IcbmTumours, labels_of
from mrbench.metrics.deformation import jacobian_determinant
from mrbench.simulation.acquisition import anatomy
from mrbench.simulation.deformation import exponential, random_velocity
from mrbench.simulation.tumours import Tumour, draw


@pytest.fixture(scope="module")
def made() -> tuple[Subject, dict[str, np.ndarray]]:
    """A subject, and the tissues that its images were made from."""
    dataset, kept = IcbmTumours(), {}
    tissues = dataset.tissues
    dataset.tissues = lambda subject: kept.setdefault(subject, tissues(subject))
    return dataset.make("sim46"), kept["sim46"][0]


@pytest.fixture(scope="module")
def person(made) -> Subject:
    return made[0]


@pytest.fixture(scope="module")
def tissues(made) -> dict[str, np.ndarray]:
    return made[1]


def mean(person: Subject, contrast: str, label: int) -> float:
    return float(person.images[contrast][person.labels == label].mean())


@pytest.mark.slow
def test_tumour_tissue_looks_as_in_the_clinic(person, tissues) -> None:
    healthy = person.mask & (person.labels == 0)
    white = np.percentile(person.images["T1"][healthy], 90)
    assert mean(person, "FLAIR", OEDEMA) > np.percentile(person.images["FLAIR"][healthy], 95)
    assert mean(person, "T1c", ENHANCING) > mean(person, "T1", ENHANCING) + 0.2, "gadolinium"
    assert mean(person, "T1", OEDEMA) < white and mean(person, "T1", NECROSIS) < mean(person, "T1", OEDEMA)
    dead = tissues["necrosis"] > 0.6
    assert person.images["T2"][dead].mean() > mean(person, "T2", OEDEMA), "fluid"
    assert person.images["FLAIR"][dead].mean() < mean(person, "FLAIR", OEDEMA), "and fluid is attenuated"
    solid = tissues["solid"] > 0.6
    assert person.images["T1c"][solid].mean() < mean(person, "T1c", ENHANCING) - 0.2, "solid is not enhancing"


@pytest.mark.slow
def test_the_rim_encloses_the_core(person) -> None:
    from scipy.ndimage import binary_dilation

    shell = binary_dilation(person.labels == NECROSIS) & (person.labels != NECROSIS)
    assert (person.labels[shell] == ENHANCING).mean() > 0.8


def test_some_tumours_do_not_enhance() -> None:
    rims = [draw(s, np.ones((30, 30, 30), np.float32)).rim for s in IcbmTumours().subjects("train")]
    assert 0.02 < np.mean(np.array(rims) == 0) < 0.35


def test_the_mass_effect_pushes_outwards_and_folds_nothing() -> None:
    lump = Tumour(
        np.array([20.0, 20, 20]), radius=8.0, rim=2.0, uptake=1.0, solid=0.5, oedema=3.0, push=0.6, stretch=np.ones(3)
    )
    field = lump.displacement((40, 40, 60))
    assert jacobian_determinant(field).min() > 0
    assert field[2, 20, 20, 26] < -1, "right of the centre, tissue comes from nearer to it"
    assert abs(field[2, 20, 20, 59]) < 0.1, "and far away from where it was"


@pytest.mark.slow
def test_the_same_person_is_healthy_elsewhere(person, tissues) -> None:
    """Away from tumour, mass effect and what only looks like it, the tissues are those of the plain cohort."""
    plain, *_ = anatomy("sim46", exponential(random_velocity("sim46")))
    centre = np.argwhere(person.labels > 0).mean(0)
    far = ((np.indices(person.mask.shape) - centre[:, None, None, None]) ** 2).sum(0) > 45**2
    far &= person.mask & (tissues["lesion"] == 0) & (tissues["vessel"] == 0)
    assert far.sum() > 1000
    for name, fraction in plain.items():
        np.testing.assert_allclose(tissues[name][far], fraction[far], atol=0.02)


@pytest.mark.slow
def test_what_looks_like_tumour_is_none(person, tissues) -> None:
    """White-matter hyperintensity is as bright as oedema in FLAIR, vessels as bright as the rim after contrast."""
    for name, contrast, label in (("lesion", "FLAIR", OEDEMA), ("vessel", "T1c", ENHANCING)):
        alike = (tissues[name] > 0.9) & person.mask
        assert alike.sum() > 20 and not person.labels[alike].any()
        assert person.images[contrast][alike].mean() > 0.8 * mean(person, contrast, label)


def test_a_voxel_is_what_fills_most_of_it() -> None:
    parts = ("necrosis", "solid", "oedema", "enhancing")
    voxels = [(0.3, 0.3, 0.4, 0), (0.1, 0.1, 0.5, 0.3), (0, 0.2, 0.2, 0.6), (0.2, 0.1, 0.1, 0.05)]
    fractions = {name: np.array([voxel[i] for voxel in voxels]) for i, name in enumerate(parts)}
    assert labels_of(fractions).tolist() == [NECROSIS, OEDEMA, ENHANCING, 0]


def release(path: Path, *, style: str = "2020", enhancing: int = 4, without: str = "") -> Path:
    endings = {"2020": ("_t1", "_t1ce", "_t2", "_flair", "_seg"), "2023": ("-t1n", "-t1c", "-t2w", "-t2f", "-seg")}[
        style
    ]
    for number in range(2):
        name = f"BraTS{style}_{number:03d}"
        (path / name).mkdir(parents=True)
        for ending in endings:
            if ending == without:
                continue
            volume = np.random.default_rng(number).random((9, 8, 7)).astype(np.float32) + 0.5
            if ending[1:] == "seg":
                volume = np.zeros((9, 8, 7), np.float32)
                volume[2:5, 2:5, 2:5] = 2
                volume[3, 3, 3] = enhancing
            nib.Nifti1Image(volume, np.eye(4)).to_filename(path / name / f"{name}{ending}.nii.gz")
    (path / "name_mapping.csv").write_text("not a subject\n")
    return path


@pytest.mark.parametrize(("style", "enhancing"), [("2020", 4), ("2023", 3)])
def test_brats_is_read_as_it_is_unpacked(style: str, enhancing: int, tmp_path: Path) -> None:
    dataset = BratsFolder(release(tmp_path / "b", style=style, enhancing=enhancing))
    assert dataset.subjects("test") == (f"BraTS{style}_000", f"BraTS{style}_001") and not dataset.subjects("train")
    subject = dataset.make(dataset.subjects("test")[0])
    assert set(subject.images) == {"T1", "T1c", "T2", "FLAIR"}
    assert set(np.unique(subject.labels)) == {0, 2, 3}
    assert subject.images["T1c"].max() > 1, "the brightest voxels are those of the rim"


def test_brats_without_a_contrast_or_with_strange_labels_is_one_sentence(tmp_path: Path) -> None:
    incomplete = release(tmp_path / "a")
    (incomplete / "BraTS2020_000/BraTS2020_000_flair.nii.gz").unlink()
    with pytest.raises(DataError, match="'BraTS2020_000' has no FLAIR; add the file"):
        BratsFolder(incomplete).make("BraTS2020_000")
    with pytest.raises(DataError, match="give the folder that holds the subjects' folders"):
        BratsFolder(release(tmp_path / "d", without="_flair"))
    with pytest.raises(DataError, match="holds the label 4, in releases since 2024 the resection cavity"):
        BratsFolder(release(tmp_path / "c", style="2023", enhancing=4)).make("BraTS2023_000")
    with pytest.raises(DataError, match=r"holds the labels \[0, 2, 7\]"):
        BratsFolder(release(tmp_path / "b", enhancing=7)).make("BraTS2020_000")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="give the folder that holds the subjects' folders"):
        BratsFolder(tmp_path / "empty")
