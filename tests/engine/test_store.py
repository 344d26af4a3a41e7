"""Rows on disk: torn lines, doubles, locks and full disks."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.rows import row_of

from mrbench.core.errors import DataError, MrbenchError, RequestError
from mrbench.core.row import Row, RowReader
from mrbench.engine.provenance import read_runs, record_run
from mrbench.engine.shard import Shard
from mrbench.engine.store import RowStore
from mrbench.io.files import inside, sweep_cache, write_atomically
from mrbench.stats.frame import frame

ROW = row_of(
    "identity",
    "",
    {"dice": 0.5, "hd95_mm": float("nan")},
    key="k1",
    track="inter-subject",
    case="a_to_b",
    subjects=["a", "b"],
)


@pytest.fixture
def store(tmp_path: Path) -> RowStore:
    store = RowStore(tmp_path / "board" / "rows.jsonl")
    for key in ("k1", "k2", "k3"):
        store.append(replace(ROW, key=key, case=key))
    return store


def test_rows_survive_a_round_trip(store: RowStore) -> None:
    first = store.read()[0]
    assert first.metrics["dice"] == 0.5 and first.metrics["hd95_mm"] != first.metrics["hd95_mm"]
    assert replace(first, metrics={}) == replace(ROW, metrics={}, case="k1")


@pytest.mark.parametrize("cut", [1, 10, 200])
def test_torn_last_line_is_repaired(store: RowStore, cut: int) -> None:
    store.path.write_bytes(store.path.read_bytes()[:-cut])
    expected = ["k1", "k2", "k3"] if cut == 1 else ["k1", "k2"]  # only the newline was lost: the row is whole
    torn = store.path.read_bytes()
    assert [row.key for row in store.read()] == expected and store.path.read_bytes() == torn
    assert [row.key for row in store.repair()] == expected
    store.append(replace(ROW, key="k9", case="k9"))
    assert [row.key for row in store.read()] == [*expected, "k9"]


def test_a_torn_first_line_is_repaired(store: RowStore) -> None:
    store.path.write_bytes(store.path.read_bytes()[:40])
    assert store.repair() == [] and store.path.read_bytes() == b""
    store.append(ROW)
    assert [row.key for row in store.read()] == ["k1"]


@pytest.mark.parametrize("last", ["garbage", "\0\0\0", '{"schema": 99, "key": "k"}'])
def test_a_last_line_that_is_no_beginning_of_a_row_is_damage(store: RowStore, last: str) -> None:
    """a last line without its end that never was a row -> one sentence; its board was left out in silence"""
    store.path.write_text(store.path.read_text() + last)
    with pytest.raises(DataError, match="line 4 is not a row"):
        store.read()


def test_a_line_that_lacks_fields_is_one_sentence(store: RowStore) -> None:
    store.path.write_text('{"schema": 1, "key": "k"}\n')
    with pytest.raises(DataError, match="line 1 is not a row"):
        store.read()


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="give another --out"), RowStore(tmp_path / "file" / "rows.jsonl").locked():
        pass


def test_damage_elsewhere_is_not_repaired_silently(store: RowStore) -> None:
    lines = store.path.read_text().splitlines(keepends=True)
    store.path.write_text(lines[0] + "{broken\n" + lines[2])
    with pytest.raises(DataError, match="line 2"):
        store.read()


def test_the_last_row_of_a_method_and_case_wins_and_stays_alone(store: RowStore) -> None:
    store.append(replace(ROW, key="other code", case="k2", status="timeout"))
    assert [(row.case, row.status) for row in store.read()] == [("k1", "ok"), ("k3", "ok"), ("k2", "timeout")]
    store.repair()
    assert len(store.path.read_text().splitlines()) == 3


def test_row_of_another_schema_is_refused() -> None:
    with pytest.raises(ValueError, match="schema"):
        Row.from_json(ROW.to_json().replace('"schema": 1', '"schema": 2'))


def test_two_runs_cannot_hold_one_board(store: RowStore) -> None:
    with store.locked(), pytest.raises(RequestError, match="another run"), store.locked():
        pass


def test_full_disk_leaves_the_rows_as_they_were(store: RowStore) -> None:
    """The kernel refuses to grow the file in the middle of a line, as a full disk does."""
    import resource
    import signal

    before = store.path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 50, limits[1]))
    try:
        with pytest.raises(DataError, match="rows so far are intact"):
            store.append(replace(ROW, key="k4"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert store.path.read_bytes() == before


def test_rows_from_before_memory_was_measured_load_and_stay_as_they_are(store: RowStore) -> None:
    whole = store.path.read_bytes()
    assert b"memory_mib" not in whole
    assert [row.memory_mib for row in store.repair()] == [None] * 3 and store.path.read_bytes() == whole
    store.append(replace(ROW, key="k4", case="k4", memory_mib=12.5))
    assert store.read()[-1].memory_mib == 12.5


def record(**changes: object) -> str:
    return json.dumps({**json.loads(ROW.to_json()), **changes})


@pytest.mark.parametrize(
    "line",
    [
        record().replace('"seconds": null', '"seconds": NaN'),
        record(seconds=-1),
        record(kind="x"),
        record(method=[]),
        record(status="fine"),
        record(metrics={"dice": "high"}),
        record(metrics=None),
        record(threads=-1),
        record(subjects="ab"),
        record(details=[]),
        record(unknown=1),
        record().replace("identity", "\\ud800"),
        "[]",
        "null",
        "{",
        "",
        '{"schema": 1e400}',
        "[" * 10_000,
    ],
)
def test_what_is_no_row_is_one_sentence(store: RowStore, line: str) -> None:
    store.path.write_text(f"{ROW.to_json()}\n{line}\n{ROW.to_json()}\n")
    with pytest.raises(DataError, match="line 2 is not a row") as caught:
        store.read()
    assert "\n" not in str(caught.value)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_damage_anywhere_is_refused_or_leaves_a_whole_row(data: st.DataObject) -> None:
    line = bytearray(ROW.to_json().encode())
    line[data.draw(st.integers(0, len(line) - 1))] = data.draw(st.integers(0, 255))
    try:
        row = Row.from_json(bytes(line))
    except ValueError:
        return
    Row.from_json(row.to_json())


def links(target: Path, path: Path) -> None:
    path.symlink_to(target)


def pipes(target: Path, path: Path) -> None:
    os.mkfifo(path)


def folders(target: Path, path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("put", [links, pipes, folders])
@pytest.mark.parametrize("name", ["rows.jsonl", ".lock", "run.json"])
def test_only_files_are_read_and_written(tmp_path: Path, put: Callable[[Path, Path], None], name: str) -> None:
    target, folder = tmp_path / "foreign", tmp_path / "board"
    target.write_text("mine")
    folder.mkdir()
    put(target, folder / name)
    store = RowStore(folder / "rows.jsonl")
    with pytest.raises(MrbenchError) as caught, store.locked():
        store.append(ROW)
        record_run(folder / "run.json", "r", {})
    assert name in str(caught.value) and "\n" not in str(caught.value) and target.read_text() == "mine"


ODD_DETAILS = [
    {"notes": 3},
    {"notes": {"a": ["x"]}},
    {"megavoxels": 0},
    {"megavoxels": "x"},
    {"dice_by_structure": 3},
    {"dice_by_structure": {"a": "x"}},
    {"nearest_ncc": ["x"]},
    {"frames": "x"},
]


@pytest.mark.parametrize("details", ODD_DETAILS)
def test_details_of_another_kind_are_one_sentence(store: RowStore, details: dict[str, object]) -> None:
    """a board's file holds details of another kind than figures and tables read -> one sentence that names the line"""
    store.path.write_text(replace(ROW, details=details).to_json() + "\n")
    with pytest.raises(DataError, match=f"line 1 is not a row .*{next(iter(details))}"):
        store.read()


