"""Volumes as acquired: the user's folder of NIfTI files, and the simulated cohort without noise."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from tests.subjects import simulated

from mrbench.core.binding import bind
from mrbench.core.errors import DataError
from mrbench.core.registry import find_dataset
from mrbench.datasets.icbm_sim import IcbmSim
from mrbench.datasets.intensity import head_mask
from mrbench.datasets.volumes import IcbmVolumes, VolumeFolder

SHAPE = (9, 14, 11)
"""Axes (z, y, x), all different."""


def head(scale: float = 1.0) -> np.ndarray:
    """A bright ball with a dark hole in it, and a small bright spot apart from it."""
    z, y, x = np.indices(SHAPE)
    volume = np.where((z - 4) ** 2 / 9 + (y - 7) ** 2 / 25 + (x - 5) ** 2 / 16 <= 1, 0.6, 0.0)
    volume[4, 7, 5] = 0
    volume[4, 9, 5] = 1
    volume[0, 0, 0] = 0.9
    return (scale * volume).astype(np.float32)


def save(path: Path, volume: np.ndarray, spacing: tuple[float, ...] = (3.0, 1.5, 0.8), shift: float = 0) -> Path:
    """Write axes (z, y, x) and mm in that order, RAS."""
    affine = np.diag([*spacing[::-1], 1.0])
    affine[0, 3] = shift
    nib.Nifti1Image(volume.T, affine).to_filename(path)
    return path


def folder(path: Path, table: str = "", **volumes: np.ndarray) -> Path:
    path.mkdir()
    for name, volume in volumes.items():
        save(path / f"{name}.nii.gz", volume)
    if table:
        (path / "subjects.csv").write_text(table)
    return path


def test_every_file_is_a_test_subject(tmp_path: Path) -> None:
    path = folder(tmp_path / "scans", b=head(), a=head(7))
    save(path / "c.nii", head())
    (path / "notes.txt").write_text("no volume")
    (path / "._a.nii.gz").write_bytes(b"left by a Mac")
    dataset = VolumeFolder(path)
    assert dataset.subjects("test") == ("a", "b", "c") and dataset.subjects("train") == ()
    assert dataset.name == "scans" and dataset.address == f"folder:{path}" and not dataset.simulated
    assert find_dataset(f"folder:{path}", "volumes").fingerprint == dataset.fingerprint
    assert dataset.structures == {}


def test_voxels_and_spacing_are_zyx(tmp_path: Path) -> None:
    path = folder(tmp_path / "scans", a=head())
    subject = VolumeFolder(path).load("a")
    assert subject.spacing == pytest.approx((3.0, 1.5, 0.8))
    np.testing.assert_allclose(subject.images["image"], head(), atol=1e-6)
    assert subject.images["image"].dtype == np.float32


def test_the_maximum_becomes_one_and_negatives_zero(tmp_path: Path) -> None:
    volume = head(500)
    volume[8, 13, 10] = -50
    path = folder(tmp_path / "scans", a=volume)
    image = VolumeFolder(path).load("a").images["image"]
    np.testing.assert_allclose(image, head(), atol=1e-6)  # not the 99.5th percentile, and nothing clipped at the top
    assert image.max() == 1 and image.min() == 0


def test_a_table_says_splits_and_every_image_counts(tmp_path: Path) -> None:
    table = "subject,split,T2,T1\ns1,train,a.nii.gz,b.nii.gz\ns2,test,c.nii.gz,\n"
    path = folder(tmp_path / "scans", table, a=head(), b=head()[::-1], c=head(2))
    dataset = VolumeFolder(path)
    assert dataset.subjects("train") == ("s1_T2", "s1_T1") and dataset.subjects("test") == ("s2_T2",)
    assert [dataset.person(volume) for volume in ("s1_T2", "s1_T1", "s2_T2")] == ["s1", "s1", "s2"]
    assert dataset.notes[-1] == "Every image is a volume of its own: 3."
    for volume, expected in {"s1_T2": head(), "s1_T1": head()[::-1], "s2_T2": head()}.items():
        images = dataset.load(volume).images
        assert list(images) == [volume[3:]]
        np.testing.assert_allclose(images[volume[3:]], expected, atol=1e-6)


def test_volumes_of_one_contrast_are_called_as_their_subjects(tmp_path: Path) -> None:
    path = folder(tmp_path / "scans", "subject,split,T1\ns1,test,a.nii.gz\ns2,test,\n", a=head())
    dataset = VolumeFolder(path)
    assert dataset.subjects("test") == ("s1", "s2")
    with pytest.raises(DataError, match="'s2' has no image; add one"):
        dataset.load("s2")
    bare = folder(tmp_path / "bare", "subject,split\ns1,test\n")
    with pytest.raises(DataError, match="names no image"):
        VolumeFolder(bare)
    twice = "subject,split,T1,a_T1\np_a,test,x.nii.gz,\np,test,,x.nii.gz\n"
    with pytest.raises(DataError, match="two volumes would be called 'p_a_T1'; rename"):
        VolumeFolder(folder(tmp_path / "twice", twice, x=head()))


def test_a_mask_is_of_the_first_image_and_of_others_on_its_grid(tmp_path: Path) -> None:
    mask = np.zeros(SHAPE, np.uint8)
    mask[5:7] = 1
    table = "subject,split,T1,T2,FLAIR,mask\np,test,a.nii.gz,b.nii.gz,c.nii.gz,m.nii.gz\n"
    path = folder(tmp_path / "scans", table, a=head(), b=head(2), m=mask)
    save(path / "c.nii.gz", head(), shift=3)
    dataset = VolumeFolder(path)
    assert np.array_equal(dataset.load("p_T1").mask, mask > 0) and np.array_equal(dataset.load("p_T2").mask, mask > 0)
    elsewhere = dataset.load("p_FLAIR")
    assert np.array_equal(elsewhere.mask, head_mask(head()))
    assert elsewhere.note == "The mask of its person lies on another grid: the foreground is the head."


def test_statistics_know_whose_volumes_they_are(tmp_path: Path) -> None:
    table = "subject,split,T1,T2\np,test,a.nii.gz,b.nii.gz\nq,test,b.nii.gz,a.nii.gz\n"
    path = folder(tmp_path / "scans", table, a=head(), b=head(2))
    for task in ("denoising", "reconstruction"):
        setting = bind(task, f"folder:{path}", None)
        rows = [setting.row_facts(case) for case in setting.all_cases]
        assert len({row["case"] for row in rows}) == len(rows) >= 4
        assert {(row["case"][:4], *row["subjects"]) for row in rows} == {
            ("p_T1", "p"),
            ("p_T2", "p"),
            ("q_T1", "q"),
            ("q_T2", "q"),
        }


def test_foreground_is_labels_or_mask_or_head(tmp_path: Path) -> None:
    labels, mask = np.zeros(SHAPE, np.int16), np.zeros(SHAPE, np.uint8)
    labels[2:4], mask[5:7] = 3, 1
    heading = "subject,split,T1,labels,mask\n"
    path = folder(
        tmp_path / "scans",
        heading + "l,test,a.nii.gz,labels.nii.gz,\nm,test,b.nii.gz,,mask.nii.gz\n"
        "h,test,c.nii.gz,,\nlm,test,d.nii.gz,labels.nii.gz,mask.nii.gz\n",
        a=head(),
        b=2 * head(),
        c=3 * head(),
        d=4 * head(),
        labels=labels,
        mask=mask,
    )
    dataset = VolumeFolder(path)
    for name, expected in {"l": labels > 0, "m": mask > 0, "h": head_mask(head()), "lm": labels > 0}.items():
        assert np.array_equal(dataset.load(name).mask, expected), name
    assert np.array_equal(dataset.load("lm").labels, labels) and dataset.load("m").labels is None


def test_head_mask_is_the_largest_piece_without_holes() -> None:
    mask, volume = head_mask(head()), head()
    assert mask[4, 7, 5] and not mask[0, 0, 0]  # the hole, and the spot apart
    assert np.array_equal(mask | (volume == np.float32(0.9)), (volume > 0) | mask)
    for level, inside in ((0.04, False), (0.06, True)):
        dim = volume.copy()
        dim[4, 7, 10] = level  # beside the ball
        assert dim[4, 7, 9] > 0 and head_mask(dim)[4, 7, 10] == inside
    assert np.array_equal(head_mask(100 * volume), mask)


def test_an_image_becomes_one_slice(tmp_path: Path) -> None:
    path = tmp_path / "flat"
    path.mkdir()
    plane = head()[4]
    nib.Nifti1Image(plane.T, np.diag([0.8, 1.5, 3.0, 1.0])).to_filename(path / "a.nii.gz")
    subject = VolumeFolder(path).load("a")
    assert subject.images["image"].shape == (1, 14, 11) and subject.spacing[1:] == pytest.approx((1.5, 0.8))
    np.testing.assert_allclose(subject.images["image"][0], plane, atol=1e-6)


def spoil_nan(volume: np.ndarray) -> np.ndarray:
    volume = volume.copy()
    volume[1, 2, 3] = np.nan
    return volume


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        (np.full(SHAPE, 3, np.float32), "is constant"),
        (np.zeros(SHAPE, np.float32), "is constant"),
        (-1 - head(), "is negative in 100% of the mask"),
        (spoil_nan(head()), "NaN"),
        (np.stack([head()] * 2), "3-D volume is needed"),
    ],
)
def test_malformed_volumes_are_one_sentence(tmp_path: Path, volume: np.ndarray, message: str) -> None:
    path = folder(tmp_path / "scans")
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    nib.Nifti1Image(volume.T, affine).to_filename(path / "bad.nii.gz")
    with pytest.raises(DataError, match=rf"scans/bad\.nii\.gz .*{message}") as error:
        VolumeFolder(path).load("bad")
    assert "\n" not in str(error.value) and str(error.value).count(". ") == 0


def test_a_truncated_file_spoils_its_own_case_alone(tmp_path: Path) -> None:
    path = folder(tmp_path / "scans", a=np.random.default_rng(0).random(SHAPE), b=head())
    whole = (path / "a.nii.gz").read_bytes()
    (path / "a.nii.gz").write_bytes(whole[: len(whole) // 2])
    dataset = VolumeFolder(path)
    assert list(dataset.prepare(["a", "b"])) == ["a", "b"]
    assert dataset.is_prepared("b") and not dataset.is_prepared("a")
    with pytest.raises(DataError, match=r"a\.nii\.gz cannot be read"):
        dataset.load("a")


def test_preparing_twice_makes_nothing_anew(tmp_path: Path, monkeypatch) -> None:
    dataset = VolumeFolder(folder(tmp_path / "scans", a=head()))
    list(dataset.prepare(["a"]))
    monkeypatch.setattr(dataset, "make", lambda s: pytest.fail("made twice"))
    assert list(dataset.prepare(["a"])) == ["a"]


@pytest.mark.parametrize("column", ["labels", "mask"])
def test_foregrounds_that_do_not_fit_are_one_sentence(tmp_path: Path, column: str) -> None:
    path = folder(tmp_path / "scans", f"subject,split,T1,{column}\ns,test,a.nii.gz,f.nii.gz\n", a=head())

    def fault(volume: np.ndarray, shift: float = 0) -> str:
        save(path / "f.nii.gz", volume, shift=shift)
        with pytest.raises(DataError) as error:
            VolumeFolder(path).load("s")
        assert "\n" not in str(error.value) and "scans/f.nii.gz" in str(error.value)
        return str(error.value)

    ones = np.ones(SHAPE, np.uint8)
    assert "on another grid" in fault(ones[1:])
    assert "on another grid" in fault(ones, shift=2)
    assert "is not a label map" in fault(ones * np.float32(0.5))
    assert "marks no voxel" in fault(0 * ones)


def test_faulty_folders_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere is not a folder"):
        VolumeFolder(tmp_path / "nowhere")
    file = save(tmp_path / "a.nii.gz", head())
    with pytest.raises(DataError, match=r"a\.nii\.gz is not a folder"):
        VolumeFolder(file)
    empty = folder(tmp_path / "empty")
    with pytest.raises(DataError, match="empty holds nothing that can be read; write NIfTI volumes"):
        VolumeFolder(empty)
    twins = folder(tmp_path / "twins", a=head())
    save(twins / "a.nii", head())
    with pytest.raises(DataError, match=r"twins holds a\.nii and a\.nii\.gz; rename"):
        VolumeFolder(twins)
    table = folder(tmp_path / "table", "subject,part,T1\ns,test,a.nii.gz\n", a=head())
    with pytest.raises(DataError, match="lacks the column split"):
        VolumeFolder(table)
    absent = folder(tmp_path / "absent", "subject,split,T1\ns,test,gone.nii.gz\n")
    with pytest.raises(DataError, match=r"gone\.nii\.gz, is not there"):
        VolumeFolder(absent)


def test_fingerprint_follows_the_files(tmp_path: Path) -> None:
    first = VolumeFolder(folder(tmp_path / "scans", a=head()))
    (tmp_path / "other").mkdir()
    same = VolumeFolder(folder(tmp_path / "other" / "scans", a=head()))
    assert same.fingerprint == first.fingerprint
    save(tmp_path / "other" / "scans" / "a.nii.gz", head(2))
    assert VolumeFolder(tmp_path / "other" / "scans").fingerprint != first.fingerprint


@pytest.mark.slow
def test_simulated_volumes_have_no_noise() -> None:
    """Noise curves the image everywhere, anatomy and bias field only where they are not flat."""
    with_noise, without = simulated("sim45"), IcbmVolumes().make("sim45")
    assert np.array_equal(with_noise.labels, without.labels)

    def roughness(image: np.ndarray) -> float:
        """Second difference along x of the flattest tenth of the brain."""
        inside = without.mask[..., :-2] & without.mask[..., 2:]
        second = np.diff(image.astype(np.float64), 2, axis=2)[inside]
        return float(np.percentile(np.abs(second), 10))

    assert roughness(without.images["T1"]) < 0.6 * roughness(with_noise.images["T1"])
    assert next(iter(without.images)) == "T1"  # what tasks restore


def test_simulated_volumes_leave_the_cohort_as_it_was() -> None:
    """The fingerprint that the rows of published boards carry: it must outlive a new form of the data."""
    assert IcbmSim().fingerprint == "778949375614"
    volumes = find_dataset("icbm-sim", "volumes")
    assert volumes.fingerprint != IcbmSim().fingerprint and volumes.cache != IcbmSim().cache
    assert volumes.split_file.splits == IcbmSim().split_file.splits and volumes.simulated
    assert IcbmSim.noise_percent == 2 and volumes.noise_percent == 0
