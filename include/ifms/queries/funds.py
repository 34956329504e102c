"""Sanctions with their allotments, and the register of what was allotted, spent and given back in a financial year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.rows import class_row, dict_row

from ifms.cities import Cities, condition
from ifms.ledger.database import Connection

KINDS = {
    "Initial Allotment": ("ALLOTMENT", "INITIAL"),
    "Additional Allotment": ("ALLOTMENT", "ADDITIONAL"),
    "Withdrawal": ("WITHDRAWAL", None),
    "Expense": ("DEBIT", None),
    "Expense Reversed": ("REVERSAL", None),
}
"""The register's transaction types: the kind of movement, and the kind of allotment where that tells them apart."""


@dataclass(frozen=True)
class SanctionCriteria:
    """Which sanctions; a criterion that is None says nothing."""

    ids: Sequence[UUID] | None = None
    tenant_id: str | None = None
    hoa_code: str | None = None
    ddo_code: str | None = None
    master_allotment_id: str | None = None
    ascending: bool = False
    limit: int = 100
    offset: int = 0

    @property
    def narrows(self) -> bool:
        """Whether at least one criterion says what is looked for."""
        return any(getattr(self, name) is not None for name in _SANCTIONS)


_SANCTIONS = {
    "ids": "s.id = ANY(%(ids)s)",
    "tenant_id": "s.tenant_id = %(tenant_id)s",
    "hoa_code": "s.hoa_code = %(hoa_code)s",
    "ddo_code": "s.ddo_code = %(ddo_code)s",
    "master_allotment_id": "s.master_allotment_id = %(master_allotment_id)s",
}


def sanctions(connection: Connection, criteria: SanctionCriteria, cities: Cities) -> tuple[list[dict[str, Any]], int]:
    """A page of these cities' sanctions, the last changed first, each with its `allotments`; and how many in all."""
    wanted = [sql.SQL(text) for name, text in _SANCTIONS.items() if getattr(criteria, name) is not None]
    where = sql.SQL(" AND ").join([*wanted, sql.SQL(condition("s.tenant_id"))])
    values = {name: getattr(criteria, name) for name in _SANCTIONS} | {
        "cities": cities.listed,
        "limit": criteria.limit,
        "offset": criteria.offset,
    }
    if criteria.ids is not None:
        values["ids"] = list(criteria.ids)
    direction = sql.SQL("ASC" if criteria.ascending else "DESC")
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            sql.SQL(
                "SELECT * FROM ifms.sanction s WHERE {0} ORDER BY s.updated_at {1}, s.id {1} "
                "LIMIT %(limit)s OFFSET %(offset)s"
            ).format(where, direction),
            values,
        ).fetchall()
        allotments = cursor.execute(
            "SELECT * FROM ifms.allotment WHERE sanction_id = ANY(%s) ORDER BY serial_no DESC, received_at DESC",
            ([row["id"] for row in rows],),
        ).fetchall()
        total = cursor.execute(
            sql.SQL("SELECT count(*) AS total FROM ifms.sanction s WHERE {}").format(where), values
        ).fetchone()
    for row in rows:
        row["allotments"] = [each for each in allotments if each["sanction_id"] == row["id"]]
    return rows, int(total["total"]) if total else 0


@dataclass(frozen=True)
class RegisterCriteria:
    """Which part of the register; `financial_year` like 2024-25, `after` the last movement of the page before."""

    financial_year: str
    tenant_id: str | None = None
    hoa_code: str | None = None
    transaction_type: str | None = None
    limit: int = 100
    after: int = 0


@dataclass(frozen=True)
class Transaction:
    """One row of the register; balances of its sanction after it, in rupees."""

    movement_id: int
    tenant_id: str
    hoa_code: str
    master_allotment_id: str
    transaction_type: str
    transaction_number: str
    transaction_date: date
    transaction_amount: Decimal
    sanctioned_balance: Decimal
    fund_available: Decimal


@dataclass(frozen=True)
class Month:
    """What one month (its first day, IST) brought and took, in rupees."""

    month: date
    allotted: Decimal
    spent: Decimal


@dataclass(frozen=True)
class Head:
    """What one head of account was allotted and has spent, in rupees."""

    hoa_code: str
    allotted: Decimal
    spent: Decimal


