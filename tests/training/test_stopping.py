"""What ends a training early."""

from __future__ import annotations

import os
import signal

import pytest

from mrbench.training.stopping import stopping


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_to_stop_and_a_second_one_stops(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stopping() as stop:
        assert not stop()
        os.kill(os.getpid(), number)
        assert stop()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_time_is_up() -> None:
    with stopping(minutes=0) as stop:
        assert stop()
    with stopping(minutes=60) as stop:
        assert not stop()
