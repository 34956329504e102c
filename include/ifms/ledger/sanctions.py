"""Sanctions that a person closes, so that nothing more is paid from them, and opens again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from psycopg.rows import class_row

from ifms.cities import Cities
from ifms.errors import BadInputError, ConflictError
from ifms.ledger.database import Connection
from ifms.ledger.proposals import Act, Approval, use


@dataclass(frozen=True)
class Sanction:
    """A sanction with its balances in rupees; who closed it, why and when, unless it is open.

    `not_used_because` no PI is made from it: CLOSED or EARLIER YEAR; None where PIs are.
    """

    id: UUID
    tenant_id: str
    financial_year: str
    hoa_code: str
    ddo_code: str
    master_allotment_id: str
    allotted_amount: Decimal
    reserved_amount: Decimal
    spent_amount: Decimal
    available_amount: Decimal
    not_used_because: str | None
    closed_at: datetime | None
    closed_by: str | None
    closed_reason: str | None


_SANCTIONS = """
    SELECT s.id, s.tenant_id, s.financial_year, s.hoa_code, s.ddo_code, s.master_allotment_id,
           s.allotted_amount, s.reserved_amount, s.spent_amount, s.available_amount,
           CASE WHEN s.closed_at IS NOT NULL THEN 'CLOSED'
                WHEN NOT o.use_earlier_years
                     AND s.financial_year < ifms.financial_year((now() AT TIME ZONE 'Asia/Kolkata')::date)
                THEN 'EARLIER YEAR' END AS not_used_because,
           s.closed_at, c.person AS closed_by, c.reason AS closed_reason
    FROM ifms.sanction s CROSS JOIN ifms.setting o
    LEFT JOIN LATERAL (
        SELECT person, reason FROM ifms.sanction_closing WHERE sanction_id = s.id ORDER BY id DESC LIMIT 1
    ) c ON s.closed_at IS NOT NULL
"""


def listed(
    connection: Connection, tenants: Collection[str] | None = None, *, limit: int | None = None
) -> list[Sanction]:
    """The first `limit` sanctions of these cities, or of all, the latest financial year of each city first."""
    with connection.cursor(row_factory=class_row(Sanction)) as cursor:
        return cursor.execute(
            _SANCTIONS
            + """
            WHERE %(tenants)s::text[] IS NULL OR s.tenant_id = ANY(%(tenants)s)
            ORDER BY s.tenant_id, s.financial_year DESC, s.hoa_code, s.ddo_code, s.master_allotment_id
            LIMIT %(limit)s
            """,
            {"tenants": None if tenants is None else list(tenants), "limit": limit},
        ).fetchall()


def set_closed(
    connection: Connection,
    sanction_id: UUID,
    *,
    closed: bool,
    reason: str,
    person: str,
    cities: Cities = Cities.ALL,
    approval: Approval = None,
) -> Sanction:
    """Close a sanction, or open it again, in the caller's transaction; name and reason stay on record.

    What is reserved on it stays so: its PIs are sent and settled. Where it needs a second person, `approval` is the
    proposal that one has approved, and is used up. Raises SecondPersonError without one, BadInputError without
    reason or name, or for a sanction that is not known here or of none of these cities, ConflictError for one that is
    closed, or open, already, or whose money another city has by now.
    """
    reason, person = " ".join(reason.split()), person.strip()
    if not reason or not person:
        raise BadInputError("closing a sanction, or opening it again, needs a reason and the name of who does it")
    # Whoever is choosing a sanction for a PI holds this lock.
    row = connection.execute(
        "SELECT closed_at, tenant_id FROM ifms.sanction WHERE id = %s FOR UPDATE", (sanction_id,)
    ).fetchone()
    if row is None or row[1] not in cities:
        raise BadInputError(f"sanction {sanction_id} is not known here: `ifms sanction list` names those that are")
    if (row[0] is not None) == closed:
        raise ConflictError(f"sanction {sanction_id} is {'closed' if closed else 'open'} already: nothing was changed")
    if not closed and (other := _counts_in(connection, sanction_id)) is not None:
        raise ConflictError(
            f"sanction {sanction_id} stays closed: its allotments count in {other} since, and money is in one city; if "
            "that is wrong, mend ifms.SSUDetails and close the sanction there first"
        )
    proposal = use(connection, Act.SANCTION, str(sanction_id), {"closed": closed}, approval)
    if proposal is not None:
        reason, person = proposal.reason, proposal.people
    connection.execute(
        "INSERT INTO ifms.sanction_closing (sanction_id, closed, reason, person) VALUES (%s, %s, %s, %s)",
        (sanction_id, closed, reason, person),
    )
    with connection.cursor(row_factory=class_row(Sanction)) as cursor:
        sanction = cursor.execute(_SANCTIONS + "WHERE s.id = %s", (sanction_id,)).fetchone()
    assert sanction is not None
    return sanction


def _counts_in(connection: Connection, sanction_id: UUID) -> str | None:
    """The other city on whose open sanction an allotment of this one counts; None when there is none."""
    row = connection.execute(
        """
        SELECT other.tenant_id FROM ifms.allotment mine
        JOIN ifms.allotment theirs ON theirs.tenant_id <> mine.tenant_id
         AND (theirs.hoa_code, theirs.ddo_code, theirs.master_allotment_id, theirs.ssu_allotment_id, theirs.serial_no)
           = (mine.hoa_code, mine.ddo_code, mine.master_allotment_id, mine.ssu_allotment_id, mine.serial_no)
         AND theirs.grantee_code = mine.grantee_code
        JOIN ifms.sanction other ON other.id = theirs.sanction_id AND other.closed_at IS NULL
        WHERE mine.sanction_id = %s ORDER BY 1 LIMIT 1
        """,
        (sanction_id,),
    ).fetchone()
    return None if row is None else str(row[0])
