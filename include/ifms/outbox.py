"""What others must hear, written in the transaction of the change that they must hear of; ifms_relay delivers it.

Rows of one `ordering_key` are delivered in the order of their ids, at least once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from ifms.errors import BadInputError, ClaimLostError
from ifms.ledger.claims import Claim
from ifms.ledger.database import Connection
from ifms.ledger.writes import Target, write

PAYMENT_STATUS = "payment_status"

LEASE = timedelta(minutes=5)
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=6)


@dataclass(frozen=True)
class Message:
    """One thing that somebody must hear."""

    id: int
    topic: str
    tenant_id: str
    ordering_key: str
    payload: Mapping[str, Any]
    attempts: int


def tell_payment_status(
    target: Target, tenant_id: str, payment_number: str, status: str, reference_status: str
) -> None:
    """The platform shall set the payment, its bills, details and lines to `status` (digit-services.md §3)."""
    _write(target, tenant_id, payment_number, {"status": status, "referenceStatus": reference_status})


def tell_line_statuses(
    target: Target,
    tenant_id: str,
    payment_number: str,
    line_item_ids: Collection[str],
    line_status: str,
    *,
    status: str,
    reference_status: str,
    above: str | None = None,
) -> None:
    """The platform shall set these lines to `line_status` and the payment to `status` (digit-services.md §3).

    `above` is for the details and bills that hold the lines; None leaves them. Other lines stay as they are.
    """
    _write(
        target,
        tenant_id,
        payment_number,
        {
            "status": status,
            "referenceStatus": reference_status,
            "lines": sorted(line_item_ids),
            "lineStatus": line_status,
            "above": above,
        },
    )


def _write(target: Target, tenant_id: str, payment_number: str, said: Mapping[str, object]) -> None:
    write(
        target,
        "INSERT INTO ifms.outbox (topic, tenant_id, ordering_key, payload) VALUES (%s, %s, %s, %s)",
        (
            PAYMENT_STATUS,
            tenant_id,
            f"{tenant_id}:{payment_number}",
            Jsonb({"paymentNumber": payment_number, **said}),
        ),
    )


def anything_due(connection: Connection) -> bool:
    """Whether a message could be delivered now."""
    row = connection.execute(
        """
        SELECT EXISTS (
            SELECT FROM ifms.outbox o
            WHERE o.delivered_at IS NULL AND o.set_aside_at IS NULL AND o.next_attempt_at <= now()
              AND NOT EXISTS (
                  SELECT FROM ifms.outbox earlier
                  WHERE earlier.topic = o.topic AND earlier.ordering_key = o.ordering_key
                    AND earlier.id < o.id AND earlier.delivered_at IS NULL))
        """
    ).fetchone()
    return bool(row and row[0])


def claim_messages(connection: Connection, limit: int) -> tuple[Claim, list[Message]]:
    """Take the next message of each key that has one due: the earliest, and only if none before it is undelivered."""
    mine = Claim(uuid4(), LEASE)
    with connection.cursor(row_factory=class_row(Message)) as cursor:
        found = cursor.execute(
            """
            WITH due AS (
                SELECT o.id FROM ifms.outbox o
                WHERE o.delivered_at IS NULL AND o.set_aside_at IS NULL AND o.next_attempt_at <= now()
                  AND (o.claimed_until IS NULL OR o.claimed_until < clock_timestamp())
                  AND NOT EXISTS (
                      SELECT FROM ifms.outbox earlier
                      WHERE earlier.topic = o.topic AND earlier.ordering_key = o.ordering_key
                        AND earlier.id < o.id AND earlier.delivered_at IS NULL)
                ORDER BY o.id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
            )
            UPDATE ifms.outbox t
            SET claim_token = %(token)s, claimed_until = clock_timestamp() + %(lease)s, attempts = attempts + 1
            FROM due WHERE t.id = due.id
            RETURNING t.id, t.topic, t.tenant_id, t.ordering_key, t.payload, t.attempts
            """,
            {"limit": limit, "token": mine.token, "lease": mine.lease},
        ).fetchall()
    return mine, sorted(found, key=lambda message: message.id)


def stories(connection: Connection, messages: Collection[Message]) -> dict[int, list[Mapping[str, Any]]]:
    """Everything said about each message's payment up to and with it, in order, by the message's id."""
    rows = connection.execute(
        """
        SELECT told.id, said.payload FROM ifms.outbox told
        JOIN ifms.outbox said USING (topic, ordering_key)
        WHERE told.id = ANY(%s) AND said.id <= told.id ORDER BY told.id, said.id
        """,
        ([message.id for message in messages],),
    ).fetchall()
    found: dict[int, list[Mapping[str, Any]]] = {message.id: [] for message in messages}
    for message_id, payload in rows:
        found[message_id].append(payload)
    return found


def delivered(connection: Connection, message: Message, mine: Claim) -> None:
    """It was heard. Raises ClaimLostError when another run has taken it over."""
    _settle(connection, message, mine, "delivered_at = now(), last_error = NULL")


def try_later(connection: Connection, message: Message, mine: Claim, error: str) -> None:
    """It could not be delivered; tried again after a pause that doubles. Raises ClaimLostError."""
    pause = min(FIRST_PAUSE * 2 ** min(message.attempts - 1, 20), LONGEST_PAUSE)
    _settle(connection, message, mine, "next_attempt_at = now() + %(pause)s, last_error = %(error)s", pause, error)


def set_aside(connection: Connection, message: Message, mine: Claim, error: str) -> None:
    """It will not be heard as it is: a person must look, and send it again. Raises ClaimLostError.

    What follows for the same key waits, so that the order holds.
    """
    _settle(connection, message, mine, "set_aside_at = now(), last_error = %(error)s", error=error)


def give_back(connection: Connection, message: Message, mine: Claim) -> None:
    """It was not tried. Raises ClaimLostError."""
    _settle(connection, message, mine, "attempts = attempts - 1")


def _settle(
    connection: Connection,
    message: Message,
    mine: Claim,
    sets: str,
    pause: timedelta | None = None,
    error: str | None = None,
) -> None:
    cursor = connection.execute(
        f"UPDATE ifms.outbox SET {sets}, claim_token = NULL, claimed_until = NULL"  # noqa: S608  (texts of this module)
        " WHERE id = %(id)s AND claim_token = %(token)s",
        {"id": message.id, "token": mine.token, "pause": pause, "error": error},
    )
    if cursor.rowcount != 1:
        raise ClaimLostError(f"message {message.id} of the outbox was taken over by another run; nothing was written")


def send_again(connection: Connection, ids: Collection[int] | None) -> int:
    """Let what was set aside be tried again: these messages, or all of them when `ids` is None; returns how many.

    Raises BadInputError, and changes nothing, for an id that is no message set aside.
    """
    found = connection.execute(
        """
        UPDATE ifms.outbox SET set_aside_at = NULL, attempts = 0, next_attempt_at = now()
        WHERE set_aside_at IS NOT NULL AND delivered_at IS NULL AND (%(ids)s::bigint[] IS NULL OR id = ANY(%(ids)s))
        RETURNING id
        """,
        {"ids": None if ids is None else list(ids)},
    ).fetchall()
    missing = sorted(set(ids or ()) - {row[0] for row in found})
    if missing:
        raise BadInputError(f"message {missing[0]} of the outbox is not set aside: nothing was changed")
    return len(found)
