"""What ends a training early."""

from __future__ import annotations

import os
import signal

import pytest

from mrbench.training.stopping import TrainingStopped, stopping


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_to_stop_and_a_second_one_stops(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(TrainingStopped) as ended, stopping() as stop:
        assert not stop()
        os.kill(os.getpid(), number)
        assert stop()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before and ended.value.exit_code == 130, "train && run must end here"


def test_time_is_up() -> None:
    with pytest.raises(TrainingStopped) as ended, stopping(minutes=0) as stop:
        assert stop()
        raise TrainingStopped("stopped at step 3")
    assert ended.value.exit_code == 0
    with stopping(minutes=60) as stop:
        assert not stop()
