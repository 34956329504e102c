"""What of payments that came back waits for a person: other transfers, failures that match nothing, who is not paid."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

from psycopg.rows import class_row

from ifms.cities import Cities, condition
from ifms.ledger.database import Connection


@dataclass(frozen=True)
class Criteria:
    """Which of them: those of a city, of a PI, original or payment, the one of an id; open ones, or settled ones."""

    tenant_id: str | None = None
    number: str | None = None
    settled: bool = False
    id: UUID | None = None


@dataclass(frozen=True)
class Transfer:
    """A transfer told beside another one of the same beneficiary, or not as it was sent; its amount in rupees."""

    id: UUID
    tenant_id: str
    pi_number: str
    payment_number: str
    beneficiary_number: str
    amount: Decimal
    status: str
    known_utr_number: str | None
    utr_number: str
    voucher_number: str | None
    voucher_date: date | None
    not_as_sent: str | None
    state: str
    first_told_at: datetime
    settled_at: datetime | None
    settled_by: str | None
    settled_reason: str | None


@dataclass(frozen=True)
class Reported:
    """A failure that the treasury has reported and that matches nothing; without a city when no PI has its number."""

    id: UUID
    bill_number: str
    tenant_id: str | None
    beneficiary_number: str | None
    voucher_date: date
    account_last4: str | None
    ifsc: str | None
    utr_number: str | None
    reason: str | None
    why_unmatched: str
    first_told_at: datetime
    settled_at: datetime | None
    settled_by: str | None
    settled_reason: str | None


@dataclass(frozen=True)
class Unpaid:
    """A failed beneficiary whom nobody pays: the money came back, and no revised PI or new original has it."""

    id: UUID
    tenant_id: str
    original_pi_number: str
    pi_number: str
    payment_number: str
    beneficiary_number: str
    amount: Decimal
    reason: str | None
    failed_on: date
    correct_by: date
    days_left: int
    next_step: str
    other_transfer: str | None
    """OPEN or PAID: another transfer may have paid, or has."""
    closed_at: datetime | None
    closed_by: str | None
    closed_reason: str | None


Row = TypeVar("Row", Transfer, Reported, Unpaid)


def transfers(connection: Connection, criteria: Criteria, cities: Cities, most: int | None = None) -> list[Transfer]:
    """Transfers told beside another one, the first told first; settled ones the last settled first.

    Each of these three gives `most` and one more, when there are more.
    """
    where = "state <> 'OPEN'" if criteria.settled else "state = 'OPEN'"
    order = "settled_at DESC, id" if criteria.settled else "first_told_at, id"
    numbers = ("pi_number", "payment_number")
    return _found(connection, Transfer, "doubtful_transfer", where, order, numbers, criteria, cities, most)


def reported(connection: Connection, criteria: Criteria, cities: Cities, most: int | None = None) -> list[Reported]:
    """Reported failures that match nothing; those without a city are for who sees all cities."""
    where = "state = 'CLOSED'" if criteria.settled else "state = 'OPEN'"
    order = "settled_at DESC, id" if criteria.settled else "first_told_at, id"
    numbers = ("bill_number", "payment_number")
    return _found(connection, Reported, "unmatched_failure", where, order, numbers, criteria, cities, most)


def unpaid(connection: Connection, criteria: Criteria, cities: Cities, most: int | None = None) -> list[Unpaid]:
    """Failed beneficiaries whom nobody pays, nor is about to, the most urgent first."""
    where = "closed_at IS NOT NULL" if criteria.settled else "closed_at IS NULL AND next_step <> 'WAIT'"
    order = "closed_at DESC, id" if criteria.settled else "correct_by, beneficiary_number, id"
    numbers = ("original_pi_number", "pi_number", "payment_number")
    return _found(connection, Unpaid, "failed_beneficiary", where, order, numbers, criteria, cities, most)


def cities_with_any(connection: Connection, cities: Cities) -> list[str]:
    """The cities that have any of these, open or settled."""
    rows = connection.execute(
        f"""
        SELECT tenant_id FROM (SELECT tenant_id FROM ifms.doubtful_transfer UNION
                               SELECT tenant_id FROM ifms.unmatched_failure UNION
                               SELECT tenant_id FROM ifms.failed_beneficiary) any_of_them
        WHERE tenant_id IS NOT NULL AND {condition("tenant_id")} ORDER BY 1
        """.encode(),
        {"cities": cities.listed},
    )
    return [row[0] for row in rows]


def _found(
    connection: Connection,
    kind: type[Row],
    view: str,
    where: str,
    order: str,
    numbers: tuple[str, ...],
    criteria: Criteria,
    cities: Cities,
    most: int | None,
) -> list[Row]:
    values: dict[str, object] = {"cities": cities.listed, "limit": None if most is None else most + 1}
    if criteria.tenant_id is not None:
        where += " AND tenant_id = %(tenant)s"
        values["tenant"] = criteria.tenant_id
    if criteria.number is not None:
        where += f" AND %(number)s IN ({', '.join(numbers)})"
        values["number"] = criteria.number
    if criteria.id is not None:
        where += " AND id = %(id)s"
        values["id"] = criteria.id
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(
            f"""
            SELECT {", ".join(each.name for each in fields(kind))} FROM ifms.{view}
            WHERE {where} AND {condition("tenant_id")} ORDER BY {order} LIMIT %(limit)s
            """.encode(),
            values,
            prepare=False,
        ).fetchall()
