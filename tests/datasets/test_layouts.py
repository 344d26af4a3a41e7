"""Folders as they lie: what is read, and that whatever is left out is named."""

from __future__ import annotations

import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.command import mrbench
from tests.settings import setting_of

from mrbench.core.errors import DataError
from mrbench.datasets.brats import BratsFolder
from mrbench.datasets.folder import ContrastFolder, Folder
from mrbench.datasets.index import index
from mrbench.datasets.kspace_folder import KspaceFolder
from mrbench.datasets.layouts.brats import read_brats
from mrbench.datasets.listing import NO_SCAN, scans_in
from mrbench.datasets.volumes import VolumeFolder
from mrbench.io.nifti import SUFFIXES
from mrbench.tasks.registration import Registration

SHAPE = (9, 8, 7)


def scan(path: Path, seed: int = 0, labels: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    volume = np.zeros(SHAPE, np.uint8 if labels else np.float32)
    volume[2:6, 2:6, 2:6] = 2 if labels else 1 + np.random.default_rng(seed).random((4, 4, 4))
    nib.Nifti1Image(volume.T, np.eye(4)).to_filename(path)


@pytest.mark.parametrize(
    "stem",
    [
        "a_mask",
        "sub-1_desc-brain_mask",
        "a_dseg",
        "a-seg",
        "a_labels",
        "T1_brainmask",
        "mask",
        "x.aparc+aseg",
        "a_label",
        "sub-1_label-GM_probseg",
        "a_seg2",
    ],
)
def test_masks_and_label_maps_are_known_by_their_names(stem: str) -> None:
    assert NO_SCAN.search(stem)


@pytest.mark.parametrize("stem", ["a", "sub-1_T1w", "masked_head", "brain", "segovia_01", "T1", "unlabelled", "scan-3"])
def test_scans_are_not_taken_for_masks(stem: str) -> None:
    assert not NO_SCAN.search(stem)


def messy(path: Path) -> Path:
    scan(path / "a.nii.gz")
    scan(path / "day2" / "a.nii.gz", 1)
    scan(path / "p7" / "p7_T1.nii.gz", 2)
    scan(path / "b.nii.gz", 3)
    (path / "b.nii.gz").rename(path / "B.NII.GZ")
    scan(path / "a_mask.nii.gz", labels=True)
    (path / "._a.nii.gz").write_bytes(b"left by a Mac")
    (path / "gone.nii").symlink_to(path / "nowhere")
    (path / "folder.nii.gz").mkdir()
    os.mkfifo(path / "pipe.nii")
    (path / "notes.txt").write_text("no volume")
    return path


def test_a_messy_folder_is_read_and_what_is_left_out_is_named(tmp_path: Path) -> None:
    dataset = VolumeFolder(messy(tmp_path / "scans"))
    assert dataset.subjects("test") == ("B", "a", "day2_a", "p7_T1")
    assert dataset.left_out == (
        "a_mask.nii.gz is a mask, a label map or a transform by its name.",
        "folder.nii.gz is a folder.",
        "gone.nii is a link to a file that is not there.",
        "pipe.nii is no regular file.",
    )
    assert dataset.remark == f"Left out of scans: {' '.join(dataset.left_out)}"
    assert dataset.notes == ("Read as plain files: 4 subjects (4 test), image.",)
    assert all(dataset.load(subject).mask.any() for subject in dataset.subjects("test"))


NAMES = st.lists(st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=12), max_size=6)


@given(NAMES, st.sampled_from([".nii", ".nii.gz", ".NII.GZ", ".Nii"]))
@settings(max_examples=60, deadline=None)
def test_every_file_is_a_scan_or_hidden_or_named(names: list[str], suffix: str) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        for name in names:
            (Path(folder) / f"{name}{suffix}").touch()
        try:
            listing = scans_in(Path(folder), SUFFIXES)
        except DataError as error:
            assert "\n" not in str(error)
            return
        for file in (f.name for f in Path(folder).iterdir() if f.name[0] != "."):
            assert (file in listing.files.values()) != any(line.startswith(f"{file} ") for line in listing.left_out)


def test_two_scans_of_one_name_are_refused(tmp_path: Path) -> None:
    scan(tmp_path / "a.nii.gz")
    scan(tmp_path / "A.nii")
    with pytest.raises(DataError, match=r"holds A\.nii and a\.nii\.gz; rename one"):
        VolumeFolder(tmp_path)


