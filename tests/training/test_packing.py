"""Packs: what is in them, how exact it is, and what they refuse."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mrbench.core.errors import DataError, RequestError
from mrbench.datasets.folder import Folder
from mrbench.training.ancestry import link
from mrbench.training.packing import LEVELS, pack, pack_path, use_pack


@pytest.fixture
def packed(dataset: Folder, tmp_path: Path) -> Path:
    path = pack_path(tmp_path, "blobs", "images")
    assert pack(dataset, path) == {"validation": 2, "train": 3}
    return path


def test_a_pack_gives_the_subjects_back(packed: Path, cohort: Path) -> None:
    whole, small = Folder(cohort), Folder(cohort)
    use_pack(small, packed)
    for split in ("train", "validation"):
        assert small.subjects(split) == whole.subjects(split)
        for name in whole.subjects(split):
            one, other = whole.load(name), small.load(name)
            assert abs(one.images["T1"] - other.images["T1"]).max() <= one.images["T1"].max() / LEVELS / 2 + 1e-6
            np.testing.assert_array_equal(one.labels, other.labels)
            np.testing.assert_array_equal(one.mask, other.mask)
            assert one.spacing == other.spacing
    assert link(small)["pack_sha256"] and "pack_sha256" not in link(whole)


def test_test_subjects_are_in_no_pack(packed: Path, dataset: Folder) -> None:
    with zipfile.ZipFile(packed) as archive:
        inside = {name.partition("/")[0] for name in archive.namelist()}
    tested = dataset.subjects("test")
    assert not inside & set(tested)
    use_pack(dataset, packed)
    with pytest.raises(RequestError, match="holds no test subjects"):
        dataset.subjects("test")
    with pytest.raises(RequestError, match="does not hold subject"):
        dataset.load(tested[0])


@pytest.mark.slow
def test_a_pack_takes_as_many_train_subjects_as_fit(dataset: Folder, tmp_path: Path) -> None:
    whole = pack_path(tmp_path, "whole", "images")
    pack(dataset, whole)
    path = tmp_path / "small.zip"
    limit = (0.9 * whole.stat().st_size + 2**16) / 2**20  # one of five is too many
    assert pack(dataset, path, limit_mib=limit) == {"validation": 2, "train": 2}
    assert path.stat().st_size <= limit * 2**20
    use_pack(dataset, path)
    assert len(dataset.subjects("train")) == 2
    with pytest.raises(DataError, match=r"does not fit into 0\.07 MiB; raise the limit"):
        pack(dataset, path, limit_mib=0.07)


def test_a_pack_of_other_data_is_refused(packed: Path, dataset: Folder) -> None:
    with pytest.raises(RequestError, match=r"no pack at .*nothing\.zip"):
        use_pack(dataset, packed.with_name("nothing.zip"))
    with zipfile.ZipFile(packed) as archive:
        info = json.loads(archive.read("pack.json"))
    other = packed.with_name("other.zip")
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("pack.json", json.dumps(info | {"fingerprint": "0"}))
    with pytest.raises(RequestError, match="another version; pack blobs again"):
        use_pack(dataset, other)


@pytest.mark.parametrize("content", [b"junk", b"PK\x05\x06" + 18 * b"\0"])
def test_what_is_no_pack_is_one_sentence(content: bytes, dataset: Folder, tmp_path: Path) -> None:
    path = tmp_path / "p.zip"
    path.write_bytes(content)
    with pytest.raises(RequestError, match=r"p\.zip is no pack, or damaged .*; write it again"):
        use_pack(dataset, path)


def test_a_damaged_pack_is_one_sentence(packed: Path, dataset: Folder) -> None:
    raw = bytearray(packed.read_bytes())
    raw[200:400] = bytes(200)
    packed.write_bytes(raw)
    use_pack(dataset, packed)
    with pytest.raises(RequestError, match="is no pack, or damaged"):
        for name in dataset.subjects("validation"):
            dataset.load(name)


def test_extra_subjects_are_simulated_beside_a_pack(packed: Path, dataset: Folder) -> None:
    dataset.extra_subjects = ("further000",)
    dataset.load = lambda subject: subject  # type: ignore[method-assign, assignment]
    use_pack(dataset, packed)
    assert dataset.subjects("train")[-1] == "further000" and "further000" not in dataset.subjects("validation")
    assert dataset.load("further000") == "further000"


def test_a_pack_is_refused_before_the_work(dataset: Folder, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    dataset.load = None  # type: ignore[method-assign, assignment]
    with pytest.raises(DataError, match=r"cannot write to .*file: File exists; choose another folder"):
        pack(dataset, tmp_path / "file" / "p.zip")
    with pytest.raises(RequestError, match="limit_mib=nan: give a number"):
        pack(dataset, tmp_path / "p.zip", limit_mib=float("nan"))
