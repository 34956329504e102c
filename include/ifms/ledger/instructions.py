"""Payment instructions: written once with their money reserved, then moved along by what the treasury says."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.rows import class_row

from ifms import clock
from ifms.errors import ClaimLostError, ConflictError
from ifms.ledger import beneficiaries, funds
from ifms.ledger.bills import bills_of, bind_bills
from ifms.ledger.binding import sign_instruction
from ifms.ledger.claims import GIVEN_BACK, Claim, Queue
from ifms.ledger.columns import as_recordset, columns_of
from ifms.ledger.database import Connection
from ifms.ledger.funds import Movement
from ifms.ledger.limits import RETURNABLE_DAYS
from ifms.ledger.models import Beneficiary, Funding, NewBeneficiary, Payment, PaymentInstruction
from ifms.ledger.statuses import Event, PiStatus, after
from ifms.ledger.write_batch import RowStatement, Target, connection_of, write, write_row
from ifms.signing import Keyring

_CONDITIONS = """
       AND (%(tenants)s::text[] IS NULL OR q.tenant_id = ANY(%(tenants)s))
       AND (%(created_from)s::timestamptz IS NULL OR q.created_at >= %(created_from)s)
       AND (%(created_to)s::timestamptz IS NULL OR q.created_at < %(created_to)s)
       AND (%(pi_numbers)s::text[] IS NULL OR q.pi_number = ANY(%(pi_numbers)s))
       AND (%(payments)s::text[] IS NULL OR q.payment_number = ANY(%(payments)s))"""


def queue(status: PiStatus, pi_type: str) -> Queue:
    """The PIs of one status and type, least recently asked about first."""
    return Queue(
        table="payment_instruction",
        due=f"q.status = '{status}' AND q.pi_type = '{pi_type}'" + _CONDITIONS,
        order="q.polled_at NULLS FIRST, q.id",
    )


UNSETTLED = queue(PiStatus.PENDING, "ORIGINAL")
UNSETTLED_REVISIONS = queue(PiStatus.PENDING, "REVISED")

# Revisions that FTPS is asked about: until all is paid, or, when all has come back before that, until their references
# are known, which a further revision must name.
WITHOUT_SCROLLS = Queue(
    table="payment_instruction",
    due="""q.pi_type = 'REVISED' AND (q.status = 'INITIATED'
            OR q.status IN ('PARTIAL', 'COMPLETED') AND q.pa_token_number IS NULL)"""
    + _CONDITIONS,
    order="q.polled_at NULLS FIRST, q.id",
)

# Revisions whose payments the bank may still return: from their references on, until all have failed, or for as long
# after the last was paid as FD is asked about originals, or the setting's correction_days (90) if they are more.
RETURNABLE = Queue(
    table="payment_instruction",
    due=f"""q.pi_type = 'REVISED' AND q.pa_token_number IS NOT NULL
       AND q.status IN ('INITIATED', 'SUCCESSFUL', 'PARTIAL', 'COMPLETED')
       AND (q.paid_at IS NULL
            OR q.paid_at > now() - make_interval(
                days => greatest((SELECT correction_days FROM ifms.setting), {RETURNABLE_DAYS})))
       AND EXISTS (SELECT FROM ifms.beneficiary b
                   WHERE b.payment_instruction_id = q.id AND b.status <> 'Payment Failed')"""
    + _CONDITIONS,
    order="q.failures_polled_at NULLS FIRST, q.id",
    polled="failures_polled_at",
)

_COLUMNS = columns_of(PaymentInstruction)


@dataclass(frozen=True)
class NewInstruction:
    """A PI to be written; the gross and net amounts of a wage PI are equal (treasury-jit.md §2 PI)."""

    pi_number: str
    payment: Payment
    bill_date: datetime
    purpose: str
    beneficiaries: Sequence[NewBeneficiary]
    additional_details: Mapping[str, Any]
    bill_ids: Sequence[str]
    """Of the platform's bills that its payment pays: it is signed with them."""
    adopted_by: str | None = None
    """Who takes it in from the treasury, of a restored ledger that has lost it: it is never sent from here."""

    @property
    def amount(self) -> Decimal:
        """What its beneficiaries get together, in rupees."""
        return sum((b.amount for b in self.beneficiaries), Decimal(0))


