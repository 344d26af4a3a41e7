"""Running a board: faults become rows, nothing is done twice, nothing depends on order."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.settings import setting_of

from mrbench.core.binding import bind
from mrbench.core.candidate import candidates
from mrbench.core.digest import sha256_of
from mrbench.core.errors import RequestError
from mrbench.core.method import Resources
from mrbench.core.row import Row
from mrbench.core.task import Setting
from mrbench.datasets.folder import Folder
from mrbench.engine.plan import Options
from mrbench.engine.predictions import cached_prediction, prediction_path
from mrbench.engine.run import Waiting, run_board
from mrbench.tasks.registration import Registration

FAULTY = """
import os, time
import numpy as np
from mrbench import method

def zeros(inputs): return np.zeros((3, *inputs.fixed.shape), np.float32)

@method(task="registration")
def good(inputs): return zeros(inputs)

@method(task="registration")
def noisy(inputs): return zeros(inputs) + np.random.normal(0, 0.1, (3, 1, 1, 1)).astype(np.float32)

@method(task="registration")
def raises(inputs): raise ValueError("no convergence\\nsecond line")

@method(task="registration")
def hangs(inputs): time.sleep(60)

@method(task="registration")
def dies(inputs): os._exit(7)

@method(task="registration")
def killed(inputs): os.kill(os.getpid(), 9)

@method(task="registration")
def leaves(inputs): raise SystemExit(0)

@method(task="registration")
def hungry(inputs): raise MemoryError

@method(task="registration")
def wrong_shape(inputs): return zeros(inputs)[:2]

@method(task="registration")
def not_a_number(inputs): return zeros(inputs) * np.nan

@method(task="registration")
def millimetres(inputs):
    return inputs.spacing[0] * np.ones((3, *inputs.fixed.shape), np.float32)

@method(task="registration")
def edits(inputs):
    inputs.fixed[:] = 0
    inputs.moving[:] = 0
    return zeros(inputs)