def test_a_file_that_is_not_there_fails_its_own_subject_alone(tmp_path: Path) -> None:
    scan(tmp_path / "a.nii.gz"), scan(tmp_path / "l.nii.gz", labels=True)
    (tmp_path / "subjects.csv").write_text("subject;split;T1;labels\np;test;a.nii.gz;l.nii.gz\nq;test;b.nii.gz;\n")
    dataset = Folder(tmp_path)
    assert dataset.left_out == ("b.nii.gz, the T1 of 'q', is not there.",)
    assert dataset.load("p").labels is not None
    with pytest.raises(DataError, match=r"b\.nii\.gz is not there"):
        dataset.load("q")


def tabled(path: Path, lines: str = "p,test,p.nii.gz,\n") -> Path:
    scan(path / "p.nii.gz")
    (path / "subjects.csv").write_text(f"subject,split,T1,mask\n{lines}")
    return path


def test_scans_that_a_table_does_not_name_are_named(tmp_path: Path) -> None:
    """a scan lies beside the table and is not named in it -> one sentence counts them and names the first"""
    path = tabled(tmp_path / "one")
    scan(path / "p_T2.nii.gz", 1)
    assert Folder(path).left_out == ("p_T2.nii.gz is not named in subjects.csv; add it there if it is to be used.",)
    for number, name in enumerate(("day2/q.NII", "sub-1/ses-2/anat/sub-1_T1w.nii.gz", "r.nii.gz", "s.nii.gz")):
        scan(path / name.replace("NII", "nii"), number)
    (path / "day2/q.nii").rename(path / "day2/q.NII")
    assert VolumeFolder(path).left_out == (
        "5 files are not named in subjects.csv: p_T2.nii.gz, r.nii.gz, s.nii.gz and 2 more; add there what is to be "
        "used.",
    )
    done = mrbench("data", "index", str(path), cwd=tmp_path)
    assert done.returncode == 0 and f"Left out: {Folder(path).left_out[0]}" in done.stderr


def test_what_is_no_scan_or_in_use_is_not_named(tmp_path: Path) -> None:
    lines = f"p,test,./p.nii.gz,../scans/p_inside.nii.gz\nq,test,{tmp_path}/scans/a/../q.nii.gz,\n"
    path = tabled(tmp_path / "scans", lines)
    (path / "a").mkdir()
    for name in ("p_inside.nii.gz", "q.nii.gz", "q_mask.nii.gz", "maps/p_dseg.nii.gz", "derivatives/x/p_T1w.nii.gz"):
        scan(path / name)
    for name in ("pairs.csv", "README.md", "labels.csv", "notes.txt", "._p.nii.gz", "x.mat", "picture.png"):
        (path / name).write_text("moving,fixed\np,q\n" if name == "pairs.csv" else "label,name\n1,a\n")
    scan(path / ".hidden" / "r.nii.gz")
    assert Folder(path).left_out == ()


def test_kspace_that_a_table_does_not_name_is_named(tmp_path: Path) -> None:
    for name in ("a", "b", "a.mask", "own"):
        np.save(tmp_path / f"{name}.npy", np.ones((1, 2, 9, 9)))
    (tmp_path / "subjects.csv").write_text("subject,split,kspace,mask\na,test,a.npy,own.npy\n")
    assert KspaceFolder(tmp_path).left_out == ("b.npy is not named in subjects.csv; add it there if it is to be used.",)


def test_one_scan_in_two_splits_is_refused_whatever_its_name(tmp_path: Path) -> None:
    scan(tmp_path / "a.nii.gz")
    (tmp_path / "b.nii.gz").write_bytes((tmp_path / "a.nii.gz").read_bytes())
    (tmp_path / "subjects.csv").write_text("subject,split,T1\np,train,a.nii.gz\nq,test,b.nii.gz\n")
    with pytest.raises(DataError, match=r"'p' in train and 'q' in test are one scan, b\.nii\.gz"):
        VolumeFolder(tmp_path).subjects("test")


def test_an_index_refuses_one_scan_in_two_splits_as_a_run_does(tmp_path: Path) -> None:
    scan(tmp_path / "a.nii.gz")
    (tmp_path / "subjects.csv").write_text("subject,split,T1\np,train,a.nii.gz\nq,test,a.nii.gz\n")
    with pytest.raises(DataError, match="'p' in train and 'q' in test are one scan"):
        index(tmp_path)


