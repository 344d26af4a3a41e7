"""A board on a Dask cluster: the rows of one machine whatever dies, and what does not fit is said before the run."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("distributed")

from tests.cluster import cluster, lay_out, trial

from mrbench.core.candidate import candidates
from mrbench.core.errors import DataError, RequestError
from mrbench.core.row import Row
from mrbench.core.task import Setting
from mrbench.engine import cluster as engine
from mrbench.engine.plan import Options
from mrbench.engine.predictions import prediction_path
from mrbench.engine.run import run_board
from mrbench.engine.store import RowStore

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # of sockets that distributed leaves to the collector
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def far_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cluster")


@pytest.fixture(scope="module")
def far(far_folder: Path) -> Iterator[Any]:
    with cluster(far_folder, 1) as address:
        yield address


def run(setting: Setting, folder: Path, names: list[str], **options: object) -> list[Row]:
    wanted = candidates(setting, [f"{folder}/methods.py:{name}" for name in names])
    return run_board(setting, wanted, folder=folder / "out", options=Options(**options))


def test_workers_that_are_killed_cost_no_row(tmp_path: Path) -> None:
    """workers of a cluster are killed while a board runs -> the rows of one machine, none lost, none twice"""
    done = trial(tmp_path, 12, kills=1, every=1.0)
    assert done["rows equal to those of one machine"] == 12


def test_a_method_that_fails_is_its_row_there_too(far: object, tmp_path: Path) -> None:
    setting = lay_out(tmp_path, 2)
    names = ["raises", "dies", "threshold[seconds=60]", "threshold"]
    rows = run(setting, tmp_path, names, scheduler=far.scheduler_address, timeout=2.5)
    assert [row.status for row in rows] == ["error"] * 4 + ["timeout"] * 2 + ["ok"] * 2
    assert not any(row.outside for row in rows)
    assert not prediction_path(str(rows[-1].prediction)).exists(), "it stays where it was made"


def test_predictions_are_gathered_where_that_is_asked_for(far: object, tmp_path: Path) -> None:
    rows = run(lay_out(tmp_path, 2), tmp_path, ["threshold"], scheduler=far.scheduler_address, gather=True)
    assert all(prediction_path(str(row.prediction)).is_file() for row in rows)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("tcp://127.0.0.1:9", "no Dask scheduler answers at tcp://127.0.0.1:9"),
        ("nonsense", "no Dask scheduler answers at nonsense"),
        ("local:0", "give the number of processes, such as local:4"),
        ("local:x", "give the number of processes, such as local:4"),
    ],
)
def test_an_address_that_nobody_answers_is_one_sentence(
    tmp_path: Path, address: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "PATIENCE", 0.5)
    with pytest.raises(RequestError, match=said) as caught:
        run(lay_out(tmp_path, 1), tmp_path, ["threshold"], scheduler=address)
    assert "\n" not in str(caught.value) and not (tmp_path / "out" / "rows.jsonl").exists()


def test_a_server_that_says_nothing_is_no_scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was waited for, and a client that was left half made ended in a traceback after 40 seconds more"""
    monkeypatch.setattr(engine, "PATIENCE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(RequestError, match=f"no Dask scheduler answers at {address}"):
            run(lay_out(tmp_path, 1), tmp_path, ["threshold"], scheduler=address)


def test_a_resource_that_nobody_offers_is_said_before_the_run(far: object, tmp_path: Path) -> None:
    from mrbench.core.method import Resources

    with pytest.raises(RequestError, match=r"no worker of .* offers GPU, which --device needs"):
        run(
            lay_out(tmp_path, 1),
            tmp_path,
            ["threshold"],
            scheduler=far.scheduler_address,
            resources=Resources(device="cuda"),
        )


def test_another_version_on_a_worker_is_said_before_the_run(
    far: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = lay_out(tmp_path, 1)
    with monkeypatch.context() as patch:
        patch.setattr("mrbench.__version__", "9.9")
        with pytest.raises(RequestError, match=r"worker tcp.* has mrbench .* and not 9\.9; install the same\."):
            run(setting, tmp_path, ["threshold"], scheduler=far.scheduler_address)
    wanted = candidates(setting, [f"{tmp_path}/methods.py:threshold"])
    (tmp_path / "methods.py").write_text((tmp_path / "methods.py").read_text().replace("> 0.5", "> 0.6"))
    with pytest.raises(RequestError, match=r"has another version of .*methods\.py:threshold, or of a package"):
        run_board(setting, wanted, folder=tmp_path / "out", options=Options(scheduler=far.scheduler_address))
    (tmp_path / "methods.py").unlink()
    with pytest.raises(RequestError, match=r"cannot run this board: .*methods\.py is not there; check the path\."):
        run_board(setting, wanted, folder=tmp_path / "out", options=Options(scheduler=far.scheduler_address))


def test_a_cluster_of_this_machine_needs_no_address(tmp_path: Path) -> None:
    rows = run(lay_out(tmp_path, 3), tmp_path, ["threshold"], scheduler="local:1")
    assert [row.status for row in rows] == ["ok"] * 3


def test_a_disk_of_a_worker_that_cannot_be_written_stops_with_one_sentence(
    far: object, far_folder: Path, tmp_path: Path
) -> None:
    """a worker's disk is full or cannot be written -> one sentence, no rows that stay, and what is done stays"""
    cache, setting = far_folder / "cache-0", lay_out(tmp_path, 2)
    shutil.rmtree(cache, ignore_errors=True)
    cache.symlink_to("/sys/kernel")  # where not even root makes folders
    try:
        with pytest.raises(
            DataError, match=r"a worker on \S+: cannot write /sys/kernel/.*; free space or choose"
        ) as caught:
            run(setting, tmp_path, ["threshold"], scheduler=far.scheduler_address)
    finally:
        cache.unlink()
    assert "\n" not in str(caught.value) and not (tmp_path / "out" / "rows.jsonl").exists()


def test_a_worker_with_a_full_disk_costs_the_others_no_case(tmp_path: Path) -> None:
    """one worker cannot write, another is in the middle of a case -> that case becomes a row before the run ends"""
    (tmp_path / "cache-0").symlink_to("/sys/kernel")
    setting = lay_out(tmp_path, 4)
    with (
        cluster(tmp_path, 2) as both,
        pytest.raises(DataError, match=r"a worker on \S+: cannot write /sys/kernel/"),
    ):
        while len(both.scheduler.workers) < 2:
            time.sleep(0.05)
        run(setting, tmp_path, ["threshold[seconds=1.5]"], scheduler=both.scheduler_address)
    (row,) = RowStore(tmp_path / "out" / "rows.jsonl").read()
    assert row.status == "ok"
