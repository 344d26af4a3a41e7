"""The table that a folder is understood as can be saved, corrected and read again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.datasets.test_layouts import OLD, bids, learn2reg, messy, scan, tumours

from mrbench.core.errors import DataError
from mrbench.datasets.folder import ContrastFolder, Folder
from mrbench.datasets.index import index
from mrbench.datasets.volumes import VolumeFolder


def ixi(path: Path) -> Path:
    """IXI as its tars unpack."""
    for number, person in enumerate(("IXI012-HH-1211", "IXI013-HH-1212")):
        scan(path / "IXI-T1" / f"{person}-T1.nii.gz", number)
        scan(path / "IXI-T2" / f"{person}-T2.nii.gz", 10 + number)
        scan(path / "masks" / f"{person}-T1_brain_mask.nii.gz", labels=True)
    scan(path / "IXI-T1" / "IXI013-HH-1212_t1w.nii.gz", 30)
    scan(path / "masks" / "IXI099_seg.nii.gz", labels=True)
    scan(path / "IXI-T1" / "average.nii.gz", 31)
    return path


def test_ixi_as_unpacked_is_one_line_a_person(tmp_path: Path) -> None:
    table = index(ixi(tmp_path / "ixi"))
    assert table["subject"].tolist() == ["IXI012-HH-1211", "IXI013-HH-1212"]
    assert table.columns.tolist() == ["subject", "split", "T1", "T2", "mask"]
    assert table["T2"].tolist()[0] == "IXI-T2/IXI012-HH-1211-T2.nii.gz"
    assert table.attrs["summary"] == "Read as files named by contrast: 2 subjects (2 test), T1, T2, mask."
    assert sorted(line.partition(" ")[2] for line in table.attrs["left_out"]) == [
        "belongs to no scan.",
        "is another T1 of IXI013-HH-1212; IXI-T1/IXI013-HH-1212-T1.nii.gz is used.",
        "is none of T1, T1c, T2, FLAIR, PD, mask, labels by its name.",
    ]
    assert set(ContrastFolder(tmp_path / "ixi").load("IXI012-HH-1211").images) == {"T1", "T2"}


def test_folders_of_subjects_are_named_by_folder(tmp_path: Path) -> None:
    for number, person in enumerate(("p1", "p2")):
        for contrast in ("T1", "T2"):
            scan(tmp_path / person / f"{contrast}.nii.gz", number + len(contrast))
    assert index(tmp_path)["subject"].tolist() == ["p1", "p2"]


LAYOUTS = {
    "bids": bids,
    "learn2reg": learn2reg,
    "ixi": ixi,
    "plain": messy,
    "tumours": lambda path: tumours(path, {"B_001": OLD, "renamed": OLD}),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_saved_table_is_read_as_the_folder_was(layout: str, tmp_path: Path) -> None:
    folder = LAYOUTS[layout](tmp_path / "data")
    table = index(folder)
    assert len(table) >= 2 and all(column in table for column in ("subject", "split"))
    table.to_csv(folder / "subjects.csv", index=False)
    again = index(folder)
    assert again.attrs["summary"].startswith("Read as a table (subjects.csv)")
    assert again.to_csv(index=False) == table.to_csv(index=False)
    reader = VolumeFolder if layout == "plain" else Folder if layout != "ixi" else ContrastFolder
    dataset = reader(folder)
    assert sum(len(dataset.subjects(split)) for split in ("train", "validation", "test")) == len(table)


def test_kspace_is_understood(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((1, 2, 9, 9), complex))
    np.save(tmp_path / "a.mask.npy", np.ones(9, bool))
    assert index(tmp_path).to_dict("records") == [{"subject": "a", "split": "test", "kspace": "a.npy"}]


def test_a_folder_of_nothing_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DataError, match="holds no NIfTI, DICOM or k-space"):
        index(tmp_path)
    with pytest.raises(DataError, match="is not a folder"):
        index(tmp_path / "notes.txt")


def test_the_command_prints_the_table_alone_and_the_rest_beside_it(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from mrbench.cli.data import app

    folder = ixi(tmp_path / "ixi")
    done = CliRunner().invoke(app, ["index", str(folder)])
    assert done.exit_code == 0 and done.stdout == index(folder).to_csv(index=False)
    assert (
        done.stderr.startswith("Read as files named by contrast: 2 subjects") and done.stderr.count("Left out: ") == 3
    )
