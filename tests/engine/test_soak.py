"""The short form of `tests.soak`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.soak import inputs, kills, soak, unfinished


@pytest.mark.slow
def test_kills_faults_and_odd_inputs_lose_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MRBENCH_CACHE", "replaced by the soak")
    record = tmp_path / "soak.json"
    stopped = {"done": {"runs killed by SIGINT": 7}, "rounds": 3, "minutes": 2, "revisions": ["a"], "finished": False}
    record.write_text(json.dumps(stopped))
    done = soak(2, seed=1, asked=(20, 400), record=record)
    assert kills(done) >= 8, "goes on from a record that is not finished"
    assert done["rows equal to an undisturbed run"] == 24 and inputs(done) > 350
    facts = json.loads(record.read_text())
    assert facts["finished"] and facts["rounds"] >= 4 and facts["kills"] == kills(done)
    assert unfinished(record)["rounds"] == 0, "what has ended is begun anew"
