"""Find payment instructions: each filter by an index, pages that count PIs, a cursor that goes on where one ended."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from ifms import clock
from ifms.cities import Cities
from ifms.errors import BadInputError
from ifms.ledger.database import Connection
from ifms.ledger.limits import overdue

COUNT_LIMIT = 10_000
"""How far a total is counted: more than that is told as 'more than that', which nobody pages through."""

_FOR_ACTION = """p.status IN ('PENDING', 'FAILED', 'PARTIAL', 'COMPLETED') AND (p.status <> 'FAILED' OR NOT EXISTS (
    SELECT FROM ifms.payment_instruction later
    WHERE later.tenant_id = p.tenant_id AND later.payment_number = p.payment_number AND later.status <> 'FAILED'
      AND later.pi_type = p.pi_type AND later.created_at > p.created_at))
    AND (p.status <> 'COMPLETED' OR EXISTS (SELECT FROM ifms.failed_beneficiary f WHERE f.pi_number = p.pi_number))"""


class Order(StrEnum):
    """What the rows are sorted by."""

    CREATED = "created_at"
    CHANGED = "updated_at"


@dataclass(frozen=True)
class Criteria:
    """What is looked for; a criterion that is None says nothing.

    `number` finds the PIs whose number begins with it, `project` those of a project with this number or name, `ward`
    and `work_order` those of which one bill has it. Amounts are rupees, both ends included. `for_action`: PENDING,
    PARTIAL, COMPLETED of which somebody has failed whom nobody pays, and FAILED without a successor. `after` is the
    cursor of an earlier page's last row; `offset` counts PIs.
    """

    ids: Sequence[UUID] | None = None
    tenant_id: str | None = None
    status: str | None = None
    payment_number: str | None = None
    pi_numbers: Sequence[str] | None = None
    number: str | None = None
    parent_pi_number: str | None = None
    bill_number: str | None = None
    work_order: str | None = None
    project: str | None = None
    ward: str | None = None
    hoa_code: str | None = None
    amount_from: Decimal | None = None
    amount_to: Decimal | None = None
    is_active: bool | None = None
    pi_type: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    for_action: bool = False
    order: Order = Order.CREATED
    ascending: bool = False
    limit: int = 50
    offset: int = 0
    after: str | None = None

    @property
    def narrows(self) -> bool:
        """Whether at least one criterion says what is looked for."""
        named = (self.ids, self.tenant_id, self.status, self.payment_number, self.pi_numbers, self.number)
        more = (self.parent_pi_number, self.bill_number, self.pi_type, self.created_from, self.created_to)
        works = (self.work_order, self.project, self.ward, self.hoa_code, self.amount_from, self.amount_to)
        return any(each is not None for each in (*named, *more, *works)) or self.for_action


@dataclass(frozen=True)
class Line:
    """One PI in a list; amounts in rupees."""

    id: UUID
    tenant_id: str
    pi_number: str
    pi_type: str
    parent_pi_number: str | None
    payment_number: str
    status: str
    beneficiary_count: int
    successful_count: int
    failed_count: int
    net_amount: Decimal
    error_message: str | None
    bill_numbers: list[str]
    work_order_numbers: list[str]
    project_numbers: list[str]
    wards: list[str]
    hoa_code: str
    created_at: datetime
    updated_at: datetime
    status_since: datetime

    @property
    def overdue(self) -> bool:
        """Whether it has been where it stands for longer than it should."""
        return overdue(self.pi_type, self.status, self.status_since, clock.now())


@dataclass(frozen=True)
class Page:
    """The lines of a page; `next` is the cursor of what follows, None at the end."""

    lines: list[Line]
    next: str | None


def find(connection: Connection, criteria: Criteria, cities: Cities) -> Page:
    """The page of lines of these cities that meet all criteria. Raises BadInputError for a cursor that is none."""
    chosen = sql.SQL(
        "SELECT p.id, p.status_since FROM ifms.payment_instruction p WHERE {} {} LIMIT %(limit)s OFFSET %(offset)s"
    ).format(_conditions(criteria, cities), _order(criteria))
    statement = sql.SQL(
        """
        WITH chosen AS MATERIALIZED ({chosen})
        SELECT p.id, p.tenant_id, p.pi_number, p.pi_type, p.parent_pi_number, p.payment_number, p.status,
               p.beneficiary_count, p.successful_count, p.failed_count, p.net_amount, p.error_message, p.bill_numbers,
               p.work_order_numbers, p.project_numbers, p.wards, p.hoa_code,
               p.created_at, p.updated_at, chosen.status_since
        FROM chosen JOIN ifms.payment_instruction_summary p USING (id) {order}
        """
    ).format(chosen=chosen, order=_order(criteria))
    values = _values(criteria, cities) | {"limit": criteria.limit + 1, "offset": criteria.offset}
    with connection.cursor(row_factory=class_row(Line)) as cursor:
        lines = cursor.execute(statement, values, prepare=False).fetchall()
    more, lines = len(lines) > criteria.limit, lines[: criteria.limit]
    return Page(lines, cursor_of(lines[-1], criteria.order) if more and lines else None)


def count(connection: Connection, criteria: Criteria, cities: Cities, most: int | None = None) -> int:
    """How many PIs of these cities meet the criteria, whatever the page; `most` (COUNT_LIMIT) + 1: more than that."""
    most = COUNT_LIMIT if most is None else most
    statement = sql.SQL(
        "SELECT count(*) FROM (SELECT FROM ifms.payment_instruction p WHERE {} {} LIMIT %(limit)s) counted"
    ).format(_conditions(criteria, cities, everything=True), _order(criteria))
    row = connection.execute(statement, _values(criteria, cities) | {"limit": most + 1}, prepare=False).fetchone()
    assert row is not None
    return int(row[0])


def cursor_of(line: Line, order: Order) -> str:
    """Where the next page begins: after this line."""
    at = line.created_at if order is Order.CREATED else line.updated_at
    return base64.urlsafe_b64encode(json.dumps([at.isoformat(), str(line.id)]).encode()).decode()


def _position(after: str) -> tuple[datetime, UUID]:
    try:
        at, row_id = json.loads(base64.urlsafe_b64decode(after.encode()))
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise ValueError("no time zone")
        return moment, UUID(row_id)
    except (ValueError, TypeError, AttributeError, binascii.Error, RecursionError):
        raise BadInputError("this page can't be found again; search anew") from None


def _order(criteria: Criteria) -> sql.Composed:
    direction = sql.SQL("ASC" if criteria.ascending else "DESC")
    return sql.SQL("ORDER BY p.{0} {1}, p.id {1}").format(sql.Identifier(criteria.order), direction)


def _conditions(criteria: Criteria, cities: Cities, *, everything: bool = False) -> sql.Composed:
    """Only what is asked for is in the statement: so PostgreSQL plans each search for its own index."""
    wanted: list[sql.Composable] = [
        sql.SQL(text) for name, text in _TEXTS.items() if getattr(criteria, name) is not None
    ]
    wanted_of = cities.within(criteria.tenant_id).listed
    if wanted_of is not None:
        wanted.append(
            sql.SQL("p.tenant_id = %(tenant_id)s" if len(wanted_of) == 1 else "p.tenant_id = ANY(%(cities)s)")
        )
    if criteria.is_active is not None:
        wanted.append(sql.SQL("p.is_active" if criteria.is_active else "NOT p.is_active"))
    if criteria.pi_type is not None:
        # The rare one is named as its index has it.
        wanted.append(sql.SQL("p.pi_type = 'REVISED'" if criteria.pi_type == "REVISED" else "p.pi_type = 'ORIGINAL'"))
    if criteria.for_action:
        wanted.append(sql.SQL(_FOR_ACTION))
    if criteria.after is not None and not everything:
        wanted.append(
            sql.SQL("(p.{}, p.id) {} (%(after_at)s, %(after_id)s)").format(
                sql.Identifier(criteria.order), sql.SQL(">" if criteria.ascending else "<")
            )
        )
    return sql.SQL(" AND ").join(wanted) if wanted else sql.Composed([sql.SQL("true")])


_LISTED = {"bill_number": "billNumber", "work_order": "referenceId", "ward": "ward"}
"""Criteria that are lists in a PI's additionalDetails, by their names there."""