@dataclass(frozen=True)
class Sums:
    """The sanctions of a register together, as they stand now, in rupees."""

    sanctions: int
    sanctioned: Decimal
    allotted: Decimal
    reserved: Decimal
    spent: Decimal
    not_used: Decimal

    @property
    def available(self) -> Decimal:
        """Fund Available, as the register counts it: allotted less spent."""
        return self.allotted - self.spent


@dataclass(frozen=True)
class Standing:
    """What is available on a city's sanctions, in rupees: to pay from, on earlier years, on closed ones."""

    tenant_id: str
    sanctions: int
    usable: Decimal
    earlier_years: Decimal
    closed: Decimal


# No PI is made from it (of sanction s, by the settings o): as the view fund_register says it.
_EARLIER = (
    "NOT o.use_earlier_years AND s.financial_year < ifms.financial_year((now() AT TIME ZONE 'Asia/Kolkata')::date)"
)
_NOT_USED = f"(s.closed_at IS NOT NULL OR {_EARLIER})"

_OF_YEAR = f"""
    SELECT s.id FROM ifms.sanction s
    WHERE s.financial_year = %(financial_year)s
      AND {condition("s.tenant_id")}
      AND (%(hoa_code)s::text IS NULL OR s.hoa_code = %(hoa_code)s)
"""
_REGISTERED = "m.kind IN ('ALLOTMENT', 'WITHDRAWAL', 'DEBIT', 'REVERSAL')"


_CHOSEN = f"""
    FROM ifms.fund_movement m LEFT JOIN ifms.allotment a ON a.id = m.allotment_id
    WHERE m.sanction_id IN ({_OF_YEAR}) AND {_REGISTERED}
      AND (%(kind)s::text IS NULL OR m.kind = %(kind)s)
      AND (%(allotment_kind)s::text IS NULL OR (a.kind = 'INITIAL') = (%(allotment_kind)s::text = 'INITIAL'))
"""


def count(connection: Connection, criteria: RegisterCriteria, cities: Cities, most: int) -> int:
    """How many rows the register has, whatever the page; `most` + 1 stands for more than `most`."""
    row = connection.execute(
        f"SELECT count(*) FROM (SELECT {_CHOSEN} LIMIT %(limit)s) counted".encode(),
        _register_values(criteria, cities) | {"limit": most + 1},
        prepare=False,
    ).fetchone()
    assert row is not None
    return int(row[0])


def register(connection: Connection, criteria: RegisterCriteria, cities: Cities) -> list[Transaction]:
    """A page of the register in the order in which things happened; one row more than `limit` when there are more.

    The page's movements are chosen first and their names looked up then, so that a page costs what a page holds.
    """
    with connection.cursor(row_factory=class_row(Transaction)) as cursor:
        return cursor.execute(
            f"""
            WITH page AS MATERIALIZED (
                SELECT m.id {_CHOSEN} AND m.id > %(after)s ORDER BY m.id LIMIT %(limit)s + 1
            )
            SELECT r.movement_id, r.tenant_id, r.hoa_code, r.master_allotment_id, r.transaction_type,
                   r.transaction_number, r.transaction_date, r.transaction_amount, r.sanctioned_balance,
                   r.fund_available
            FROM ifms.fund_register r WHERE r.movement_id IN (SELECT id FROM page) ORDER BY r.movement_id
            """.encode(),
            _register_values(criteria, cities),
            prepare=False,
        ).fetchall()


def months(connection: Connection, criteria: RegisterCriteria, cities: Cities) -> list[Month]:
    """What each month brought and took, for the chart; months without movement are left out."""
    with connection.cursor(row_factory=class_row(Month)) as cursor:
        return cursor.execute(
            f"""
            SELECT day::date AS month, coalesce(sum(allotted), 0) AS allotted, coalesce(sum(spent), 0) AS spent FROM (
                SELECT date_trunc('month', m.created_at AT TIME ZONE 'Asia/Kolkata') AS day,
                       sum(CASE m.kind WHEN 'ALLOTMENT' THEN m.amount WHEN 'WITHDRAWAL' THEN -m.amount END) AS allotted,
                       sum(CASE m.kind WHEN 'DEBIT' THEN m.amount WHEN 'REVERSAL' THEN -m.amount END) AS spent
                FROM ifms.fund_movement m WHERE m.sanction_id IN ({_OF_YEAR}) AND {_REGISTERED}
                GROUP BY 1
            ) months GROUP BY 1 ORDER BY 1
            """.encode(),
            _register_values(criteria, cities),
            prepare=False,
        ).fetchall()