@pytest.mark.parametrize("kind", ["images", "kspace"])
def test_a_scan_under_two_names_of_one_split_counts_once(tmp_path: Path, kind: str) -> None:
    """The same scan as two subjects would halve the width of an interval: the second is refused, others stand."""
    suffix = "nii.gz" if kind == "images" else "npy"
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        if kind == "images":
            scan(tmp_path / f"{name}.{suffix}", seed)
        else:
            np.save(tmp_path / f"{name}.npy", 1j * np.random.default_rng(seed).random((1, 2, 9, 9)))
    data = VolumeFolder(tmp_path) if kind == "images" else KspaceFolder(tmp_path)

    def read(subject: str) -> None:
        data.load(subject) if isinstance(data, VolumeFolder) else data.acquisition(subject, coils=None)

    assert data.subjects("test") == ("a", "b", "c")
    read("a"), read("c")
    with pytest.raises(DataError, match=rf"'b' is the same scan as 'a', b\.{suffix}; keep one of the two\.$"):
        read("b")
    assert "'b' is the same scan as 'a'" in index(tmp_path).attrs["left_out"][-1]


def test_one_file_as_two_contrasts_is_refused(tmp_path: Path) -> None:
    """Synthesis of an image from itself had 144 dB."""
    scan(tmp_path / "a.nii.gz")
    (tmp_path / "subjects.csv").write_text("subject,split,T1,T2\np,test,a.nii.gz,a.nii.gz\n")
    with pytest.raises(DataError, match="'p' has one file as two of T1, T2; correct the table"):
        ContrastFolder(tmp_path).load("p")


@pytest.mark.parametrize("change", ["compression", "description", "type", "axes"])
@pytest.mark.parametrize("kind", [Folder, VolumeFolder])
def test_a_scan_written_again_is_the_same_scan(tmp_path: Path, change: str, kind: type[Folder]) -> None:
    """one scan in two splits, compressed or written again with another header, type or order of axes -> refused"""
    scan(tmp_path / "a.nii.gz")
    image = nib.Nifti1Image.from_filename(tmp_path / "a.nii.gz")
    values, name = image.get_fdata(), "b.nii" if change == "compression" else "b.nii.gz"
    if change == "description":
        image.header["descrip"] = b"another"
    again = image if change in ("compression", "description") else nib.Nifti1Image(values, image.affine)
    if change == "axes":
        again = again.as_reoriented(nib.orientations.axcodes2ornt("LPS"))
    again.to_filename(tmp_path / name)
    assert (tmp_path / name).read_bytes() != (tmp_path / "a.nii.gz").read_bytes()
    scan(tmp_path / "c.nii.gz", seed=1)
    (tmp_path / "subjects.csv").write_text(f"subject,split,T1\np,train,a.nii.gz\nr,test,c.nii.gz\nq,test,{name}\n")
    with pytest.raises(DataError, match=rf"'p' in train and 'q' in test are one scan, {name}"):
        kind(tmp_path).subjects("test")


def test_voxels_are_compared_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mrbench.io.files._digests", {})
    scan(tmp_path / "a.nii.gz"), scan(tmp_path / "c.nii.gz", seed=1)
    (tmp_path / "subjects.csv").write_text("subject,split,T1\np,train,a.nii.gz\nr,test,c.nii.gz\n")
    assert Folder(tmp_path).subjects("test") == ("r",)
    monkeypatch.setattr("mrbench.io.volume_files.read_image", lambda *any, **words: 1 / 0)
    monkeypatch.setattr("mrbench.io.files._digests", {})  # as in another process
    assert Folder(tmp_path).subjects("test") == ("r",)


def learn2reg(path: Path, **changes: object) -> Path:
    for number in range(1, 5):
        scan(path / "imagesTr" / f"X_{number:04d}_0000.nii.gz", number)
        scan(path / "labelsTr" / f"X_{number:04d}_0000.nii.gz", labels=True)
    image = "./imagesTr/X_{:04d}_0000.nii.gz".format
    content = {
        "name": "X",
        "modality": {"0": "MR"},
        "training": [{"image": image(n), "label": f"./labelsTr/X_{n:04d}_0000.nii.gz"} for n in range(1, 5)],
        "registration_val": [{"fixed": image(3), "moving": image(4)}, {"fixed": image(4), "moving": image(3)}],
    } | changes
    (path / "X_dataset.json").write_text(json.dumps(content))
    return path


