"""The table that a folder is understood as can be saved, corrected and read again."""

from __future__ import annotations

import pickle
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.command import mrbench
from tests.datasets.test_bids import bids
from tests.datasets.test_layouts import NEW, OLD, SHAPE, learn2reg, messy, scan, tumours

from mrbench.core.case import SPLITS
from mrbench.core.errors import DataError
from mrbench.datasets.brats import BratsFolder
from mrbench.datasets.dataset import Dataset
from mrbench.datasets.folder import ContrastFolder, Folder
from mrbench.datasets.index import index
from mrbench.datasets.kspace_folder import KspaceFolder
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


def test_all_tars_of_ixi_unpacked_are_one_line_a_person(tmp_path: Path) -> None:
    """16 diffusion images and an angiogram beside two contrasts of each person -> those two, and the rest told"""
    for number, person in enumerate(("IXI012-HH-1211", "IXI002-Guys-0828")):
        for kind in ("T1", "T2", "MRA", *(f"DTI-{direction:02d}" for direction in range(16))):
            scan(tmp_path / f"IXI-{kind[:3].strip('-')}" / f"{person}-{kind}.nii.gz", number)
    table = index(tmp_path)
    assert table["subject"].tolist() == ["IXI002-Guys-0828", "IXI012-HH-1211"]
    assert table.columns.tolist() == ["subject", "split", "T1", "T2"]
    known = "none of T1, T1c, T2, FLAIR, PD, mask, labels."
    assert table.attrs["left_out"] == [f"32 files of IXI: DTI, {known}", f"2 files of IXI: MRA, {known}"]


def test_images_and_kspace_in_one_folder_are_told_apart(tmp_path: Path) -> None:
    scan(tmp_path / "b.nii.gz")
    np.save(tmp_path / "a.npy", 1j * np.ones((1, 2, 9, 9)))
    table = index(tmp_path)
    assert table["kspace"].tolist() == ["a.npy"]
    assert table.attrs["left_out"][0].startswith("b.nii.gz: images beside k-space;")
    data = VolumeFolder(tmp_path)
    assert data.subjects("test") == ("b",) and data.left_out[0].startswith("a.npy: k-space beside images;")


def test_what_a_reading_does_not_look_at_is_named(tmp_path: Path) -> None:
    """images three folders down, FreeSurfer's and DICOM beside NIfTI -> one subject, and a sentence on each kind"""
    scan(tmp_path / "a.nii.gz"), scan(tmp_path / "x" / "y" / "b.nii.gz", 1)
    (tmp_path / "x" / "brain.mgz").write_bytes(b""), (tmp_path / "x" / "1.DCM").write_bytes(b"")
    table = index(tmp_path)
    assert table["subject"].tolist() == ["a"]
    assert table.attrs["left_out"] == [
        "x/1.DCM, x/brain.mgz: in other formats than those read here; convert them, or give DICOM a folder of its own.",
        "x/y/b.nii.gz: more than one folder down; name them in subjects.csv, or give the folder that they lie in.",
    ]


def test_folders_of_subjects_are_named_by_folder(tmp_path: Path) -> None:
    for number, person in enumerate(("p1", "p2")):
        for contrast in ("T1", "T2"):
            scan(tmp_path / person / f"{contrast}.nii.gz", number + len(contrast))
    assert index(tmp_path)["subject"].tolist() == ["p1", "p2"]


def named(path: Path) -> Path:
    """Two contrasts, labels, masks and sessions of some people, a third person with less."""
    for number, person in enumerate(("p1_ses1", "p1_ses2", "p2")):
        for place, contrast in enumerate(("T1", "T2")):
            scan(path / f"{person}_{contrast}.nii.gz", 10 * number + place)
        scan(path / f"{person}_labels.nii.gz", labels=True)
        scan(path / f"{person}_T1_brain_mask.nii.gz", labels=True)
    scan(path / "p3_FLAIR.nii.gz", 50)
    return path


def alone(path: Path) -> Path:
    """One contrast of each: volumes are called as their subjects."""
    for number in range(3):
        scan(path / f"p{number}_T1w.nii.gz", number)
    return path


def released(path: Path) -> Path:
    """Learn2Reg's OASIS, with pairs and a track of its own."""
    folder = learn2reg(path)
    next(folder.glob("*_dataset.json")).rename(folder / "OASIS_dataset.json")
    return folder


def pickled(path: Path) -> Path:
    """TransMorph's IXI."""
    volume = np.zeros(SHAPE, np.float32)
    for number, file in enumerate(("atlas.pkl", "Train/s1.pkl", "Val/s2.pkl", "Test/s3.pkl", "Test/s4.pkl")):
        volume[2:6, 2:6, 2:6] = 1 + np.random.default_rng(number).random((4, 4, 4))
        (path / file).parent.mkdir(parents=True, exist_ok=True)
        (path / file).write_bytes(pickle.dumps((volume.copy(), (volume > 0).astype(np.int16))))
    return path


def arrays(path: Path) -> Path:
    path.mkdir(parents=True)
    for name in "ab":
        np.save(path / f"{name}.npy", np.full((1, 2, 9, 9), ord(name), complex))
    np.save(path / "a.mask.npy", np.ones(9, bool))
    return path


