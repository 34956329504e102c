"""Payment instructions: written once with their money reserved, then moved along by what the treasury says."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from ifms import clock
from ifms.errors import ClaimLostError, ConflictError, WireError
from ifms.ledger import funds
from ifms.ledger.claims import Claim, Queue
from ifms.ledger.database import Connection
from ifms.ledger.funds import Movement
from ifms.ledger.models import Beneficiary, Funding, NewBeneficiary, Payment, PaymentInstruction
from ifms.ledger.statuses import BeneficiaryStatus, Event, PiStatus, after

_CONDITIONS = """
       AND (%(tenants)s::text[] IS NULL OR q.tenant_id = ANY(%(tenants)s))
       AND (%(created_from)s::timestamptz IS NULL OR q.created_at >= %(created_from)s)
       AND (%(created_to)s::timestamptz IS NULL OR q.created_at < %(created_to)s)"""


def queue(status: PiStatus, pi_type: str) -> Queue:
    """The PIs of one status and type, least recently asked about first."""
    return Queue(
        table="payment_instruction",
        due=f"q.status = '{status}' AND q.pi_type = '{pi_type}'" + _CONDITIONS,
        order="q.polled_at NULLS FIRST, q.id",
    )


UNSETTLED = queue(PiStatus.PENDING, "ORIGINAL")

_COLUMNS = sql.SQL(", ").join(sql.Identifier(f.name) for f in fields(PaymentInstruction))


@dataclass(frozen=True)
class NewInstruction:
    """A PI to be written; the gross and net amounts of a wage PI are equal (treasury-jit.md §2 PI)."""

    pi_number: str
    payment: Payment
    bill_date: datetime
    purpose: str
    beneficiaries: Sequence[NewBeneficiary]
    additional_details: Mapping[str, Any]

    @property
    def amount(self) -> Decimal:
        """What its beneficiaries get together, in rupees."""
        return sum((b.amount for b in self.beneficiaries), Decimal(0))


def create(
    connection: Connection, new: NewInstruction, funding: Funding, payment_claim: Claim, mine: Claim
) -> PaymentInstruction:
    """Write a PI, PENDING, claimed by `mine` and about to be sent, with its beneficiaries and its money reserved.

    In the caller's transaction: the number exists before the treasury hears of it. Raises ClaimLostError when another
    run has taken the payment over, ConflictError when the payment's amount is not the PI's (and, through
    Database.transact, when the payment has a live PI already), InsufficientFundsError when the money is gone.
    """
    if new.amount != new.payment.amount:
        raise ConflictError(
            f"payment {new.payment.payment_number} was first seen with {new.payment.amount}, "
            f"its lines now sum to {new.amount}"
        )
    with connection.cursor(row_factory=class_row(PaymentInstruction)) as cursor:
        pi = cursor.execute(
            sql.SQL(
                """
                INSERT INTO ifms.payment_instruction (tenant_id, pi_number, pi_type, payment_number, sanction_id,
                    hoa_code, ddo_code, ssu_id, grantee_code, scheme_code, master_allotment_id, ssu_allotment_id,
                    allotment_serial_no, gross_amount, net_amount, beneficiary_count, bill_date, financial_year,
                    purpose, additional_details, attempts, last_attempt, last_attempt_at, claim_token,
                    claimed_until, polled_at)
                VALUES (%(tenant_id)s, %(pi_number)s, 'ORIGINAL', %(payment_number)s, %(sanction_id)s, %(hoa_code)s,
                    %(ddo_code)s, %(ssu_id)s, %(grantee_code)s, %(scheme_code)s, %(master_allotment_id)s,
                    %(ssu_allotment_id)s, %(allotment_serial_no)s, %(amount)s, %(amount)s, %(count)s, %(bill_date)s,
                    %(financial_year)s, %(purpose)s, %(additional_details)s, 1, 'sending', clock_timestamp(), %(token)s,
                    clock_timestamp() + %(lease)s, clock_timestamp())
                RETURNING {}
                """
            ).format(_COLUMNS),
            {
                **{f.name: getattr(funding, f.name) for f in fields(Funding)},
                "tenant_id": new.payment.tenant_id,
                "pi_number": new.pi_number,
                "payment_number": new.payment.payment_number,
                "amount": new.amount,
                "count": len(new.beneficiaries),
                "bill_date": new.bill_date,
                "financial_year": clock.financial_year_label(clock.financial_year(new.bill_date)),
                "purpose": new.purpose,
                "additional_details": Jsonb(dict(new.additional_details)),
                "token": mine.token,
                "lease": mine.lease,
            },
        ).fetchone()
    assert pi is not None
    _insert_beneficiaries(connection, pi.id, new.beneficiaries)
    funds.move(connection, Movement.RESERVE, funding.sanction_id, pi.id, new.amount)
    taken = connection.execute(
        """
        UPDATE ifms.payment SET paid_by = %s, hold_code = NULL, hold_message = NULL, held_since = NULL,
               claim_token = NULL, claimed_until = NULL
        WHERE id = %s AND claim_token = %s AND paid_by IS NULL
        """,
        (pi.id, new.payment.id, payment_claim.token),
    )
    if taken.rowcount != 1:
        raise ClaimLostError(f"payment {new.payment.payment_number} was taken over by another run; no PI was made here")
    return pi


def _insert_beneficiaries(connection: Connection, instruction_id: UUID, rows: Sequence[NewBeneficiary]) -> None:
    names = [f.name for f in fields(NewBeneficiary)]
    statement = sql.SQL("INSERT INTO ifms.beneficiary (payment_instruction_id, {}) VALUES ({})").format(
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL(", ").join(sql.Placeholder() * (len(names) + 1)),
    )
    values = [
        (instruction_id, *(list(v) if isinstance(v := getattr(row, name), tuple) else v for name in names))
        for row in rows
    ]
    with connection.cursor() as cursor:
        cursor.executemany(statement, values)


def beneficiaries(connection: Connection, instruction_ids: Collection[UUID]) -> dict[UUID, list[Beneficiary]]:
    """The beneficiaries of each of these PIs, in the order of their numbers."""
    found: dict[UUID, list[Beneficiary]] = {i: [] for i in instruction_ids}
    columns = sql.SQL(", ").join(sql.Identifier(f.name) for f in fields(Beneficiary))
    with connection.cursor(row_factory=class_row(Beneficiary)) as cursor:
        cursor.execute(
            sql.SQL(
                """
                SELECT {} FROM ifms.beneficiary WHERE payment_instruction_id = ANY(%s)
                ORDER BY payment_instruction_id, beneficiary_number
                """
            ).format(columns),
            (list(instruction_ids),),
        )
        for row in cursor:
            found[row.payment_instruction_id].append(row)
    return found


def attempt(connection: Connection, pi: PaymentInstruction, claim: Claim) -> None:
    """Note that the PI is about to be sent: whoever finds it so must take the call for one that may have arrived.

    Raises ClaimLostError when another run has taken it over.
    """
    _update(connection, pi, claim, {"last_attempt": "sending"}, counted=True, keep_claim=True)


def settle_attempt(connection: Connection, pi: PaymentInstruction, claim: Claim, outcome: str, message: str) -> None:
    """Note how an attempt ended that settled nothing (`never_sent`, `unknown`): PENDING, its money reserved."""
    _update(connection, pi, claim, {"last_attempt": outcome, "error_message": message})


def note(connection: Connection, pi: PaymentInstruction, claim: Claim, message: str | None) -> None:
    """Keep the last call's message for the info band, change nothing else, and give the PI back."""
    _update(connection, pi, claim, {"error_message": message})


