"""The short form of `tests.soak`."""

from __future__ import annotations

import pytest
from tests.soak import inputs, kills, soak


@pytest.mark.slow
def test_kills_faults_and_odd_inputs_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MRBENCH_CACHE", "replaced by the soak")
    done = soak(2, seed=1, asked=(20, 400))
    assert kills(done) >= 1
    assert done["rows equal to an undisturbed run"] == 24 and inputs(done) > 350
