"""Rows on disk: torn lines, doubles, locks and full disks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mrbench.core.errors import DataError, RequestError
from mrbench.core.row import Row
from mrbench.engine.store import RowStore

ROW = Row(
    key="k1", task="registration", track="inter-subject", dataset="d", simulated=False, fingerprint="f", split="test",
    protocol="p", method="identity", kind="classical", source="s", weights=None, seed=0, case="a_to_b",
    subjects=["a", "b"], status="ok", run="r", device="cpu", threads=1, metrics={"dice": 0.5, "hd95_mm": float("nan")},
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> RowStore:
    found = RowStore(tmp_path / "board" / "rows.jsonl")
    for key in ("k1", "k2", "k3"):
        found.append(replace(ROW, key=key, case=key))
    return found


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
