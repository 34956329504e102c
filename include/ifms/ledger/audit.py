"""The records' hash chain, one per city: whether it is whole, and where it ends; what people do is a record of it.

The database makes a link for each row of the records in the transaction that makes the row (17_audit.sql of the
baseline). Rules in the form of the invariants (audit.sql) find what was changed, put in or taken out since.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from psycopg.rows import class_row

from ifms.ledger.database import Connection
from ifms.ledger.invariants import SHOWN, Finding, Invariant, broken, read_rules

CHAIN = tuple(read_rules(Path(__file__).with_suffix(".sql")))
ANCHORED = Invariant(
    "chain_is_anchored",
    "the chain still has the links that were anchored",
    "Pause the DAGs that pay; was a backup restored? Else find out who has had the owner's password: the chain was "
    "made anew, or its end was cut off",
    "",
)

MOST_OF_A_SUBJECT = 2000  # characters


@dataclass(frozen=True)
class Head:
    """A link of a chain: the last one, or the one that was the last when the chain was anchored."""

    chain: str
    number: int
    hash: bytes
    linked_at: datetime


def find_changed(connection: Connection, *, shown: int = SHOWN) -> list[Finding]:
    """What of the records was changed, put in or taken out; in one state of all rows by `Database.read_snapshot`.

    Every row of the records is read: a million in half a minute.
    """
    return broken(connection, CHAIN, {}, shown=shown)


def heads(connection: Connection) -> list[Head]:
    """The last link of each chain, by city."""
    with connection.cursor(row_factory=class_row(Head)) as cursor:
        return cursor.execute(
            """
            WITH RECURSIVE chain AS (
                (SELECT chain FROM ifms.audit_link ORDER BY chain LIMIT 1)
                UNION ALL
                SELECT (SELECT l.chain FROM ifms.audit_link l WHERE l.chain > chain.chain ORDER BY l.chain LIMIT 1)
                FROM chain WHERE chain.chain IS NOT NULL
            )
            SELECT last.chain, last.number, last.hash, last.linked_at
            FROM chain CROSS JOIN LATERAL (
                SELECT * FROM ifms.audit_link l WHERE l.chain = chain.chain ORDER BY l.number DESC LIMIT 1) last
            ORDER BY last.chain
            """
        ).fetchall()


def not_anchored(connection: Connection, anchored: Iterable[Head], *, shown: int = SHOWN) -> Finding | None:
    """Which of these links, that once were the last ones, the chain has not or has otherwise."""
    known = list(anchored)
    rows = connection.execute(
        """
        SELECT a.chain, a.number, l.hash IS NULL
        FROM unnest(%s::text[], %s::bigint[], %s::bytea[]) AS a (chain, number, hash)
        LEFT JOIN ifms.audit_link l ON (l.chain, l.number) = (a.chain, a.number)
        WHERE l.hash IS DISTINCT FROM a.hash ORDER BY a.chain, a.number
        """,
        ([each.chain for each in known], [each.number for each in known], [each.hash for each in known]),
    ).fetchall()
    if not rows:
        return None
    texts = [
        f"link {number} of {chain or 'the state'} is {'not there' if missing else 'not the one that was anchored'}"
        for chain, number, missing in rows
    ]
    return Finding(ANCHORED, len(texts), texts[:shown])


def record_action(
    connection: Connection, person: str, action: str, subject: str, *, tenant_id: str | None, reason: str | None = None
) -> None:
    """Write what a person does, in the transaction that does it, or before it when it is a look at something.

    `person` is the login that the auth manager vouches for, `os:NAME` at a terminal; `tenant_id` is None for what is of
    no single city.
    """
    connection.execute(
        "INSERT INTO ifms.person_action (tenant_id, person, action, subject, reason) VALUES (%s, %s, %s, %s, %s)",
        (tenant_id, person, action, subject[:MOST_OF_A_SUBJECT], reason),
    )
