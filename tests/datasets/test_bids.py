"""BIDS as it lies: which images are scans, masks and label maps, and that every other one is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.datasets.test_layouts import scan

from mrbench.core.errors import DataError
from mrbench.datasets.folder import ContrastFolder, Folder
from mrbench.datasets.layouts.bids import read_bids
from mrbench.datasets.volumes import VolumeFolder


def bids(path: Path) -> Path:
    for number, (subject, session) in enumerate((("01", ""), ("02", "ses-a"), ("02", "ses-b"))):
        where = path / f"sub-{subject}" / session / "anat"
        name = f"sub-{subject}{'_' + session if session else ''}"
        scan(where / f"{name}_T1w.nii.gz", 10 + number)
        scan(where / f"{name}_T2w.nii.gz", 20 + number)
        derived = path / "derivatives" / "tool" / f"sub-{subject}" / session / "anat"
        scan(derived / f"{name}_desc-brain_mask.nii.gz", labels=True)
        scan(derived / f"{name}_dseg.nii.gz", labels=True)
        scan(derived / f"{name}_space-MNI_dseg.nii.gz", labels=True)
    scan(path / "sub-01" / "anat" / "sub-01_run-2_T1w.nii.gz", 7)
    scan(path / "sub-01" / "func" / "sub-01_task-rest_bold.nii.gz", 8)
    scan(path / "sub-03" / "anat" / "sub-03_FLAIR.nii.gz", 9)
    (path / "dataset_description.json").write_text("{}")
    return path


def test_bids_is_read_with_the_masks_and_labels_of_its_derivatives(tmp_path: Path) -> None:
    dataset = Folder(bids(tmp_path / "study"))
    assert dataset.subjects("test") == ("sub-01", "sub-02_ses-a", "sub-02_ses-b", "sub-03")
    subject = dataset.load("sub-02_ses-a")
    assert set(subject.images) == {"T1", "T2"} and set(np.unique(subject.labels)) == {0, 2} and subject.mask.sum() == 64
    assert any("sub-01_run-2_T1w.nii.gz is another T1 of sub-01" in line for line in dataset.left_out) or any(
        "sub-01_T1w.nii.gz is another T1 of sub-01" in line for line in dataset.left_out
    )
    assert sum("is in another space" in line for line in dataset.left_out) == 3
    assert "1 file in folders 'func': no anatomical scans." in dataset.left_out
    assert ContrastFolder(tmp_path / "study").load("sub-01").images.keys() == {"T1", "T2"}
    volumes = VolumeFolder(tmp_path / "study")
    assert [volume for volume in volumes.subjects("test") if volume.startswith(("sub-01", "sub-03"))] == [
        "sub-01_T1",
        "sub-01_T2",
        "sub-03_FLAIR",
    ]
    assert volumes.load("sub-01_T2").mask.sum() == 64


def test_bids_names_what_lies_where_it_has_no_scans(tmp_path: Path) -> None:
    path = bids(tmp_path / "study")
    before = read_bids(path)
    for place in ("stray", "pilot/p_T1w", "sub-01/sub-01_T1w", "sub-02/ses-a/sub-02_ses-a_T1w"):
        scan(path / f"{place}.nii.gz")
    for place in ("tool/sub-01/anat/sub-01_desc-preproc_T1w", "tool/sub-01/func/sub-01_desc-brain_mask", "x/sub-03/a"):
        scan(path / f"derivatives/{place}.nii.gz")
    after = read_bids(path)
    assert after.rows == before.rows and after.left_out == (
        *before.left_out,
        "stray.nii.gz, pilot/p_T1w.nii.gz, sub-01/sub-01_T1w.nii.gz and 1 more: outside the anat folders of subjects.",
        "3 files in derivatives: no masks or label maps of anatomy.",
    )


def test_bids_takes_its_splits_from_participants(tmp_path: Path) -> None:
    path = bids(tmp_path / "study")
    (path / "participants.tsv").write_text("participant_id\tage\tsplit\nsub-01\t30\ttrain\nsub-02\t40\tTest\n")
    dataset = Folder(path)
    assert dataset.subjects("train") == ("sub-01",) and len(dataset.subjects("test")) == 3
    (path / "participants.tsv").write_text("participant_id\tsplit\nsub-01\tdev\n")
    with pytest.raises(DataError, match=r"participants\.tsv, line 2 has the split 'dev'"):
        Folder(path)


def test_bids_without_anatomy_is_one_sentence(tmp_path: Path) -> None:
    scan(tmp_path / "sub-01" / "func" / "sub-01_bold.nii.gz")
    with pytest.raises(DataError, match="BIDS without a scan in any anat folder"):
        read_bids(tmp_path)
