"""The calls to the treasury as rows: which are still to be shipped, who looked at one, which are old.

`ifms.ledger.status_log` writes them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from psycopg import sql
from psycopg.rows import class_row

from ifms.ledger.claims import Claim, Queue, claim, renew, settle
from ifms.ledger.columns import columns_of
from ifms.ledger.database import Connection

LEASE = timedelta(minutes=2)


@dataclass(frozen=True)
class StoredCall:
    """One row of `treasury_call`. `outcome` is None while it is under way, or for good if its process died."""

    id: UUID
    service_id: str
    bill_number: str | None
    outcome: str | None
    status_code: int | None
    error_message: str | None
    duration_ms: int | None
    created_at: datetime
    request_sealed: bytes | None = field(repr=False)
    rek_sealed: bytes | None = field(repr=False)
    sek_sealed: bytes | None = field(repr=False)
    auth_token_sealed: bytes | None = field(repr=False)
    enc_request: str | None = field(repr=False)
    enc_response: str | None = field(repr=False)
    response_sealed: bytes | None = field(repr=False)


_COLUMNS = columns_of(StoredCall, "c")


def find_call(connection: Connection, call_id: UUID) -> StoredCall | None:
    """The call of that id; None when there is none, or no more."""
    with connection.cursor(row_factory=class_row(StoredCall)) as cursor:
        statement = sql.SQL("SELECT {} FROM ifms.treasury_call c WHERE id = %s").format(_COLUMNS)
        return cursor.execute(statement, (call_id,)).fetchone()


# Shipping -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Shipping:
    id: bool


_SHIPPING = Queue(table="call_shipping", due="true", order="q.id", polled=None)


def claim_shipping(connection: Connection) -> Claim | None:
    """Take the right to ship; None while another run holds it."""
    mine, taken = claim(connection, _SHIPPING, _Shipping, limit=1, lease=LEASE)
    return mine if taken else None


def keep_shipping(connection: Connection, claim: Claim) -> bool:
    """Begin the lease anew; False when another run has taken over meanwhile."""
    return renew(connection, _SHIPPING.table, True, claim)


def end_shipping(connection: Connection, claim: Claim) -> None:
    """Give the right back, if it is still this run's."""
    settle(connection, _SHIPPING.table, True, claim)


def unshipped(
    connection: Connection, *, limit: int, most_bytes: int, given_up_after: timedelta, after: StoredCall | None = None
) -> list[StoredCall]:
    """The oldest calls that were not shipped, behind `after`: up to `limit`, and up to `most_bytes`, but for the first.

    A call that was announced and not completed for `given_up_after` is among them: whoever made it has died.
    """
    statement = sql.SQL(
        """
        SELECT {} FROM (
            SELECT q.*, row_number() OVER in_order AS place, sum(
                coalesce(octet_length(request_sealed), 0) + coalesce(octet_length(enc_request), 0)
                + coalesce(octet_length(enc_response), 0) + coalesce(octet_length(response_sealed), 0)
            ) OVER in_order AS bytes
            FROM (
                SELECT * FROM ifms.treasury_call
                WHERE shipped_at IS NULL AND ship_error IS NULL
                  AND (outcome IS NOT NULL OR created_at < now() - %(given_up_after)s)
                  AND (%(after_time)s::timestamptz IS NULL OR (created_at, id) > (%(after_time)s, %(after_id)s::uuid))
                ORDER BY created_at, id LIMIT %(limit)s) q
            WINDOW in_order AS (ORDER BY created_at, id ROWS UNBOUNDED PRECEDING)) c
        WHERE c.bytes <= %(most_bytes)s OR c.place = 1 ORDER BY c.place
        """
    ).format(_COLUMNS)
    values = {
        "limit": limit,
        "most_bytes": most_bytes,
        "given_up_after": given_up_after,
        "after_time": after and after.created_at,
        "after_id": after and after.id,
    }
    # Statistics say that nearly all calls are shipped, and so the planner would rather sort the rest: with a backlog,
    # which they don't know of, all of it for each batch.
    connection.execute("SET LOCAL enable_bitmapscan = off")
    with connection.cursor(row_factory=class_row(StoredCall)) as cursor:
        return cursor.execute(statement, values).fetchall()


def oldest_unshipped(connection: Connection) -> datetime | None:
    """When the oldest completed call was made that is still to be shipped."""
    row = connection.execute(
        """
        SELECT created_at FROM ifms.treasury_call
        WHERE shipped_at IS NULL AND ship_error IS NULL AND outcome IS NOT NULL
        ORDER BY created_at, id LIMIT 1
        """
    ).fetchone()
    return None if row is None else row[0]


def mark_shipped(connection: Connection, calls: Collection[StoredCall]) -> None:
    """Elasticsearch has them as they were read; one that was completed meanwhile stays due."""
    connection.execute(
        """
        UPDATE ifms.treasury_call c SET shipped_at = clock_timestamp()
        FROM unnest(%s::uuid[], %s::text[]) AS s(id, outcome)
        WHERE c.id = s.id AND c.outcome IS NOT DISTINCT FROM s.outcome
        """,
        ([call.id for call in calls], [call.outcome for call in calls]),
    )


def set_calls_aside(connection: Connection, reasons: Mapping[UUID, str]) -> None:
    """Elasticsearch refuses these documents; they are left out until somebody wants them tried again."""
    connection.execute(
        """
        UPDATE ifms.treasury_call c SET ship_error = s.reason
        FROM unnest(%s::uuid[], %s::text[]) AS s(id, reason) WHERE c.id = s.id
        """,
        (list(reasons), list(reasons.values())),
    )


def ship_again(connection: Connection) -> int:
    """Let all that was set aside be tried again; returns how many."""
    return connection.execute("UPDATE ifms.treasury_call SET ship_error = NULL WHERE ship_error IS NOT NULL").rowcount


# Looking, and an end to keeping ---------------------------------------------------------------------------------------


def record_access(
    connection: Connection,
    call_id: str,
    *,
    source: str,
    os_user: str,
    airflow_user: str | None,
    unmasked: bool,
    reason: str | None,
) -> None:
    """Write who is about to look at a call: a row of the `ledger`, or a `document` of the index."""
    connection.execute(
        """
        INSERT INTO ifms.call_access (call_id, source, os_user, airflow_user, unmasked, reason)
        VALUES (%s, %s, %s, %s, %s, %s)
        """,
        (call_id, source, os_user, airflow_user, unmasked, reason),
    )


def remove_old_calls(connection: Connection, before: datetime, *, unshipped_too: bool, limit: int) -> int:
    """Remove up to `limit` calls made before then, the oldest first; returns how many.

    The database keeps what is younger than 90 days, was not shipped (unless `unshipped_too`), or is about a PI that
    still waits for something. Raises LedgerError for a `before` that is less than 90 days ago.
    """
    row = connection.execute("SELECT ifms.remove_old_calls(%s, %s, %s)", (before, unshipped_too, limit)).fetchone()
    assert row is not None
    return int(row[0])
