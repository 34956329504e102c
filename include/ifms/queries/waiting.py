"""Payments that have no PI: which, why, since when; one of them with its history; how many for which reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.rows import class_row, dict_row

from ifms.cities import Cities
from ifms.errors import BadInputError
from ifms.ledger.database import Connection

COUNT_LIMIT = 10_000
"""How far a total is counted: more than that is told as 'more than that'."""
NOTHING_SAID = "NOT_SAID"
"""The reason of a payment that nothing holds: no run has looked at it yet, or one is at work on it."""


@dataclass(frozen=True)
class Criteria:
    """Which payments; a criterion that is None says nothing. `after` is the id of an earlier page's last row."""

    tenant_id: str | None = None
    payment_number: str | None = None
    bill_number: str | None = None
    reason: str | None = None
    limit: int = 50
    after: UUID | None = None


@dataclass(frozen=True)
class Waiting:
    """A payment that has no PI, or none that has not failed; its amount in rupees."""

    id: UUID
    tenant_id: str
    payment_number: str
    amount: Decimal
    bill_numbers: list[str]
    raised_at: datetime
    reason: str
    why: str
    held_since: datetime | None
    polled_at: datetime | None
    tries: int
    """How often a run has looked at it and made no PI."""
    attempts: int
    """How many PIs it had, all of which have failed."""
    last_pi_number: str | None
    withheld: bool
    """The Java adapter has worked on it and it was not taken over: no run makes a PI of it before that is settled."""

    @property
    def all_tries(self) -> int:
        """How often it was tried: with a PI that failed, or without one."""
        return self.tries + self.attempts

    @property
    def since(self) -> datetime:
        """Since when this is its reason."""
        return self.held_since or self.raised_at


@dataclass(frozen=True)
class Reason:
    """How many payments have no PI for this reason, their rupees, and when the oldest of them was raised."""

    reason: str
    payments: int
    amount: Decimal
    oldest: datetime


_REASON = f"coalesce(y.hold_code, '{NOTHING_SAID}')"
_COLUMNS = f"""
    y.id, y.tenant_id, y.payment_number, y.amount, y.bill_numbers, y.raised_at, {_REASON} AS reason, y.why,
    y.held_since, y.polled_at, y.tries, y.attempts, y.last_pi_number,
    EXISTS (SELECT FROM ifms.import_withheld w WHERE w.settled_at IS NULL AND w.tenant_id = y.tenant_id
            AND ifms.plain_number(w.payment_number) = ifms.plain_number(y.payment_number)) AS withheld
"""


def find(connection: Connection, criteria: Criteria, cities: Cities) -> list[Waiting]:
    """A page of them, the oldest first; one row more than `limit` when there are more.

    The page's rows are chosen first and the rest looked up then, so that a page costs what a page holds.
    """
    where, values = _conditions(criteria, cities)
    if criteria.after is not None:
        where += " AND (y.raised_at, y.id) > (SELECT raised_at, id FROM ifms.payment WHERE id = %(after)s)"
        values["after"] = criteria.after
    with connection.cursor(row_factory=class_row(Waiting)) as cursor:
        return cursor.execute(
            f"""
            WITH page AS MATERIALIZED (
                SELECT y.id FROM ifms.payment y WHERE {where} ORDER BY y.raised_at, y.id LIMIT %(limit)s + 1
            )
            SELECT {_COLUMNS} FROM ifms.waiting_payment y WHERE y.id IN (SELECT id FROM page) ORDER BY y.raised_at, y.id
            """.encode(),
            values | {"limit": criteria.limit},
            prepare=False,
        ).fetchall()


def count(connection: Connection, criteria: Criteria, cities: Cities, most: int = COUNT_LIMIT) -> int:
    """How many there are, whatever the page; `most` + 1 stands for more than that."""
    where, values = _conditions(criteria, cities)
    row = connection.execute(
        f"SELECT count(*) FROM (SELECT FROM ifms.payment y WHERE {where} LIMIT %(limit)s) counted".encode(),
        values | {"limit": most + 1},
        prepare=False,
    ).fetchone()
    assert row is not None
    return int(row[0])


def one(connection: Connection, tenant_id: str, payment_number: str, cities: Cities) -> Waiting | None:
    """This payment, if it has no PI."""
    found = find(connection, Criteria(tenant_id, payment_number, limit=1), cities)
    return found[0] if found else None


