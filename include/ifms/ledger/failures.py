"""Which voucher dates FD must be asked about, and what is kept until seen to.

Failures that match no payment instruction, and transfers by another UTR than was told before, or otherwise than sent.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from ifms.errors import BadInputError, ConflictError
from ifms.ledger.beneficiaries import Failure
from ifms.ledger.binding import context
from ifms.ledger.database import Connection
from ifms.ledger.limits import DAYS_AHEAD, RETURNABLE_DAYS
from ifms.ledger.proposals import Act, Approval, use
from ifms.sealing import Sealer


@dataclass(frozen=True)
class Unmatched:
    """A failure that is kept because it matched nothing; its account number is sealed beside it."""

    id: UUID
    failure: Failure
    account_sealed: bytes | None
    account_last4: str | None


@dataclass(frozen=True)
class PaidOtherwise:
    """Another transfer that may have paid a failed beneficiary, or has: while it is open, nobody knows."""

    utr_number: str
    open_: bool

    @property
    def why(self) -> str:
        """Why the beneficiary is not corrected, and what ends that."""
        if self.open_:
            told = f"the treasury also tells that it is paid by {self.utr_number}"
            return f"{told}: ask it, and settle that transfer (page Failures)"
        return f"it is paid by {self.utr_number}, as somebody has found out"


# Whose voucher date is not known, or can't be right: more than some days after it was told, or so long before that none
# of it would be asked about. As the index beneficiary_undated has it.
_UNDATED = f"""(b.voucher_date IS NULL
                   OR b.voucher_date > (b.updated_at AT TIME ZONE 'Asia/Kolkata')::date + {DAYS_AHEAD}
                   OR b.voucher_date < (b.updated_at AT TIME ZONE 'Asia/Kolkata')::date - {RETURNABLE_DAYS})"""


def returnable_dates(first: str, last: str, known_before: str) -> str:
    """A query for the dates (`day`), of those from `first` to `last`, on which a payment of ours may still come back.

    `first` and `last` are dates in IST and `known_before` is a time, each as SQL; what was not in the ledger by then
    does not count. Returnable is who is paid, by the date of the voucher. Where no voucher is known (the treasury told
    none, or no scroll has come yet, and of whom the bank has refused none ever will) it may be of any date from the
    bill's: up to when the scroll was told, or to the last. Where the date that was told can't be right, it may be any
    of these as well as that one, whenever it is: for as long as others, from when it was told on.
    """
    known = f"coalesce(p.imported_at, p.created_at) < {known_before}"
    return f"""
        WITH days AS (
            SELECT {first} + n AS day FROM generate_series(0, {last} - {first}) n
        ), periods AS (
            SELECT min((p.bill_date AT TIME ZONE 'Asia/Kolkata')::date) AS since, 'infinity'::date AS until
            FROM ifms.payment_instruction p
            WHERE p.status IN ('PENDING', 'INITIATED', 'APPROVED', 'IN PROCESS') AND {known}
            UNION
            SELECT (p.bill_date AT TIME ZONE 'Asia/Kolkata')::date, (b.updated_at AT TIME ZONE 'Asia/Kolkata')::date
            FROM ifms.beneficiary b JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id
            WHERE b.status = 'Payment Successful' AND {_UNDATED}
              AND b.updated_at >= {first}::timestamp AT TIME ZONE 'Asia/Kolkata' AND {known}
        )
        SELECT day FROM days CROSS JOIN LATERAL (
            SELECT FROM ifms.beneficiary b JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id
            WHERE b.status = 'Payment Successful' AND b.voucher_date = day AND {known} LIMIT 1
        ) paid
        UNION
        SELECT day FROM days JOIN periods ON day BETWEEN since AND until
        UNION
        SELECT b.voucher_date FROM ifms.beneficiary b JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id
        WHERE b.status = 'Payment Successful' AND {_UNDATED} AND b.voucher_date IS NOT NULL
          AND b.updated_at >= {first}::timestamp AT TIME ZONE 'Asia/Kolkata' AND {known}
    """


_RETURNABLE = returnable_dates("%(first)s::date", "%(last)s::date", "'infinity'::timestamptz") + " ORDER BY day"


def dates_to_ask(connection: Connection, first: date, last: date) -> list[date]:
    """The voucher dates (IST) from `first` to `last` on which a payment of ours may still come back, in order."""
    return [day for (day,) in connection.execute(_RETURNABLE.encode(), {"first": first, "last": last})]


def note_asked(connection: Connection, day: date, sweep_run_id: UUID) -> None:
    """The treasury has reported what came back of this voucher date, and all of it was understood."""
    connection.execute(
        """
        INSERT INTO ifms.voucher_date_asked AS known (voucher_date, answered_at, sweep_run_id) VALUES (%s, now(), %s)
        ON CONFLICT (voucher_date)
        DO UPDATE SET answered_at = excluded.answered_at, sweep_run_id = excluded.sweep_run_id
        WHERE known.answered_at < excluded.answered_at
        """,
        (day, sweep_run_id),
    )


def keep_unmatched(connection: Connection, bill_number: str, failure: Failure, sealer: Sealer, why: str) -> bool:
    """Keep a reported failure that could not be booked, its account sealed; True when it was not open before.

    One that had been booked once, and can't be any more, is open again.
    """
    number = failure.account_number
    row = connection.execute(
        """
        INSERT INTO ifms.reported_failure AS known (bill_number, beneficiary_id, voucher_date, account_sealed,
            account_last4, ifsc, utr_number, challan_number, challan_date, bill_ref_number, reason, why_unmatched)
        VALUES (%(bill)s, %(beneficiary)s, %(voucher_date)s, %(sealed)s, %(last4)s, %(ifsc)s, %(utr)s, %(challan)s,
            %(challan_date)s, %(bill_ref)s, %(reason)s, %(why)s)
        ON CONFLICT (bill_number, beneficiary_id, voucher_date, challan_number, ifms.utr_key(utr_number),
            account_last4, ifsc, bill_ref_number)
        DO UPDATE SET last_told_at = now(), why_unmatched = excluded.why_unmatched, matched_at = NULL
        RETURNING xmax = 0  -- inserted, not updated
               OR EXISTS (SELECT FROM ifms.reported_failure was WHERE was.id = known.id AND was.matched_at IS NOT NULL)
        """,
        {
            "bill": bill_number,
            "beneficiary": failure.beneficiary_id or "",
            "voucher_date": failure.voucher_date,
            "sealed": seal_account(sealer, bill_number, failure, failure.account_last4, number) if number else None,
            "last4": failure.account_last4,
            "ifsc": failure.ifsc,
            "utr": failure.utr_number,
            "challan": failure.challan_number,
            "challan_date": failure.challan_date,
            "bill_ref": failure.bill_ref_number,
            "reason": failure.reason,
            "why": why,
        },
    ).fetchone()
    return bool(row and row[0])


def seal_account(sealer: Sealer, bill_number: str, failure: Failure, last4: str | None, number: str) -> bytes:
    """The account number of a reported failure of that bill, so that it opens beside this row only."""
    return sealer.seal(number, _account_context(bill_number, failure, last4))


def open_account(sealer: Sealer, bill_number: str, kept: Unmatched) -> str:
    """The account number of a kept failure of that bill. Raises SealError when it does not open."""
    assert kept.account_sealed is not None, "who has none is not asked"
    return sealer.open(kept.account_sealed, _account_context(bill_number, kept.failure, kept.account_last4)).decode()


def _account_context(bill_number: str, failure: Failure, last4: str | None) -> bytes:
    which = (failure.beneficiary_id or "", failure.voucher_date, failure.challan_number, failure.utr_number)
    # The name that the table had when the first were sealed.
    return context("unmatched_failure.account_sealed", bill_number, *which, failure.ifsc, last4)


def now_matched(connection: Connection, bill_number: str, failure: Failure) -> None:
    """A failure that had matched nothing has been booked after all."""
    connection.execute(
        """
        UPDATE ifms.reported_failure SET matched_at = now()
        WHERE matched_at IS NULL AND bill_number = %s
          AND (beneficiary_id, voucher_date, challan_number, ifms.utr_key(utr_number), account_last4, ifsc,
               bill_ref_number) IS NOT DISTINCT FROM (%s, %s, %s, ifms.utr_key(%s), %s, %s, %s)
        """,
        (
            bill_number,
            failure.beneficiary_id or "",
            failure.voucher_date,
            failure.challan_number,
            failure.utr_number,
            failure.account_last4,
            failure.ifsc,
            failure.bill_ref_number,
        ),
    )


def unmatched(connection: Connection, bill_number: str) -> list[Unmatched]:
    """The failures of a bill that have matched nothing so far, the first reported first."""
    rows = connection.execute(
        f"{_KEPT} WHERE matched_at IS NULL AND bill_number = %s ORDER BY first_told_at, id".encode(), (bill_number,)
    ).fetchall()
    return [_kept(row) for row in rows]


def by_id(connection: Connection, ids: Collection[UUID]) -> list[tuple[str, Unmatched]]:
    """Kept failures, each with the number of its bill."""
    rows = connection.execute(f"{_KEPT} WHERE id = ANY(%s)".encode(), (list(ids),)).fetchall()
    return [(row[0], _kept(row)) for row in rows]


_KEPT = """
    SELECT bill_number, id, voucher_date, reason, challan_number, challan_date, nullif(beneficiary_id, ''), ifsc,
           utr_number, bill_ref_number, account_sealed, account_last4 FROM ifms.reported_failure"""


def _kept(row: Sequence[Any]) -> Unmatched:
    _, id_, voucher_date, reason, challan_number, challan_date, beneficiary_id, ifsc, utr, ref, sealed, last4 = row
    failure = Failure(
        voucher_date=voucher_date,
        reason=reason,
        challan_number=challan_number,
        challan_date=challan_date,
        beneficiary_id=beneficiary_id,
        ifsc=ifsc,
        utr_number=utr,
        bill_ref_number=ref,
        account_end=last4,
    )
    return Unmatched(id_, failure, sealed, last4)


def matchable_bills(connection: Connection) -> list[str]:
    """The bills with failures that have matched nothing so far, whose payment instruction could take some now."""
    rows = connection.execute(
        """
        SELECT DISTINCT u.bill_number FROM ifms.reported_failure u
        JOIN ifms.payment_instruction p ON p.pi_number = u.bill_number
        WHERE u.matched_at IS NULL AND p.status NOT IN ('PENDING', 'FAILED') ORDER BY u.bill_number
        """
    ).fetchall()
    return [row[0] for row in rows]


def told_of(connection: Connection, pi_number: str) -> bool:
    """Whether a failed payment of this bill was reported that nobody could book, or has closed: the treasury has it."""
    row = connection.execute(
        """
        SELECT EXISTS (SELECT FROM ifms.reported_failure
                       WHERE bill_number = %s AND matched_at IS NULL AND settled_at IS NULL)
        """,
        (pi_number,),
    ).fetchone()
    return bool(row and row[0])


def look_again(connection: Connection, instruction_id: UUID) -> None:
    """A failure of this payment instruction is kept: whoever moves the PI along looks at it again."""
    connection.execute(
        "UPDATE ifms.payment_instruction SET unmatched_failures = true WHERE id = %s AND NOT unmatched_failures",
        (instruction_id,),
    )


def settle_unmatched(
    connection: Connection, instruction_id: UUID, matched: Collection[UUID], left: Mapping[UUID, str]
) -> None:
    """Of a bill's kept failures some have matched now; the others match nothing, each for its reason."""
    connection.execute(
        """
        UPDATE ifms.reported_failure f SET matched_at = CASE WHEN of.why IS NULL THEN now() END,
               why_unmatched = coalesce(of.why, f.why_unmatched)
        FROM unnest(%s::uuid[], %s::text[]) AS of (id, why) WHERE f.id = of.id
        """,
        ([*matched, *left], [*(None for _ in matched), *left.values()]),
    )
    connection.execute(
        "UPDATE ifms.payment_instruction SET unmatched_failures = false WHERE id = %s AND unmatched_failures",
        (instruction_id,),
    )


