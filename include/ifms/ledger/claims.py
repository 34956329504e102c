"""Claims: which copy of which task may work on a row, until when.

Airflow may run two copies of a task at once. A claim is a token on the row with a lease; every later write of that copy
names the token and touches nothing when another copy has taken the row over. All that is shared out between copies is
claimed here: payments, payment instructions, watermarks, bills, messages of the outbox, the shipping of calls.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any, TypeVar

from psycopg import sql
from psycopg.rows import class_row

from ifms.errors import ClaimLostError
from ifms.ledger.columns import columns_of
from ifms.ledger.database import Connection

Row = TypeVar("Row")

BEYOND_ANY_LEASE = timedelta(days=1)  # they are of minutes


def _seconds() -> float:
    """This machine's monotonic clock."""
    return time.monotonic()


@dataclass(frozen=True)
class Claim:
    """One batch's right to its rows."""

    token: uuid.UUID
    lease: timedelta
    taken: float = field(default_factory=_seconds)
    person: str | None = None
    """Who has asked for what is made under it, where somebody has by name."""

    @property
    def seconds_left(self) -> float:
        """How much of the lease is left by this machine's monotonic clock."""
        return self.taken + self.lease.total_seconds() - _seconds()

    def begin_by(self, needed_seconds: float) -> float:
        """Until when (monotonic seconds) something must begin that may take so long, to end within the lease."""
        return time.monotonic() + self.seconds_left - needed_seconds


@dataclass(frozen=True)
class Queue:
    """The rows of a table that are worked through: which are due (of `q`), in which order, and what taking one changes.

    `polled` is the column that remembers when a row was last taken, so that a sweep takes each once; None for rows that
    leave the queue when they are done. `also` is what taking a row changes beside its claim.
    """

    table: str
    due: str
    order: str
    polled: str | None = "polled_at"
    also: str | None = None

    def statement(self, row: type[Any]) -> sql.Composed:
        """SQL that claims the next rows and returns them as `row`.

        A row that was polled since the sweep started, or since the first of those that share its work did, is not due
        again, so a sweep ends; rows under another's claim are passed over, and taken over once that claim's lease has
        run out: of those that share its work, too, if they were claimed before this one started.
        """
        taken: list[sql.Composable] = [sql.SQL(_TAKEN)]
        conditions: list[sql.Composable] = [sql.SQL(self.due), sql.SQL(_FREE)]
        if self.also is not None:
            taken.append(sql.SQL(self.also))
        if self.polled is not None:
            column = sql.Identifier(self.polled)
            taken.append(sql.SQL("{} = clock_timestamp()").format(column))
            conditions.append(
                sql.SQL(
                    """(q.{polled} IS NULL OR q.{polled} < %(shared_since)s OR q.{polled} > clock_timestamp()
                        OR (q.claimed_until IS NOT NULL AND q.{polled} < %(sweep_started)s))"""
                ).format(polled=column)
            )
        return sql.SQL(
            """
            WITH due AS (
                SELECT q.id FROM ifms.{table} q WHERE {due} ORDER BY {order} LIMIT %(limit)s FOR UPDATE SKIP LOCKED
            ), claimed AS (
                UPDATE ifms.{table} t SET {taken} FROM due WHERE t.id = due.id RETURNING t.*
            )
            SELECT {columns} FROM claimed q ORDER BY {order}
            """
        ).format(
            table=sql.Identifier(self.table),
            due=sql.SQL(" AND ").join(conditions),
            order=sql.SQL(self.order),
            taken=sql.SQL(", ").join(taken),
            columns=columns_of(row, "q"),
        )


_FREE = f"""(q.claimed_until IS NULL OR q.claimed_until < clock_timestamp()
            OR q.claimed_until > clock_timestamp() + interval '{BEYOND_ANY_LEASE.days} day')"""
_TAKEN = "claim_token = %(token)s, claimed_until = clock_timestamp() + %(lease)s"
GIVEN_BACK = "claim_token = NULL, claimed_until = NULL"
_EVERYTHING: dict[str, object] = {"pi_numbers": None, "payments": None}


