"""The cache is shown and kept small, and nothing but the cache is ever removed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mrbench.api.caching import contents, prune
from mrbench.cli import app
from mrbench.core.errors import RequestError


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten predictions of 1 KiB that were used one to ten days ago, a subject, and what is nobody's."""
    monkeypatch.setenv("MRBENCH_CACHE", str(tmp_path / "cache"))
    for days in range(1, 11):
        path = tmp_path / "cache" / "predictions" / f"{days:02d}" / "p.npy"
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes(1024))
        os.utime(path, (time.time() - 86400 * days,) * 2)
    for name in ("datasets/d/s.npz", "mine/notes.txt"):
        (tmp_path / "cache" / name).parent.mkdir(parents=True)
        (tmp_path / "cache" / name).write_text("kept")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "foreign").write_text("kept")
    (tmp_path / "cache" / "predictions" / "link").symlink_to(tmp_path / "elsewhere")
    return tmp_path / "cache"


def left(cache: Path) -> list[str]:
    return sorted(path.parent.name for path in cache.glob("predictions/*/p.npy"))


def test_what_is_there_is_counted(cache: Path) -> None:
    kinds = {kind.name: kind for kind in contents()}
    assert (kinds["predictions"].files, kinds["predictions"].bytes) == (10, 10240)
    assert 9.9 < kinds["predictions"].oldest_days < 10.1 and kinds["datasets"].files == 1
    assert kinds["downloads"].files == 0


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({}, 0),
        ({"limit_gib": 3.5 / 2**20}, 3),
        ({"limit_gib": 1.0}, 10),
        ({"older_than_days": 4.5}, 4),
        ({"older_than_days": 4.5, "limit_gib": 2.0 / 2**20}, 2),
        ({"older_than_days": 100, "limit_gib": 0.0}, 0),
    ],
)
def test_what_was_used_last_stays(cache: Path, options: dict[str, float], kept: int) -> None:
    files, freed = prune(**options)
    assert (files, freed) == (10 - kept, 1024 * (10 - kept))
    assert left(cache) == [f"{days:02d}" for days in range(1, kept + 1)]
    others = ("datasets/d/s.npz", "mine/notes.txt", "../elsewhere/foreign")
    assert all((cache / name).read_text() == "kept" for name in others)


def test_only_parts_of_the_cache_are_pruned(cache: Path) -> None:
    with pytest.raises(RequestError, match="unknown part of the cache 'prediction': did you mean 'predictions'"):
        prune(["prediction"])
    assert prune(["datasets"])[0] == 1 and len(left(cache)) == 10


@pytest.mark.parametrize("limit", ["limit_gib", "older_than_days"])
@pytest.mark.parametrize("value", [-1, float("nan"), "2"])
def test_a_limit_that_is_none_removes_nothing(cache: Path, limit: str, value: object) -> None:
    """-1 GiB removed everything, and not a number nothing, without a word"""
    with pytest.raises(RequestError, match=rf"{limit}=.*: give a number from 0 up\."):
        prune(**{limit: value})
    assert len(left(cache)) == 10


def test_the_verb_shows_and_prunes(cache: Path) -> None:
    shown = CliRunner().invoke(app, ["cache"], env={"COLUMNS": "160"})
    assert shown.exit_code == 0 and "predictions" in shown.output and str(cache) in shown.output.replace("\n", "")
    assert "removed 10 files" in CliRunner().invoke(app, ["cache", "prune"]).output and left(cache) == []
