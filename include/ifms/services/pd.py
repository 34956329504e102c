"""PD: which beneficiaries of a PI have their debit scroll. Facts: treasury-jit.md §2 PD, user-stories.md §5."""

from __future__ import annotations

from ifms import outbox
from ifms.errors import WireError
from ifms.ledger import instructions
from ifms.ledger.claims import Claim
from ifms.ledger.database import Connection
from ifms.ledger.instructions import Change, Scroll
from ifms.ledger.models import PaymentInstruction
from ifms.ledger.statuses import Event, PiStatus
from ifms.services.poll import echoed
from ifms.treasury.config import TreasuryConfig
from ifms.wire.envelope import Reply, ReplyError, Service, parse_rows
from ifms.wire.pd import PdRequest, PdRow


class PaymentDetails:
    """IN PROCESS PIs: SUCCESSFUL once every beneficiary has its scroll; those that came are kept as they come."""

    service = Service.PD
    queue = instructions.queue(PiStatus.IN_PROCESS, "ORIGINAL")

    def request(self, pi: PaymentInstruction, config: TreasuryConfig) -> PdRequest:
        """What is asked about `pi`: what PAG gave."""
        return PdRequest(
            fin_year=pi.pa_fin_year or "",
            ext_app_name=config.ext_app_name,
            bill_ref_no=pi.pa_bill_ref_number or "",
            token_number=pi.pa_token_number or "",
            token_date=pi.pa_token_date or "",
            pi_number=pi.pi_number,
        )

    def read(self, pi: PaymentInstruction, reply: Reply) -> tuple[Scroll, ...] | None:
        """The scrolls so far; None when there are none yet.

        Raises WireError for another bill's reply. A row without a bill number says nothing about any PI.
        """
        scrolls: dict[str, Scroll] = {}
        for row in parse_rows(PdRow, reply):
            if row.bill_number is None:
                continue
            echoed("the bill", pi, row.bill_number, pi.pi_number)
            echoed("the bill reference", pi, row.bill_ref_no, pi.pa_bill_ref_number)
            for paid in row.benf_dtls:
                if row.voucher_no is None or paid.utr_no is None:
                    raise WireError(f"the PD reply about {pi.pi_number} has no voucher or UTR for {paid.benf_id}")
                scrolls[paid.benf_id.casefold()] = Scroll(
                    beneficiary_number=paid.benf_id,
                    voucher_number=row.voucher_no,
                    voucher_date=row.voucher_date,
                    utr_number=paid.utr_no,
                    utr_date=paid.utr_date,
                    end_to_end_id=paid.end_to_end_id,
                    message=row.payment_status,
                )
        return tuple(scrolls.values()) or None

    def apply(self, connection: Connection, pi: PaymentInstruction, mine: Claim, news: tuple[Scroll, ...]) -> Change:
        """Keep the scrolls; with the last one the PI is SUCCESSFUL and the platform hears of it."""
        tally = instructions.record_scrolls(connection, pi, news)
        if tally.waiting:
            message = f"{tally.waiting} of {pi.beneficiary_count} beneficiaries have no debit scroll yet"
            instructions.note(connection, pi, mine, message)
            return Change(None, "partly_paid")
        if tally.failed:
            return instructions.advance(connection, pi, mine, Event.SOME_FAILED, error_message=None)
        outbox.tell_payment_status(connection, pi.tenant_id, pi.payment_number, "SUCCESSFUL", "PAYMENT_SUCCESS")
        return instructions.advance(connection, pi, mine, Event.PAID, error_message=None)

    def refused(
        self,
        connection: Connection,
        pi: PaymentInstruction,
        mine: Claim,
        errors: tuple[ReplyError, ...],
    ) -> Change | None:
        """No error of PD changes a PI."""
        return None