def not_paid(connection: Connection, transfer_id: UUID) -> dict[str, Any]:
    """What is proposed of a transfer that has not paid: so that who approves it sees which one it is, and of whom.

    Raises ConflictError when there is no such transfer that is open.
    """
    found = connection.execute(
        """
        SELECT pi_number, beneficiary_number, utr_number, coalesce(known_utr_number, '-'), coalesce(not_as_sent, '-')
        FROM ifms.doubtful_transfer WHERE id = %s AND state = 'OPEN'
        """,
        (transfer_id,),
    )
    _one(found.rowcount, f"no open transfer {transfer_id}")
    [told] = found.fetchall()
    names = ("pi_number", "beneficiary_number", "utr_number", "known_utr_number", "not_as_sent")
    return {"has_paid": False, **dict(zip(names, told, strict=True))}


def settle_transfer(
    connection: Connection,
    transfer_id: UUID,
    *,
    has_paid: bool,
    reason: str,
    person: str,
    approval: Approval = None,
) -> None:
    """A person has found out whether a transfer told beside another one of the same beneficiary `has_paid`.

    Who has failed by the other one is then corrected, or never. That one has not paid frees money: where it needs a
    second person, `approval` is the proposal (`not_paid`) that one has approved, and is used up. Raises
    SecondPersonError without one, BadInputError without a reason, ConflictError when there is no such transfer that is
    open.
    """
    reason = _required(reason)
    if not has_paid:
        proposal = use(connection, Act.TRANSFER, str(transfer_id), not_paid(connection, transfer_id), approval)
        if proposal is not None:
            reason, person = proposal.reason, proposal.people
    settled = connection.execute(
        """
        UPDATE ifms.other_transfer SET settled_at = now(), settled_by = %s, settled_reason = %s, has_paid = %s
        WHERE id = %s AND settled_at IS NULL
        """,
        (person, reason, has_paid, transfer_id),
    )
    _one(settled.rowcount, f"no open transfer {transfer_id}")


