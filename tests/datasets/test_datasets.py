"""Splits, source files, caches and the user's own folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mrbench.core.errors import DataError, RequestError
from mrbench.core.registry import dataset_names, find_dataset
from mrbench.datasets import folder as folder_module
from mrbench.datasets.dataset import Subject, check_subject
from mrbench.datasets.fetch import source_file
from mrbench.datasets.folder import Folder
from mrbench.datasets.oasis import OasisBrains, OasisVolumes
from mrbench.io import files as files_module


@pytest.mark.parametrize("name", dataset_names())
def test_no_subject_stands_in_two_splits(name: str) -> None:
    split_file = find_dataset(name).split_file
    assert split_file.leaks() == []
    assert split_file.splits["test"]


@pytest.mark.parametrize(("name", "sizes"), [("icbm-sim", (40, 5, 15)), ("ixi-hh-2mm", (80, 10, 30))])
def test_split_sizes(name: str, sizes: tuple[int, ...]) -> None:
    dataset = find_dataset(name)
    assert tuple(len(dataset.subjects(split)) for split in ("train", "validation", "test")) == sizes


@pytest.mark.parametrize("representation", dataset_names()["icbm-sim"])
def test_extra_subjects_train_and_stand_in_no_split(representation: str) -> None:
    dataset = find_dataset("icbm-sim", representation)
    before, fingerprint = dataset.subjects("train"), dataset.fingerprint
    dataset.add_extra_subjects(3)
    assert dataset.subjects("train") == (*before, "further000", "further001", "further002")
    everyone = [subject for ids in dataset.split_file.splits.values() for subject in ids]
    assert not {*dataset.extra_subjects} & {*everyone}
    assert not {*dataset.extra_subjects} & {*dataset.subjects("validation"), *dataset.subjects("test")}
    assert dataset.fingerprint == fingerprint
    assert find_dataset("icbm-sim", representation).subjects("train") == before


def test_real_people_are_as_many_as_they_are() -> None:
    with pytest.raises(RequestError, match="ixi-hh-2mm can simulate no extra subjects"):
        find_dataset("ixi-hh-2mm").add_extra_subjects(1)


def test_a_leak_is_found(tmp_path: Path) -> None:
    from mrbench.datasets.dataset import SplitFile

    path = tmp_path / "s.json"
    path.write_text(json.dumps({"version": 1, "splits": {"train": ["a"], "validation": ["b"], "test": ["a"]}}))
    assert SplitFile.read(path).leaks() == ["a"]


def test_unknown_names_get_suggestions() -> None:
    with pytest.raises(RequestError, match="did you mean 'icbm-sim'"):
        find_dataset("icbm_sim")
    with pytest.raises(RequestError, match="did you mean 'test'"):
        find_dataset("icbm-sim").subjects("tests")


FILE = "T1/IXI012-HH-1211_T1.nii.gz"


def test_corrupt_and_missing_source_files_are_one_sentence(tmp_path: Path, monkeypatch) -> None:
    dataset = find_dataset("ixi-hh-2mm")
    monkeypatch.setenv("MRBENCH_DATA", str(tmp_path))
    with pytest.raises(DataError, match="not a folder"):
        source_file(dataset.name, dataset.split_file, FILE)
    (tmp_path / dataset.name / "T1").mkdir(parents=True)
    with pytest.raises(DataError, match="is missing"):
        source_file(dataset.name, dataset.split_file, FILE)
    (tmp_path / dataset.name / FILE).write_bytes(b"not the scan")
    with pytest.raises(DataError, match="sha256 is not the pinned one"):
        source_file(dataset.name, dataset.split_file, FILE)


def test_download_that_fails_says_what_to_do(monkeypatch) -> None:
    monkeypatch.delenv("MRBENCH_DATA", raising=False)
    monkeypatch.setattr("mrbench.datasets.fetch.RAW_HOST", "http://127.0.0.1:9")
    dataset = find_dataset("ixi-hh-2mm")
    with pytest.raises(DataError, match="set MRBENCH_DATA"):
        source_file(dataset.name, dataset.split_file, FILE)


def test_download_is_checked_against_the_pin(tmp_path: Path, monkeypatch) -> None:
    """Served from a local web server: the right bytes are cached, the wrong ones refused."""
    import hashlib
    import threading
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    from mrbench.datasets.dataset import SplitFile

    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *args) -> None:
            super().__init__(*args, directory=str(tmp_path))

        def log_message(self, *args) -> None:
            pass

    file = tmp_path / "owner/repo/abc/scan.nii.gz"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"scan")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.delenv("MRBENCH_DATA", raising=False)
    monkeypatch.setattr("mrbench.datasets.fetch.RAW_HOST", f"http://127.0.0.1:{server.server_port}")
    source = {"repository": "owner/repo", "commit": "abc"}
    pins = {"good": hashlib.sha256(b"scan").hexdigest(), "bad": "0" * 64}
    files = {name: {"sha256": pin, "upstream": "scan.nii.gz"} for name, pin in pins.items()}
    split_file = SplitFile(1, {}, files, source, "")
    try:
        assert source_file("d", split_file, "good").read_bytes() == b"scan"
        with pytest.raises(DataError, match="not the pinned file"):
            source_file("d", split_file, "bad")
    finally:
        server.shutdown()
        server.server_close()


def test_damaged_cache_is_made_again(dataset: Folder) -> None:
    first = dataset.load("b0")
    path = dataset.entry("b0")
    path.write_bytes(path.read_bytes()[:-100])
    np.testing.assert_array_equal(dataset.load("b0").images["T1"], first.images["T1"])


def test_cache_is_made_once(dataset: Folder, monkeypatch) -> None:
    dataset.load("b0")
    monkeypatch.setattr(dataset, "make", lambda s: pytest.fail("made twice"))
    dataset.load("b0")


def subject(**changes) -> Subject:
    cube = np.ones((2, 2, 2), np.float32)
    arrays = {"images": {"T1": cube}, "mask": cube > 0, "labels": cube.astype(np.int16)} | changes
    return Subject("s", spacing=(1, 1, 1), **arrays)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": {"T1": np.ones((2, 2, 3))}}, "T1 has shape"),
        ({"images": {"T1": np.full((2, 2, 2), np.nan)}}, "NaN"),
        ({"mask": np.zeros((2, 2, 2), bool)}, "mask is empty"),
    ],
)
def test_malformed_subjects_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        check_subject(subject(**changes))


def test_folder_reads_what_it_was_given(dataset: Folder) -> None:
    assert dataset.subjects("test") == ("b3", "b4", "b5")
    loaded = dataset.load("b3")
    assert loaded.images["T1"].shape == (32, 40, 36)
    assert loaded.spacing == (2, 2, 2)
    assert set(dataset.structures) == {"label 1", "label 2", "label 3", "label 4"}


def test_structures_are_named_merged_and_without_the_background(cohort: Path, tmp_path: Path) -> None:
    copy = copy_with(cohort, tmp_path / "blobs", "zzz", "zzz")
    names = copy.path / "labels.csv"
    names.write_text("label,name\n0,background\n1,head\n2,both\n4,both\n")
    assert Folder(copy.path).structures == {"head": (1,), "both": (2, 4)}
    assert Folder(copy.path).fingerprint == copy.fingerprint, "names change scores, not predictions"
    for text, message in (("-1,a", "labels are positive"), ("0,a", "names no structure"), ("x,a", "as integers")):
        names.write_text(f"label,name\n{text}\n")
        with pytest.raises(DataError, match=message):
            _ = Folder(copy.path).structures
    names.write_bytes("label,name\n1,Fußgewölbe\n".encode("latin-1"))
    with pytest.raises(DataError, match="is not UTF-8; save it as such"):
        _ = Folder(copy.path).structures


def test_a_structure_of_any_subject_is_scored(cohort: Path, tmp_path: Path) -> None:
    """Not only those of the first line of the table, which may be of a train subject without labels."""
    copy = copy_with(cohort, tmp_path / "blobs", ",0_labels.nii.gz", ",")
    assert set(copy.structures) == {"label 1", "label 2", "label 3", "label 4"}


def test_label_maps_are_read_once_a_machine_unless_one_is_faulty(
    cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, read = copy_with(cohort, tmp_path / "blobs", "zzz", "zzz"), []
    original = folder_module.read_image
    monkeypatch.setattr(folder_module, "read_image", lambda file, **how: read.append(file) or original(file, **how))

    def structures() -> list[str]:
        folder_module._labels_in.cache_clear()
        files_module._digests.clear()
        return list(Folder(copy.path).structures)

    first = structures()
    assert first and read
    read.clear()
    assert structures() == first and not read
    (copy.path / "0_labels.nii.gz").write_bytes(b"no image")
    for _ in range(2):
        assert structures() == first and read, "a file that may be mended"
        read.clear()


def test_a_folder_of_a_built_in_name_is_refused(tmp_path: Path, cohort: Path) -> None:
    """Its rows, and weights and parameters found for the name, would be taken for those of the built-in data."""
    copy_with(cohort, tmp_path / "ixi-hh-2mm", "zzz", "zzz")
    with pytest.raises(RequestError, match="has the name of a built-in dataset; rename the folder"):
        find_dataset(f"folder:{tmp_path / 'ixi-hh-2mm'}")


def copy_with(cohort: Path, target: Path, old: str, new: str) -> Folder:
    import shutil

    shutil.copytree(cohort, target)
    table = target / "subjects.csv"
    table.write_text(table.read_text().replace(old, new))
    return Folder(target)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("split", "part", "lacks the column split"),
        (",test,", ",tset,", "use train, validation, test"),
        (".nii.gz", ".mgz", "T1 of 'b0', 0_t1.mgz, is not there, nor is any other"),
        ("b1,", "b0,", "subject 'b0' stands twice; name each subject once"),
        ("b1,train,", "b1,", "line 3 has 3 fields, fewer than the 4 of the heading"),
    ],
)
def test_folder_table_mistakes_are_one_sentence(cohort, tmp_path, old: str, new: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        copy_with(cohort, tmp_path / "d", old, new)


def test_folder_fingerprint_follows_the_files(cohort: Path, tmp_path: Path, dataset: Folder) -> None:
    copy = copy_with(cohort, tmp_path / "blobs", "zzz", "zzz")
    assert copy.fingerprint == dataset.fingerprint
    changed = copy_with(cohort, tmp_path / "other" / "blobs", "b0,train", "b0,validation")
    assert changed.fingerprint != dataset.fingerprint


def test_folder_without_a_table_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="one line a subject"):
        Folder(tmp_path)


@pytest.mark.usefixtures("few_samples")
@pytest.mark.slow
@pytest.mark.real_data
def test_ixi_is_aligned_stripped_and_scaled() -> None:
    from mrbench.space.template import GRID_SHAPE, template_2mm

    dataset = find_dataset("ixi-hh-2mm")
    subject = dataset.make("IXI012-HH-1211")
    t1, mask = subject.images["T1"], subject.mask
    assert t1.shape == GRID_SHAPE and t1.dtype == np.float32
    assert t1.min() == 0 and t1.max() == 1 and not t1[~mask].any()
    template_mask = template_2mm() > 0.05
    overlap = 2 * (mask & template_mask).sum() / (mask.sum() + template_mask.sum())
    assert overlap > 0.9
    assert not any(subject.labels.take(i, axis).any() for axis in range(3) for i in (0, -1))  # nothing cut off
    assert len(np.unique(subject.labels)) == 149
    right, left = (np.argwhere(subject.labels == label).mean(0)[2] for label in (47, 48))
    assert right > left  # hippocampi: RAS+, so right has the larger x


@pytest.mark.real_data
def test_hippocampus_is_padded_about_its_centre() -> None:
    subject = find_dataset("msd-hippocampus").make("hippocampus_001")
    assert subject.images["T1"].shape == (48, 64, 48) and set(np.unique(subject.labels)) == {0, 1, 2}
    assert subject.mask.sum() == 35 * 51 * 35


@pytest.mark.slow
@pytest.mark.real_data
def test_oasis_is_aligned_and_has_the_structures_of_ixi(monkeypatch: pytest.MonkeyPatch) -> None:
    from mrbench.io.nifti import Volume
    from mrbench.space.alignment import align_to_template
    from mrbench.space.template import GRID_SHAPE, template_2mm

    def align(head: Volume, mask: np.ndarray):
        """As it is, by every second voxel."""
        some = (slice(None, None, 2),) * 3
        return align_to_template(Volume(head.array[some], head.affine @ np.diag([2.0, 2, 2, 1])), mask[some])

    monkeypatch.setattr("mrbench.datasets.ixi_hh.align_to_template", align)
    dataset = OasisBrains()
    subject = dataset.make("1002")
    assert set(dataset.structures) == set(find_dataset("ixi-hh-2mm").structures)
    t1, mask = subject.images["T1"], subject.mask
    assert t1.shape == GRID_SHAPE and t1.min() == 0 and t1.max() == 1 and not t1[~mask].any()
    template_mask = template_2mm() > 0.05
    assert 2 * (mask & template_mask).sum() / (mask.sum() + template_mask.sum()) > 0.9
    present = set(np.unique(subject.labels).tolist())
    assert all(present & {*labels} for labels in dataset.structures.values())
    right, left = (np.argwhere(subject.labels == label).mean(0)[2] for label in (47, 48))
    assert right > left
    brain = OasisVolumes().make("1002")
    assert brain.images["T1"].shape == (174, 215, 155) and brain.spacing == (1, 1, 1) and brain.images["T1"].max() == 1


def test_oasis_is_of_test_subjects_alone_and_says_its_terms() -> None:
    for dataset in (OasisBrains(), OasisVolumes()):
        assert [len(dataset.subjects(split)) for split in ("train", "validation", "test")] == [0, 0, 18]
        assert "no commercial use" in dataset.terms and "Neuromorphometrics" in dataset.terms
    assert OasisBrains().content_key("1002") != OasisVolumes().content_key("1002")
