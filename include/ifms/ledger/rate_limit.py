"""How many calls a second the treasury takes, kept by all workers together.

A call begins only in its turn. Turns are moments, one interval apart, that are handed out by one row of the database:
so no number of workers goes beyond the limit, and no machine's clock but the database's matters. A worker takes a turn
for each of its threads that wait, those of a quarter of a second at most, and no more before they are used: that costs
few round trips, wastes none, and leaves every other worker its share. The turns of a worker that was killed just pass.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import psycopg

from ifms.errors import LedgerError
from ifms.ledger.database import Connection, Database

BATCH_SECONDS = 0.25
"""A worker's turns span so long (or are a single one), and may be used so late: no longer, or they would pile up."""

MOST_WORKERS = 256
"""More never wait: a next turn beyond a batch of each is left from before the server's clock was put back."""


STOPPED = "the sweep was stopped before its turn"


@dataclass(frozen=True)
class NoRate:
    """Where there is no limit: every call's turn has come, until `stop` is set."""

    stop: threading.Event

    def wait(self, until: float) -> str | None:
        """None, or why the call may not begin."""
        return STOPPED if self.stop.is_set() else None


@dataclass
class Rate:
    """The turns of one sweep's calls: `calls_per_second` for all that call as `account`. Safe to share between threads.

    `db` is for this alone. When `stop` is set nobody waits any longer.
    """

    db: Database
    account: str
    calls_per_second: float
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._turn = threading.Lock()  # one thread waits for its moment, the others for the lock
        self._moments: deque[float] = deque()
        self._counting = threading.Lock()
        self._waiting = 0

    def wait(self, until: float) -> str | None:
        """Wait for a call's turn; None when it has come, or why it does not come by `until` (monotonic seconds)."""
        with self._counted(), self._turn:
            if self.stop.is_set():
                return STOPPED
            try:
                moment = self._next()
            except (psycopg.Error, LedgerError) as error:
                return f"the ledger gives no turn to call the treasury ({type(error).__name__})"
            if moment > until:
                return f"its turn among {self.calls_per_second:g} calls a second comes too late"
            if self.stop.wait(max(0.0, moment - time.monotonic())):
                return STOPPED
            self._moments.popleft()
            return None

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """One more thread waits."""
        with self._counting:
            self._waiting += 1
        try:
            yield
        finally:
            with self._counting:
                self._waiting -= 1

    def _next(self) -> float:
        """The next moment, in this machine's monotonic seconds; those that were missed are gone."""
        while self._moments and self._moments[0] < time.monotonic() - BATCH_SECONDS:
            self._moments.popleft()
        if not self._moments:
            interval = 1 / self.calls_per_second
            number = max(1, min(self._waiting, int(BATCH_SECONDS / interval)))
            ahead = self.db.transact(lambda c: reserve(c, self.account, timedelta(seconds=interval), number))
            # Taken after the answer: a turn comes a little late by the way of the answer, never early.
            first = time.monotonic() + ahead
            self._moments.extend(first + place * interval for place in range(number))
        return self._moments[0]


def reserve(connection: Connection, account: str, interval: timedelta, number: int) -> float:
    """Take the next `number` turns of `account`; in how many seconds the first of them comes."""
    batch = max(interval, timedelta(seconds=BATCH_SECONDS))
    row = connection.execute(
        """
        INSERT INTO ifms.call_rate AS r (account, next_at) VALUES (%(account)s, clock_timestamp() + %(span)s)
        ON CONFLICT (account) DO UPDATE SET next_at = %(span)s
            + greatest(clock_timestamp(), least(r.next_at, clock_timestamp() + %(most)s))
        RETURNING extract(epoch FROM r.next_at - %(span)s - clock_timestamp())::float8
        """,
        {"account": account, "span": number * interval, "most": MOST_WORKERS * batch},
    ).fetchone()
    assert row is not None
    return float(row[0])