def claim(
    connection: Connection,
    queue: Queue,
    row: type[Row],
    *,
    limit: int | None,
    lease: timedelta,
    sweep_started: datetime | None = None,
    shared_since: datetime | None = None,
    **conditions: object,
) -> tuple[Claim, list[Row]]:
    """Take up to `limit` due rows of `queue` (None: all) as instances of the dataclass `row`, under a new claim.

    `sweep_started` is the database's clock at the sweep's start, `shared_since` at that of the first of the sweeps that
    share its work (None: it has it for itself), both for queues that remember when a row was taken; `conditions` fill
    the queue's own parameters, of which `pi_numbers` and `payments` are all when left out.
    """
    claim = Claim(uuid.uuid4(), lease)
    values: dict[str, object] = {"token": claim.token, "lease": lease, "limit": limit, "sweep_started": sweep_started}
    values |= {"shared_since": shared_since or sweep_started} | _EVERYTHING | conditions
    with connection.cursor(row_factory=class_row(row)) as cursor:
        return claim, cursor.execute(queue.statement(row), values).fetchall()


def settle(connection: Connection, table: str, row_id: object, claim: Claim, sets: str = "", **values: object) -> bool:
    """Give a row back, with what `sets` (SQL of the caller's) changes in it; False when it is another's meanwhile."""
    statement = _settling(table, sets)
    return connection.execute(statement, {"id": row_id, "token": claim.token, **values}).rowcount == 1


@cache
def _settling(table: str, sets: str) -> sql.Composed:
    return sql.SQL("UPDATE ifms.{} SET {} WHERE id = %(id)s AND claim_token = %(token)s").format(
        sql.Identifier(table), sql.SQL(", ").join(sql.SQL(each) for each in (sets, GIVEN_BACK) if each)
    )


def renew(connection: Connection, table: str, row_id: object, claim: Claim) -> bool:
    """Begin the lease of a row anew; False when another run has taken it over."""
    cursor = connection.execute(
        sql.SQL(
            "UPDATE ifms.{} SET claimed_until = clock_timestamp() + %(lease)s"
            " WHERE id = %(id)s AND claim_token = %(token)s"
        ).format(sql.Identifier(table)),
        {"id": row_id, "token": claim.token, "lease": claim.lease},
    )
    return cursor.rowcount == 1


def held(
    connection: Connection, queue: Queue, *, lease: timedelta, sweep_started: datetime, **conditions: object
) -> int:
    """How many due rows of `queue` are under claims of that `lease` that were taken before the sweep started.

    Whoever took them is still at work, or was killed: then they are free when the lease has run out. Asked every two
    seconds: by the index of what is claimed, which clock_timestamp() could not be looked up in.
    """
    assert queue.polled is not None, "what leaves its queue when done is awaited by nobody"
    row = connection.execute(
        sql.SQL(
            """
            SELECT count(*) FROM ifms.{} q
            WHERE {due} AND (q.{polled} IS NULL OR q.{polled} < %(sweep_started)s)
              AND q.claimed_until >= statement_timestamp() AND q.claimed_until < %(sweep_started)s + %(lease)s
            """
        ).format(sql.Identifier(queue.table), due=sql.SQL(queue.due), polled=sql.Identifier(queue.polled)),
        {"lease": lease, "sweep_started": sweep_started, **_EVERYTHING, **conditions},
    ).fetchone()
    return int(row[0]) if row else 0


def release(connection: Connection, queue: Queue, row_id: uuid.UUID, claim: Claim, *, untouched: bool = False) -> None:
    """Give a row of `queue` back; `untouched`, nothing was asked about it, so it stays due in this sweep.

    Raises ClaimLostError when another copy has taken it over.
    """
    if not settle(connection, queue.table, row_id, claim, f"{queue.polled} = NULL" if untouched else ""):
        raise ClaimLostError(f"{queue.table} {row_id} was taken over by another run of this task; nothing was written")


def ask_first(connection: Connection, pending_for: timedelta) -> list[str]:
    """Let the PIs that have been PENDING for so long be the first that the next run of ifms_pi asks about.

    Their order in its queue is all that changes, and a claim that has run out; one that a run holds is left alone.
    Returns their numbers.
    """
    rows = connection.execute(
        """
        UPDATE ifms.payment_instruction SET polled_at = NULL, claim_token = NULL, claimed_until = NULL
        WHERE id IN (
            SELECT id FROM ifms.payment_instruction
            WHERE status = 'PENDING' AND created_at < now() - %s
              AND (claimed_until IS NULL OR claimed_until < clock_timestamp())
            FOR UPDATE SKIP LOCKED)
        RETURNING pi_number
        """,
        (pending_for,),
    ).fetchall()
    return sorted(row[0] for row in rows)
