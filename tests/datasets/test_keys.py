"""Keys are of content: of a subject's own files, their preparation and the line that maps them, and of nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from mrbench.core.errors import DataError
from mrbench.core.registry import dataset_names, find_dataset
from mrbench.datasets.dataset import Dataset, Subject
from mrbench.datasets.folder import ContrastFolder, Folder
from mrbench.io import files


def test_a_copy_elsewhere_has_the_same_keys(cohort: Path, tmp_path: Path, dataset: Folder) -> None:
    shutil.copytree(cohort, tmp_path / "another name")
    copy = Folder(tmp_path / "another name")
    assert [copy.content_key(s) for s in copy.subjects("test")] == [dataset.content_key(s) for s in ("b3", "b4", "b5")]
    assert len({dataset.content_key(f"b{number}") for number in range(8)}) == 8


def test_a_key_follows_its_own_subject_alone(cohort: Path, tmp_path: Path) -> None:
    path = tmp_path / "blobs"
    shutil.copytree(cohort, path)
    before = {subject: Folder(path).content_key(subject) for subject in ("b3", "b4")}
    (path / "4_t1.nii.gz").write_bytes((path / "5_t1.nii.gz").read_bytes()[:-1] + b"\0")
    after = {subject: Folder(path).content_key(subject) for subject in ("b3", "b4")}
    assert after["b3"] == before["b3"] and after["b4"] != before["b4"]
    table = path / "subjects.csv"
    table.write_text(table.read_text().replace("T1,labels", "T2,labels"))
    assert Folder(path).content_key("b3") != before["b3"], "the same file under another contrast"


def test_a_new_subject_makes_no_other_one_again(cohort: Path, tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "blobs"
    shutil.copytree(cohort, path)
    Folder(path).load("b3")
    table = path / "subjects.csv"
    table.write_text("\n".join(line for line in table.read_text().splitlines() if not line.startswith("b7")) + "\n")
    monkeypatch.setattr(Folder, "make", lambda *a: pytest.fail("made twice"))
    assert Folder(path).load("b3").id == "b3"


def test_forms_of_one_folder_have_keys_of_their_own(cohort: Path, dataset: Folder) -> None:
    assert ContrastFolder(cohort).content_key("b3") != dataset.content_key("b3")


def test_keys_of_many_cases_hash_each_file_once(cohort: Path, monkeypatch) -> None:
    """Each case hashed the whole folder again: 10,000 cheap cases took 0.25 s each."""
    monkeypatch.setattr(files, "SETTLED", 0)
    hashed: list[Path] = []
    digest = files.sha256_of
    monkeypatch.setattr(files, "sha256_of", lambda path: hashed.append(path) or digest(path))
    for _ in range(20):
        dataset = Folder(cohort)  # as a worker finds it anew for each case
        for subject in dataset.subjects("test"):
            dataset.content_key(subject), dataset.entry(subject)
    assert len(hashed) == len(set(hashed)) <= 17


@pytest.mark.parametrize(("name", "representation"), [(n, r) for n, kinds in dataset_names().items() for r in kinds])
def test_built_in_keys_are_unique_and_read_no_file(name: str, representation: str, monkeypatch) -> None:
    monkeypatch.delenv("MRBENCH_DATA", raising=False)
    dataset = find_dataset(name, representation)
    subjects = [subject for split in ("train", "validation", "test") for subject in dataset.subjects(split)]
    assert len({dataset.content_key(subject) for subject in subjects}) == len(subjects)
    assert dataset.representation == representation


def test_built_in_keys_follow_the_pinned_files(monkeypatch) -> None:
    dataset = find_dataset("ixi-hh-2mm")
    subject, other = dataset.subjects("train")[:2]
    before = dataset.content_key(subject), dataset.content_key(other)
    dataset.split_file.files[f"labels/{subject}_DLMUSE.nii.gz"]["sha256"] = "0" * 64
    assert dataset.content_key(subject) != before[0] and dataset.content_key(other) == before[1]
    monkeypatch.setattr(type(dataset), "preparation", 99)
    assert dataset.content_key(other) != before[1]


OUTSIDE = """
from pathlib import Path
import numpy as np
from mrbench.datasets.dataset import Dataset, Subject