"""


@pytest.fixture
def methods(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(FAULTY)
    return path


@pytest.fixture
def setting(dataset: Folder) -> Setting:
    return setting_of(Registration(), dataset, "inter-subject")


def run(setting: Setting, methods: Path, names: list[str], folder: Path, **options) -> list[Row]:
    limit = options.pop("limit", None)
    wanted = candidates(setting, [f"{methods}:{name}" for name in names])
    return run_board(setting, wanted, folder=folder, limit=limit, options=Options(**options))


FAULTS = {
    "raises": ("error", "ValueError: no convergence"),
    "hangs": ("timeout", "killed after 2 s; a larger --timeout"),
    "dies": ("error", "exit code 7"),
    "killed": ("error", "killed from outside, perhaps for want of memory"),
    "leaves": ("error", "SystemExit"),
    "hungry": ("out-of-memory", "ran out of memory"),
    "wrong_shape": ("invalid", "has shape"),
    "not_a_number": ("invalid", "NaN"),
}


@pytest.mark.slow
def test_every_fault_is_a_row(setting, methods, tmp_path) -> None:
    *rows, last = run(setting, methods, [*FAULTS, "good"], tmp_path / "out", limit=1, timeout=2.0)
    for row, (name, (status, message)) in zip(rows, FAULTS.items(), strict=True):
        assert row.status == status, name
        assert message in row.message and "\n" not in row.message
        assert row.metrics == {} and row.failed
    assert last.status == "ok"


def test_rerun_does_nothing_and_limit_grows(setting, methods, tmp_path) -> None:
    folder = tmp_path / "out"
    first = run(setting, methods, ["good"], folder, limit=2)
    stamp = (folder / "rows.jsonl").stat().st_mtime_ns
    assert run(setting, methods, ["good"], folder, limit=2) == first
    assert (folder / "rows.jsonl").stat().st_mtime_ns == stamp
    grown = run(setting, methods, ["good"], folder)
    assert grown[:2] == first and len(grown) == 3


@pytest.mark.slow
def test_another_alias_is_another_row_of_the_same_prediction(setting, methods, tmp_path) -> None:
    first = run(setting, methods, ["good"], tmp_path, limit=1)[0]
    second = run_board(setting, candidates(setting, [f"Mine={methods}:good"]), folder=tmp_path, limit=1)[0]
    assert (second.method, second.key, second.seconds) == ("Mine", first.key, first.seconds)


@pytest.mark.parametrize("keeping", ["keep", "compress", "drop"])
def test_a_scored_prediction_is_kept_compressed_or_dropped_as_asked(setting, methods, tmp_path, keeping) -> None:
    kept = run(setting, methods, ["good"], tmp_path / "kept", limit=1)[0]
    whole = prediction_path(str(kept.prediction))
    expected, size = np.load(whole), whole.stat().st_size
    whole.unlink()
    row = run(setting, methods, ["good"], tmp_path / "out", limit=1, predictions=keeping)[0]
    assert (row.status, row.metrics, row.key) == ("ok", kept.metrics, kept.key)
    if keeping == "drop":
        assert row.prediction is None and not whole.exists() and cached_prediction(str(kept.prediction)) is None
        return
    np.testing.assert_array_equal(cached_prediction(str(row.prediction)), expected)
    assert (whole.stat().st_size < size) == (keeping == "compress")
    (alias,) = run_board(setting, candidates(setting, [f"Mine={methods}:good"]), folder=tmp_path / "out", limit=1)
    assert alias.seconds == row.seconds, "read from the cache, not predicted again"
    whole.write_bytes(whole.read_bytes()[:100])
    assert cached_prediction(str(row.prediction)) is None


def test_a_wrong_treatment_of_predictions_is_one_sentence() -> None:
    with pytest.raises(RequestError, match="unknown choice of --predictions 'zip'"):
        Options(predictions="zip")
    with pytest.raises(RequestError, match="--gather fetches predictions that --predictions drop does not keep"):
        Options(predictions="drop", gather=True)


def test_failed_rows_wait_for_retry(setting, methods, tmp_path) -> None:
    folder = tmp_path / "out"
    first = run(setting, methods, ["raises"], folder, limit=1)
    assert run(setting, methods, ["raises"], folder, limit=1)[0].run == first[0].run
    again = run(setting, methods, ["raises"], folder, limit=1, retry=True)
    assert again[0].run != first[0].run
    assert len((folder / "rows.jsonl").read_text().splitlines()) == 1


def test_changed_code_runs_anew(setting, methods, tmp_path) -> None:
    folder = tmp_path / "out"
    run(setting, methods, ["good"], folder, limit=1)
    other = tmp_path / "other" / "mine.py"
    other.parent.mkdir()
    other.write_text(FAULTY.replace("np.zeros((3", "1e-3 + np.zeros((3"))
    changed = candidates(setting, [f"{other}:good"])[0]
    assert changed.row_key(setting.cases()[0]) != candidates(setting, [f"{methods}:good"])[0].row_key(
        setting.cases()[0]
    )


def test_changed_protocol_scores_again_without_predicting(cohort, methods, tmp_path) -> None:
    """A changed protocol never re-runs a method, and keeps the time it was measured with."""
    copy = Path(shutil.copytree(cohort, tmp_path / "blobs"))
    folder, before = tmp_path / "out", setting_of(Registration(), Folder(copy))
    first = run(before, methods, ["good"], folder, limit=1)[0]
    path = prediction_path(str(first.prediction))
    stamp = path.stat().st_mtime_ns
    (copy / "labels.csv").write_text("label,name\n2,only\n")
    again = setting_of(before.task, Folder(copy))
    second = run(again, methods, ["good"], folder, limit=1)[0]
    assert second.protocol != first.protocol and second.metrics["dice"] != first.metrics["dice"]
    assert second.seconds == first.seconds and path.stat().st_mtime_ns == stamp


@pytest.mark.slow
def test_order_and_workers_change_no_score(setting, methods, tmp_path) -> None:
    forward = run(setting, methods, ["noisy"], tmp_path / "a")
    backward = setting_of(setting.task, setting.dataset, setting.track.name)
    cases = setting.cases()
    object.__setattr__(backward, "cases", lambda limit=None: cases[::-1][:limit])
    reverse = run(backward, methods, ["noisy"], tmp_path / "b")  # served from the cache of predictions
    for path in {prediction_path(str(row.prediction)) for row in forward}:
        path.unlink()
    side_by_side = run(backward, methods, ["noisy"], tmp_path / "c", workers=2)
    expected = {row.case: row.metrics for row in forward}
    assert {row.case: row.metrics for row in reverse} == expected
    assert {row.case: row.metrics for row in side_by_side} == expected


def test_a_method_that_edits_its_inputs_harms_nobody(setting, methods, tmp_path) -> None:
    edited, clean = run(setting, methods, ["edits", "good"], tmp_path / "out", limit=1)
    assert edited.metrics == clean.metrics


@pytest.mark.slow
def test_times_and_provenance_are_recorded(setting, methods, tmp_path) -> None:
    import json

    row = run(setting, methods, ["good"], tmp_path / "out", limit=1, resources=Resources(threads=2))[0]
    assert row.seconds is not None and row.seconds > 0 and row.cpu_seconds is not None and row.threads == 2
    recorded = json.loads((tmp_path / "out" / "run.json").read_text())["runs"][row.run]
    for fact in (
        "command",
        "git",
        "machine",
        "packages",
        "protocol",
        "protocol_hash",
        "fingerprint",
        "seed",
        "threads",
    ):
        assert fact in recorded
    assert recorded["protocol_hash"] == row.protocol
    assert set(recorded["seconds"]) == {"data", "setup", "methods", "scoring", "harness", "total"}


def test_missing_package_is_a_skipped_row(setting, tmp_path, monkeypatch) -> None:
    from mrbench_baselines.registration.ants import AntsSyN

    monkeypatch.setattr(AntsSyN, "needs", {"no_such_package": "pip install 'mrbench[ants]'"})
    wanted = candidates(setting, ["ants"])
    row = run_board(setting, wanted, folder=tmp_path / "out", limit=1)[0]
    assert (row.status, row.message, row.failed) == ("skipped", "pip install 'mrbench[ants]'", False)
    monkeypatch.undo()
    assert run_board(setting, [replace(wanted[0], skipped="still")], folder=tmp_path / "out", limit=1)[0] == row


def test_learned_method_without_weights_is_skipped(setting) -> None:
    candidate = candidates(setting, ["voxelmorph[width=8]"])[0]
    assert candidate.skipped is not None and "train with `mrbench train" in candidate.skipped


DAMAGED = ["", "[]", "{", "\\xff", '{"sha256": "a"}', '{"sha256": "a", "tracks": [], "ancestry": 3}']


@pytest.mark.parametrize("text", [*DAMAGED, '{"sha256": "a", "tracks": [], "ancestry": [{"train": []}]}'])
def test_a_damaged_manifest_is_one_sentence(setting, tmp_path, text: str) -> None:
    """the manifest beside weights is damaged -> refused in one sentence before anything runs"""
    (tmp_path / "w.safetensors").write_bytes(b"weights")
    (tmp_path / "w.json").write_text(text)
    with pytest.raises(RequestError, match=r"w\.json is no manifest of weights") as caught:
        candidates(setting, [f"voxelmorph[weights={tmp_path}/w.safetensors]"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        ({"network": "unet-f12p4", "task": "reconstruction"}, "holds weights of the network unet-f12p4 for recon"),
        ({"network": "voxelmorph-diff"}, "voxelmorph for registration is needed; give weights of that network"),
        ({"tracks": ["multicoil-4x"]}, "of a track that registration does not have, multicoil-4x"),
        ({"sha256": "other"}, "is not the file its manifest describes"),
        (None, r"has no manifest beside it; copy w\.json there"),
    ],
)
def test_weights_of_another_network_are_one_sentence(setting, tmp_path, changes, said: str | None) -> None:
    """weights of another network, task or track, or that are not those of their manifest -> refused in one sentence
    before anything runs"""
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"weights")
    right = {"sha256": sha256_of(path), "tracks": ["inter-subject"], "network": "voxelmorph", "task": "registration"}
    if changes is not None:
        path.with_suffix(".json").write_text(json.dumps({**right, **changes}))
    if said is None:
        assert candidates(setting, [f"voxelmorph[weights={path}]"])[0].skipped is None
    else:
        with pytest.raises(RequestError, match=said) as caught:
            candidates(setting, [f"voxelmorph[weights={path}]"])
        assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_bad_file_fails_its_own_rows_and_is_tried_again(cohort, methods, tmp_path) -> None:
    copy, folder = Path(shutil.copytree(cohort, tmp_path / "blobs")), tmp_path / "out"
    (copy / "5_t1.nii.gz").write_bytes(b"nothing of the kind")
    setting = setting_of(Registration(), Folder(copy))
    rows = run(setting, methods, ["good"], folder)
    assert [row.status for row in rows].count("ok") == 1
    assert all(row.status == "error" and row.outside for row in rows if row.failed)
    again = run(setting, methods, ["good"], folder)
    assert [row.run != old.run for row, old in zip(again, rows, strict=True)] == [old.outside for old in rows]


@pytest.mark.slow
def test_fresh_process_means_one_process_a_case(setting, tmp_path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "import os\nimport numpy as np\nfrom mrbench import Method\n"
        "class Counts(Method):\n    task = 'registration'\n    calls = 0\n    fresh_process = FRESH\n"
        "    def predict(self, inputs):\n        Counts.calls += 1\n"
        "        return np.full((3, *inputs.fixed.shape), Counts.calls, np.float32)\n".replace("FRESH", "True")
    )
    rows = run_board(setting, candidates(setting, [f"{path}:Counts"]), folder=tmp_path / "out")
    assert [np.load(prediction_path(str(row.prediction))).max() for row in rows] == [1, 1, 1]


def test_same_method_twice_is_refused(setting) -> None:
    with pytest.raises(RequestError, match="twice"):
        candidates(setting, ["identity", "identity"])


def test_two_names_of_one_method_are_refused() -> None:
    with pytest.raises(RequestError, match="twice"):
        candidates(bind("registration", "icbm-sim"), ["voxelmorph", "voxelmorph[weights=icbm-sim]"])


def test_wrong_values_of_parameters_are_one_sentence(setting) -> None:
    for text, message in [
        ("elastix[recipe=defalt]", "did you mean 'default'"),
        ("elastix[grid_mm=-1]", "grid_mm is -1"),
        ("demons[iterations=0]", "iterations is 0"),
        ("demons[forces=thirion]", "unknown forces"),
        ("ants[variant=CC]", "unknown variant"),
        ("voxelmorph[weights=nowhere.safetensors]", "is not there"),
        ("voxelmorph[weights=icbm-simm]", "unknown weights of voxelmorph 'icbm-simm': did you mean 'icbm-sim'"),
    ]:
        with pytest.raises(RequestError, match=message):
            candidates(setting, [text])


def test_prediction_on_disk_is_what_was_scored(setting, methods, tmp_path) -> None:
    row = run(setting, methods, ["millimetres"], tmp_path / "out", limit=1)[0]
    field = np.load(prediction_path(str(row.prediction)))
    assert field.shape == (3, 32, 40, 36) and (field == 2).all()


def test_slots_share_a_method_only_when_no_other_is_left() -> None:
    """two slots, three methods -> each method is set up once, until the last of them is done by both"""
    waiting = Waiting([("a", ["a1", "a2"]), ("b", ["b1"]), ("c", ["c1", "c2", "c3"])])  # type: ignore[list-item]
    taken = [next(waiting.of(slot))[1] for slot in "xyxyxy"]  # type: ignore[arg-type]
    assert taken == ["a1", "b1", "a2", "c1", "c2", "c3"]
    assert next(waiting.of("x"), None) is None  # type: ignore[arg-type]


FICKLE = """
import os
from pathlib import Path
import numpy as np
from mrbench import method