@dataclass(frozen=True)
class Original:
    """An original PI to be written, and who holds its payment and, from the first, itself."""

    content: NewInstruction
    funding: Funding
    payment_claim: Claim
    claim: Claim


def create(target: Target, originals: Sequence[Original], keyring: Keyring) -> list[PaymentInstruction]:
    """Write PIs of one city, PENDING, claimed and about to be sent, with their beneficiaries and their money reserved.

    In the caller's transaction, all or none: their numbers exist before the treasury hears of them. Raises
    ClaimLostError when another run has taken a payment over, ConflictError when a payment's amount is not its PI's
    (and, through Database.transact, when a payment has a live PI already, or one of its bills is paid by another
    payment), InsufficientFundsError when the money is gone.
    """
    contents = [each.content for each in originals]
    for new in contents:
        if new.amount != new.payment.amount:
            raise ConflictError(
                f"payment {new.payment.payment_number} was first seen with {new.payment.amount}, "
                f"its lines now sum to {new.amount}"
            )
    made = _write(target, [_row_of(each) for each in originals], keyring)
    paid = {new.payment.payment_number: new.bill_ids for new in contents}
    bind_bills(target, contents[0].payment.tenant_id, paid)
    _reserve(target, made)
    write(
        target,
        """
        UPDATE ifms.payment p SET paid_by = made.id, hold_code = NULL, hold_message = NULL, held_since = NULL,
               claim_token = NULL, claimed_until = NULL
        FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[]) AS made (id, payment_id, token)
        WHERE p.id = made.payment_id AND p.claim_token = made.token AND p.paid_by IS NULL
        """,
        (
            [pi.id for pi in made],
            [new.payment.id for new in contents],
            [each.payment_claim.token for each in originals],
        ),
        rows=len(made),
        otherwise=lambda _: ClaimLostError(
            f"payment {', '.join(paid)} was taken over by another run; no PI was made here"
        ),
    )
    return made


def _row_of(original: Original) -> _NewRow:
    new = original.content
    values = {
        "tenant_id": new.payment.tenant_id,
        "pi_number": new.pi_number,
        "pi_type": "ORIGINAL",
        "payment_number": new.payment.payment_number,
        **{f.name: getattr(original.funding, f.name) for f in fields(Funding)},
        "bill_date": new.bill_date,
        "purpose": new.purpose,
        "additional_details": dict(new.additional_details),
        "adopted_by": new.adopted_by,
    }
    return _NewRow(values, new.beneficiaries, new.bill_ids, original.claim)


def _reserve(target: Target, made: Sequence[PaymentInstruction]) -> None:
    funds.move(target, Movement.RESERVE, [(pi.sanction_id, pi.id, pi.net_amount) for pi in made])


def create_revision(
    target: Target,
    original: PaymentInstruction,
    pi_number: str,
    bill_date: datetime,
    rows: Sequence[NewBeneficiary],
    claim: Claim,
    keyring: Keyring,
) -> PaymentInstruction:
    """Write a revised PI for failed beneficiaries of `original`, PENDING, claimed and about to be sent.

    It moves no money: what it pays was spent by the original. Raises (through Database.transact) ConflictError when
    another revision is under way, or when one of the beneficiaries is being paid elsewhere.
    """
    values = _of_original(original) | {
        "pi_number": pi_number,
        "pi_type": "REVISED",
        "parent_pi_number": original.pi_number,
        "bill_date": bill_date,
        "org_bill_ref_number": original.pa_bill_ref_number,
        "org_bill_date": original.bill_date,
    }
    [revision] = _write(target, [_NewRow(values, rows, _bills(target, original), claim)], keyring)
    return revision


