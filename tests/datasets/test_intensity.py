"""One rule of intensities for all folders."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mrbench.core.errors import DataError
from mrbench.datasets.brats import BratsFolder
from mrbench.datasets.dataset import Subject
from mrbench.datasets.folder import ContrastFolder, Folder
from mrbench.datasets.intensity import background_of, foreground_of, without_background
from mrbench.datasets.volumes import VolumeFolder

SHAPE = (20, 22, 24)


def brain() -> np.ndarray:
    """A stripped ball, 0 around it; its intensities are those of tissue."""
    z, y, x = np.indices(SHAPE) - np.array(SHAPE)[:, None, None, None] / 2
    inside = z**2 + y**2 + x**2 < 64
    noise = np.random.default_rng(0).random(SHAPE)
    return np.where(inside, 100 + 400 * noise, 0).astype(np.float32)


def folder(path: Path, volume: np.ndarray) -> Path:
    path.mkdir()
    columns = ("T1", "T1c", "T2", "FLAIR")
    for column in columns:
        nib.Nifti1Image(volume.T, np.eye(4)).to_filename(path / f"{column}.nii.gz")
    nib.Nifti1Image((brain() > 0).astype(np.uint8).T, np.eye(4)).to_filename(path / "l.nii.gz")
    heading = ",".join(["subject", "split", *columns, "labels"])
    (path / "subjects.csv").write_text(
        f"{heading}\ns,test,{''.join(f'{column}.nii.gz,' for column in columns)}l.nii.gz\n"
    )
    return path


def made(kind: type[Folder], path: Path) -> Subject:
    """The first subject; of volumes, the T1 of the one person."""
    dataset = kind(path)
    return dataset.make(dataset.subjects("test")[0])


KINDS = (Folder, ContrastFolder, VolumeFolder, BratsFolder)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("offset", [50, 1e-4, -3])
def test_a_constant_background_is_zero(kind: type[Folder], offset: float, tmp_path: Path) -> None:
    """50 or 1e-4 instead of 0 once made the mask the whole box."""
    plain = made(kind, folder(tmp_path / "plain", brain()))
    shifted = made(kind, folder(tmp_path / "shifted", brain() + np.float32(offset)))
    assert (plain.mask == (brain() > 0)).all() and (shifted.mask == plain.mask).all()
    np.testing.assert_allclose(shifted.images["T1"], plain.images["T1"], atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [0, 7])
def test_a_constant_volume_is_refused(kind: type[Folder], value: float, tmp_path: Path) -> None:
    """a volume holds one value everywhere -> refused, in every kind of folder"""
    with pytest.raises(DataError, match=r"is constant|is empty inside the mask"):
        made(kind, folder(tmp_path / "flat", np.full(brain().shape, value, np.float32)))


@pytest.mark.parametrize("kind", (Folder, ContrastFolder, VolumeFolder))
def test_standardised_intensities_are_refused_and_not_cut(kind: type[Folder], tmp_path: Path) -> None:
    inside = brain() > 0
    scored = np.where(inside, (brain() - brain()[inside].mean()) / brain()[inside].std(), 0).astype(np.float32)
    with pytest.raises(DataError, match=r"negative in \d\d% of the mask; give magnitudes"):
        made(kind, folder(tmp_path / "stripped", scored))


@pytest.mark.parametrize("kind", (Folder, ContrastFolder, VolumeFolder))
def test_a_standardised_head_in_noise_is_refused(kind: type[Folder], tmp_path: Path) -> None:
    head = brain() + np.random.default_rng(1).rayleigh(5, SHAPE).astype(np.float32)
    path = folder(tmp_path / "head", ((head - head.mean()) / head.std()).astype(np.float32))
    table = path / "subjects.csv"
    table.write_text("subject,split,T1,labels\ns,test,T1.nii.gz,\n")
    with pytest.raises(DataError, match=r"negative in \d\d% of the volume; give magnitudes"):
        kind(path).make("s")


def test_tumours_may_be_standardised(tmp_path: Path) -> None:
    inside = brain() > 0
    scored = np.where(inside, (brain() - brain()[inside].mean()) / brain()[inside].std(), 0).astype(np.float32)
    subject = BratsFolder(folder(tmp_path / "t", scored)).make("s")
    assert subject.images["T1"].min() < -0.5 and (subject.mask == (scored != 0)).all()


def test_ringing_around_a_head_is_no_foreground() -> None:
    ringing = np.random.default_rng(1).normal(0, 2, SHAPE).astype(np.float32)
    volume = np.where(brain() > 0, brain(), ringing)
    assert background_of(volume) is None
    assert (foreground_of(volume) == (brain() > 0)).mean() > 0.99


@pytest.mark.parametrize("level", [0.002, 0.01, 0.02])
def test_noise_around_a_stripped_head_gives_one_mask_in_every_folder(level: float, tmp_path: Path) -> None:
    """noise around a skull-stripped head -> the same mask in every kind of folder, and a note"""
    volume = np.abs(brain() + np.random.default_rng(1).normal(0, level * 500, SHAPE)).astype(np.float32)
    path = folder(tmp_path / "noisy", volume)
    (path / "subjects.csv").write_text("subject,split,T1\ns,test,T1.nii.gz\n")
    masks = [kind(path).make("s").mask for kind in (Folder, ContrastFolder, VolumeFolder)]
    assert (masks[0] == masks[1]).all() and (masks[0] == masks[2]).all()
    assert (masks[0] != (brain() > 0)).mean() < 0.001
    assert "No constant background" in Folder(path).load("s").note


def test_a_mask_that_nobody_gave_is_noted(tmp_path: Path) -> None:
    ringing = np.random.default_rng(1).normal(0, 2, SHAPE).astype(np.float32)
    path = folder(tmp_path / "a", np.where(brain() > 0, brain(), ringing))
    assert "No constant background" in Folder(path).load("s").note
    assert Folder(folder(tmp_path / "b", brain())).load("s").note == ""


@pytest.mark.parametrize("kind", [Folder, ContrastFolder, VolumeFolder])
def test_a_background_that_is_taken_off_is_noted(kind: type[Folder], tmp_path: Path) -> None:
    """Scores of a volume less 500 were those of the volume, and nothing said so."""
    for name, by, noted in (("shifted", 500, True), ("plain", 0, False)):
        path = folder(tmp_path / name, brain() - by)
        (path / "subjects.csv").write_text("subject,split,T1\ns,test,T1.nii.gz\n")
        assert ("was subtracted from every voxel" in kind(path).load("s").note) == noted


def test_a_crop_without_background_is_all_foreground() -> None:
    crop = (300 + np.random.default_rng(1).random((9, 10, 11))).astype(np.float32)
    assert foreground_of(crop).all() and without_background(crop) is crop


def test_a_background_of_zero_changes_nothing() -> None:
    assert without_background(brain()) is not None
    np.testing.assert_array_equal(without_background(brain()), brain())


def test_a_head_that_reaches_two_corners_has_its_background() -> None:
    volume = brain() + 50
    volume[0, 0, 0] = volume[-1, 0, 0] = 300
    assert background_of(volume) == 50