_TEXTS = {
    "ids": "p.id = ANY(%(ids)s)",
    "status": "p.status = %(status)s",
    "payment_number": "p.payment_number = %(payment_number)s",
    "pi_numbers": "p.pi_number = ANY(%(pi_numbers)s)",
    "number": "p.pi_number LIKE %(number)s",
    "parent_pi_number": "p.parent_pi_number = %(parent_pi_number)s",
    **{name: f"p.additional_details @> %({name})s" for name in _LISTED},
    "project": "(p.additional_details @> %(project)s OR p.additional_details @> %(project_name)s)",
    "hoa_code": "p.hoa_code = %(hoa_code)s",
    "amount_from": "p.net_amount >= %(amount_from)s",
    "amount_to": "p.net_amount <= %(amount_to)s",
    "created_from": "p.created_at >= %(created_from)s",
    "created_to": "p.created_at < %(created_to)s",
}


def _values(criteria: Criteria, cities: Cities) -> dict[str, Any]:
    values = {name: getattr(criteria, name) for name in _TEXTS if getattr(criteria, name) is not None}
    wanted_of = cities.within(criteria.tenant_id).listed
    if wanted_of is not None:
        values |= {"tenant_id": wanted_of[0]} if len(wanted_of) == 1 else {"cities": wanted_of}
    for name in ("ids", "pi_numbers"):
        if name in values:
            values[name] = list(values[name])
    if criteria.number is not None:
        escaped = criteria.number.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        values["number"] = f"{escaped}%"
    for name, listed_as in _LISTED.items():
        if name in values:
            values[name] = Jsonb({listed_as: [values[name]]})
    if criteria.project is not None:
        values["project"] = Jsonb({"projectNumber": [criteria.project]})
        values["project_name"] = Jsonb({"projectName": [criteria.project]})
    if criteria.after is not None:
        values["after_at"], values["after_id"] = _position(criteria.after)
    return values