def create_repayment(
    target: Target,
    original: PaymentInstruction,
    funding: Funding,
    pi_number: str,
    bill_date: datetime,
    rows: Sequence[NewBeneficiary],
    claim: Claim,
    keyring: Keyring,
) -> PaymentInstruction:
    """Write a new original PI for beneficiaries whose failed payments can't be corrected any more, its money reserved.

    Raises (through Database.transact) ConflictError when one is under way or a beneficiary is being paid elsewhere,
    InsufficientFundsError when the money is gone.
    """
    values = _of_original(original) | {
        **{f.name: getattr(funding, f.name) for f in fields(Funding)},
        "pi_number": pi_number,
        "pi_type": "ORIGINAL",
        "repayment_of": original.pi_number,
        "bill_date": bill_date,
    }
    made = _write(target, [_NewRow(values, rows, _bills(target, original), claim)], keyring)
    _reserve(target, made)
    return made[0]


def _bills(target: Target, pi: PaymentInstruction) -> list[str]:
    return bills_of(connection_of(target), [pi])[pi.id]


def _of_original(original: PaymentInstruction) -> dict[str, object]:
    """What a later PI for the same payment has in common with its original."""
    names = ("tenant_id", "payment_number", "purpose", *(f.name for f in fields(Funding)))
    details = {"additional_details": dict(original.additional_details)}
    return {name: getattr(original, name) for name in names} | details


@dataclass(frozen=True)
class _NewRow:
    """A PI to be inserted: its columns, its beneficiaries, the bills that it is signed with, and who holds it."""

    values: Mapping[str, object]
    beneficiaries: Sequence[NewBeneficiary]
    bill_ids: Collection[str]
    claim: Claim


def _write(target: Target, rows: Sequence[_NewRow], keyring: Keyring) -> list[PaymentInstruction]:
    """Insert PIs, signed, and their beneficiaries: PENDING, claimed, their first attempt noted as about to be made."""
    values = [_signed(row, keyring) for row in rows]
    with connection_of(target).cursor(row_factory=class_row(PaymentInstruction)) as cursor:
        written = cursor.execute(_inserting(tuple(values[0])), (as_recordset(values),), prepare=True).fetchall()
    by_number = {pi.pi_number: pi for pi in written}
    made = [by_number[str(row.values["pi_number"])] for row in rows]
    new = [(pi, row.beneficiaries) for pi, row in zip(made, rows, strict=True)]
    beneficiaries.insert_beneficiaries(target, new, keyring.sealer)
    return made


def _signed(row: _NewRow, keyring: Keyring) -> dict[str, object]:
    amount = sum((each.amount for each in row.beneficiaries), Decimal(0))
    bill_date = row.values["bill_date"]
    assert isinstance(bill_date, datetime)
    values = {
        **row.values,
        "gross_amount": amount,
        "net_amount": amount,
        "beneficiary_count": len(row.beneficiaries),
        "financial_year": clock.financial_year_label(clock.financial_year(bill_date)),
        "attempts": 1,
        "last_attempt": "sending",
        "claim_token": row.claim.token,
        "asked_by": row.claim.person,
    }
    signature = sign_instruction(keyring.signer, values, row.beneficiaries, row.bill_ids)
    return values | {"signature": signature, "lease": row.claim.lease}


_TYPES = {  # of its columns, and of a lease; every other one is a text
    "id": "uuid",
    "is_active": "boolean",
    "sanction_id": "uuid",
    "allotment_serial_no": "integer",
    "gross_amount": "numeric",
    "net_amount": "numeric",
    "beneficiary_count": "integer",
    "bill_date": "timestamptz",
    "org_bill_date": "timestamptz",
    "additional_details": "jsonb",
    "attempts": "integer",
    "last_attempt_at": "timestamptz",
    "paid_at": "timestamptz",
    "uncertain": "boolean",
    "refusal": "jsonb",
    "refused_first": "boolean",
    "absent_since": "timestamptz",
    "held_back": "boolean",
    "said_absent_at": "timestamptz",
    "found_failed_at": "timestamptz",
    "same_refusals": "integer",
    "unknown_answer_id": "uuid",
    "claim_token": "uuid",
    "claimed_until": "timestamptz",
    "polled_at": "timestamptz",
    "signature": "bytea",
    "status_since": "timestamptz",
    "unmatched_failures": "boolean",
    "failures_polled_at": "timestamptz",
    "imported_at": "timestamptz",
    "created_at": "timestamptz",
    "updated_at": "timestamptz",
    "lease": "interval",
}


