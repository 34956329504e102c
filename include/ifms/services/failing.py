"""Booking failed payments, whoever told of them: FD for originals, FTFPS for revisions.

Facts: treasury-jit.md §2 FD and FTFPS; what the platform must hear: digit-services.md §3.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from ifms import outbox
from ifms.ledger import beneficiaries, instructions
from ifms.ledger.beneficiaries import Failure
from ifms.ledger.claims import Claim
from ifms.ledger.database import Connection
from ifms.ledger.instructions import Change
from ifms.ledger.models import Beneficiary, PaymentInstruction
from ifms.ledger.statuses import Event, PiStatus
from ifms.sealing import Sealer
from ifms.wire.scroll import FailedBeneficiary


def failure_of(told: FailedBeneficiary, voucher_date: date) -> Failure:
    """What the treasury told of one beneficiary."""
    return Failure(
        voucher_date=voucher_date,
        reason=told.failed_reason,
        challan_number=told.challan_number,
        challan_date=told.challan_date,
        beneficiary_id=told.benf_id,
        account_number=told.benf_acct_no,
        ifsc=told.benf_bank_ifsc_code,
        utr_number=told.utr_no,
    )


def match(rows: Sequence[Beneficiary], failure: Failure, sealer: Sealer) -> Beneficiary | None:
    """The beneficiary that a failure is about: by its number in any case, else by account and IFSC."""
    if failure.beneficiary_id:
        for row in rows:
            if row.beneficiary_number.casefold() == failure.beneficiary_id.casefold():
                return row
    if failure.account_number and failure.ifsc:
        for row in rows:
            if (
                row.account_sealed is not None
                and row.ifsc == failure.ifsc
                and sealer.open(row.account_sealed).decode() == failure.account_number
            ):
                return row
    return None


def book(
    connection: Connection,
    pi: PaymentInstruction,
    failures: Sequence[tuple[Beneficiary, Failure]],
    claim: Claim | None,
) -> Change | None:
    """Write failures of a PI's beneficiaries, move the PI along, tell the platform; None when all were known.

    A PI is PARTIAL once every beneficiary is either paid or failed; PARTIAL and COMPLETED stay what they are. Under a
    claim the PI is given back; without one the caller holds its lock.
    """
    newly = beneficiaries.record_failures(connection, {row.id: failure for row, failure in failures})
    if not newly:
        return None
    lines = [line for row in newly for line in row.line_item_ids]
    outbox.tell_line_statuses(
        connection,
        pi.tenant_id,
        pi.payment_number,
        lines,
        "FAILED",
        above="PARTIAL",
        status="PARTIAL",
        reference_status="PAYMENT_PARTIAL",
    )
    outbox.tell_beneficiaries(
        connection, pi, "failed", {row.beneficiary_number: failure.utr_number for row, failure in failures}
    )
    in_step = pi.status is PiStatus.SUCCESSFUL or (
        (pi.status is PiStatus.IN_PROCESS or (pi.pi_type == "REVISED" and pi.status is PiStatus.INITIATED))
        and beneficiaries.tally(connection, pi).waiting == 0
    )
    if in_step:
        return instructions.advance(connection, pi, claim, Event.SOME_FAILED, error_message=None)
    outbox.tell_index(connection, pi)
    if claim is not None:
        instructions.note(connection, pi, claim, None)
    return Change(None, "some_failed")