class Cubes(Dataset):
    name = "cubes"
    splits = {"train": ["c1"], "test": ["c2", "c3"]}

    def source_files(self, subject):
        return [Path(__file__).parent / f"{subject}.npy"]

    def make(self, subject):
        volume = np.load(self.source_files(subject)[0])
        return Subject(subject, {"T1": volume}, volume > 0, None, (1, 1, 1))
"""


def outside(path: Path, text: str = OUTSIDE) -> Dataset:
    import importlib.util
    import sys

    (path / "cubes.py").write_text(text)
    spec = importlib.util.spec_from_file_location("cubes_of_a_user", path / "cubes.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.Cubes()


def test_a_dataset_is_one_short_file_of_a_user(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        np.save(tmp_path / f"c{number}.npy", np.full((4, 4, 4), number, np.float32))
    dataset = outside(tmp_path)
    assert dataset.subjects("test") == ("c2", "c3") and dataset.subjects("validation") == ()
    assert dataset.title == dataset.address == "cubes" and dataset.pairs("test") is None
    assert dataset.load("c2").images["T1"].max() == 2 and dataset.is_prepared("c2")
    keys = dataset.content_key("c2"), dataset.content_key("c3")
    np.save(tmp_path / "c2.npy", np.full((4, 4, 4), 7, np.float32))
    assert dataset.content_key("c2") != keys[0] and dataset.content_key("c3") == keys[1]
    assert dataset.load("c2").images["T1"].max() == 7, "and not what the cache still holds"
    assert outside(tmp_path, OUTSIDE + "# changed\n").content_key("c3") != keys[1]


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ('{"tests": ["c1"]}', "dataset 'cubes' names the split tests; use train, validation, test"),
        ('{"test": ["../../evil"]}', "cannot be a file's name"),
        ('{"test": ["c1", "C1"]}', "names the subject 'c1' twice"),
        ('{"train": ["c1"], "test": ["c1"]}', "names the subject 'c1' twice; name each once, in one split"),
    ],
)
def test_splits_of_a_user_that_cannot_be(tmp_path: Path, splits: str, message: str) -> None:
    text = OUTSIDE.replace('{"train": ["c1"], "test": ["c2", "c3"]}', splits)
    with pytest.raises(DataError, match=message):
        outside(tmp_path, text).subjects("test")


def test_ids_never_lead_out_of_the_cache(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        np.save(tmp_path / f"c{number}.npy", np.ones((4, 4, 4), np.float32))
    dataset = outside(tmp_path)
    for subject in ("../../evil", "/etc/evil", ".."):
        with pytest.raises(DataError, match="cannot be a file's name"):
            dataset._store(Subject(subject, {}, np.ones((2, 2, 2), bool), None, (1, 1, 1)))


@pytest.mark.parametrize("damage", ["truncated", "other arrays", "a text", "no sidecar"])
def test_damaged_entries_of_the_cache_are_made_again(dataset: Folder, damage: str) -> None:
    expected = dataset.load("b3")
    path = dataset.entry("b3")
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-50])
    elif damage == "no sidecar":
        path.with_name(f"{path.name}.sha256").unlink()
    else:
        np.savez(path, x=np.ones(3)) if damage == "other arrays" else path.write_text("no archive")
        files.write_checksum(path)
    np.testing.assert_array_equal(dataset.load("b3").images["T1"], expected.images["T1"])


def test_where_a_subject_lies_and_its_note_come_back_from_the_cache(dataset: Folder) -> None:
    assert dataset.load("b3").affine is not None
    np.testing.assert_allclose(dataset.load("b3").affine, np.diag([2.0, 2, 2, 1]))
    noted = Subject("b4", {}, np.ones((2, 2, 2), bool), None, (1, 1, 1), note="no background")
    dataset._store(noted)
    assert dataset.load("b4").note == "no background" and dataset.load("b4").affine is None