@cache
def _inserting(values: tuple[str, ...]) -> bytes:
    names = [sql.Identifier(name) for name in values if name != "lease"]
    record = [sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(_TYPES.get(name, "text"))) for name in values]
    statement = sql.SQL(
        """
        INSERT INTO ifms.payment_instruction ({names}, last_attempt_at, claimed_until, polled_at)
        SELECT {names}, clock_timestamp(), clock_timestamp() + lease, clock_timestamp()
        FROM json_to_recordset(%s) AS made ({record}) RETURNING {columns}
        """
    )
    listed = sql.SQL(", ")
    return statement.format(names=listed.join(names), record=listed.join(record), columns=_COLUMNS).as_bytes()


def attempt(target: Target, pi: PaymentInstruction, claim: Claim, *, uncertain: bool, only_asked: bool = False) -> None:
    """Note that the PI is about to be sent: whoever finds it so must take the call for one that may have arrived.

    `uncertain` when an earlier one may have; `only_asked` when it is asked about and not sent, so that what an earlier
    one was refused for still stands. Raises ClaimLostError when another run has taken it over.
    """
    columns: dict[str, object] = {"last_attempt": "sending"}
    if uncertain:
        columns["uncertain"] = True
    if not only_asked:  # a process that dies now may have sent it
        columns |= {"refusal": None, "refused_first": False, "absent_since": None}
    _update(target, pi, claim, columns, counted=True, keep_claim=True)


def settle_attempt(
    target: Target, pi: PaymentInstruction, claim: Claim, outcome: str, message: str, **columns: object
) -> None:
    """Note how an attempt ended that settled nothing (`never_sent`, `unknown`): PENDING, its money reserved."""
    if outcome == "unknown":
        columns["uncertain"] = True
    columns = {"unknown_answer_id": None, **columns}
    _update(target, pi, claim, {"last_attempt": outcome, "error_message": message, **columns})


def note(target: Target, pi: PaymentInstruction, claim: Claim, message: str | None, **columns: object) -> None:
    """Keep the last call's message for the info band and what else it reported; the status stays. Gives the PI back."""
    columns = {"unknown_answer_id": None, "same_refusals": 0, **columns}
    _update(target, pi, claim, {"error_message": message, **columns})


def find(connection: Connection, pi_numbers: Collection[str]) -> dict[str, PaymentInstruction]:
    """The PIs with these numbers, as they are, by number; one that there is not is absent."""
    with connection.cursor(row_factory=class_row(PaymentInstruction)) as cursor:
        found = cursor.execute(
            sql.SQL("SELECT {} FROM ifms.payment_instruction WHERE pi_number = ANY(%s)").format(_COLUMNS),
            (list(pi_numbers),),
        ).fetchall()
    return {pi.pi_number: pi for pi in found}


def by_id(connection: Connection, ids: Collection[UUID]) -> list[PaymentInstruction]:
    """The PIs with these ids."""
    with connection.cursor(row_factory=class_row(PaymentInstruction)) as cursor:
        return cursor.execute(
            sql.SQL("SELECT {} FROM ifms.payment_instruction WHERE id = ANY(%s)").format(_COLUMNS), (list(ids),)
        ).fetchall()


