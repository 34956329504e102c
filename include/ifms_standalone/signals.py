"""Ctrl-C, SIGTERM and a closed terminal end the launcher in the same orderly way: by an exception in its main flow."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """A signal asks the launcher to end; not an Exception, so that nothing takes it for a failure."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


class _State:
    held = 0
    pending: int | None = None


@contextmanager
def raised_as_stopped() -> Iterator[None]:
    """Raise Stopped inside the block when one of the signals comes."""
    before = {each: signal.signal(each, _raise) for each in _STOPPING}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def ignore() -> None:
    """From here on the signals change nothing: what was started is being stopped, and that must come to its end."""
    for each in _STOPPING:
        signal.signal(each, signal.SIG_IGN)


@contextmanager
def held() -> Iterator[None]:
    """Put a signal off until the block's end."""
    _State.held += 1
    try:
        yield
    finally:
        _State.held -= 1
    if not _State.held and _State.pending is not None:
        signum, _State.pending = _State.pending, None
        raise Stopped(signum)


def _raise(signum: int, _frame: FrameType | None) -> None:
    if _State.held:
        _State.pending = signum
    else:
        raise Stopped(signum)
