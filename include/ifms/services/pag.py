"""PAG: the payment advice of an approved PI. Facts: treasury-jit.md §2 PAG, user-stories.md §4."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ifms.errors import WireError
from ifms.ledger import beneficiaries, instructions
from ifms.ledger.claims import Claim
from ifms.ledger.database import Connection
from ifms.ledger.instructions import Change
from ifms.ledger.models import PaymentInstruction
from ifms.ledger.statuses import BeneficiaryStatus, Event, PiStatus
from ifms.ledger.write_batch import Writes
from ifms.sweep.status_poll import StatusService, require_same, require_single_row
from ifms.treasury.config import TreasuryConfig
from ifms.wire.envelope import Reply, Service, parse_rows
from ifms.wire.pag import PagRequest, PagRow
from ifms.wire.phrasebook import Phrasebook


class PaymentAdvice(StatusService[PagRow]):
    """APPROVED PIs: IN PROCESS once the advice with its token is there."""

    service = Service.PAG
    queue = instructions.queue(PiStatus.APPROVED, "ORIGINAL")

    def request(self, pi: PaymentInstruction, config: TreasuryConfig) -> PagRequest:
        """What is asked about `pi`: PIS's id and date, verbatim."""
        return PagRequest(
            pmt_inst_id=pi.pi_approved_id or "",
            pmt_inst_date=pi.pi_approval_date or "",
            bill_no=pi.pi_number,
            bill_date=pi.bill_date,
            ssu_ia_id=pi.ssu_id,
        )

    def read(self, pi: PaymentInstruction, reply: Reply, phrasebook: Phrasebook) -> PagRow | None:
        """The advice; None when there is none yet. Raises WireError when it is not about `pi` or a field is missing."""
        rows = parse_rows(PagRow, reply)
        if not rows:
            return None
        require_single_row(self.service, pi, len(rows))
        if rows[0].bill_no is None:
            raise WireError(f"the PAG reply about {pi.pi_number} names no bill: it changes nothing")
        require_same("the bill", pi, rows[0].bill_no, pi.pi_number)
        require_same("the amount", pi, rows[0].amount, pi.net_amount)
        return rows[0]

    def apply(self, writes: Writes, pi: PaymentInstruction, claim: Claim | None, news: PagRow) -> Change:
        """IN PROCESS, with what PD must send back; the beneficiaries with it."""
        change = instructions.advance(
            writes,
            pi,
            claim,
            Event.ADVISED,
            pa_fin_year=news.fin_year,
            pa_advice_id=news.advice_id,
            pa_advice_date=news.advice_date,
            pa_bill_ref_number=news.online_bill_ref_no,
            pa_token_number=news.token_number,
            pa_token_date=news.token_date,
            error_message=None,
        )
        beneficiaries.set_beneficiaries(writes, pi, BeneficiaryStatus.INITIATED, BeneficiaryStatus.IN_PROCESS)
        return change

    def follow(self, connection: Connection, changed: Sequence[tuple[PaymentInstruction, Change]]) -> list[Change]:
        """PARTIAL at once where the bank has told of all beneficiaries before: none is left for PD to tell of."""
        advised = [pi for pi, change in changed if change.status is PiStatus.IN_PROCESS]
        tallies = beneficiaries.tallies(connection, advised)  # from here on FD waits for their rows
        return [
            self._ended(connection, pi, change) if pi.id in tallies and not tallies[pi.id].waiting else change
            for pi, change in changed
        ]

    def _ended(self, connection: Connection, pi: PaymentInstruction, change: Change) -> Change:
        in_process = replace(pi, status=PiStatus.IN_PROCESS)
        ended = instructions.advance(connection, in_process, None, Event.SOME_FAILED)
        return replace(change, label=ended.label, then=ended.status)