def test_learn2reg_is_read_with_its_pairs(tmp_path: Path) -> None:
    dataset = Folder(learn2reg(tmp_path / "l2r"))
    assert dataset.subjects("train") == ("X_0001", "X_0002") and dataset.subjects("validation") == ("X_0003", "X_0004")
    assert dataset.pairs("validation") == (("X_0004", "X_0003"), ("X_0003", "X_0004")) and dataset.pairs("test") is None
    assert set(dataset.load("X_0003").images) == {"T1"} and dataset.load("X_0003").labels is not None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": [], "registration_val": []}, "names no scan"),
        ({"registration_val": [{"fixed": "a"}]}, "no pair of moving and fixed; check its version"),
        ({"training": 3}, "training is no list of scans"),
        ({"training": [{"label": "x"}]}, "a scan without its image"),
        ({"training": ["./imagesTr/../../../x/.nii.gz"], "registration_val": []}, "empty subject id"),
    ],
)
def test_learn2reg_of_another_version_is_one_sentence(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Folder(learn2reg(tmp_path / "l2r", **changes))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("p,x", "line 2 names 'x', who is not in subjects.csv"),
        ("p,p", "pairs 'p' with itself"),
        ("p,r", "pairs subjects of two splits, 'p' and 'r'"),
        ("p,q\np,q", "line 3: the pair p, q stands twice"),
        ("p", r"pairs\.csv, line 2 has 1 field, fewer than the 2 of the heading"),
    ],
)
def test_pairs_that_cannot_be_are_one_sentence(tmp_path: Path, lines: str, message: str) -> None:
    path = paired(tmp_path, lines)
    with pytest.raises(DataError, match=message):
        Folder(path)


def paired(path: Path, lines: str) -> Path:
    for number, name in enumerate("pqr"):
        scan(path / f"{name}.nii.gz", number)
    rows = "".join(f"{name},{'train' if name == 'r' else 'test'},{name}.nii.gz,\n" for name in "pqr")
    (path / "subjects.csv").write_text(f"subject,split,T1,labels\n{rows}")
    (path / "pairs.csv").write_text(f"moving,fixed\n{lines}\n")
    return path


def test_pairs_that_name_nobody_are_left_out_with_a_word(tmp_path: Path) -> None:
    dataset = Folder(paired(tmp_path, "p,x\np,q"))
    assert dataset.pairs("test") == (("p", "q"),)
    assert dataset.left_out == ("pairs.csv, line 2 names 'x', who is not in subjects.csv.",)


def test_a_subject_without_its_contrast_is_not_registered_by_another(tmp_path: Path) -> None:
    """Only pairs that somebody named may be of two contrasts."""
    scan(tmp_path / "p.nii.gz", 1), scan(tmp_path / "q.nii.gz", 2)
    (tmp_path / "subjects.csv").write_text("subject,split,T1,T2\np,test,p.nii.gz,\nq,test,,q.nii.gz\n")
    setting = setting_of(Registration(), Folder(tmp_path))
    with pytest.raises(DataError, match=r"subject 'q' of .* has no T1, unlike 'p'; add it"):
        setting.load(setting.cases()[0])
    (tmp_path / "pairs.csv").write_text("moving,fixed\nq,p\n")
    setting = setting_of(Registration(), Folder(tmp_path))
    assert setting.load(setting.cases()[0]).id == "q_to_p"


def test_pairs_may_go_both_ways(tmp_path: Path) -> None:
    dataset = Folder(paired(tmp_path, "p,q\nq,p"))
    assert dataset.pairs("test") == (("p", "q"), ("q", "p")) and dataset.pairs("train") is None