def sums(connection: Connection, criteria: RegisterCriteria, cities: Cities) -> Sums:
    """The register's sanctions together."""
    with connection.cursor(row_factory=class_row(Sums)) as cursor:
        found = cursor.execute(
            f"""
            SELECT count(*) AS sanctions, coalesce(sum(sanctioned_amount), 0) AS sanctioned,
                   coalesce(sum(allotted_amount), 0) AS allotted, coalesce(sum(reserved_amount), 0) AS reserved,
                   coalesce(sum(spent_amount), 0) AS spent,
                   coalesce(sum(greatest(available_amount, 0)) FILTER (WHERE {_NOT_USED}), 0) AS not_used
            FROM ifms.sanction s CROSS JOIN ifms.setting o WHERE s.id IN ({_OF_YEAR})
            """.encode(),
            _register_values(criteria, cities),
        ).fetchone()
    assert found is not None
    return found


def heads(connection: Connection, criteria: RegisterCriteria, cities: Cities) -> list[Head]:
    """The register's sanctions by head of account, as they stand now, for the chart."""
    with connection.cursor(row_factory=class_row(Head)) as cursor:
        return cursor.execute(
            f"""
            SELECT s.hoa_code, sum(s.allotted_amount) AS allotted, sum(s.spent_amount) AS spent
            FROM ifms.sanction s WHERE s.id IN ({_OF_YEAR}) GROUP BY s.hoa_code ORDER BY s.hoa_code
            """.encode(),
            _register_values(criteria, cities),
        ).fetchall()


def standing(connection: Connection, cities: Cities) -> list[Standing]:
    """What is available on the sanctions of each of these cities, by whether it is paid from."""
    with connection.cursor(row_factory=class_row(Standing)) as cursor:
        return cursor.execute(
            f"""
            SELECT s.tenant_id, count(*) AS sanctions,
                   coalesce(sum(greatest(s.available_amount, 0)) FILTER (WHERE NOT {_NOT_USED}), 0) AS usable,
                   coalesce(sum(greatest(s.available_amount, 0))
                       FILTER (WHERE s.closed_at IS NULL AND {_EARLIER}), 0) AS earlier_years,
                   coalesce(sum(greatest(s.available_amount, 0)) FILTER (WHERE s.closed_at IS NOT NULL), 0) AS closed
            FROM ifms.sanction s CROSS JOIN ifms.setting o
            WHERE {condition("s.tenant_id")}
            GROUP BY s.tenant_id ORDER BY s.tenant_id
            """.encode(),
            {"cities": cities.listed},
        ).fetchall()


def choices(connection: Connection, cities: Cities) -> tuple[list[str], list[str], list[str]]:
    """The financial years, heads of account and cities, of these, that have sanctions."""
    rows = connection.execute(
        f"""
        SELECT DISTINCT financial_year, hoa_code, tenant_id FROM ifms.sanction WHERE {condition("tenant_id")}
        """.encode(),
        {"cities": cities.listed},
    ).fetchall()
    return sorted({r[0] for r in rows}, reverse=True), sorted({r[1] for r in rows}), sorted({r[2] for r in rows})


def city_of(connection: Connection, sanction_id: UUID, cities: Cities) -> str | None:
    """The city of a sanction; None when there is none, or none of these cities."""
    row = connection.execute("SELECT tenant_id FROM ifms.sanction WHERE id = %s", (sanction_id,)).fetchone()
    return row[0] if row is not None and row[0] in cities else None


def _register_values(criteria: RegisterCriteria, cities: Cities) -> dict[str, Any]:
    kind, allotment_kind = KINDS[criteria.transaction_type] if criteria.transaction_type else (None, None)
    return {
        "financial_year": criteria.financial_year,
        "cities": cities.within(criteria.tenant_id).listed,
        "hoa_code": criteria.hoa_code,
        "kind": kind,
        "allotment_kind": allotment_kind,
        "limit": criteria.limit,
        "after": criteria.after,
    }
