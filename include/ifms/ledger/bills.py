"""Bills: each is paid by one payment, whoever asks the platform for it and however often."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from ifms.errors import ConflictError
from ifms.ledger.claims import Claim, Queue, claim, settle
from ifms.ledger.database import Connection
from ifms.ledger.models import PaymentInstruction
from ifms.ledger.write_batch import Target, write

# The platform stores a payment within seconds of announcing it; a bill that has none after this time is looked at.
STORED_WITHIN = timedelta(hours=1)


@dataclass(frozen=True)
class ClaimedBill:
    """A bill whose payment this run may ask the platform for."""

    id: UUID
    bill_id: str
    duplicate_since: datetime | None = None
    """Since when the platform refuses its payment as a second one, and calls the bill unpaid."""


_UNPAID = Queue(
    table="bill",
    due="q.tenant_id = %(tenant)s AND q.bill_id = ANY(%(bills)s) AND q.payment_number IS NULL",
    order="q.bill_id",
    polled=None,
    also="asked_at = now()",
)


def claim_bills(
    connection: Connection, tenant_id: str, bill_ids: Collection[str], lease: timedelta
) -> tuple[Claim, dict[str, ClaimedBill]]:
    """Take the right to create the payments of these bills; returns those that were free, by the platform's id.

    A bill whose payment is known, that another run is asking for, or that another city has, is not free.
    """
    bills = sorted(bill_ids)
    connection.execute(
        """
        INSERT INTO ifms.bill (tenant_id, bill_id) SELECT %s, wanted FROM unnest(%s::text[]) wanted
        ON CONFLICT DO NOTHING
        """,
        (tenant_id, bills),
    )
    mine, taken = claim(connection, _UNPAID, ClaimedBill, limit=None, lease=lease, tenant=tenant_id, bills=bills)
    return mine, {bill.bill_id: bill for bill in taken}


def never_stored(connection: Connection, tenant_id: str, bill_ids: Collection[str]) -> list[tuple[str, str]]:
    """Of bills that the platform calls unpaid: (bill, payment) where it announced a payment long ago."""
    return connection.execute(
        """
        SELECT bill_id, payment_number FROM ifms.bill
        WHERE tenant_id = %s AND bill_id = ANY(%s) AND payment_number IS NOT NULL AND asked_at < now() - %s
        ORDER BY bill_id
        """,
        (tenant_id, list(bill_ids), STORED_WITHIN),
    ).fetchall()


def bills_elsewhere(
    connection: Connection, tenant_id: str, bill_ids: Collection[str]
) -> list[tuple[str, str, str | None]]:
    """Of these bills those that another city has here: (bill, that city, the number of what pays it)."""
    return connection.execute(
        """
        SELECT bill_id, tenant_id, payment_number FROM ifms.bill
        WHERE bill_id = ANY(%s) AND tenant_id <> %s ORDER BY bill_id
        """,
        (list(bill_ids), tenant_id),
    ).fetchall()


def payments_of_bills(connection: Connection, tenant_id: str, bill_ids: Collection[str]) -> dict[str, str]:
    """The number of the payment that pays each of these bills, as far as there is one."""
    rows = connection.execute(
        """
        SELECT bill_id, payment_number FROM ifms.bill
        WHERE tenant_id = %s AND bill_id = ANY(%s) AND payment_number IS NOT NULL
        """,
        (tenant_id, list(bill_ids)),
    ).fetchall()
    return dict(rows)


def bills_of(connection: Connection, pis: Collection[PaymentInstruction]) -> dict[UUID, list[str]]:
    """The platform's bills that the payment of each of these PIs pays, by the PI's id."""
    found: dict[UUID, list[str]] = {pi.id: [] for pi in pis}
    rows = connection.execute(
        """
        SELECT of.id, b.bill_id FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS of (id, tenant_id, payment_number)
        JOIN ifms.bill b USING (tenant_id, payment_number) ORDER BY b.bill_id
        """,
        (list(found), [pi.tenant_id for pi in pis], [pi.payment_number for pi in pis]),
    )
    for pi_id, bill_id in rows:
        found[pi_id].append(bill_id)
    return found


def give_up_bill(connection: Connection, bill: ClaimedBill, claim: Claim, *, duplicate: bool = False) -> None:
    """The platform has refused the payment, as a second one if `duplicate`: whoever comes next may ask again.

    Not for a request that may have arrived: then the claim runs out by itself, when the platform has long stored it.
    """
    sets = "duplicate_since = coalesce(duplicate_since, now())" if duplicate else ""
    settle(connection, _UNPAID.table, bill.id, claim, sets)


def bind_bills(target: Target, tenant_id: str, paid: Mapping[str, Collection[str]]) -> None:
    """Each of these payments, by number, pays these bills; one without a payment is the city's from then on.

    Raises ConflictError when one is paid by another, of whichever city.
    """
    bound: dict[str, str] = {}
    for number, bill_ids in paid.items():
        for bill_id in bill_ids:
            if bound.setdefault(bill_id, number) != number:
                raise _paid_twice(tenant_id, number, bill_id, tenant_id, bound[bill_id])
    bound = dict(sorted(bound.items()))
    values = {"tenant": tenant_id, "bills": list(bound), "payments": list(bound.values())}
    write(
        target,
        """
        INSERT INTO ifms.bill (tenant_id, bill_id, payment_number)
        SELECT %(tenant)s, * FROM unnest(%(bills)s::text[], %(payments)s::text[])
        ON CONFLICT (bill_id) DO UPDATE
        SET tenant_id = excluded.tenant_id, payment_number = excluded.payment_number
        WHERE bill.payment_number IS NULL
           OR (bill.tenant_id, bill.payment_number) = (excluded.tenant_id, excluded.payment_number)
        """,
        values,
        rows=len(bound),
        otherwise=lambda connection: _paid_by_another(connection, values),
    )


def _paid_by_another(connection: Connection, values: Mapping[str, object]) -> ConflictError:
    other = connection.execute(
        """
        SELECT %(tenant)s, paid.payment_number, bill_id, b.tenant_id, b.payment_number
        FROM unnest(%(bills)s::text[], %(payments)s::text[]) AS paid (bill_id, payment_number)
        JOIN ifms.bill b USING (bill_id)
        WHERE (b.tenant_id, b.payment_number) <> (%(tenant)s, paid.payment_number) ORDER BY bill_id LIMIT 1
        """,
        values,
    ).fetchone()
    return _paid_twice(*(other or ("?", "?", "?", "?", "?")))


def _paid_twice(tenant_id: str, payment_number: str, bill_id: str, other_city: str, other: str) -> ConflictError:
    return ConflictError(
        f"payment {payment_number} of {tenant_id} pays bill {bill_id}, which payment {other} of {other_city} pays "
        "already: ask the platform which of them is right"
    )
