"""Payments of the platform that are to be paid, and why some have no payment instruction yet."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from ifms.errors import BadInputError, ClaimLostError
from ifms.ledger.claims import Claim, Queue, settle
from ifms.ledger.database import Connection
from ifms.ledger.funds import IN_A_YEAR_OF_USE
from ifms.ledger.models import NewPayment, Payment
from ifms.ledger.proposals import Act, Approval, policy, use
from ifms.money import Tally

DECLINED = "PI_DECLINED"
REJECTED = "PI_REJECTED"
CANCELLED = "PI_CANCELLED"  # by a person, before it was sent: a person releases it
IN_DOUBT = "PI_IN_DOUBT"  # the treasury may have one of its earlier PIs: a person releases it, then it is asked about
TREASURY_SILENT = "TREASURY_SILENT"  # an earlier PI could not be asked about: the next run asks again

# A payment that waits for funds is due only once some sanction of its city that may pay it in `financial_year` (that of
# the run) has its amount. It waits for a person when its PI was rejected by the SSU, cancelled, or may be at the
# treasury, when the Java adapter has worked on it and it could not be imported, or when it may have a PI that a
# restored ledger does not know. One that was declined is looked at again, and gets a new PI once its accounts differ.
UNPAID = Queue(
    table="payment",
    due=f"""q.paid_by IS NULL
       AND (q.hold_code IS NULL OR q.hold_code NOT IN ('PI_REJECTED', 'PI_IN_DOUBT', 'PI_CANCELLED'))
       AND (%(tenants)s::text[] IS NULL OR q.tenant_id = ANY(%(tenants)s))
       AND (%(raised_from)s::timestamptz IS NULL OR q.raised_at >= %(raised_from)s)
       AND (%(raised_to)s::timestamptz IS NULL OR q.raised_at < %(raised_to)s)
       AND (%(payments)s::text[] IS NULL OR q.payment_number = ANY(%(payments)s))
       AND (q.hold_code IS DISTINCT FROM 'PAYMENT_INSUFFICIENT_FUNDS' OR EXISTS (
            SELECT FROM ifms.sanction s WHERE s.tenant_id = q.tenant_id AND s.closed_at IS NULL
              AND s.available_amount >= q.amount AND {IN_A_YEAR_OF_USE}))
       AND NOT EXISTS (SELECT FROM ifms.import_withheld w WHERE w.settled_at IS NULL
                       AND w.tenant_id = q.tenant_id
                       AND ifms.plain_number(w.payment_number) = ifms.plain_number(q.payment_number))
       AND NOT ifms.in_doubt(q)""",
    order="q.raised_at, q.id",
)


@dataclass(frozen=True)
class ToldOtherwise:
    """A payment that the platform tells otherwise than it was first seen: a conflict for a person to look at."""

    told: NewPayment
    known_as: tuple[str, str] | None = None
    """City and number under which its id is known, where they are others; else its amount or its id has changed."""


def remember_payments(connection: Connection, payments: Sequence[NewPayment]) -> list[ToldOtherwise]:
    """Take in payments of the platform; those known already stay as they were first seen.

    One without a time was raised by now, and in a ledger that was restored before that: it may have a PI that was lost.

    Returns those that the platform tells with another amount than was first seen, or of another payment under that
    number; and those whose id is known as another city's or by another number, which are not taken in by that.
    """
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO ifms.payment (tenant_id, payment_number, payment_id, amount, raised_at)
            VALUES (%s, %s, %s, %s, coalesce(
                %s, (SELECT max(restored_at) - interval '1 millisecond' FROM ifms.restored), now()))
            ON CONFLICT DO NOTHING
            """,
            [(p.tenant_id, p.payment_number, p.payment_id, p.amount, p.raised_at) for p in payments],
        )
        seen = cursor.execute(
            """
            SELECT first.amount, first.payment_id, same.tenant_id, same.payment_number
            FROM unnest(%s::text[], %s::text[], %s::text[]) WITH ORDINALITY
                 AS told (tenant_id, payment_number, payment_id, place)
            LEFT JOIN ifms.payment first USING (tenant_id, payment_number)
            LEFT JOIN ifms.payment same ON same.payment_id = told.payment_id AND same.payment_id <> ''
                  AND (same.tenant_id, same.payment_number) <> (told.tenant_id, told.payment_number)
            ORDER BY place
            """,
            (
                [p.tenant_id for p in payments],
                [p.payment_number for p in payments],
                [p.payment_id for p in payments],
            ),
        ).fetchall()
    return [
        ToldOtherwise(told, None if city is None else (city, number))
        for told, (amount, payment_id, city, number) in zip(payments, seen, strict=True)
        if city is not None or amount != told.amount or payment_id not in (told.payment_id, "")  # '' is not known
    ]