def made_here(
    connection: Connection, after: UUID | None, limit: int, recent: timedelta | None = None
) -> list[PaymentInstruction]:
    """The next PIs behind `after` that were not imported, by id: all, or those under way or changed so recently."""
    with connection.cursor(row_factory=class_row(PaymentInstruction)) as cursor:
        return cursor.execute(
            sql.SQL(
                """
                SELECT {} FROM ifms.payment_instruction
                WHERE imported_at IS NULL AND (%(after)s::uuid IS NULL OR id > %(after)s)
                  AND (%(recent)s::interval IS NULL OR updated_at > now() - %(recent)s
                       OR status IN ('PENDING', 'INITIATED', 'APPROVED', 'IN PROCESS', 'PARTIAL'))
                ORDER BY id LIMIT %(limit)s
                """
            ).format(_COLUMNS),
            {"after": after, "recent": recent, "limit": limit},
        ).fetchall()


def with_beneficiaries(
    connection: Connection, row_ids: Collection[UUID]
) -> Iterator[tuple[PaymentInstruction, Beneficiary]]:
    """Beneficiaries by their rows' ids, each with its PI."""
    rows = beneficiaries.by_id(connection, row_ids)
    pis = {pi.id: pi for pi in by_id(connection, {row.payment_instruction_id for row in rows})}
    return ((pis[row.payment_instruction_id], row) for row in rows)


def last_declined(
    connection: Connection, payments: Collection[tuple[str, str]]
) -> dict[tuple[str, str], tuple[PaymentInstruction, list[Beneficiary]]]:
    """Of these payments (tenant, number) those whose last PI the treasury has declined: that PI and its beneficiaries.

    Not where a person has let the payment have a new PI since.
    """
    with connection.cursor(row_factory=class_row(PaymentInstruction)) as cursor:
        pis = cursor.execute(
            sql.SQL(
                """
                SELECT {} FROM unnest(%s::text[], %s::text[]) AS of (tenant_id, payment_number)
                JOIN ifms.payment y USING (tenant_id, payment_number)
                CROSS JOIN LATERAL (
                    SELECT * FROM ifms.payment_instruction last
                    WHERE last.tenant_id = y.tenant_id AND last.payment_number = y.payment_number
                      AND last.pi_type = 'ORIGINAL' AND last.repayment_of IS NULL
                    ORDER BY last.created_at DESC, last.pi_number DESC LIMIT 1) p
                WHERE p.status = 'FAILED' AND p.last_attempt = 'rejected' AND p.imported_at IS NULL
                  AND (y.released_at IS NULL OR y.released_at < p.status_since)
                """
            ).format(columns_of(PaymentInstruction, "p")),
            ([tenant for tenant, _ in payments], [number for _, number in payments]),
        ).fetchall()
    rows = beneficiaries.of(connection, [pi.id for pi in pis]) if pis else {}
    return {(pi.tenant_id, pi.payment_number): (pi, rows[pi.id]) for pi in pis}


def failed_uncertain(
    connection: Connection, payments: Collection[tuple[str, str]]
) -> dict[tuple[str, str], list[PaymentInstruction]]:
    """FAILED PIs of these payments (tenant, number) of which a submission may once have arrived, by payment."""
    found: dict[tuple[str, str], list[PaymentInstruction]] = {}
    columns = columns_of(PaymentInstruction, "p")
    with connection.cursor(row_factory=class_row(PaymentInstruction)) as cursor:
        cursor.execute(
            sql.SQL(
                """
                SELECT {} FROM ifms.payment_instruction p
                JOIN unnest(%s::text[], %s::text[]) AS of (tenant_id, payment_number) USING (tenant_id, payment_number)
                WHERE p.status = 'FAILED' AND p.uncertain ORDER BY p.created_at, p.pi_number
                """
            ).format(columns),
            ([tenant for tenant, _ in payments], [number for _, number in payments]),
        )
        for pi in cursor:
            found.setdefault((pi.tenant_id, pi.payment_number), []).append(pi)
    return found


def found_failed(connection: Connection, pi: PaymentInstruction) -> None:
    """Note that its status service shows a PI that is FAILED here: somebody must look."""
    connection.execute(
        """
        UPDATE ifms.payment_instruction SET found_failed_at = now()
        WHERE id = %s AND (found_failed_at IS NULL OR found_failed_at < said_absent_at)
        """,
        (pi.id,),
    )


