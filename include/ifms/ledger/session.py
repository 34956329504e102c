"""The session with the database: what it relies on it says itself, in each transaction and for that one alone.

So whatever is set for the database, for the role or in the client's environment changes nothing; and behind a pooler
(PgBouncer in transaction mode), where each transaction may meet another session of the server, nothing is needed of the
client before and nothing is left to the next one. For the same reason nothing is asked for at start-up but what poolers
know, and statements are prepared only where a session is known to be the server's own, by `Database`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

import psycopg
from psycopg import IsolationLevel, generators, pq
from psycopg import errors as pg
from psycopg.conninfo import conninfo_to_dict

from ifms.errors import LedgerError

# Whether they are deferrable counts for serializable ones alone.
LOOK = "ISOLATION LEVEL REPEATABLE READ READ ONLY"
WORK = "ISOLATION LEVEL READ COMMITTED READ WRITE"

# What results, safety or quick plans depend on. Not lc_messages, which takes a superuser: no server's message is read.
_SETTINGS = {
    "search_path": "pg_catalog",
    "datestyle": "ISO, MDY",
    "timezone": "UTC",
    "intervalstyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    "transform_null_equals": "off",
    "quote_all_identifiers": "off",
    "lc_numeric": "C",
    "lc_monetary": "C",
    "lc_time": "C",
    "row_security": "on",
    "gin_fuzzy_search_limit": "0",  # above zero an index finds some of the rows
    "jit": "off",  # one row looked up by a condition that the planner takes for thousands would wait for a compiler
    "exit_on_error": "off",  # a refusal of the ledger's rules ends the transaction, not the session
}
# A commit that has been answered is on the disk, or a crash would pay somebody twice; waiting for standbys is as set.
_DURABLE = (
    "set_config('synchronous_commit', CASE WHEN pg_catalog.current_setting('synchronous_commit')"
    " OPERATOR(pg_catalog.=) 'off' THEN 'on' ELSE pg_catalog.current_setting('synchronous_commit') END, true)"
)
_TRANSACTION_TIMEOUT = 170000  # the version that has it

# What libpq would take from the environment where nothing is said. How one gets in (PGPASSWORD, PGSSLMODE …) is left.
_SAID = {"options": "", "client_encoding": "UTF8"}
_OF_A_NAMED_SERVER = {"hostaddr": "", "target_session_attrs": "any"}
# … and what it takes in any case.
_HEARD = ("PGDATESTYLE", "PGTZ", "PGGEQO")
_PLACE = ("host", "hostaddr", "service")
_environment = threading.RLock()


@dataclass(frozen=True)
class Timeouts:
    """How long a statement, a wait for a lock and a pause in a transaction may take; zero: as long as they like."""

    statement: timedelta = timedelta()
    lock: timedelta = timedelta()
    idle: timedelta = timedelta()


NONE = Timeouts()


class Session(psycopg.Connection[Any]):
    """A connection whose every transaction begins with its settings, whoever begins it; made by `connect`."""

    timeouts = NONE

    def _exec_command(self, command: Any, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401  (psycopg's own)
        """Where psycopg runs its own BEGIN, of a statement outside a transaction or of `transaction()`.

        In one trip, for what is set may allow no pause between two.
        """
        if command != self._get_tx_start_command():
            return (yield from super()._exec_command(command, *arguments, **options))
        settings = b"SELECT " + _settings(self).encode()
        if self._pipeline:
            yield from super()._exec_command(command, *arguments, **options)
            return (yield from super()._exec_command(settings))
        self._check_connection_ok()
        self.pgconn.send_query(command + b"; " + settings)
        results = yield from generators.execute(self.pgconn)
        for result in results:
            if result.status not in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK):
                raise pg.error_from_result(result, encoding=self.info.encoding)
        return results[-1]


def begin(connection: psycopg.Connection[Any], mode: str) -> str | None:
    """Begin a transaction in one trip to the server; of one for WORK its id, by which it can be asked about later.

    `connection` is in autocommit, so that nobody else begins one.
    """
    number = "pg_catalog.pg_current_xact_id()" if mode == WORK else "NULL"
    # Two statements, which can't be prepared as one.
    cursor = connection.execute(f"BEGIN {mode}; SELECT {number}, {_settings(connection)}".encode(), prepare=False)
    cursor.nextset()
    row = cursor.fetchone()
    assert row is not None
    return row[0] and str(row[0])


def _settings(connection: psycopg.Connection[Any]) -> str:
    """The expressions that set them for a transaction, to be selected."""
    return _expressions(getattr(connection, "timeouts", NONE), connection.info.server_version)


@cache
def _expressions(timeouts: Timeouts, version: int) -> str:
    times = {
        "statement_timeout": timeouts.statement,
        "lock_timeout": timeouts.lock,
        "idle_in_transaction_session_timeout": timeouts.idle,
    }
    reported = _SETTINGS | {name: f"{time / timedelta(milliseconds=1):.0f}" for name, time in times.items()}
    if version >= _TRANSACTION_TIMEOUT:
        reported["transaction_timeout"] = "0"
    each = [f"set_config('{name}', '{value}', true)" for name, value in reported.items()]
    return ", ".join(f"pg_catalog.{expression}" for expression in [*each, _DURABLE])


def connect(dsn: str = "", timeouts: Timeouts = NONE, **options: Any) -> Session:
    """Connect to the database of `dsn` (a libpq URI or keyword string) and of `options`, libpq's or psycopg's.

    Where neither says where it is, libpq's variables do. Raises psycopg.OperationalError.
    """
    place = conninfo_to_dict(dsn)
    named = any(place.get(name) or options.get(name) for name in _PLACE)
    message = _SAID | (_OF_A_NAMED_SERVER if named else {})
    left = {name: value for name, value in message.items() if name not in place}
    with _without(*_HEARD, *(("PGSERVICE",) if named else ())):
        made = Session.connect(dsn, **{"prepare_threshold": None, **left, **options})
    made.timeouts = timeouts
    made.isolation_level = IsolationLevel.READ_COMMITTED
    made.read_only = False
    return made


@contextmanager
def alone(
    dsn: str, number: int, what: str, say: Callable[[str], None], patience: timedelta = timedelta(minutes=10)
) -> Iterator[None]:
    """Keep others that ask for the same advisory lock in this database out; `say` hears that one must be waited for.

    The lock is a transaction's, which is kept open: a session's own would stay behind in a pooler. Raises LedgerError
    when the other has not ended in time.
    """
    with connect(dsn) as guard:
        row = guard.execute("SELECT pg_try_advisory_xact_lock(%s)", (number,)).fetchone()
        if not (row and row[0]):
            say(f"another {what} is at work on this database: waiting for it, {patience} at most")
            guard.execute(
                "SELECT set_config('lock_timeout', %s, true)", (f"{patience / timedelta(milliseconds=1):.0f}",)
            )
            try:
                guard.execute("SELECT pg_advisory_xact_lock(%s)", (number,))
            except pg.LockNotAvailable:
                raise LedgerError(
                    f"another {what} has not ended within {patience}: find it in pg_locks (locktype advisory, objid "
                    f"{number}), see what it waits for, and run this again"
                ) from None
        yield


@contextmanager
def _without(*names: str) -> Iterator[None]:
    """Run without these variables, which are rarely there: then the environment is left as it is."""
    if not any(name in os.environ for name in names):
        yield
        return
    with _environment:
        held = {name: os.environ.pop(name) for name in names if name in os.environ}
        try:
            yield
        finally:
            os.environ.update(held)