ODD_RUNS = [{"about": []}, {"about": {"cases": "x"}}, {"about": {"notes": 3}}, {"protocol": "x"}, {"limit": "x"}]
RECORDS = ["", "{", "[]", '{"runs": []}', '{"runs": {"r": 1}}', "[" * 10_000, "\udcff"]


@pytest.mark.parametrize("text", [*RECORDS, *(json.dumps({"runs": {"r": run}}) for run in ODD_RUNS)])
def test_a_record_of_runs_that_is_none_is_one_sentence(tmp_path: Path, text: str) -> None:
    """`run.json` is damaged, or holds something of another kind -> one sentence"""
    (tmp_path / "run.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(DataError, match="not a record of runs"):
        read_runs(tmp_path / "run.json")


def test_what_a_killed_run_left_is_removed_at_the_next_start(store: RowStore) -> None:
    left = [store.path.with_name(f".{name}.abc") for name in ("rows.jsonl", "run.json")]
    for path in left:
        path.write_text("half")
    with store.locked():
        assert not any(path.exists() for path in left) and len(store.read()) == 3


def test_half_written_files_of_the_cache_are_removed_unless_somebody_writes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """a process was killed while it wrote to the cache -> what it left is removed at the next start; what another
    process writes at that moment stays"""
    monkeypatch.setenv("MRBENCH_CACHE", str(tmp_path))
    with write_atomically(tmp_path / "predictions" / "aa" / "kept.npy") as file:
        file.write(b"whole")
        left = tmp_path / "temporary" / ".dead.npy.x"
        left.write_bytes(b"half")
        os.utime(left, (0, 0))
        os.utime(file.name, (0, 0))
        assert sweep_cache() == 1 and not left.exists() and Path(file.name).exists()
        left.write_bytes(b"just begun")
        assert sweep_cache() == 0 and left.exists()
    assert (tmp_path / "predictions" / "aa" / "kept.npy").read_bytes() == b"whole"
    assert [path.name for path in (tmp_path / "temporary").iterdir()] == [".dead.npy.x"]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a", "a\0b", "x" * 256])
def test_a_name_from_outside_stays_below_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="cannot be a file name"):
        inside(tmp_path, "logs", name)
    assert inside(tmp_path, "logs", "plain.log") == tmp_path / "logs" / "plain.log"
    (tmp_path / "logs").symlink_to(tmp_path.parent)
    with pytest.raises(DataError, match="is a link"):
        inside(tmp_path, "logs", "plain.log")


