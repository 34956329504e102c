"""One connection, one transaction per change of state, and what to do when either breaks."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

import psycopg
from psycopg import errors as pg

from ifms.errors import ConflictError, InsufficientFundsError, LedgerDataError, LedgerError, LedgerMovedError
from ifms.ledger import session

T = TypeVar("T")
Connection = psycopg.Connection[Any]

_ATTEMPTS = 5
_STATUS = "SELECT pg_catalog.pg_xact_status(%s::pg_catalog.xid8)"  # in a transaction of its own, without its settings
# Which life of the server it is, whether somebody has switched the ledger's rules off (triggers, all of them), and
# whose session this is.
_LIFE = b"""
    SELECT (extract(epoch FROM stats_reset) * 1000000)::bigint, current_setting('session_replication_role'),
           pg_backend_pid()
    FROM pg_stat_bgwriter
"""
_NEVER = 2**31  # executions after which a statement is prepared unasked
TRANSIENT = (pg.DeadlockDetected, pg.SerializationFailure, pg.LockNotAvailable)
# What no other try would mend: a rule of the database, or a value that it can't hold (too large, no date, too long for
# an index; and what psycopg can't write or read).
REFUSED = (pg.IntegrityError, pg.DataError, pg.ProgramLimitExceeded, UnicodeEncodeError)
# Besides what psycopg counts as operational: the server has ended the session of a process that stood still.
_BROKEN = (
    pg.IdleInTransactionSessionTimeout,
    pg.TransactionTimeout,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)


class Database:
    """The ledger's database, for one thread.

    A sweep's worker threads only talk to the treasury; every transaction is made by the thread that owns this object,
    so a sweep needs one connection however many calls it makes at a time.
    """

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._connection: Connection | None = None
        self._life: object = None  # of the server: another one after each crash, and on another machine

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def transact(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction and commit it; `work` makes no call to the outside world.

        A deadlock, a serialization failure, a lock timeout or a broken connection is tried again, a few times. When the
        connection breaks at COMMIT, the transaction's own id is asked about, so what was committed is not done twice.
        Raises InsufficientFundsError, ConflictError or LedgerError when a rule of the database refuses, LedgerDataError
        when it can't hold a value, LedgerError when it can't be told what became of a COMMIT, and
        psycopg.OperationalError when the database stays away.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            committing: str | None = None
            try:
                connection = self._open()
                transaction_id = session.begin(connection, session.WORK)
                try:
                    result = work(connection)
                except BaseException:
                    _roll_back(connection)
                    raise
                committing = transaction_id
                connection.commit()
                return result
            except TRANSIENT:
                if attempt == _ATTEMPTS:
                    raise
            except pg.QueryCanceled:  # a statement that ran too long would only do so again
                raise
            except REFUSED as error:
                raise refusal(error) from None
            except _BROKEN:
                self._drop()
                if committing is not None and self._was_committed(committing):
                    return result
                if attempt == _ATTEMPTS:
                    raise
            time.sleep(random.uniform(0.05, 0.1) * 2**attempt)  # noqa: S311  (spreads retries, keeps no secret)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def read_snapshot(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on one state of all rows, which it can't change: what is committed meanwhile it does not see.

        Raises psycopg.OperationalError when the database goes away (nothing was written, so it can be run again), and
        LedgerDataError for a row that can't be read or reckoned with.
        """
        try:
            connection = self._open()
            session.begin(connection, session.LOOK)
        except _BROKEN:  # the server has closed it while nobody asked
            self._drop()
            connection = self._open()
            session.begin(connection, session.LOOK)
        try:
            return work(connection)
        except REFUSED as error:
            raise refusal(error) from None
        finally:
            _roll_back(connection)

    def _open(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()
            self._connection.autocommit = True  # so that transact() is the one way to write
            self._life = self._look_at_life(self._connection)
        return self._connection

    def _look_at_life(self, connection: Connection) -> object:
        session.begin(connection, session.LOOK)
        row = connection.execute(_LIFE, prepare=False).fetchone()
        connection.rollback()
        life, role, session_id = row or (None, None, None)
        if role != "origin":
            raise LedgerError(
                f"session_replication_role is {role!r} for this login, which switches the ledger's rules off: let an "
                "administrator RESET it for the role and the database"
            )
        # A pooler has told another number, and may give the next transaction to a session that knows no statement of
        # this one. Where it is the server itself, what asks for it is prepared.
        if connection.prepare_threshold is None and session_id == connection.info.backend_pid:
            connection.prepare_threshold = _NEVER
        return life

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _was_committed(self, transaction_id: str) -> bool:
        """What became of a transaction whose COMMIT got no answer.

        A server that crashed has forgotten the ids of the transactions that it lost, and gives them to others: then
        "committed" may be said of another's. Raises LedgerError when it can't be told.
        """
        life = self._life
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                row = self._open().execute(_STATUS, (transaction_id,)).fetchone()
            except pg.InvalidParameterValue:  # "is in the future": lost in a crash, and not given to another yet
                return False
            except _BROKEN:
                self._drop()
                if attempt == _ATTEMPTS:
                    raise
            else:
                status = row and row[0]
                if status == "committed" and self._life != life:
                    raise LedgerError(
                        f"the database server crashed or was replaced at the COMMIT of transaction {transaction_id}: "
                        "whether it was kept can't be told here; run the task again, it goes by what the ledger says"
                    )
                if status != "in progress":
                    return bool(status == "committed")
            time.sleep(0.1 * 2**attempt)
        raise LedgerError(f"transaction {transaction_id} is still in progress at the server; run the task again")


def _roll_back(connection: Connection) -> None:
    """End a transaction that has failed; when the connection is gone too, the server does it."""
    try:
        connection.rollback()
    except (psycopg.OperationalError, psycopg.InterfaceError):
        connection.close()


def refusal(error: Exception) -> LedgerError:
    """One of `REFUSED` as an error of ours, without its DETAIL, which quotes the row, and any value."""
    if not isinstance(error, pg.IntegrityError):
        return LedgerDataError(
            f"the database can't hold or reckon with a value ({type(error).__name__}): nothing was written"
        )
    text = error.diag.message_primary or "the database refused the change"
    if error.diag.constraint_name == "insufficient_funds":
        return InsufficientFundsError(text)
    if error.diag.constraint_name == "ledger_is_at_home":
        return LedgerMovedError(text)
    if isinstance(error, pg.UniqueViolation):
        return ConflictError(f"{text} ({error.diag.table_name})")
    return LedgerError(text)
