"""Waits for rows that another run had claimed before a sweep began, and takes them over when they come free.

That run may be one that Airflow has replaced by this one: it will be ended and give its rows back, or it was killed,
and they are free when its leases end. If a sweep did not wait, they would be left to the next day's.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from ifms.ledger import runs
from ifms.ledger.claims import Queue, held
from ifms.ledger.database import Connection
from ifms.sweep.run import Sweep

PAUSE_SECONDS = 2.0  # between two looks at what another run holds
DISCOVERY_SECONDS = 0.5  # between two looks at what another shard has discovered

log = logging.getLogger("ifms.sweep")


@dataclass(frozen=True)
class Taken:
    """Rows of a queue that other runs had taken before a sweep began."""

    count: Callable[[Connection], int]
    at_first: int


def drain_with_takeover(
    sweep: Sweep, queue: Queue, lease: timedelta, conditions: Mapping[str, object], work: Callable[[], None]
) -> None:
    """Do `work`, and again when rows of `queue` come free that another run had taken before this one began."""
    taken = taken_by_others(sweep, queue, lease, conditions)
    work()
    await_others(sweep, taken, work)


def await_discovery(sweep: Sweep, work: Callable[[], None]) -> None:
    """Say that this shard has discovered its part, and do `work` until all shards of its DAG run have.

    Work comes from the largest city for all of them: who has none to look up must not end before it is there. A shard
    that was killed is waited for no longer than the sweep's patience.
    """
    sweep.db.transact(lambda c: runs.discovered(c, sweep.run))
    deadline = time.monotonic() + sweep.patience_seconds
    while True:
        still = sweep.db.transact(lambda c: runs.others_discovering(c, sweep.run))
        work()
        if not still or sweep.stopping or time.monotonic() > deadline:
            return
        sweep.stop.wait(DISCOVERY_SECONDS)


def taken_by_others(sweep: Sweep, queue: Queue, lease: timedelta, conditions: Mapping[str, object]) -> Taken:
    """What other runs hold now, for `await_others`: asked before this run's own work, while it may come free."""

    def count(connection: Connection) -> int:
        return held(connection, queue, lease=lease, sweep_started=sweep.run.started_at, **conditions)

    patient = sweep.patience_seconds and not sweep.stopping
    return Taken(count, sweep.db.transact(count) if patient else 0)


def await_others(sweep: Sweep, taken: Taken, work: Callable[[], None]) -> None:
    """Do `work` when some of what was `taken` has come free; until none is left, or the sweep's patience ends."""
    deadline = time.monotonic() + sweep.patience_seconds
    before = taken.at_first
    while before and not sweep.stopping:
        now = sweep.db.transact(taken.count)
        if now < before:
            work()
        elif time.monotonic() > deadline:
            sweep.add_warning(f"{now} are still in the hands of another run; they are left to the next one")
            return
        if now:
            if before == taken.at_first:
                log.info("%s: waiting for %d that a run took which began before this one", sweep.service_id, now)
            sweep.stop.wait(PAUSE_SECONDS)
        before = now