def frames_agree(store: RowStore) -> None:
    pd.testing.assert_frame_equal(store.frame(), frame(store.read()))


def test_a_frame_scans_the_file_as_reading_does(store: RowStore) -> None:
    """Doubles, a torn line, a metric that is NaN, details that many rows share."""
    for case, details in (("k2", {"megavoxels": 2}), ("k4", {"megavoxels": 2}), ("k5", {"notes": {"a": "b"}})):
        store.append(replace(ROW, case=case, details=details, run="s", status="timeout" if case == "k2" else "ok"))
    frames_agree(store)
    shared = store.frame().set_index("case")["details"]
    assert shared["k2"] is shared["k4"] and shared["k5"] == {"notes": {"a": "b"}}
    store.path.write_bytes(store.path.read_bytes()[:-9])
    frames_agree(store)
    assert list(store.frame()["case"]) == ["k1", "k3", "k2", "k4"]


@pytest.mark.parametrize("other", [{"track": "t1-to-t2"}, {"dataset": "oasis"}, {"split": "validation"}])
def test_rows_of_two_boards_are_refused(store: RowStore, other: dict[str, str]) -> None:
    """Of `cat a/rows.jsonl >> b/rows.jsonl`, the rows of a would replace those of b."""
    for writer in (store, RowStore(store.path, Shard(of=2, number=1))):  # then beside them, as a file of a shard
        whole = store.path.read_bytes()
        writer.append(replace(ROW, case="k1", **other))
        files = rf".* in rows.jsonl; .* in {re.escape(writer.path.name)}"
        for read in (store.frame, store.read):
            with pytest.raises(DataError, match=rf"holds rows of 2 boards \({files}\); move those of each into"):
                read()
        store.path.write_bytes(whole)


def test_a_frame_names_the_damaged_line(store: RowStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mrbench.engine.store._BLOCK", 100)
    lines = store.path.read_text().splitlines(keepends=True)
    for bad in ("{broken\n", "\n", lines[1].rstrip() + lines[1], lines[1].replace('"details": {}', '"details": [1]')):
        store.path.write_text(lines[0] + bad + lines[2])
        with pytest.raises(DataError, match="line 2 is not a row"):
            store.frame()
    store.path.write_text(lines[0].replace(", ", ",\n", 1) + lines[1].rstrip() + lines[2])  # three lines, three rows
    with pytest.raises(DataError, match="line 1 is not a row"):
        store.frame()


def test_details_beyond_those_that_are_kept_are_decoded_when_asked_for(
    store: RowStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RowReader, "kept", 2)
    for number in range(4):
        details = {"dice_by_structure": {f"structure {n}": number / 9 for n in range(9)}, "megavoxels": number + 1}
        store.append(replace(ROW, case=f"c{number}", details=details))
    frames_agree(store)
    last = store.frame()["details"].iloc[-1]
    assert len(last) == 2 and dict(last) == details and repr(last) == repr(details)


def test_no_file_is_an_empty_frame(tmp_path: Path) -> None:
    assert RowStore(tmp_path / "rows.jsonl").frame().empty


@pytest.mark.slow
def test_a_large_file_is_read_in_parts_as_it_is_whole(store: RowStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes: doubles across parts, a metric that only the second has, a torn line; then one of them damaged."""
    for case, more in (("k2", {}), ("k4", {"ssim": 0.25}), ("k5", {"details": {"notes": {"a": "b"}}})):
        metrics = {"dice": 0.75} | ({"ssim": 0.25} if "ssim" in more else {})
        store.append(replace(ROW, case=case, metrics=metrics, details=more.get("details", {})))
    store.path.write_bytes(store.path.read_bytes()[:-9])
    whole = store.frame()
    monkeypatch.setattr("mrbench.io.parts.LEAST", store.path.stat().st_size // 2)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    parts: list[tuple[int, int | None]] = []
    part = RowStore.part

    def noted(own: RowStore, start: int = 0, stop: int | None = None, reader: RowReader | None = None) -> pd.DataFrame:
        parts.append((start, stop))
        return part(own, start, stop, reader)

    monkeypatch.setattr(RowStore, "part", noted)
    pd.testing.assert_frame_equal(store.frame(), whole)
    assert parts == [(0, parts[0][1])] and 0 < (parts[0][1] or 0) < store.path.stat().st_size
    lines = store.path.read_text().splitlines(keepends=True)
    store.path.write_text("".join([*lines[:3], "{broken\n", *lines[4:]]))
    with pytest.raises(DataError, match="line 4 is not a row"):
        store.frame()
