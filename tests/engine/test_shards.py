"""Many writers on one board: a file a writer, merged on read, and overlaps refused."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tests.engine.test_store import ROW
from tests.plugins.test_outside_the_repository import DATASET, METHODS, TASK
from typer.testing import CliRunner

from mrbench.api.merging import merge
from mrbench.cli import app
from mrbench.core.binding import bind
from mrbench.core.candidate import candidates
from mrbench.core.errors import MrbenchError, RequestError
from mrbench.core.row import Row
from mrbench.core.task import Setting
from mrbench.engine.plan import Options
from mrbench.engine.provenance import read_runs
from mrbench.engine.run import run_board
from mrbench.engine.shard import Shard, missing_of
from mrbench.engine.store import RowStore


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    for name, text in {"rings.py": DATASET, "task.py": TASK, "methods.py": METHODS}.items():
        (tmp_path / name).write_text(text)
    return bind(f"{tmp_path}/task.py:Counting", f"{tmp_path}/rings.py:Rings")


def run(setting: Setting, folder: Path, shard: str | None) -> list[Row]:
    wanted = candidates(setting, [f"{folder.parent}/methods.py:{name}" for name in ("threshold", "nothing")])
    return run_board(setting, wanted, folder=folder, options=Options(shard=Shard.parse(shard) if shard else None))


def numbers(rows: list[Row]) -> dict[str, object]:
    return {row.key: row.metrics for row in rows}


def test_shards_together_are_the_whole(setting: Setting, tmp_path: Path) -> None:
    """a board is computed in shards, each with its own file, and merged -> the rows of one run, none twice"""
    folder = tmp_path / "board"
    parts = [run(setting, folder, f"{number}/2") for number in (1, 2)]
    assert [len(part) for part in parts] == [4, 2]
    assert sorted(path.name for path in folder.glob("*.json*")) == [
        "rows.1-of-2.jsonl",
        "rows.2-of-2.jsonl",
        "run.1-of-2.json",
        "run.2-of-2.json",
    ]
    assert numbers(RowStore(folder / "rows.jsonl").read()) == numbers([*parts[0], *parts[1]])
    with pytest.raises(RequestError, match=r"holds shards of 2, with which shard 1/3 overlaps; give --shard i/2, or"):
        run(setting, folder, "1/3")
    with pytest.raises(RequestError, match="with which a run of all cases overlaps; merge them first"):
        run(setting, folder, None)
    assert "so `mrbench run` with it ranks them" in merge(folder).notices[0]
    assert sorted(path.name for path in folder.glob("*.json*")) == ["rows.jsonl", "run.json"]
    assert len(read_runs(folder / "run.json")) == 2
    assert numbers(run(setting, folder, None)) == numbers([*parts[0], *parts[1]])
    assert len(read_runs(folder / "run.json")) == 2, "nothing was left to compute"


@pytest.mark.parametrize(
    ("runs", "cases", "missing"),
    [
        (["1/3"], 6, ["2/3", "3/3"]),
        (["1/3", "3/3", "1/3"], 6, ["2/3"]),
        (["1/3", "2/3", "3/3"], 6, []),
        (["2/8"], 3, ["1/8", "3/8"]),
        (["1/3", None], 6, []),
        (["1/3", "1/2"], 6, []),
        (["one"], 6, []),
        (["1/0"], 6, []),
        ([], 6, []),
    ],
)
def test_missing_shards_are_known_from_the_runs(runs: list[str | None], cases: int, missing: list[str]) -> None:
    """shards of one whole -> those that are not there; beside a run of all cases, or of two wholes -> none is known"""
    recorded = [{} if shard is None else {"shard": shard} for shard in runs]
    assert [str(shard) for shard in missing_of(recorded, cases)] == missing


def test_sites_are_merged_and_overlaps_refused(setting: Setting, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    run(setting, here, "1/2"), run(setting, there, "2/2")
    overlapping = Path(shutil.copytree(here, tmp_path / "copy"))
    rows = RowStore(overlapping / "rows.jsonl").read()
    (overlapping / "rows.1-of-2.jsonl").unlink()
    RowStore(overlapping / "rows.jsonl").append(replace(rows[0], seconds=99.0))
    before = {path.name: path.read_bytes() for path in here.glob("*.json*")}
    with pytest.raises(RequestError, match=r"both hold .* their shards overlap, so leave one of the two out"):
        merge(here, [there, overlapping])
    assert {path.name: path.read_bytes() for path in here.glob("*.json*")} == before
    merge(here, [there, there])  # the same rows once more are no overlap
    assert len(RowStore(here / "rows.jsonl").read()) == 6
    other = tmp_path / "other"
    RowStore(other / "rows.jsonl").append(ROW)
    with pytest.raises(RequestError, match=r"is of task registration, .* of ring-volume; such rows never mix"):
        merge(here, [other])


def test_one_shard_has_one_writer(tmp_path: Path) -> None:
    first, same, next_one = (RowStore(tmp_path / "rows.jsonl", Shard(2, number)) for number in (1, 1, 2))
    with first.locked(), next_one.locked(), pytest.raises(RequestError, match="another run"), same.locked():
        pass


def test_of_several_files_the_row_of_the_latest_run_counts(tmp_path: Path) -> None:
    whole, shard = RowStore(tmp_path / "rows.jsonl"), RowStore(tmp_path / "rows.jsonl", Shard(2, 1))
    whole.append(replace(ROW, run="20260102T000000-a", status="timeout", metrics={}))
    shard.append(replace(ROW, run="20260103T000000-a"))
    assert [row.status for row in whole.read()] == [row.status for row in shard.read()] == ["ok"]
    whole.append(replace(ROW, run="20260104T000000-a", status="error", metrics={}))
    assert [row.status for row in shard.read()] == ["error"] and len(shard.read_own_file()) == 1


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "1/0", "a/b", "1/2/3", "-1/2"])
def test_what_is_no_shard_is_one_sentence(text: str) -> None:
    with pytest.raises(MrbenchError, match="is no part of a whole; give i/n"):
        Shard.parse(text)


@pytest.mark.parametrize("option", ["--shard", "--scheduler"])
def test_an_empty_part_or_address_is_refused(option: str, tmp_path: Path) -> None:
    """the variable of a script is not set -> one sentence, and nothing is computed"""
    done = CliRunner().invoke(app, ["run", "-t", "registration", option, "", "--out", str(tmp_path / "out")])
    assert isinstance(done.exception, RequestError) and str(done.exception).startswith(f"{option} ")
    assert not (tmp_path / "out").exists()


def test_shards_share_the_cases_evenly() -> None:
    parts = [Shard(4, number).part(range(10)) for number in range(1, 5)]
    assert sorted(case for part in parts for case in part) == list(range(10)) and {len(p) for p in parts} == {2, 3}


@pytest.mark.slow
def test_the_command_line_computes_shards_and_merges_them(cohort: Path, tmp_path: Path) -> None:
    def call(*arguments: str) -> str:
        done = CliRunner().invoke(app, [*arguments], env={"COLUMNS": "160"})
        assert done.exit_code == 0, done.output
        return done.output.replace("\n", "")

    asked = ["run", "-t", "registration", "-d", f"folder:{cohort}", "-m", "identity"]
    for number, place in ((1, "a"), (2, "b")):
        said = call(*asked, "--shard", f"{number}/2", "--out", str(tmp_path / place))
        assert f"shard {number}/2: {('2 rows', '1 row')[number - 1]}. When all are there: mrbench merge" in said
    here, there = (tmp_path / place / "registration/inter-subject/blobs" for place in "ab")
    assert not (here / "report.html").exists()
    assert "3 test cases" in call("merge", str(here), str(there)) and (here / "report.html").is_file()
    assert "LIMITED" not in call(*asked, "--out", str(tmp_path / "a"))
