"""PIS: has the SSU approved the PI, or rejected it? Facts: treasury-jit.md §2 PIS, user-stories.md §3."""

from __future__ import annotations

from ifms.errors import WireError
from ifms.ledger import beneficiaries, instructions, outbox
from ifms.ledger.claims import Claim
from ifms.ledger.failure_matching import enqueue_failed_again
from ifms.ledger.instructions import Change
from ifms.ledger.models import PaymentInstruction
from ifms.ledger.payments import REJECTED
from ifms.ledger.statuses import BeneficiaryStatus, Event, PiStatus
from ifms.ledger.write_batch import Writes
from ifms.sweep.status_poll import StatusService, require_same, require_single_row
from ifms.treasury.config import TreasuryConfig
from ifms.wire.envelope import Reply, ReplyError, Service, parse_rows
from ifms.wire.phrasebook import Phrasebook
from ifms.wire.pis import PisRequest, PisRow


class InstructionStatus(StatusService[PisRow]):
    """INITIATED originals: approved, or rejected with their money back on the sanction."""

    service = Service.PIS
    queue = instructions.queue(PiStatus.INITIATED, "ORIGINAL")

    def request(self, pi: PaymentInstruction, config: TreasuryConfig) -> PisRequest:
        """What is asked about `pi`."""
        return PisRequest(jit_bill_no=pi.pi_number, jit_bill_date=pi.bill_date, ssu_ia_id=pi.ssu_id)

    def read(self, pi: PaymentInstruction, reply: Reply, phrasebook: Phrasebook) -> PisRow | None:
        """The approval; None when there is none yet. Raises WireError when it is not about `pi` and its amount."""
        rows = parse_rows(PisRow, reply)
        if not rows:
            return None
        require_single_row(self.service, pi, len(rows))
        row = rows[0]
        require_same("the bill", pi, row.jit_bill_number, pi.pi_number)
        require_same("the net amount", pi, row.bill_net_amount, pi.net_amount)
        require_same("the gross amount", pi, row.bill_gross_amount, pi.gross_amount)
        require_same("the number of beneficiaries", pi, row.total_number_of_beneficiary, str(pi.beneficiary_count))
        if row.jit_bill_number is None and row.bill_net_amount is None:
            raise WireError(
                f"the PIS reply about {pi.pi_number} names neither a bill nor an amount: it changes nothing"
            )
        return row

    def apply(self, writes: Writes, pi: PaymentInstruction, claim: Claim | None, news: PisRow) -> Change:
        """APPROVED, with what PAG must send back."""
        return instructions.advance(
            writes,
            pi,
            claim,
            Event.APPROVED,
            pi_approved_id=news.pmt_inst_id,
            pi_approval_date=news.pay_inst_date,
            error_message=None,
        )

    def rejected(self, writes: Writes, pi: PaymentInstruction, claim: Claim, errors: tuple[ReplyError, ...]) -> Change:
        """FAILED, the money back, the platform told, and the payment free for a new PI."""
        message = "; ".join(str(error) for error in errors)
        change = instructions.advance(
            writes, pi, claim, Event.REJECTED, error_code="PAYMENT_DECLINED", error_message=message
        )
        if pi.repayment_of is None:
            instructions.free_payment(writes, pi, REJECTED, f"PI {pi.pi_number} was rejected: {message}")
            outbox.enqueue_payment_status(writes, pi.tenant_id, pi.payment_number, "FAILED", "PAYMENT_DECLINED")
        else:  # its beneficiaries are as failed as they were before, and may be paid by another
            beneficiaries.set_beneficiaries(writes, pi, BeneficiaryStatus.INITIATED, BeneficiaryStatus.FAILED)
            enqueue_failed_again(writes.flush(), pi)
        return change
