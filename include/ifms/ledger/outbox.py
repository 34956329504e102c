"""Outbox: messages to others, enqueued in the transaction of the change that they are about; ifms_relay delivers them.

Rows of one `ordering_key` are delivered in the order of their ids, at least once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from psycopg.types.json import Jsonb

from ifms.errors import BadInputError, ClaimLostError
from ifms.ledger.claims import Claim, Queue, claim, settle
from ifms.ledger.database import Connection
from ifms.ledger.models import PaymentInstruction
from ifms.ledger.statuses import BeneficiaryStatus
from ifms.ledger.write_batch import RowStatement, Target, write, write_row

PAYMENT_STATUS = "payment_status"
SMS = "sms"
PI_INDEX = "pi_index"
NOTICES = (SMS, PI_INDEX)
"""Topics of which nothing is enqueued unless somebody has subscribed to them (`set_subscriptions`)."""

MISSING_FOR = timedelta(days=7)
"""So long ifms_relay must have found no connection before its subscriptions end."""

LEASE = timedelta(minutes=5)
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=6)


@dataclass(frozen=True)
class Message:
    """One message of the outbox."""

    id: int
    topic: str
    tenant_id: str
    ordering_key: str
    payload: Mapping[str, Any]
    attempts: int


def enqueue_payment_status(
    target: Target, tenant_id: str, payment_number: str, status: str, reference_status: str
) -> None:
    """The platform shall set the payment, its bills, details and lines to `status` (digit-services.md §3)."""
    _write(target, tenant_id, payment_number, {"status": status, "referenceStatus": reference_status})


def enqueue_line_statuses(
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


def enqueue_sms(
    target: Target,
    pis: Collection[PaymentInstruction],
    outcome: Literal["paid", "failed"],
    utrs: Mapping[str, str | None],
) -> None:
    """SMS to those whose payment by one of these PIs this very transaction has found paid, or come back.

    `utrs` are by beneficiary number, where the ledger's row has none or an older one. Whose phone it is, is looked up
    when the SMS goes out: no number is kept in a message. A department has none.
    """
    status = {"paid": BeneficiaryStatus.SUCCESSFUL, "failed": BeneficiaryStatus.FAILED}[outcome]
    write(
        target,
        """
        INSERT INTO ifms.outbox (topic, tenant_id, ordering_key, payload)
        SELECT 'sms', p.tenant_id, p.tenant_id || ':' || b.beneficiary_number,
               jsonb_build_object('outcome', %(outcome)s::text, 'paymentNumber', p.payment_number,
                                  'beneficiaryNumber', b.beneficiary_number, 'payee', b.beneficiary_id,
                                  'payeeType', b.beneficiary_type, 'amount', b.amount::text,
                                  'utr', coalesce(%(utrs)s::jsonb ->> b.beneficiary_number, b.utr_number))
        FROM ifms.payment_instruction p JOIN ifms.beneficiary b ON b.payment_instruction_id = p.id
        WHERE p.id = ANY(%(pis)s) AND b.status = %(status)s AND b.updated_at = now()
          AND b.beneficiary_type <> 'DEPT'
          AND EXISTS (SELECT FROM ifms.notice WHERE topic = 'sms' AND wanted)
        ORDER BY b.payment_instruction_id, b.beneficiary_number
        """,
        {
            "outcome": outcome,
            "utrs": Jsonb({number: utr for number, utr in utrs.items() if utr}),
            "pis": [pi.id for pi in pis],
            "status": status,
        },
    )


_PI_INDEX = RowStatement(
    """
    INSERT INTO ifms.outbox (topic, tenant_id, ordering_key, payload)
    SELECT 'pi_index', {tenant}, {key}, {payload} {rows}
    WHERE EXISTS (SELECT FROM ifms.notice WHERE topic = 'pi_index' AND wanted)
    """,
    {"tenant": "text", "key": "text", "payload": "jsonb"},
)


def enqueue_pi_index(target: Target, pi: PaymentInstruction) -> None:
    """An update of the PI index for changed beneficiaries; each status of a PI enqueues one by itself (a trigger)."""
    payload = {"piNumber": pi.pi_number, "status": pi.status}
    key = f"{pi.tenant_id}:{pi.payment_number}"
    write_row(target, _PI_INDEX, {"tenant": pi.tenant_id, "key": key, "payload": payload})


def set_subscriptions(connection: Connection, wanted: Collection[str]) -> int:
    """Of `NOTICES`, these are subscribed to from now on, and the others no more.

    What waits of the others is closed, undelivered; returns how many.
    """
    for topic in NOTICES:
        if topic in wanted:
            connection.execute(
                """
                INSERT INTO ifms.notice (topic, wanted) VALUES (%s, true)
                ON CONFLICT (topic) DO UPDATE SET wanted = true, missing_since = NULL,
                    wanted_since = CASE WHEN notice.wanted THEN notice.wanted_since ELSE now() END
                """,
                (topic,),
            )
        else:
            connection.execute("UPDATE ifms.notice SET wanted = false, missing_since = NULL WHERE topic = %s", (topic,))
    return connection.execute(
        """
        UPDATE ifms.outbox SET delivered_at = now(), undeliverable = true, set_aside_at = NULL, claim_token = NULL,
               claimed_until = NULL, last_error = 'nobody wants to hear it any more'
        WHERE delivered_at IS NULL AND topic = ANY(%s)
        """,
        ([topic for topic in NOTICES if topic not in wanted],),
    ).rowcount


def miss_subscriber(connection: Connection) -> int:
    """The connection of who subscribed is not there: what they want is written on for a week, and then no more.

    It may have been removed by mistake, or can't be looked up for an hour. Returns how many messages were closed.
    """
    connection.execute("UPDATE ifms.notice SET missing_since = now() WHERE wanted AND missing_since IS NULL")
    gone = connection.execute(
        "SELECT count(*) > 0 FROM ifms.notice WHERE wanted AND missing_since < now() - %s", (MISSING_FOR,)
    ).fetchone()
    return set_subscriptions(connection, ()) if gone and gone[0] else 0


_PAYMENT_STATUS = RowStatement(
    "INSERT INTO ifms.outbox (topic, tenant_id, ordering_key, payload)"
    f" SELECT '{PAYMENT_STATUS}', {{tenant}}, {{key}}, {{payload}} {{rows}}",
    {"tenant": "text", "key": "text", "payload": "jsonb"},
)


def _write(target: Target, tenant_id: str, payment_number: str, payload: Mapping[str, object]) -> None:
    payload = {"paymentNumber": payment_number, **payload}
    key = f"{tenant_id}:{payment_number}"
    write_row(target, _PAYMENT_STATUS, {"tenant": tenant_id, "key": key, "payload": payload})


_DUE = """
    q.delivered_at IS NULL AND q.set_aside_at IS NULL AND q.next_attempt_at <= now()
    AND NOT EXISTS (
        SELECT FROM ifms.outbox earlier
        WHERE earlier.topic = q.topic AND earlier.ordering_key = q.ordering_key
          AND earlier.id < q.id AND earlier.delivered_at IS NULL)"""
"""Of each key the earliest that is undelivered, when its time has come."""

_MESSAGES = Queue(
    table="outbox",
    due="q.topic = ANY(%(topics)s) AND" + _DUE,
    order="q.id",
    polled=None,
    also="attempts = attempts + 1",
)


def anything_due(connection: Connection) -> bool:
    """Whether a message could be delivered now."""
    row = connection.execute(f"SELECT EXISTS (SELECT FROM ifms.outbox q WHERE {_DUE})").fetchone()
    return bool(row and row[0])


def claim_messages(
    connection: Connection, limit: int, topics: Collection[str] = (PAYMENT_STATUS,)
) -> tuple[Claim, list[Message]]:
    """Take the next message of each key that has one due: the earliest, and only if none before it is undelivered."""
    return claim(connection, _MESSAGES, Message, limit=limit, lease=LEASE, topics=list(topics))


def history_by_message(connection: Connection, messages: Collection[Message]) -> dict[int, list[Mapping[str, Any]]]:
    """By each message's id the payloads about its payment: those up to and with its own, and all that were delivered.

    In the order of their ids. One that is delivered late (another's transaction began later and has committed first, or
    a person sends it again) undoes nothing that the platform has heard since.
    """
    rows = connection.execute(
        """
        SELECT told.id, said.payload FROM ifms.outbox told
        JOIN ifms.outbox said USING (topic, ordering_key)
        WHERE told.id = ANY(%s) AND (said.id <= told.id OR said.delivered_at IS NOT NULL) ORDER BY told.id, said.id
        """,
        ([message.id for message in messages],),
    ).fetchall()
    found: dict[int, list[Mapping[str, Any]]] = {message.id: [] for message in messages}
    for message_id, payload in rows:
        found[message_id].append(payload)
    return found


def waiting_since(connection: Connection, topics: Collection[str]) -> datetime | None:
    """Since when the oldest message of these topics waits that is not set aside; None when none does."""
    row = connection.execute(
        """
        SELECT min(created_at) FROM ifms.outbox
        WHERE delivered_at IS NULL AND set_aside_at IS NULL AND topic = ANY(%s)
        """,
        (list(topics),),
    ).fetchone()
    return row[0] if row else None


def delivered(connection: Connection, message: Message, claim: Claim) -> None:
    """It is delivered. Raises ClaimLostError when another run has taken it over."""
    _settle(connection, message, claim, "delivered_at = now(), last_error = NULL")


def all_delivered(connection: Connection, ids: Collection[int], claim: Claim) -> int:
    """These are delivered; returns how many of them another run has taken over meanwhile."""
    cursor = connection.execute(
        """
        UPDATE ifms.outbox SET delivered_at = now(), last_error = NULL, claim_token = NULL, claimed_until = NULL
        WHERE id = ANY(%s) AND claim_token = %s
        """,
        (list(ids), claim.token),
    )
    return len(ids) - cursor.rowcount


def close_undeliverable(connection: Connection, message: Message, claim: Claim, why: str) -> None:
    """There is nobody to deliver it to: it is closed with the reason, and holds nothing up. Raises ClaimLostError."""
    _settle(connection, message, claim, "delivered_at = now(), undeliverable = true, last_error = %(error)s", error=why)


def try_later(
    connection: Connection, message: Message, claim: Claim, error: str, longest: timedelta = LONGEST_PAUSE
) -> None:
    """It could not be delivered; tried again after a pause that doubles up to `longest`. Raises ClaimLostError."""
    pause = min(FIRST_PAUSE * 2 ** min(message.attempts - 1, 20), longest)
    _settle(connection, message, claim, "next_attempt_at = now() + %(pause)s, last_error = %(error)s", pause, error)


def set_aside(connection: Connection, message: Message, claim: Claim, error: str) -> None:
    """It can't be delivered as it is: a person must look, and send it again. Raises ClaimLostError.

    What follows for the same key waits, so that the order holds.
    """
    _settle(connection, message, claim, "set_aside_at = now(), last_error = %(error)s", error=error)


def give_back(connection: Connection, message: Message, claim: Claim) -> None:
    """It was not tried. Raises ClaimLostError."""
    _settle(connection, message, claim, "attempts = attempts - 1")


def _settle(
    connection: Connection,
    message: Message,
    claim: Claim,
    sets: str,
    pause: timedelta | None = None,
    error: str | None = None,
) -> None:
    if not settle(connection, "outbox", message.id, claim, sets, pause=pause, error=error):
        raise ClaimLostError(f"message {message.id} of the outbox was taken over by another run; nothing was written")


def send_again(connection: Connection, ids: Collection[int] | None) -> int:
    """Let what was set aside be tried again: these messages, or all of them when `ids` is None; returns how many.

    By its id also what was closed because nobody was there to hear it. Raises BadInputError, and changes nothing, for
    an id that is no such message.
    """
    found = connection.execute(
        """
        UPDATE ifms.outbox SET set_aside_at = NULL, delivered_at = NULL, undeliverable = false, attempts = 0,
               next_attempt_at = now()
        WHERE (set_aside_at IS NOT NULL AND delivered_at IS NULL AND (%(ids)s::bigint[] IS NULL OR id = ANY(%(ids)s)))
           OR (undeliverable AND id = ANY(%(ids)s))
        RETURNING id
        """,
        {"ids": None if ids is None else list(ids)},
    ).fetchall()
    missing = sorted(set(ids or ()) - {row[0] for row in found})
    if missing:
        raise BadInputError(f"message {missing[0]} of the outbox is not set aside: nothing was changed")
    return len(found)
