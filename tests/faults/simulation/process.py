"""One sweep as a process of its own, which can be killed, stopped, and cut off from its database at any seam.

The seams are where it touches the world: before and after each commit, before and after each call. Whatever a killed
process still does on its way out (its `finally` and `except`) meets closed doors, as it would if it were really gone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import psycopg
from faults.simulation.world import Killed, World
from psycopg import errors as pg
from psycopg.pq import TransactionStatus


@dataclass
class Process:
    """One process: what will happen to it at which of its seams, counted from 1."""

    world: World
    name: str
    kill_at: int = 0
    stop_at: int = 0
    break_at: dict[int, str] = field(default_factory=dict)
    """Its connection to the database breaks, by the number of the commit."""
    level: float = 0.0
    """How likely a call to the treasury goes wrong."""
    platform_level: float = 0.0
    sleep_at: int = 0
    """From this seam on, the first call that is answered is heard late: another copy has done its work meanwhile."""
    asleep: Callable[[Process], None] | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    dead: bool = False
    seams: int = 0
    commits: int = 0
    connections: list[Connection] = field(default_factory=list)
    pool: list[Connection] = field(default_factory=list)
    keep_time: Callable[[Connection], None] = lambda _: None
    """Tells a connection what time it is."""

    current: ClassVar[Process | None] = None

    def seam(self, what: str) -> None:
        """Pass a seam; raises Killed if the process ends here, or has ended."""
        if self.dead:
            raise Killed
        self.seams += 1
        if what.startswith("before a call"):
            self._assert_no_transaction(what)
        if self.seams == self.stop_at:
            self.world.event(f"{self.name}: SIGTERM at {what}")
            self.world.fault("SIGTERM")
            self.stop.set()
        if self.seams == self.kill_at:
            self.world.event(f"{self.name}: killed at {what}")
            self.world.fault(f"killed {what.partition(' of ')[0]}")
            self.die()
            raise Killed
        if self.asleep and 0 < self.sleep_at <= self.seams and what.startswith("after a call"):
            asleep, self.asleep = self.asleep, None
            self.world.event(f"{self.name}: asleep at {what}")
            self.world.fault("slept beyond its lease")
            asleep(self)
            for connection in self.connections:
                self.keep_time(connection)
            self.world.event(f"{self.name}: awake")

    def _assert_no_transaction(self, what: str) -> None:
        for connection in self.connections:
            if not connection.closed:
                status = connection.info.transaction_status
                assert status is TransactionStatus.IDLE, f"{self.name}: a transaction is open {what}"

    def die(self) -> None:
        """The end: its connections are cut, and the server rolls back what was not committed."""
        self.dead = True
        for connection in self.connections:
            connection.cut()

    def connect(self, dsn: str) -> Connection:
        """A connection to the ledger: one that an earlier process left, as from a pool, or a new one."""
        if self.dead:
            raise Killed
        if not self.pool:
            self.pool.append(Connection.connect(dsn, options="-c timezone=UTC -c simulated.ahead=0"))
        connection = self.pool.pop()
        connection.process = self
        self.connections.append(connection)
        self.keep_time(connection)
        return connection

    def close(self) -> None:
        """Its end. What is sound goes back to the pool."""
        assert self.commits or self.dead, f"{self.name} has passed no COMMIT: the seam is somewhere else now"
        for connection in self.connections:
            if not connection.closed:
                assert connection.info.transaction_status is TransactionStatus.IDLE, f"{self.name} left a transaction"
                self.pool.append(connection)


class Connection(psycopg.Connection[Any]):
    """A connection to PostgreSQL whose transactions have seams."""

    process: Process

    def cut(self) -> None:
        """Close it; what is open is rolled back before this returns, not some time later."""
        if not self.closed:
            self.pgconn.exec_(b"ROLLBACK")
            super().close()

    def close(self) -> None:
        """Let go of it; it stays open for the next process (`cut` closes it)."""

    def commit(self) -> None:
        """COMMIT; around it the process may be killed, or the connection may break."""
        process = self.process
        process.commits += 1
        breaks = process.break_at.get(process.commits)
        process.seam("before a commit")
        if breaks == "deadlock":
            self._note(breaks)
            self.rollback()
            raise pg.DeadlockDetected("a deadlock, by chance")
        if breaks == "cut before COMMIT":
            self._note(breaks)
            self.cut()
            raise psycopg.OperationalError("the connection is gone, by chance")
        super().commit()
        if breaks == "cut at COMMIT":
            self._note(breaks)
            self.cut()
            raise psycopg.OperationalError("the connection is gone, by chance")
        process.seam("after a commit")

    def _note(self, what: str) -> None:
        self.process.world.event(f"{self.process.name}: database: {what}")
        self.process.world.fault(f"database {what}")
