"""Sweeps in processes of their own, as Airflow's workers run them: many at once, or one that is stopped half-way."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import psutil
import psycopg
from support.adapter import EVERYTHING, Adapter

from ifms.errors import IfmsError
from ifms.services.correction_order import Order
from ifms.sweep.scope import Scope

WITHIN_SECONDS = 120.0

# Children are forked from a server that has no threads and has imported what a sweep needs: each costs 20 ms.
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["__main__", "psycopg", "pytest", "requests", "ifms.services.cor", "ifms.services.va"])


@dataclass(frozen=True)
class Job:
    """One sweep: its service, its part of the work, and for COR what an operator asked for."""

    service: str
    scope: Scope = EVERYTHING
    orders: tuple[Order, ...] = ()


@dataclass(frozen=True)
class Ending:
    """How a sweep ended: the class and text of its error (None when it ended well), its counts and its problems.

    `typed`: a caller may expect such an error.
    """

    error: str | None
    said: str
    typed: bool = True
    counts: dict[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def at_once(adapter: Adapter, *jobs: Job) -> list[Ending]:
    """Run the sweeps in one process each, all begun at the same moment; how each ended."""
    gate = _context.Barrier(len(jobs))
    children = [_Child(adapter, job, gate) for job in jobs]
    return [child.ending() for child in children]


Moment = str
BEFORE_SENDING: Moment = "before sending"  # the bill is written, its call is not made
ANSWERED: Moment = "answered"  # the answer is there, and not written
SETTLING: Moment = "settling"  # what it changes is written, and not committed
UNDER_WAY: Moment = "under way"  # the request has been sent; whoever uses the copy stops it then


class Copy:
    """A sweep in a process of its own that stops (SIGSTOP) at `moment`, until it is woken."""

    def __init__(self, child: _Child) -> None:
        self._child = child
        self._process = psutil.Process(child.pid)

    @property
    def stopped(self) -> bool:
        """Whether it stands still."""
        return bool(self._process.status() == psutil.STATUS_STOPPED)

    def stop(self) -> None:
        """Stop it where it is."""
        self._process.suspend()
        until(lambda: self.stopped)

    def kill(self) -> None:
        """End it as the kernel does that is out of memory."""
        self._process.kill()
        self._process.wait(WITHIN_SECONDS)

    def starve(self) -> None:
        """Let it have no more memory than it has now."""
        limit = self._process.memory_info().vms
        self._process.rlimit(psutil.RLIMIT_AS, (limit, limit))

    def wake(self) -> Ending:
        """Let it go on to its end, which it has reached by now where nobody stopped it."""
        with suppress(psutil.NoSuchProcess):
            self._process.resume()
        return self._child.ending()

    def wake_to_die(self) -> None:
        """Let it go on to its end, which it may not be able to tell of."""
        self._process.resume()
        self._child.outlive()


@contextmanager
def copy(adapter: Adapter, job: Job, moment: Moment) -> Iterator[Copy]:
    """Start a sweep that stops at `moment`, and wait until it has (of UNDER_WAY the caller knows when)."""
    child = _Child(adapter, job, None, moment)
    made = Copy(child)
    try:
        if moment != UNDER_WAY:
            until(lambda: made.stopped or child.has_ended)
            assert not child.has_ended, f"it never was {moment}, but ended: {child.ending()}"
        yield made
    finally:
        child.end()


def until(condition: Callable[[], object]) -> None:
    """Wait for a condition; the bound only keeps a broken test from hanging."""
    deadline = time.monotonic() + WITHIN_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not happen"
        time.sleep(0.01)


class _Child:
    def __init__(self, adapter: Adapter, job: Job, gate: Any, moment: Moment | None = None) -> None:
        self._pipe, theirs = _context.Pipe()
        self._process = _context.Process(target=_run, args=(adapter, job, gate, moment, theirs), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        return self._pipe.poll()

    def ending(self) -> Ending:
        assert self._pipe.poll(WITHIN_SECONDS), "the sweep did not end"
        ending: Ending = self._pipe.recv()
        self._process.join(WITHIN_SECONDS)
        return ending

    def outlive(self) -> None:
        """Wait until it is no more."""
        self._process.join(WITHIN_SECONDS)
        assert not self._process.is_alive(), "the sweep did not end"

    def end(self) -> None:
        """End it, however it stands."""
        if self._process.is_alive():
            self._process.kill()
            self._process.join(WITHIN_SECONDS)
        self._pipe.close()


def _run(adapter: Adapter, job: Job, gate: Any, moment: Moment | None, pipe: Connection) -> None:
    if moment is not None:
        _stop_at(moment, job.service)
    sweep = adapter.sweep(job.service)
    error = None
    try:
        if gate is not None:
            gate.wait(WITHIN_SECONDS)
        with sweep:
            adapter.work(sweep, job.scope, job.orders)
    except Exception as ended:
        error = ended
    named = None if error is None else type(error).__name__
    typed = error is None or isinstance(error, IfmsError | psycopg.OperationalError)
    pipe.send(Ending(named, str(error or ""), typed, dict(sweep.counts), tuple(sweep.problems)))


def _stop_at(moment: Moment, service: str) -> None:
    """Let this process stop itself at a moment of its first bill or question."""
    from ifms.ledger import status_log
    from ifms.treasury.client import TreasuryClient

    call, log_status = TreasuryClient.call, status_log.log_status
    left = [1]

    def stand_still(now: Moment) -> None:
        if now == moment and left:
            left.clear()
            # To this thread, which stops the process at once: one to the process is for the main thread to take up, and
            # on a busy machine this one has sent its call before that has had its turn.
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)

    def watched_call(client: Any, request: Any, **options: Any) -> Any:
        if request.service != service:
            return call(client, request, **options)
        stand_still(BEFORE_SENDING)
        outcome = call(client, request, **options)
        stand_still(ANSWERED)
        return outcome

    def watched_log(*args: Any, **kwargs: Any) -> None:
        log_status(*args, **kwargs)
        stand_still(SETTLING)

    TreasuryClient.call = watched_call  # type: ignore[method-assign]
    status_log.log_status = watched_log