def close_reported(connection: Connection, failure_id: UUID, *, reason: str, person: str) -> None:
    """A person has found out that a reported failure is nobody's here; it is booked all the same if it ever matches.

    Raises BadInputError without a reason, ConflictError when there is no such failure that is open.
    """
    closed = connection.execute(
        """
        UPDATE ifms.reported_failure SET settled_at = now(), settled_by = %s, settled_reason = %s
        WHERE id = %s AND matched_at IS NULL AND settled_at IS NULL
        """,
        (person, _required(reason), failure_id),
    )
    _one(closed.rowcount, f"no open reported failure {failure_id}")


def close_beneficiary(connection: Connection, row_id: UUID, *, reason: str, person: str) -> None:
    """A person says why a failed beneficiary (by row id) is not paid any more: nothing tells of it from then on.

    It may still be corrected. Raises BadInputError without a reason, ConflictError when there is no such failed
    beneficiary that is open.
    """
    closed = connection.execute(
        """
        INSERT INTO ifms.closed_failure (beneficiary_row, closed_by, reason)
        SELECT id, %s, %s FROM ifms.failed_beneficiary WHERE id = %s ON CONFLICT DO NOTHING
        """,
        (person, _required(reason), row_id),
    )
    _one(closed.rowcount, f"no open failed beneficiary {row_id}")


def _required(reason: str) -> str:
    reason = " ".join(reason.split())
    if not reason:
        raise BadInputError("a reason is missing: say how it is known; nothing was changed")
    return reason


def _one(changed: int, missing: str) -> None:
    if changed != 1:
        raise ConflictError(f"there is {missing}: it may have been settled since; `ifms failures list` names the open")


def may_be_paid(connection: Connection, row_ids: Collection[UUID]) -> dict[UUID, PaidOtherwise]:
    """Of these failed beneficiaries (by row id) those who may be paid by another transfer, and how that ends.

    Of who has several of them one is told that a person must still settle, if there is one. A transfer that was told
    otherwise than it was sent, and has paid all the same, is the one that has failed since.
    """
    rows = connection.execute(
        """
        SELECT beneficiary_row, utr_number, settled_at IS NULL FROM ifms.other_transfer
        WHERE beneficiary_row = ANY(%s) AND (settled_at IS NULL OR (has_paid AND not_as_sent IS NULL))
        ORDER BY settled_at IS NULL, utr_number
        """,
        (list(row_ids),),
    )
    return {row_id: PaidOtherwise(utr, open_=is_open) for row_id, utr, is_open in rows}
