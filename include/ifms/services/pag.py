"""PAG: the payment advice of an approved PI. Facts: treasury-jit.md §2 PAG, user-stories.md §4."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ifms.errors import WireError
from ifms.ledger import beneficiaries, instructions
from ifms.ledger.claims import Claim
from ifms.ledger.database import Connection
from ifms.ledger.instructions import Change
from ifms.ledger.models import Beneficiary, PaymentInstruction
from ifms.ledger.statuses import BeneficiaryStatus, Event, PiStatus
from ifms.ledger.write_batch import Writes
from ifms.sealing import Sealer
from ifms.sweep.status_poll import StatusService, require_same, require_single_row
from ifms.treasury.config import TreasuryConfig
from ifms.wire.bank import mask_long_numbers
from ifms.wire.envelope import Reply, Service, parse_rows
from ifms.wire.pag import PagRequest, PagRow
from ifms.wire.phrasebook import Phrasebook


@dataclass(frozen=True)
class Advice:
    """An advice; with what it says of accounts otherwise than was sent, once that is compared."""

    row: PagRow
    not_as_sent: str | None = None


class PaymentAdvice(StatusService[Advice]):
    """APPROVED PIs: IN PROCESS once the advice with its token is there."""

    service = Service.PAG
    queue = instructions.queue(PiStatus.APPROVED, "ORIGINAL")

    def __init__(self, sealer: Sealer | None = None) -> None:
        self._sealer = sealer

    def request(self, pi: PaymentInstruction, config: TreasuryConfig) -> PagRequest:
        """What is asked about `pi`: PIS's id and date, verbatim."""
        return PagRequest(
            pmt_inst_id=pi.pi_approved_id or "",
            pmt_inst_date=pi.pi_approval_date or "",
            bill_no=pi.pi_number,
            bill_date=pi.bill_date,
            ssu_ia_id=pi.ssu_id,
        )

    def read(self, pi: PaymentInstruction, reply: Reply, phrasebook: Phrasebook) -> Advice | None:
        """The advice; None when there is none yet. Raises WireError when it is not about `pi` or a field is missing."""
        rows = parse_rows(PagRow, reply)
        if not rows:
            return None
        require_single_row(self.service, pi, len(rows))
        if rows[0].bill_no is None:
            raise WireError(f"the PAG reply about {pi.pi_number} names no bill: it changes nothing")
        require_same("the bill", pi, rows[0].bill_no, pi.pi_number)
        require_same("the amount", pi, rows[0].amount, pi.net_amount)
        return Advice(rows[0])

    def record(self, connection: Connection, told: Sequence[tuple[PaymentInstruction, Advice]]) -> list[Advice]:
        """Compare who gets what with what was sent: money that goes elsewhere should be stopped before it is paid.

        Raises WireError for another amount, which no later answer tells again; accounts PD tells for each once more.
        """
        rows = beneficiaries.of(connection, [pi.id for pi, news in told if news.row.benf_list])
        return [replace(news, not_as_sent=self._not_as_sent(pi, rows.get(pi.id, ()), news.row)) for pi, news in told]

    def _not_as_sent(self, pi: PaymentInstruction, rows: Sequence[Beneficiary], told: PagRow) -> str | None:
        sent = {row.beneficiary_number.casefold(): row for row in rows}
        found = []
        for each in told.benf_list:
            row = sent.get(each.benf_id.casefold()) if each.benf_id else None
            if row is not None:
                require_same(f"for {row.beneficiary_number} the amount", pi, each.amount, row.amount)
                why = beneficiaries.not_as_sent(pi, row, each.benf_account_no, each.benf_bank_ifsc_code, self._sealer)
                found += [f"{row.beneficiary_number} ({why})"] if why else []
            elif each.benf_id:
                found.append(f"{mask_long_numbers(each.benf_id)} (it is not in this payment instruction)")
        return f"{', '.join(found)}: ask the treasury, before it pays, whom it will pay" if found else None

    def apply(self, writes: Writes, pi: PaymentInstruction, claim: Claim | None, news: Advice) -> Change:
        """IN PROCESS, with what PD must send back; the beneficiaries with it."""
        row = news.row
        change = instructions.advance(
            writes,
            pi,
            claim,
            Event.ADVISED,
            pa_fin_year=row.fin_year,
            pa_advice_id=row.advice_id,
            pa_advice_date=row.advice_date,
            pa_bill_ref_number=row.online_bill_ref_no,
            pa_token_number=row.token_number,
            pa_token_date=row.token_date,
            error_message=None,
        )
        beneficiaries.set_beneficiaries(writes, pi, BeneficiaryStatus.INITIATED, BeneficiaryStatus.IN_PROCESS)
        return replace(change, problem=news.not_as_sent and f"the advice is not as it was sent: {news.not_as_sent}")

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