@dataclass(frozen=True)
class Change:
    """What was changed: the new status (None when it stayed), and the word that a sweep counts it under."""

    status: PiStatus | None
    label: str


def advance(
    connection: Connection,
    pi: PaymentInstruction,
    claim: Claim,
    event: Event,
    *,
    keep_claim: bool = False,
    **columns: object,
) -> Change:
    """Move the PI along by `event`, write what the treasury told with it, move its money, and give it back.

    Accepted: reserved money is spent. Declined: released. Rejected: spent money goes back, and the payment may have a
    new PI. Raises LedgerError for an event that may not happen in the PI's status, ClaimLostError when another run has
    taken it over.
    """
    status = after(pi.status, event)
    if status is PiStatus.FAILED:
        columns["is_active"] = False
    _update(connection, pi, claim, {"status": status, **columns}, keep_claim=keep_claim)
    movement = {
        Event.ACCEPTED: Movement.DEBIT,
        Event.DECLINED: Movement.RELEASE,
        Event.REJECTED: Movement.REVERSAL,
    }.get(event)
    if movement and pi.pi_type == "ORIGINAL":
        funds.move(connection, movement, pi.sanction_id, pi.id, pi.net_amount)
    return Change(status, event.replace(" ", "_"))


def set_beneficiaries(
    connection: Connection, pi: PaymentInstruction, start: BeneficiaryStatus, end: BeneficiaryStatus
) -> None:
    """Move every beneficiary of the PI that is `start` to `end`."""
    connection.execute(
        """
        UPDATE ifms.beneficiary SET status = %s, updated_at = now() WHERE payment_instruction_id = %s AND status = %s
        """,
        (end, pi.id, start),
    )