@pytest.mark.parametrize("layout", ["BIDS", "files named by contrast", "plain files"])
def test_pairs_are_read_beside_every_layout(layout: str, tmp_path: Path) -> None:
    """visits of one person, one pair of two, the other way round -> that pair alone, and a word on who is nobody"""
    first, second = {"BIDS": ("sub-1_ses-1", "sub-1_ses-2")}.get(layout, ("p1", "p2"))
    for number, name in enumerate((first, second)):
        place = {
            "BIDS": f"sub-1/ses-{number + 1}/anat/{name}_T1w.nii.gz",
            "files named by contrast": f"{name}_T1.nii.gz",
            "plain files": f"{name}.nii.gz",
        }[layout]
        scan(tmp_path / place, number)
    (tmp_path / "pairs.csv").write_text(f"moving,fixed\n{second},{first}\n{first},nobody\n")
    dataset = Folder(tmp_path)
    assert dataset.notes[0].startswith(f"Read as {layout}:") and dataset.notes[0].endswith("1 pair.")
    assert dataset.pairs("test") == ((second, first),)
    unknown = f"pairs.csv, line 3 names 'nobody', who is not in the folder, whose subjects are {first}, {second}."
    assert dataset.left_out == (unknown,)


def tumours(path: Path, names: dict[str, str], labels: tuple[int, ...] = (1, 2, 3)) -> Path:
    for folder, style in names.items():
        prefix = "X" if folder == "renamed" else folder.rpartition("/")[2]
        for number, ending in enumerate(style.split()):
            scan(path / folder / f"{prefix}{ending}.nii.gz", number)
            if ending.lower().endswith("seg"):
                volume = np.zeros(SHAPE, np.uint8)
                volume[2:5, 2, 2] = labels
                nib.Nifti1Image(volume.T, np.eye(4)).to_filename(path / folder / f"{prefix}{ending}.nii.gz")
    return path


OLD, NEW = "_t1 _t1ce _t2 _flair _seg", "-t1n -t1c -t2w -t2f -seg"


def test_brats_of_any_release_is_read_whatever_its_folders_are_called(tmp_path: Path) -> None:
    """Renamed folders and ``_T1`` made two of five subjects vanish."""
    styles = {"B_001": OLD, "renamed": OLD, "HGG/B_002": OLD, "B-003": NEW, "B_004": OLD.upper(), "B_005": "_t1 _flair"}
    dataset = BratsFolder(tumours(tmp_path / "b", styles))
    assert dataset.subjects("test") == ("B-003", "B_001", "B_002", "B_004", "B_005", "renamed")
    for subject in ("renamed", "B_004", "B_002"):
        assert set(dataset.make(subject).images) == {"T1", "T1c", "T2", "FLAIR"}
    with pytest.raises(DataError, match="subject 'B_005' has no T1c, T2, labels; add the file"):
        dataset.make("B_005")


def test_brats_names_what_it_does_not_use(tmp_path: Path) -> None:
    path = tumours(tmp_path / "b", {"B_001": OLD, "B_002": "_t1"})
    scan(path / "B_001" / "B_001_adc.nii.gz")
    scan(path / "B_001" / "old_t1.nii.gz")
    layout = read_brats(path)
    assert layout is not None and set(layout.rows) == {"B_001"}
    assert layout.left_out == (
        "B_001/B_001_adc.nii.gz is none of T1, T1c, T2, FLAIR, labels by its name.",
        "B_001/old_t1.nii.gz is another T1; B_001/B_001_t1.nii.gz is used.",
        "B_002 holds B_002/B_002_t1.nii.gz alone.",
    )


def test_labels_csv_says_which_part_a_label_is(tmp_path: Path) -> None:
    """Without it a perfect answer scored .422 in the core."""
    path = tumours(tmp_path / "b", {"B_001": OLD}, labels=(2, 4, 1))
    (path / "labels.csv").write_text("label,name\n1,Edema\n2,ET\n4,necrotic_core\n5,cavity\n")
    dataset = BratsFolder(path)
    assert dataset.make("B_001").labels[2:5, 2, 2].tolist() == [3, 1, 2]
    key = dataset.content_key("B_001")
    (path / "labels.csv").write_text("label,name\n1,Edema\n2,cavity\n4,necrotic core\n")
    assert BratsFolder(path).make("B_001").labels[2:5, 2, 2].tolist() == [0, 1, 2]
    assert BratsFolder(path).content_key("B_001") != key
    (path / "labels.csv").write_text("label,name\n1,tumour\n")
    with pytest.raises(DataError, match="names the label 1 'tumour'; use necrotic core, oedema, enhancing tumour"):
        BratsFolder(path)
    (path / "labels.csv").write_text("label,name\n1,edema\n")
    with pytest.raises(DataError, match=r"holds the labels \[2, 4\], which labels.csv does not name"):
        BratsFolder(path).make("B_001")