def spelled_otherwise(connection: Connection, payments: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Of these payments (city and number) those that may be paid by a number in other letters, and why.

    It differs only in small and capital letters, in blanks, or in what is not seen: of an import, mostly.
    """
    rows = connection.execute(
        """
        SELECT told.tenant_id, told.payment_number, min(p.pi_number || ' (' || p.status || ')')
        FROM unnest(%s::text[], %s::text[]) AS told (tenant_id, payment_number)
        JOIN ifms.payment y ON y.tenant_id = told.tenant_id AND y.payment_number <> told.payment_number
          AND ifms.plain_number(y.payment_number) = ifms.plain_number(told.payment_number)
        JOIN ifms.payment_instruction p ON (p.tenant_id, p.payment_number) = (y.tenant_id, y.payment_number)
        WHERE p.status <> 'FAILED' OR p.uncertain
        GROUP BY 1, 2
        """,
        ([tenant for tenant, _ in payments], [number for _, number in payments]),
        prepare=True,
    )
    return {
        (tenant, number): f"payment {number} differs only in small and capital letters, or in blanks, from the number "
        f"that PI {pi} pays: ask the treasury, and cancel it on the platform if it is paid"
        for tenant, number, pi in rows
    }


def payments_due(connection: Connection, tenants: Collection[str] | None = None) -> Tally:
    """The payments that wait and that no run of ifms_pi has looked at yet."""
    row = connection.execute(
        """
        SELECT count(*), coalesce(sum(amount), 0.00) FROM ifms.payment
        WHERE paid_by IS NULL AND polled_at IS NULL AND (%(t)s::text[] IS NULL OR tenant_id = ANY(%(t)s))
        """,
        {"t": None if tenants is None else list(tenants)},
    ).fetchone()
    return Tally(*row) if row else Tally()


def note_bill_numbers(connection: Connection, tenant_id: str, payment_number: str, numbers: Collection[str]) -> None:
    """Keep the numbers of the bills that the payment pays, by which people look for it."""
    connection.execute(
        "UPDATE ifms.payment SET bill_numbers = %s WHERE tenant_id = %s AND payment_number = %s",
        (sorted(set(numbers)), tenant_id, payment_number),
    )


def hold_payment(
    connection: Connection,
    payment: Payment,
    claim: Claim,
    code: str,
    message: str,
    bill_numbers: Collection[str] = (),
) -> bool:
    """Say why a payment gets no PI now, and give it back. True when this was not known before.

    `bill_numbers` are its bills' as far as they were found. Raises ClaimLostError when another run has taken it over.
    """
    held = """
        tries = tries + 1,
        bill_numbers = CASE WHEN cardinality(%(bills)s::text[]) = 0 THEN bill_numbers ELSE %(bills)s END,
        held_since = CASE WHEN hold_code = %(code)s AND hold_message = %(message)s THEN held_since ELSE now() END,
        hold_code = %(code)s, hold_message = %(message)s"""
    bills = sorted(set(bill_numbers))
    if not settle(connection, "payment", payment.id, claim, held, code=code, message=message, bills=bills):
        raise ClaimLostError(f"payment {payment.payment_number} was taken over by another run; nothing was written")
    return (payment.hold_code, payment.hold_message) != (code, message)


# Of one that the platform has told otherwise, a person has asked by now which payment its number names.
_FORGOTTEN = "payment_id = CASE WHEN hold_code = 'PAYMENT_NOT_PAYABLE' THEN '' ELSE payment_id END"


def release_holds(
    connection: Connection,
    payment_numbers: Collection[str],
    tenants: Collection[str] | None = None,
    *,
    approval: Approval = None,
    done_in: str | None = None,
) -> None:
    """A person wants new PIs for these payments, of `tenants` alone: nothing holds them back any more.

    Raises BadInputError, for the caller's transaction to be taken back, for a payment that is not known there or has a
    live PI, and for a number that two of these cities have; SecondPersonError for one of so much that another person
    has to approve one more PI, unless `approval` says that one has.
    """
    values = {"numbers": list(payment_numbers), "tenants": None if tenants is None else list(tenants)}
    rows = connection.execute(
        f"""
        UPDATE ifms.payment SET hold_code = NULL, hold_message = NULL, held_since = NULL, polled_at = NULL,
               released_at = now(), {_FORGOTTEN}
        WHERE payment_number = ANY(%(numbers)s) AND paid_by IS NULL
          AND (%(tenants)s::text[] IS NULL OR tenant_id = ANY(%(tenants)s))
        RETURNING payment_number, tenant_id, amount
        """,
        values,
    ).fetchall()
    missing = sorted(set(payment_numbers) - {row[0] for row in rows})
    if missing:
        raise BadInputError(
            f"payment {missing[0]!r} is not known here, or has a payment instruction under way: nothing was changed"
        )
    cities: dict[str, set[str]] = {number: set() for number in payment_numbers}
    for number, city in (*(row[:2] for row in rows), *_with_pi(connection, values)):
        cities[number].add(city)
    for number, found in sorted(cities.items()):
        if len(found) > 1:
            raise BadInputError(
                f"payment {number!r} is one of {' and one of '.join(sorted(found))}: name the one city (tenants); "
                "nothing was changed"
            )
    _resubmitted(connection, rows, approval, done_in)


def _with_pi(connection: Connection, values: Mapping[str, object]) -> list[tuple[str, str]]:
    """(number, city) of those of these payments that have had a PI."""
    return connection.execute(
        """
        SELECT DISTINCT payment_number, tenant_id FROM ifms.payment_instruction
        WHERE payment_number = ANY(%(numbers)s) AND (%(tenants)s::text[] IS NULL OR tenant_id = ANY(%(tenants)s))
        """,
        values,
    ).fetchall()


@dataclass(frozen=True)
class Resubmission:
    """One more PI for a payment, as another person approves it: its amount, its city, and the last PI before it."""

    amount: Decimal
    given: Mapping[str, str]


def needs_two(connection: Connection, tenant_id: str, payment_number: str) -> Resubmission | None:
    """What another person has to approve before the payment gets its next PI; None when nobody has."""
    row = connection.execute(
        "SELECT amount FROM ifms.payment WHERE (tenant_id, payment_number) = (%s, %s) AND paid_by IS NULL",
        (tenant_id, payment_number),
    ).fetchone()
    last = last_pis(connection, [(tenant_id, payment_number)])
    if row is None or not last or not policy(connection).needs(Act.RESUBMISSION, row[0]):
        return None
    return Resubmission(row[0], _approved_as(tenant_id, last[tenant_id, payment_number]))


def last_pis(connection: Connection, payments: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The number of the last PI of each of these payments (city, number) that has had one."""
    rows = connection.execute(
        """
        SELECT DISTINCT ON (tenant_id, payment_number) tenant_id, payment_number, pi_number
        FROM ifms.payment_instruction
        WHERE (tenant_id, payment_number) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
        ORDER BY tenant_id, payment_number, created_at DESC, pi_number DESC
        """,
        ([tenant for tenant, _ in payments], [number for _, number in payments]),
    ).fetchall()
    return {(tenant, number): last for tenant, number, last in rows}


def _approved_as(tenant_id: str, last_pi: str) -> dict[str, str]:
    """A resubmission's parameters: whoever approved it knew what had become of this PI, and of none after it."""
    return {"tenant": tenant_id, "last_pi": last_pi}


def _resubmitted(
    connection: Connection, freed: Collection[tuple[str, str, Decimal]], approval: Approval, done_in: str | None
) -> None:
    """Of payments (number, city, amount) that may have a PI, one that had one is resubmitted: that may need two people.

    Raises SecondPersonError for one that needs a proposal, for a second one of the same proposal, and where what was
    approved was to come after an earlier PI than the last.
    """
    above = [row for row in freed if policy(connection).needs(Act.RESUBMISSION, row[2])]
    last = last_pis(connection, [(tenant, number) for number, tenant, _ in above])
    for number, tenant, amount in above:
        if (tenant, number) in last:
            given = _approved_as(tenant, last[tenant, number])
            use(connection, Act.RESUBMISSION, number, given, approval, amount=amount, done_in=done_in)


def raised_at(connection: Connection, tenant_id: str, payment_number: str) -> datetime:
    """When the platform raised a payment that is known here."""
    row = connection.execute(
        "SELECT raised_at FROM ifms.payment WHERE (tenant_id, payment_number) = (%s, %s)", (tenant_id, payment_number)
    ).fetchone()
    assert row is not None
    at: datetime = row[0]
    return at


def lines_at_the_treasury(connection: Connection, tenant_id: str, payment_number: str) -> set[str]:
    """The payment's lines (ids of the bills' lines) whose money is at the treasury, or with the payee.

    They are in PIs that the treasury has accepted and the SSU not rejected, and have not come back since.
    """
    rows = connection.execute(
        """
        SELECT DISTINCT unnest(b.line_item_ids) FROM ifms.payment_instruction p
        JOIN ifms.beneficiary b ON b.payment_instruction_id = p.id
        WHERE p.tenant_id = %s AND p.payment_number = %s AND p.status NOT IN ('PENDING', 'FAILED')
          AND b.status <> 'Payment Failed'
        """,
        (tenant_id, payment_number),
    ).fetchall()
    return {row[0] for row in rows}


def lines_paid(connection: Connection, payments: Collection[tuple[str, str]]) -> dict[tuple[str, str], set[str]]:
    """The lines (ids of the bills' lines) that are in a PI of these payments (city and number) that has not FAILED."""
    rows = connection.execute(
        """
        SELECT p.tenant_id, p.payment_number, array_agg(DISTINCT line)
        FROM unnest(%s::text[], %s::text[]) AS told (tenant_id, payment_number)
        JOIN ifms.payment_instruction p USING (tenant_id, payment_number)
        JOIN ifms.beneficiary b ON b.payment_instruction_id = p.id CROSS JOIN LATERAL unnest(b.line_item_ids) line
        WHERE p.status <> 'FAILED' GROUP BY 1, 2
        """,
        ([tenant for tenant, _ in payments], [number for _, number in payments]),
    )
    return {(tenant, number): set(lines) for tenant, number, lines in rows}


def free_payments_of(
    connection: Connection,
    pi_numbers: Collection[str],
    *,
    free: bool,
    approval: Approval = None,
    done_in: str | None = None,
) -> list[str]:
    """The payments of these original PIs; with `free`, what holds back those without a live PI is forgotten.

    Only the last PI of a payment speaks for it: an older one has had its successor. Raises BadInputError for a number
    that is no PI, SecondPersonError as `release_holds` does.
    """
    rows = connection.execute(
        """
        SELECT p.pi_number, p.pi_type, p.repayment_of, p.tenant_id, p.payment_number FROM ifms.payment_instruction p
        WHERE p.pi_number = ANY(%s) ORDER BY p.pi_number
        """,
        (list(pi_numbers),),
    ).fetchall()
    missing = sorted(set(pi_numbers) - {row[0] for row in rows})
    if missing:
        raise BadInputError(f"PI {missing[0]!r} is not known here: nothing was changed")
    if free:
        freed = connection.execute(
            f"""
            UPDATE ifms.payment SET hold_code = NULL, hold_message = NULL, held_since = NULL, polled_at = NULL,
                   released_at = now(), {_FORGOTTEN}
            FROM unnest(%s::text[], %s::text[]) AS of (tenant_id, payment_number)
            WHERE payment.tenant_id = of.tenant_id AND payment.payment_number = of.payment_number
              AND payment.paid_by IS NULL
            RETURNING payment.payment_number, payment.tenant_id, payment.amount
            """,
            (
                [row[3] for row in rows if row[1] == "ORIGINAL" and row[2] is None],
                [row[4] for row in rows if row[1] == "ORIGINAL" and row[2] is None],
            ),
        ).fetchall()
        _resubmitted(connection, freed, approval, done_in)
    return list(dict.fromkeys(row[4] for row in rows if row[1] == "ORIGINAL"))
