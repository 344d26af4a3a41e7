"""The comparison of measured ratios with the committed ones says what became slow, what is new and what is gone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.performance import compare


def written(folder: Path, ratios: dict[str, float]) -> str:
    extra = {"peer": "numpy", "goal": 2, "own_ms": 1.0, "peer_ms": 5.0}
    runs = [{"name": name, "extra_info": {**extra, "ratio": ratio}} for name, ratio in ratios.items()]
    path = folder / "out.json"
    path.write_text(json.dumps({"benchmarks": [*runs, {"name": "no peer", "extra_info": {}}]}))
    return str(path)


def test_a_ratio_that_fell_by_half_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compare, "BASELINE", tmp_path / "baseline.json")
    assert compare.main([written(tmp_path, {"a": 10.0, "b": 4000.0})]) == 1, "without a baseline nothing is compared"
    assert compare.main([written(tmp_path, {"a": 10.0, "b": 4000.0}), "--update"]) == 0
    assert compare.main([written(tmp_path, {"a": 5.1, "b": 30.0})]) == 0
    capsys.readouterr()
    assert compare.main([written(tmp_path, {"a": 4.9, "c": 1.0})]) == 1
    said = capsys.readouterr().out
    assert "a: 4.9 times as fast as numpy, 10.0 before." in said
    assert "b was not measured." in said and "c has no baseline" in said


def test_the_committed_baseline_reaches_its_goals() -> None:
    baseline = json.loads(compare.BASELINE.read_text())
    assert all(entry["ratio"] >= entry["goal"] for entry in baseline.values())