@method(task="registration")
def fickle(inputs, file=""):
    calls = len(list(Path(file).iterdir()))
    (Path(file) / str(calls)).touch()
    if calls in (4, 5): raise ValueError("no convergence")
    return np.full((3, *inputs.fixed.shape), calls, np.float32)
"""


def test_what_is_gone_from_the_cache_is_predicted_again(setting, tmp_path: Path) -> None:
    """`mrbench cache prune`, or `--predictions drop`: the rows stay with their times, the predictions come back"""
    (tmp_path / "fickle.py").write_text(FICKLE)
    (tmp_path / "calls").mkdir()
    name = f"fickle[file={tmp_path / 'calls'}]"

    def again(**options) -> list[Row]:
        return run(setting, tmp_path / "fickle.py", [name], tmp_path / "out", limit=2, **options)

    first = again(predictions="drop")
    assert [row.prediction for row in first] == [None, None]
    assert again() == first and len(list((tmp_path / "calls").iterdir())) == 2
    second = again(repredict=True)
    keys = [str(row.prediction) for row in second]
    assert [np.load(prediction_path(key)).max() for key in keys] == [2, 3]  # and what is shown is what is scored:
    assert [row.metrics for row in second] != [row.metrics for row in first]
    assert [(row.seconds, row.run, row.key) for row in second] == [(row.seconds, row.run, row.key) for row in first]
    assert again(repredict=True) == second and len(list((tmp_path / "calls").iterdir())) == 4
    for key in keys:
        prediction_path(key).unlink()
    heard: list[str] = []
    wanted = candidates(setting, [f"{tmp_path / 'fickle.py'}:{name}"])
    kept = run_board(
        setting,
        wanted,
        folder=tmp_path / "out",
        limit=2,
        options=Options(repredict=True),
        listen=lambda candidate, case, row: heard.append(row.status) if row else None,
    )
    assert kept == second and heard == ["error", "error"]  # a failure now is no failure of the row
    with pytest.raises(RequestError, match="--repredict makes predictions that --predictions drop does not keep"):
        again(repredict=True, predictions="drop")
