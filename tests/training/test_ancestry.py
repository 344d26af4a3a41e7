"""Nothing that this repository ships has seen a subject of today's test splits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import mrbench
import mrbench_baselines
import mrbench_methods
from mrbench.core.errors import RequestError
from mrbench.core.registry import find_dataset
from mrbench.training.ancestry import ancestry_datasets, ancestry_name, ancestry_of, check_manifest

ROOMS = [Path(package.__file__).parent for package in (mrbench, mrbench_baselines, mrbench_methods)]
SHIPPED = sorted(path for room in ROOMS for kind in ("weights", "tuned") for path in room.glob(f"**/{kind}/*.json"))
IXI = find_dataset("ixi-hh-2mm")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_manifests_have_seen_no_test_subject(path: Path) -> None:
    check_manifest(json.loads(path.read_text()), path.name)


def test_all_shipped_manifests_are_checked() -> None:
    assert len(SHIPPED) > 100


def chain(**changed: object) -> dict:
    item = {"dataset": "ixi-hh-2mm", "train": ["IXI012-HH-1211"], "validation": [], "start": "scratch"} | changed
    return {"dataset": "icbm-sim", "ancestry": [item]}


@pytest.mark.parametrize("split", ["train", "validation"])
def test_weights_that_saw_a_test_subject_are_refused(split: str) -> None:
    check_manifest(chain(), "w")
    subject = IXI.subjects("test")[3]
    with pytest.raises(RequestError, match=rf"w has seen {subject} of the test split of ixi-hh-2mm"):
        check_manifest(chain(**{split: [subject]}), "w")


def test_a_test_subject_is_known_under_every_name_of_its_files() -> None:
    """Each of `open-ms` and `open-ms-07` trains on the patient that tests the other."""
    first = {"dataset": "open-ms-07", "train": ["patient26"], "validation": [], "start": "scratch"}
    check_manifest({"dataset": "open-ms-07", "ancestry": [first]}, "w")
    both = [{**first, "dataset": "open-ms", "train": ["patient19"], "start": "0123"}, first]
    with pytest.raises(RequestError, match="w has seen patient26 of the test split of open-ms;"):
        check_manifest({"dataset": "open-ms", "ancestry": both}, "w")
    with pytest.raises(RequestError, match="w has seen patient26 of the test split of open-ms;"):
        check_manifest({"dataset": "open-ms", "ancestry": [first]}, "w")


def test_what_was_learned_from_data_of_nobody_else_is_not_shipped() -> None:
    with pytest.raises(RequestError, match="w has seen mine, whose test split nobody knows here"):
        check_manifest(chain(dataset="mine"), "w")


@pytest.mark.parametrize("manifest", [{"dataset": "icbm-sim"}, chain(start="0123"), {"dataset": "x", "ancestry": []}])
def test_weights_that_do_not_tell_their_start_are_refused(manifest: dict) -> None:
    with pytest.raises(RequestError, match="does not tell what its weights were trained on"):
        check_manifest(manifest, "w")


def test_parameters_tuned_on_a_test_subject_are_refused() -> None:
    subject = IXI.subjects("test")[0]
    tuned = {"dataset": "ixi-hh-2mm", "chosen": {}, "split": "validation", "cases": [f"{subject}_mask1"]}
    with pytest.raises(RequestError, match=subject):
        check_manifest(tuned, "t")
    with pytest.raises(RequestError, match="tuned on the test split"):
        check_manifest({**tuned, "cases": [], "split": "test"}, "t")
    check_manifest({**tuned, "cases": [f"{subject}0_mask1"]}, "t")  # another subject
    with pytest.raises(RequestError, match="t does not tell on which cases it was tuned"):
        check_manifest({**tuned, "cases": []}, "t")


def test_an_ancestry_is_a_chain_back_to_scratch(tmp_path: Path) -> None:
    first = ancestry_of(find_dataset("ixi-hh-2mm"), None)
    (tmp_path / "a.json").write_text(json.dumps({"sha256": "ab", "tracks": [], "ancestry": first}))
    second = ancestry_of(find_dataset("icbm-sim"), tmp_path / "a.safetensors")
    assert [item["start"] for item in second] == ["ab", "scratch"]
    assert second[1]["split_version"] == 2 and len(second[1]["train"]) == 80
    assert ancestry_name(second) == "icbm-sim-after-ixi-hh-2mm" and ancestry_name(first) == "ixi-hh-2mm"
    assert ancestry_datasets({"dataset": "icbm-sim", "ancestry": second}) == ("icbm-sim", "ixi-hh-2mm")
    started = [{key: value for key, value in first[0].items() if key != "start"}]
    (tmp_path / "c.json").write_text(json.dumps({"sha256": "cd", "tracks": [], "ancestry": started}))
    with pytest.raises(RequestError, match=r"c\.json is no manifest of weights \(.*`start`"):
        ancestry_of(find_dataset("icbm-sim"), tmp_path / "c.safetensors")
    with pytest.raises(RequestError, match=r"b\.safetensors does not tell"):
        ancestry_of(find_dataset("icbm-sim"), tmp_path / "b.safetensors")