def lock(connection: Connection, pi_number: str) -> PaymentInstruction | None:
    """The PI of this number, locked until the caller's transaction ends; None when there is none."""
    with connection.cursor(row_factory=class_row(PaymentInstruction)) as cursor:
        return cursor.execute(
            sql.SQL("SELECT {} FROM ifms.payment_instruction WHERE pi_number = %s FOR UPDATE").format(_COLUMNS),
            (pi_number,),
        ).fetchone()


def call_under_way(connection: Connection, pi: PaymentInstruction) -> bool:
    """Whether a run holds the PI, and may be calling the treasury about it now."""
    row = connection.execute(
        "SELECT claimed_until >= clock_timestamp() FROM ifms.payment_instruction WHERE id = %s", (pi.id,)
    ).fetchone()
    return bool(row and row[0])


def as_seen(connection: Connection, pi_number: str) -> str:
    """When the PI was sent last, and when its status service showed it last though it had FAILED: an opaque text.

    Whoever has looked at the treasury for it since then has seen what there is while this text stays the same. Empty
    for a PI that is not known.
    """
    row = connection.execute(
        """
        SELECT format('%%s/%%s', extract(epoch FROM (
                   SELECT max(created_at) FROM ifms.treasury_call c
                   WHERE c.payment_instruction_id = p.id AND c.outcome IS DISTINCT FROM 'never_sent'
                     AND c.service_id = CASE p.pi_type WHEN 'REVISED' THEN 'COR' ELSE 'PI' END)),
               extract(epoch FROM p.found_failed_at))
        FROM ifms.payment_instruction p WHERE p.pi_number = %s
        """,
        (pi_number,),
    ).fetchone()
    return "" if row is None else str(row[0])


def settled_by(connection: Connection, pi: PaymentInstruction, person: str, *, absent: bool) -> None:
    """Note who says what became of a PI whose lock the caller holds: that the treasury lacks it, or has it.

    A claim that has run out ends with it. What may have arrived is asked about once more before its payment gets
    another PI, also when its sweep has died before it could write that it may have.
    """
    connection.execute(
        """
        UPDATE ifms.payment_instruction
        SET settled_by = %(person)s, said_absent_at = CASE WHEN %(absent)s THEN now() ELSE said_absent_at END,
            uncertain = uncertain OR %(uncertain)s, claim_token = NULL, claimed_until = NULL
        WHERE id = %(id)s
        """,
        {"person": person, "absent": absent, "uncertain": absent and pi.may_have_arrived, "id": pi.id},
    )


@dataclass(frozen=True)
class Change:
    """What was changed: the new status (None when it stayed), and the word that a sweep counts it under.

    `then` is the status of a second step that the first one made due at once; `problem` is what a person must see of
    it all the same.
    """

    status: PiStatus | None
    label: str
    then: PiStatus | None = None
    problem: str | None = None


def advance(
    target: Target,
    pi: PaymentInstruction,
    claim: Claim | None,
    event: Event,
    **columns: object,
) -> Change:
    """Move the PI along by `event`, write what the treasury reported with it, move its money, and give it back.

    Without a claim the caller holds the row's lock, and whoever has claimed it keeps it.
    Accepted: reserved money is spent. Declined, cancelled: released. Rejected: spent money goes back, and the payment
    may have a new PI. Raises LedgerError for an event that may not happen in the PI's status, ClaimLostError when
    another run has taken it over.
    """
    status = after(pi.status, event)
    if status is PiStatus.FAILED:
        columns["is_active"] = False
    columns = {"unknown_answer_id": None, "same_refusals": 0, **columns}
    _update(target, pi, claim, {"status": status, **columns}, keep_claim=claim is None)
    movement = {
        Event.ACCEPTED: Movement.DEBIT,
        Event.DECLINED: Movement.RELEASE,
        Event.CANCELLED: Movement.RELEASE,
        Event.REJECTED: Movement.REVERSAL,
    }.get(event)
    if movement and pi.pi_type == "ORIGINAL":
        funds.move(target, movement, [(pi.sanction_id, pi.id, pi.net_amount)])
    return Change(status, event.replace(" ", "_"))


