"""A signal becomes an exception in the main flow, at a moment when nothing is half done."""

from __future__ import annotations

import os
import signal

import pytest

from ifms_standalone import signals
from ifms_standalone.signals import Stopped


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_stops_the_launcher(which: signal.Signals) -> None:
    before = signal.getsignal(which)
    with pytest.raises(Stopped) as raised, signals.raised_as_stopped():
        os.kill(os.getpid(), which)
    assert raised.value.signum == which
    assert not isinstance(raised.value, Exception)
    assert signal.getsignal(which) == before


def test_one_that_comes_at_a_bad_moment_waits_for_its_end() -> None:
    done = []

    def work() -> None:
        with signals.held():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("the work")
        done.append("too far")

    with pytest.raises(Stopped), signals.raised_as_stopped():
        work()
    assert done == ["the work"]


def test_while_things_are_being_stopped_nothing_disturbs() -> None:
    with signals.raised_as_stopped():
        signals.ignore()
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