LAYOUTS = {
    "bids": bids,
    "learn2reg": released,
    "transmorph": pickled,
    "ixi": ixi,
    "named": named,
    "alone": alone,
    "plain": messy,
    "tumours": lambda path: tumours(path, {"B_001": OLD, "renamed": OLD, "B-003": NEW}),
    "k-space": arrays,
}

KINDS = {
    "images": Folder,
    "contrasts": ContrastFolder,
    "volumes": VolumeFolder,
    "tumours": BratsFolder,
    "k-space": KspaceFolder,
}

READ = {
    "bids": {"images", "contrasts", "volumes", "k-space"},
    "learn2reg": {"images", "contrasts", "volumes", "k-space"},
    "transmorph": {"images", "contrasts", "volumes"},
    "ixi": {"images", "contrasts", "volumes", "k-space"},
    "named": {"images", "contrasts", "volumes", "k-space"},
    "alone": {"images", "contrasts", "volumes", "k-space"},
    "plain": {"images", "volumes", "k-space"},
    "tumours": {"images", "contrasts", "volumes", "tumours", "k-space"},
    "k-space": {"k-space"},
}
"""What each layout can be read as; k-space of images is simulated."""


def read(folder: Path) -> dict[str, Dataset]:
    """The folder as every kind of dataset that takes it."""
    datasets = {}
    for kind, reader in KINDS.items():
        with suppress(DataError):
            datasets[kind] = reader(folder)
    return datasets


def facts(dataset: Dataset) -> dict[str, object]:
    """All by which cases, their keys and their statistics could differ."""
    splits = {split: dataset.subjects(split) for split in SPLITS}
    everyone = [subject for subjects in splits.values() for subject in subjects]
    return {
        "splits": splits,
        "people": {subject: dataset.person(subject) for subject in everyone},
        "pairs": {split: dataset.pairs(split) for split in SPLITS},
        "track": (dataset.published, dataset.atlases),
        "fingerprint": dataset.fingerprint,
        "content": {subject: dataset.content_key(subject) for subject in everyone},
        "structures": dataset.structures,
    }


def save_index(folder: Path) -> None:
    """As a shell does it: the file is there, and empty, before the command runs."""
    (folder / "subjects.csv").touch()
    done = mrbench("data", "index", str(folder), cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "subjects.csv").write_text(done.stdout)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_saved_table_gives_the_dataset_that_the_folder_gave(layout: str, tmp_path: Path) -> None:
    """the table of `mrbench data index` is saved into its folder -> the same dataset as before"""
    folder = LAYOUTS[layout](tmp_path / "data")
    before = {kind: facts(dataset) for kind, dataset in read(folder).items()}
    assert set(before) == READ[layout]
    save_index(folder)
    again = index(folder)
    assert again.attrs["summary"].startswith("Read as a table (subjects.csv)")
    assert again.to_csv(index=False) == (folder / "subjects.csv").read_text()
    datasets = read(folder)
    assert {kind: facts(datasets[kind]) for kind in before} == before


def test_two_contrasts_stay_two_volumes_and_one_pair(tmp_path: Path) -> None:
    folder = named(tmp_path / "data")
    save_index(folder)
    volumes = VolumeFolder(folder)
    assert volumes.subjects("test") == (
        "p1_ses1_T1", "p1_ses1_T2", "p1_ses2_T1", "p1_ses2_T2", "p2_T1", "p2_T2", "p3_FLAIR",
    )  # fmt: skip
    assert set(ContrastFolder(folder).load("p2").images) == {"T1", "T2"}
    assert not np.array_equal(volumes.load("p2_T1").images["T1"], volumes.load("p2_T2").images["T2"])


PEOPLE = st.dictionaries(
    st.sampled_from(["p1", "p2", "Ana", "x-07", "s_3"]),
    st.tuples(
        st.sets(st.sampled_from(["T1", "T2", "FLAIR", "T1w", "t1ce"]), min_size=1),
        st.sets(st.sampled_from(["labels", "mask", "seg", "brain_mask"])),
        st.sampled_from(["", "_ses1", "_visit-2"]),
    ),
    min_size=1,
)

PLACES = {
    "flat": "{name}_{what}.nii.gz",
    "a folder a person": "{name}/{what}.nii.gz",
    "both": "{name}/{name}_{what}.nii.gz",
    "a folder a contrast": "{what}s/{name}-{what}.nii",
    "plain names": "{what}{name}.nii.gz",
    "BIDS": "sub-{plain}/anat/sub-{plain}_{what}.nii.gz",
}


@given(PEOPLE, st.sampled_from(sorted(PLACES)))
@settings(max_examples=60, deadline=None)
def test_a_saved_table_changes_nothing_whatever_the_layout(people: dict, place: str) -> None:
    with TemporaryDirectory() as root:
        folder = Path(root) / "data"
        for number, (person, (contrasts, maps, session)) in enumerate(people.items()):
            for at, what in enumerate(sorted(contrasts | maps)):
                name = f"{person}{session}"
                file = PLACES[place].format(name=name, plain="".join(filter(str.isalnum, name)), what=what)
                scan(folder / file, 10 * number + at, labels=what in maps)
        try:
            table = index(folder)
        except DataError:
            return  # two scans of one name, BIDS without a scan
        before = {kind: facts(dataset) for kind, dataset in read(folder).items()}
        table.to_csv(folder / "subjects.csv", index=False)
        datasets = read(folder)
        assert {kind: facts(datasets[kind]) for kind in before} == before


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