def note_beneficiaries(connection: Connection, pi: PaymentInstruction, messages: Mapping[str, str]) -> None:
    """Keep what the treasury said of single beneficiaries, by beneficiary number."""
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            UPDATE ifms.beneficiary SET status_message = %s, updated_at = now()
            WHERE payment_instruction_id = %s AND beneficiary_number = %s
            """,
            [(message, pi.id, number) for number, message in messages.items()],
        )


@dataclass(frozen=True)
class Scroll:
    """One beneficiary's debit scroll; dates are the treasury's (IST)."""

    beneficiary_number: str
    voucher_number: str
    voucher_date: date | None
    utr_number: str
    utr_date: date | None
    end_to_end_id: str | None
    message: str | None


@dataclass(frozen=True)
class Tally:
    """How a PI's beneficiaries stand."""

    waiting: int
    failed: int


def record_scrolls(connection: Connection, pi: PaymentInstruction, scrolls: Sequence[Scroll]) -> Tally:
    """Write the debit scrolls of a PI's beneficiaries, matched by number in any case; how the beneficiaries stand then.

    A scroll that was told before changes nothing, and one for a beneficiary that has failed since does not revive it.
    Raises WireError, and nothing is written, for a scroll of somebody who is no beneficiary of the PI.
    """
    known = {b.beneficiary_number.casefold(): b.beneficiary_number for b in beneficiaries(connection, [pi.id])[pi.id]}
    for scroll in scrolls:
        if scroll.beneficiary_number.casefold() not in known:
            raise WireError(f"the reply about {pi.pi_number} names {scroll.beneficiary_number!r}, which is not in it")
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            UPDATE ifms.beneficiary SET status = 'Payment Successful', status_message = %s, voucher_number = %s,
                   voucher_date = %s, utr_number = %s, utr_date = %s, end_to_end_id = %s, updated_at = now()
            WHERE payment_instruction_id = %s AND beneficiary_number = %s
              AND status IN ('Payment Initiated', 'Payment In Process')
            """,
            [
                (
                    s.message,
                    s.voucher_number,
                    s.voucher_date,
                    s.utr_number,
                    s.utr_date,
                    s.end_to_end_id,
                    pi.id,
                    known[s.beneficiary_number.casefold()],
                )
                for s in scrolls
            ],
        )
        row = cursor.execute(
            """
            SELECT count(*) FILTER (WHERE status NOT IN ('Payment Successful', 'Payment Failed')),
                   count(*) FILTER (WHERE status = 'Payment Failed')
            FROM ifms.beneficiary WHERE payment_instruction_id = %s
            """,
            (pi.id,),
        ).fetchone()
    assert row is not None
    return Tally(row[0], row[1])


def free_payment(connection: Connection, pi: PaymentInstruction, code: str, message: str) -> None:
    """After a PI has FAILED: its payment may have a new one, once a person or a repaired account says so."""
    connection.execute(
        """
        UPDATE ifms.payment SET paid_by = NULL, hold_code = %s, hold_message = %s, held_since = now()
        WHERE tenant_id = %s AND payment_number = %s AND paid_by = %s
        """,
        (code, message, pi.tenant_id, pi.payment_number, pi.id),
    )


def _update(
    connection: Connection,
    pi: PaymentInstruction,
    claim: Claim,
    columns: Mapping[str, object],
    *,
    counted: bool = False,
    keep_claim: bool = False,
) -> None:
    """One conditional update of a claimed PI: it touches no row once the claim is another's or the status has moved."""
    sets: list[sql.Composable] = [
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in columns
    ]
    sets.append(sql.SQL("updated_at = now()"))
    if counted:
        sets.append(sql.SQL("attempts = attempts + 1, last_attempt_at = clock_timestamp()"))
    if not keep_claim:
        sets.append(sql.SQL("claim_token = NULL, claimed_until = NULL"))
    cursor = connection.execute(
        sql.SQL(
            """
            UPDATE ifms.payment_instruction SET {}
            WHERE id = %(id_)s AND claim_token = %(token_)s AND status = %(was_)s
            """
        ).format(sql.SQL(", ").join(sets)),
        {**columns, "id_": pi.id, "token_": claim.token, "was_": pi.status},
    )
    if cursor.rowcount != 1:
        raise ClaimLostError(f"PI {pi.pi_number} was taken over by another run of this task; nothing was written")
