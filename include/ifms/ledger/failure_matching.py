"""Books failed payments that the treasury reports: FD for originals, FTFPS for revisions.

Facts: treasury-jit.md §2 FD and FTFPS; what the platform must hear: digit-services.md §3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from uuid import UUID

from ifms.errors import SealError
from ifms.ledger import beneficiaries, failures, instructions, outbox, status_log
from ifms.ledger.beneficiaries import Failure
from ifms.ledger.binding import open_account
from ifms.ledger.claims import Claim
from ifms.ledger.database import Connection
from ifms.ledger.failures import Unmatched
from ifms.ledger.instructions import Change
from ifms.ledger.models import Beneficiary, PaymentInstruction
from ifms.ledger.status_log import LogStatus
from ifms.ledger.statuses import Event, PiStatus
from ifms.sealing import Sealer
from ifms.wire.bank import mask_long_numbers
from ifms.wire.envelope import Service
from ifms.wire.scroll import FailedBeneficiary

NO_SUCH_BENEFICIARY = "the payment instruction has no such beneficiary"


def failure_of(reported: FailedBeneficiary, voucher_date: date, bill_ref_number: str | None = None) -> Failure:
    """What the treasury reported of one beneficiary, and of the bill that it named."""
    return Failure(
        voucher_date=voucher_date,
        reason=reported.failed_reason and mask_long_numbers(reported.failed_reason),
        challan_number=reported.challan_number,
        challan_date=reported.challan_date,
        beneficiary_id=reported.benf_id,
        account_number=reported.benf_acct_no,
        ifsc=reported.benf_bank_ifsc_code,
        utr_number=reported.utr_no,
        bill_ref_number=bill_ref_number,
    )


def match(pi: PaymentInstruction, rows: Sequence[Beneficiary], failure: Failure, sealer: Sealer) -> Beneficiary | str:
    """The beneficiary of a PI that a failure is about, or why it is nobody's.

    It is about whom it names: by number in any case, else by account and IFSC. But not where it says of that one what
    is known to be otherwise: then another transfer may have come back, and this one may have been paid.
    """
    row = _named(pi, rows, failure, sealer)
    if row is None:
        return NO_SUCH_BENEFICIARY
    return _contradiction(pi, row, failure) or row


def _named(pi: PaymentInstruction, rows: Sequence[Beneficiary], failure: Failure, sealer: Sealer) -> Beneficiary | None:
    if failure.beneficiary_id:
        for row in rows:
            if row.beneficiary_number.casefold() == failure.beneficiary_id.casefold():
                return row
    if failure.account_number and failure.ifsc:
        for row in rows:
            if (
                row.account_sealed is not None
                and row.ifsc == failure.ifsc
                and open_account(sealer, pi, row) == failure.account_number
            ):
                return row
    return None


def _contradiction(pi: PaymentInstruction, row: Beneficiary, failure: Failure) -> str | None:
    """What a failure says of this beneficiary that is known to be otherwise; what is left out contradicts nothing.

    Not compared are the UTR and the token's number, which in the deployment's own samples are other ones in FD than in
    PD and PAG, and orgBillRefNumber, which after a second failure is another bill's.
    """
    misdated = beneficiaries.misdated(pi, failure.challan_date) or beneficiaries.vouchered(pi, failure.voucher_date)
    if misdated is not None:
        return misdated
    ends = failure.account_last4, row.account_last4
    if ends[0] != ends[1] and all(end and len(end) == 4 and end.isascii() and end.isdigit() for end in ends):
        return f"it names an account that ends in {ends[0]}, and the beneficiary's ends in {ends[1]}"
    theirs, ours = failure.bill_ref_number, pi.pa_bill_ref_number
    if theirs and ours and theirs != ours:
        return mask_long_numbers(f"it names the bill reference {theirs}, and the payment instruction's is {ours}")
    return None


def book(
    connection: Connection,
    pi: PaymentInstruction,
    failures: Sequence[tuple[Beneficiary, Failure]],
    claim: Claim | None,
) -> Change | None:
    """Write failures of a PI's beneficiaries, move the PI along, tell the platform; None when all that was known.

    A PI is PARTIAL once every beneficiary is either paid or failed; PARTIAL and COMPLETED stay what they are. Under a
    claim the PI is given back; without one the caller holds its lock.
    """
    beneficiaries.hold(connection, [pi])
    newly = beneficiaries.record_failures(connection, {row.id: failure for row, failure in failures})
    if newly:
        _enqueue_failed(connection, pi, newly)
        outbox.enqueue_sms(
            connection, [pi], "failed", {row.beneficiary_number: failure.utr_number for row, failure in failures}
        )
    in_step = (pi.status is PiStatus.SUCCESSFUL and newly) or (
        (pi.status is PiStatus.IN_PROCESS or (pi.pi_type == "REVISED" and pi.status is PiStatus.INITIATED))
        and beneficiaries.tallies(connection, [pi])[pi.id].waiting == 0
    )
    if in_step:
        return instructions.advance(connection, pi, claim, Event.SOME_FAILED, error_message=None)
    if not newly:
        return None
    outbox.enqueue_pi_index(connection, pi)
    if claim is not None:
        instructions.note(connection, pi, claim, None)
    return Change(None, "some_failed")


def enqueue_failed_again(connection: Connection, pi: PaymentInstruction) -> None:
    """A PI that should pay anew was rejected, though accepted before: its lines are as FAILED as they had been."""
    _enqueue_failed(connection, pi, beneficiaries.of(connection, [pi.id])[pi.id])


def _enqueue_failed(connection: Connection, pi: PaymentInstruction, rows: Sequence[Beneficiary]) -> None:
    outbox.enqueue_line_statuses(
        connection,
        pi.tenant_id,
        pi.payment_number,
        [line for row in rows for line in row.line_item_ids],
        "FAILED",
        above="PARTIAL",
        status="PARTIAL",
        reference_status="PAYMENT_PARTIAL",
    )


# What could not be booked when it was told ----------------------------------------------------------------------------


def why_not(pi: PaymentInstruction | None) -> str | None:
    """Why no failure can be booked on this PI now; None when one can."""
    if pi is None:
        return "no payment instruction has this number"
    if pi.status in (PiStatus.PENDING, PiStatus.FAILED) and pi.uncertain:
        return f"the payment instruction is {pi.status}, but may be at the treasury: ask it, and settle that by hand"
    if pi.status in (PiStatus.PENDING, PiStatus.FAILED):
        return f"the payment instruction is {pi.status}: nothing of it can have been paid"
    return None


def rematch(connection: Connection, bill_number: str, sealer: Sealer, sweep_run_id: UUID | None) -> int:
    """Book the failures of a bill that matched nothing when they were reported, and that its PI can take now; how many.

    Locks the PI until the caller's transaction ends. What still matches nothing stays kept, with the reason.
    """
    pi = instructions.lock(connection, bill_number)
    if pi is None or why_not(pi) is not None:
        return 0
    rows = beneficiaries.of(connection, [pi.id])[pi.id]
    matched, settled, left = [], [], {}
    for kept in failures.unmatched(connection, bill_number):
        found = _match_kept(pi, rows, kept, sealer)
        if isinstance(found, str):
            left[kept.id] = found
        else:
            matched.append((found, kept.failure))
            settled.append(kept.id)
    failures.settle_unmatched(connection, pi.id, settled, left)
    if matched:
        book_and_log(connection, pi, matched, sweep_run_id)
    return len(matched)


def book_and_log(
    connection: Connection,
    pi: PaymentInstruction,
    matched: Sequence[tuple[Beneficiary, Failure]],
    sweep_run_id: UUID | None,
) -> Change | None:
    """Book what FD reported of a PI whose lock the caller holds; what of it is new goes into the PI's history."""
    before = pi.status
    change = book(connection, pi, matched, None)
    if change is None:  # FD tells the same for a hundred days
        return None
    status_log.log_status(
        connection,
        pi,
        Service.FD,
        LogStatus.SUCCESS,
        message=f"{len(matched)} beneficiaries reported as failed",
        to_status=change.status if change.status != before else None,
        sweep_run_id=sweep_run_id,
    )
    return change


def _match_kept(
    pi: PaymentInstruction, rows: Sequence[Beneficiary], kept: Unmatched, sealer: Sealer
) -> Beneficiary | str:
    """As `match`; the account is opened only where the number does not tell. What can't be opened matches nothing."""
    found = match(pi, rows, kept.failure, sealer)
    if found != NO_SUCH_BENEFICIARY or kept.account_sealed is None:
        return found
    try:
        number = failures.open_account(sealer, pi.pi_number, kept)
        return match(pi, rows, replace(kept.failure, account_number=number), sealer)
    except (SealError, UnicodeDecodeError):
        return found