@dataclass(frozen=True)
class Standing:
    """What there is to know of a payment, whether it has a PI or not."""

    payment: dict[str, Any]
    log: list[dict[str, Any]]
    """What was said of it and of its PIs, the latest first."""
    instructions: list[dict[str, Any]]
    """Its original PIs, the newest first: `pi_number`, `status`, `created_at`."""


def standing(connection: Connection, tenant_id: str, payment_number: str, cities: Cities) -> Standing | None:
    """The payment as the ledger has it; None when it has none, or may not be shown."""
    values = {"tenant": tenant_id, "number": payment_number, "cities": cities.listed}
    with connection.cursor(row_factory=dict_row) as cursor:
        payment = cursor.execute(
            """
            SELECT id, tenant_id, payment_number, amount, bill_numbers, raised_at, paid_by FROM ifms.payment
            WHERE tenant_id = %(tenant)s AND payment_number = %(number)s
              AND (%(cities)s::text[] IS NULL OR tenant_id = ANY(%(cities)s))
            """,
            values,
        ).fetchone()
        if payment is None:
            return None
        log = cursor.execute(
            """
            SELECT service_id, status, ifms.without_numbers(message) AS message, created_at FROM ifms.status_log
            WHERE tenant_id = %(tenant)s AND payment_number = %(number)s ORDER BY id DESC LIMIT 50
            """,
            values,
        ).fetchall()
        instructions = cursor.execute(
            """
            SELECT pi_number, status, created_at FROM ifms.payment_instruction
            WHERE tenant_id = %(tenant)s AND payment_number = %(number)s AND pi_type = 'ORIGINAL'
              AND repayment_of IS NULL ORDER BY created_at DESC, id DESC
            """,
            values,
        ).fetchall()
    return Standing(payment, log, instructions)


def reasons(connection: Connection, cities: Cities) -> list[Reason]:
    """How many have no PI for which reason, of these cities; the most rupees first."""
    with connection.cursor(row_factory=class_row(Reason)) as cursor:
        return cursor.execute(
            f"""
            SELECT {_REASON} AS reason, count(*) AS payments, sum(y.amount) AS amount, min(y.raised_at) AS oldest
            FROM ifms.payment y
            WHERE y.paid_by IS NULL AND (%(cities)s::text[] IS NULL OR y.tenant_id = ANY(%(cities)s))
            GROUP BY 1 ORDER BY 3 DESC, 1
            """.encode(),
            {"cities": cities.listed},
        ).fetchall()


def cities_waiting(connection: Connection, cities: Cities) -> list[str]:
    """The cities that have such payments."""
    rows = connection.execute(
        """
        SELECT DISTINCT tenant_id FROM ifms.payment
        WHERE paid_by IS NULL AND (%(cities)s::text[] IS NULL OR tenant_id = ANY(%(cities)s)) ORDER BY 1
        """,
        {"cities": cities.listed},
    )
    return [row[0] for row in rows]


def cursor_id(text: str) -> UUID:
    """The id that a page's address names. Raises BadInputError for what is none."""
    try:
        return UUID(text)
    except ValueError:
        raise BadInputError("this page can't be found again; search anew") from None


def _conditions(criteria: Criteria, cities: Cities) -> tuple[str, dict[str, Any]]:
    """Only what is asked for is in the statement, so that PostgreSQL plans each search for its own index."""
    asked = {
        "cities": ("y.tenant_id = ANY(%(cities)s)", cities.listed),
        "tenant_id": ("y.tenant_id = %(tenant_id)s", criteria.tenant_id),
        "payment_number": ("y.payment_number = %(payment_number)s", criteria.payment_number),
        "reason": (f"{_REASON} = %(reason)s", criteria.reason),
        # Of one that had a PI, its PI's bills are found by the list of PIs, too.
        "bill": (
            """(y.bill_numbers @> ARRAY[%(bill)s::text] OR EXISTS (
                SELECT FROM ifms.payment_instruction p WHERE p.bill_numbers @> ARRAY[%(bill)s::text]
                  AND p.tenant_id = y.tenant_id AND p.payment_number = y.payment_number))""",
            criteria.bill_number,
        ),
    }
    chosen = {name: each for name, each in asked.items() if each[1] is not None}
    where = " AND ".join(["y.paid_by IS NULL", *(text for text, _ in chosen.values())])
    return where, {name: value for name, (_, value) in chosen.items()}