def supersede(connection: Connection, original_number: str, by: PaymentInstruction) -> None:
    """COMPLETED is whatever of an original and its revisions has no failed beneficiary left that nobody pays.

    `by` is the PI that has taken them over; the status log says so.
    """
    # In a statement of its own: another run may be booking a failure of them, and what asks whether one is left must
    # begin after that has committed.
    connection.execute(
        """
        SELECT FROM ifms.payment_instruction
        WHERE (pi_number = %(original)s OR parent_pi_number = %(original)s) AND status = 'PARTIAL'
        ORDER BY tenant_id, payment_number, pi_number FOR NO KEY UPDATE
        """,
        {"original": original_number},
    )
    connection.execute(
        """
        WITH done AS (
            UPDATE ifms.payment_instruction p SET status = 'COMPLETED', updated_at = now()
            WHERE (p.pi_number = %(original)s OR p.parent_pi_number = %(original)s) AND p.status = 'PARTIAL'
              AND NOT EXISTS (SELECT FROM ifms.failed_beneficiary f WHERE f.pi_number = p.pi_number)
            RETURNING p.id, p.tenant_id, p.payment_number
        )
        INSERT INTO ifms.status_log (payment_instruction_id, tenant_id, payment_number, service_id, status, from_status,
            to_status, message)
        SELECT id, tenant_id, payment_number, %(service)s, 'STATUS_LOG_' || %(service)s || '_SUCCESS', 'PARTIAL',
            'COMPLETED', 'its failed beneficiaries are taken over by ' || %(by)s
        FROM done
        """,
        {"original": original_number, "service": "COR" if by.pi_type == "REVISED" else "PI", "by": by.pi_number},
    )


def free_payment(target: Target, pi: PaymentInstruction, code: str, message: str) -> None:
    """After a PI has FAILED: its payment may have a new one, once a person or a repaired account says so."""
    write(
        target,
        """
        UPDATE ifms.payment SET paid_by = NULL, hold_code = %s, hold_message = %s, held_since = now()
        WHERE tenant_id = %s AND payment_number = %s AND paid_by = %s
        """,
        (code, message, pi.tenant_id, pi.payment_number, pi.id),
    )


def _update(
    target: Target,
    pi: PaymentInstruction,
    claim: Claim | None,
    columns: Mapping[str, object],
    *,
    counted: bool = False,
    keep_claim: bool = False,
) -> None:
    """One conditional update of a claimed PI: it touches no row once the claim is another's or the status has moved."""
    write_row(
        target,
        _updating(tuple(columns), counted=counted, keep_claim=keep_claim),
        {**columns, "id_": pi.id, "token_": claim and claim.token, "was_": pi.status},
        rows=1,
        otherwise=lambda _: ClaimLostError(
            f"PI {pi.pi_number} was taken over by another run of this task; nothing was written"
        ),
    )


@cache  # composing a statement anew for each PI took a tenth of a sweep's own time
def _updating(columns: tuple[str, ...], *, counted: bool, keep_claim: bool) -> RowStatement:
    sets = [f'"{name}" = {{{name}}}' for name in columns]
    sets.append("updated_at = now()")
    if counted:
        sets.append("attempts = p.attempts + 1, last_attempt_at = clock_timestamp()")
    if not keep_claim:
        sets.append(GIVEN_BACK)
    text = f"""
        UPDATE ifms.payment_instruction p SET {", ".join(sets)} {{rows}}
        WHERE p.id = {{id_}} AND p.status = {{was_}} AND (p.claim_token = {{token_}} OR {{token_}} IS NULL)
    """
    types = {name: _TYPES.get(name, "text") for name in columns}
    return RowStatement(text, types | {"id_": "uuid", "token_": "uuid", "was_": "text"}, key="id_")
